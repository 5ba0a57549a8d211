import numpy as np
import pytest

from jaxsoftras import data
from jaxsoftras.reconstruction import accelerators, evaluation, training
from tests.support.small_run import CABINET


def test_every_object_is_scored_once_and_counted(settings):
    experiment = training.Experiment(settings, accelerators.device_mesh(4))
    split = data.open_split(settings.data, "train")
    variables = experiment.init(0).variables
    calls = []
    scores = evaluation.score_split(
        experiment, variables, split, 1e-4, lambda *counts: calls.append(counts)
    )
    count = split.count(CABINET)
    assert calls == [(count, count)]  # all fit in one group
    for name in ("iou", "silhouette_iou", "loss"):
        assert scores[name].shape == (count, 24)
        assert np.all(np.isfinite(scores[name]))
    assert np.all((scores["iou"] >= 0) & (scores["iou"] <= 1))
    assert np.all(np.isnan(scores["chamfer"]))  # no mesh to compare with

    # the definition: hard silhouettes in all views but the one that the network saw
    objects, views = np.zeros(24, int), np.arange(24)
    images = split.images(CABINET, objects, views)
    for view in (0, 5):
        shown = np.repeat(images[view][None], 24, axis=0)
        meshes = experiment.infer(variables, shown)
        covered = experiment.cover(meshes, split.viewpoints(CABINET, objects, views))
        covered, target = np.asarray(covered), images[:, 3] >= 128
        iou = (covered & target).sum((1, 2)) / (covered | target).sum((1, 2))
        expected = np.delete(iou, view).mean()
        assert scores["silhouette_iou"][0, view] == pytest.approx(expected, abs=1e-5)
