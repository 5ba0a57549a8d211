import json

import numpy as np
import pytest

from jaxsoftras.report import history


def read(tmp_path, *lines: str) -> history.History:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(line + "\n" for line in lines))
    return history.read(path)


def test_reads_reports_and_validations(tmp_path):
    course = read(
        tmp_path,
        '{"step": 10, "loss": 0.5, "sigma": 1e-4, "time": 1.0}',
        '{"step": 20, "loss": 0.25, "time": 2.0}',
        '{"step": 20, "val_iou": 0.4, "val_iou_per_category": {"a b": 0.3},'
        ' "val_part": "all"}',
    )
    assert course.training.steps.tolist() == [10, 20]
    assert course.training.values["loss"].tolist() == [0.5, 0.25]
    np.testing.assert_equal(course.training.values["sigma"], [1e-4, np.nan])
    assert set(course.training.values) == {"loss", "sigma"}
    assert course.measure == "iou" and course.part == "all" and not course.unread
    assert course.validation.steps.tolist() == [20]
    assert course.validation.values["mean"].tolist() == [0.4]
    assert course.categories["a b"].tolist() == [0.3]


def test_an_absent_file_has_no_lines(tmp_path):
    course = history.read(tmp_path / "none")
    assert not len(course.training.steps) and not course.measure


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 30, "lo',
        "null",
        "[1, 2]",
        "{}",
        '{"step": null}',
        '{"step": true, "loss": 1}',
        '{"step": "3"}',
        '{"step": -1}',
        '{"step": NaN}',
        '{"step": 1e400}',
        '{"step": 1' + "0" * 400 + "}",
        "[" * 100_000,
        "\0\udcff".encode("utf-8", "replace").decode(),
    ],
)
def test_counts_lines_that_cannot_be_read(tmp_path, line):
    course = read(tmp_path, line, '{"step": 1, "loss": 2}')
    assert course.unread == 1 and course.training.steps.tolist() == [1]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "null", '"x"', "[]", "true"])
def test_what_is_no_number_is_a_gap(tmp_path, value):
    course = read(tmp_path, '{"step": 1, "loss": 2}', f'{{"step": 2, "loss": {value}}}')
    np.testing.assert_equal(course.training.values["loss"], [2, np.nan])


def test_orders_steps_and_keeps_the_last_of_equal_ones(tmp_path):
    lines = [json.dumps({"step": s, "loss": v}) for s, v in ((9, 1), (3, 2), (9, 3))]
    course = read(tmp_path, *lines)
    assert course.training.steps.tolist() == [3, 9]
    assert course.training.values["loss"].tolist() == [2, 3]


def test_validations_of_another_measure_are_not_mixed(tmp_path):
    course = read(
        tmp_path,
        '{"step": 1, "val_silhouette_iou": 0.9}',
        '{"step": 2, "val_iou": 0.2, "val_iou_per_category": 7}',
    )
    assert course.measure == "iou"
    assert course.validation.steps.tolist() == [2] and not course.categories


def test_thin_averages_neighbours():
    values = np.arange(1500.0)
    values[:3] = [np.nan, 4, np.nan]
    values[3:6] = np.nan
    curves = history.Curves(np.arange(1, 1501), {"loss": values})
    thinned, group = history.thin(curves)
    assert group == 3 and len(thinned.steps) == 500
    expected = [np.nanmean(values[k : k + 3]) for k in range(6, 1500, 3)]
    np.testing.assert_equal(thinned.values["loss"][:2], [4, np.nan])
    np.testing.assert_allclose(thinned.values["loss"][2:], expected)
    assert thinned.steps[[0, -1]].tolist() == [3, 1500]


def test_thin_leaves_short_curves_alone():
    curves = history.Curves(np.arange(600), {"loss": np.ones(600)})
    assert history.thin(curves) == (curves, 1)
