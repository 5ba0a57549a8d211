import json

import numpy as np
import pytest

from jaxsoftras import data
from jaxsoftras.reconstruction import showcase
from jaxsoftras.reconstruction.evaluation_scores import COLUMNS, Scores
from jaxsoftras.report import examples, results
from tests.support import small_run


def make_scores(values, *, seen=None, has_voxels=True) -> Scores:
    values = np.asarray(values, np.float32)
    count, views = values.shape
    views = np.full(count, views) if seen is None else np.sum(seen, axis=1)
    names = np.full(count, "a")
    columns = {name: np.full(values.shape, np.nan, np.float32) for name in COLUMNS}
    columns["silhouette_iou"] = np.zeros_like(values)
    columns["iou" if has_voxels else "silhouette_iou"] = values
    return Scores("test", 1, names, names, names, views, np.zeros_like(values), columns)


def ranks(scores: Scores) -> list[tuple[str, int]]:
    return [(choice.rank, choice.number) for choice in showcase.choose(scores, "a")]


@pytest.mark.parametrize("has_voxels", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_ranks_are_those_of_the_sorted_means(count, has_voxels):
    means = np.random.default_rng(count).permutation(count) / 8 + 0.0625
    score = make_scores(means[:, None] + [[-0.0625, 0.0625]], has_voxels=has_voxels)
    chosen = showcase.choose(score, "a")
    expected = {
        1: {"only": 0},
        2: {"best": 1, "worst": 0},
        3: {"best": 2, "median": 1, "worst": 0},
        4: {"best": 3, "median": 2, "worst": 0},  # the better one of two
        7: {"best": 6, "median": 3, "worst": 0},
    }[count]
    found = {choice.rank: round(8 * (choice.score - 0.0625)) for choice in chosen}
    assert found == expected
    for choice in chosen:
        assert choice.score == pytest.approx(means[choice.number])
        assert choice.measure == ("iou" if has_voxels else "silhouette_iou")
        np.testing.assert_allclose(np.diff(choice.view_scores), 0.125)


def test_of_equal_objects_the_first_comes_first():
    assert ranks(make_scores(np.full((3, 2), 0.5))) == [
        *(("best", 0), ("median", 1), ("worst", 2)),
    ]


def test_views_that_are_absent_do_not_count():
    score = make_scores([[0.2, 1.0], [0.4, 0.4]], seen=[[1, 0], [1, 1]])
    best, worst = showcase.choose(score, "a")
    assert (best.number, worst.number) == (1, 0)
    assert worst.score == pytest.approx(0.2) and np.isnan(worst.view_scores[1])


def test_single_views_have_no_silhouette_score():
    seen = [[1, 0], [1, 1], [0, 0]]
    score = make_scores([[0.9, 0], [0.3, 0.5], [1, 1]], seen=seen, has_voxels=False)
    assert ranks(score) == [("only", 1)]
    assert ranks(make_scores([[0.9, 0]], seen=[[1, 0]], has_voxels=False)) == [
        ("unranked", 0)
    ]


def test_scores_that_are_not_finite_are_not_ranked():
    assert ranks(make_scores([[np.nan, 0.5], [0.1, 0.2]])) == [("only", 1)]
    assert ranks(make_scores([[np.inf, np.nan]])) == [("unranked", 0)]


def test_an_evaluation_writes_what_its_report_needs(trained, evaluated, settings):
    found = results.read(trained, "test")
    shown, environment = found.examples, found.environment
    assert shown is not None and environment is not None
    split = data.open_split(settings.data, "test")
    count = split.count(small_run.CABINET)
    assert len(shown.ranks) == min(count, 3)
    assert set(shown.ranks.tolist()) <= set(examples.RANKS)
    number = shown.objects[:1]
    np.testing.assert_array_equal(
        shown.occupied[0], split.voxels(small_run.CABINET, number)[0]
    )
    lines = (trained / "eval" / "test" / "cabinet.obj").read_text().splitlines()
    corners = [line.split()[1:] for line in lines if line.startswith("v ")]
    first = shown.objects.tolist().index(0)
    np.testing.assert_allclose(
        shown.vertices[first], np.array(corners, float), atol=1e-5
    )
    assert found.mean.iou is not None
    assert shown.scores.max() >= found.mean.iou - 1e-6 >= shown.scores.min() - 2e-6
    assert environment["data"] == settings.data.root
    text = (trained / "eval" / "test" / "metrics.json").read_text()
    assert json.loads(text)["step"] == found.step == 3
