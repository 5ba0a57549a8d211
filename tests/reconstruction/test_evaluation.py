import numpy as np
import pytest

from jaxsoftras import data
from jaxsoftras.reconstruction import evaluation, training
from tests.support.small_run import CABINET


def make_score(objects: int, **numbers: float) -> evaluation.Score:
    shape = objects, 24
    arrays = {name: np.full(shape, number) for name, number in numbers.items()}
    return evaluation.Score(seen=np.ones(shape, bool), **arrays)


def test_summary_is_the_mean_over_categories_not_objects():
    metrics = evaluation.summarize(
        {
            "02691156": make_score(9, iou=0.2, silhouette_iou=0.4, loss=0.5),
            "04379243": make_score(1, iou=0.8, silhouette_iou=0.6, loss=0.1),
        },
        split="test",
        step=1,
    )
    assert metrics["mean_iou"] == pytest.approx(0.5)
    assert metrics["mean_silhouette_iou"] == pytest.approx(0.5)
    assert metrics["mean_loss"] == pytest.approx(0.3)


def test_summary_of_different_numbers_of_pictures():
    """Every object counts the same; one picture gives no silhouette IoU."""
    seen = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0]], bool)
    numbers = np.array([[0.1, 0.2, 0.3], [0.4, 0.6, np.nan], [0.9, np.nan, np.nan]])
    several = evaluation.Score(seen, None, numbers, numbers)
    single = evaluation.Score(seen[2:], None, numbers[2:], numbers[2:])
    metrics = evaluation.summarize(
        {"mug": several, "cup": single},
        split="test",
        step=1,
        names={"mug": "Mug", "cup": "Cup"},
    )
    mug, cup = metrics["per_category"].values()
    assert mug["silhouette_iou"] == pytest.approx((0.2 + 0.5) / 2)
    assert mug["loss"] == pytest.approx((0.2 + 0.5 + 0.9) / 3)
    assert (mug["objects"], mug["single_views"]) == (3, 1)
    assert cup["silhouette_iou"] is None and cup["single_views"] == 1
    assert metrics["mean_silhouette_iou"] == mug["silhouette_iou"]
    assert metrics["mean_iou"] is None and mug["iou"] is None


def test_a_loss_that_is_not_finite_is_not_hidden():
    score = make_score(2, iou=0.2, silhouette_iou=0.4, loss=0.5)
    score.loss[0, 0] = np.nan
    metrics = evaluation.summarize({"02691156": score}, split="test", step=1)
    assert np.isnan(metrics["mean_loss"])


def test_every_object_is_scored_once_and_counted(settings):
    experiment = training.Experiment(settings, training.device_mesh(4))
    split = data.open_split(settings.data, "train")
    variables = experiment.init(0).variables
    calls = []
    scores = evaluation.score_split(
        experiment, variables, split, 1e-4, lambda *counts: calls.append(counts)
    )
    count = split.count(CABINET)
    assert calls == [(count, count)]  # all fit in one group
    score = scores[CABINET]
    assert score.iou is not None
    for array in (score.seen, score.iou, score.silhouette_iou, score.loss):
        assert array.shape == (count, 24) and np.all(np.isfinite(np.asarray(array)))
    assert np.all(score.seen)
    assert np.all((score.iou >= 0) & (score.iou <= 1))

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
        assert score.silhouette_iou[0, view] == pytest.approx(expected, abs=1e-5)
