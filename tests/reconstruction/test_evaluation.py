import numpy as np
import pytest

from jaxsoftras import data
from jaxsoftras.reconstruction import evaluation, training
from tests.support.small_run import CABINET


def test_summary_is_the_mean_over_categories_not_objects():
    metrics = evaluation.summarize(
        {
            "02691156": evaluation.Score(np.full((9, 24), 0.2), np.full((9, 24), 0.5)),
            "04379243": evaluation.Score(np.full((1, 24), 0.8), np.full((1, 24), 0.1)),
        },
        split="test",
        step=1,
    )
    assert metrics["mean_iou"] == pytest.approx(0.5)
    assert metrics["mean_loss"] == pytest.approx(0.3)


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
    assert scores[CABINET].iou.shape == scores[CABINET].loss.shape == (count, 24)
    assert np.all(np.isfinite(scores[CABINET].loss))
    assert np.all((scores[CABINET].iou >= 0) & (scores[CABINET].iou <= 1))
