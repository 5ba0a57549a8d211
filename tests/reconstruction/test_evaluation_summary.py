import dataclasses
import json

import numpy as np
import pytest

from jaxsoftras.reconstruction import (
    evaluation_summary,
    evaluation_table,
    resampling,
)
from jaxsoftras.reconstruction.evaluation_scores import COLUMNS
from tests.support.scores import make_scores


def render(table) -> str:
    from jaxsoftras import terminal

    console = terminal.make_console(width=200)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_the_mean_is_over_categories_not_objects():
    first = np.repeat([0.2, 0.8], [9, 1])[:, None]
    metrics = evaluation_summary.summarize(
        make_scores({"a": 9, "b": 1}, iou=first, silhouette_iou=1 - first, loss=0.5)
    )
    assert metrics["mean_iou"] == pytest.approx(0.5)
    assert metrics["mean_silhouette_iou"] == pytest.approx(0.5)
    assert metrics["mean_loss"] == pytest.approx(0.5)
    assert metrics["mean_chamfer"] is None
    row = metrics["per_category"]["a"]
    assert row["name"] == "name of a" and row["objects"] == 9
    assert row["iou"] == pytest.approx(0.2) and row["chamfer"] is None


def test_different_numbers_of_pictures():
    """Every object counts the same; one picture gives no silhouette IoU."""
    numbers = np.array([[0.1, 0.2, 0.3], [0.4, 0.6, 9], [0.9, 9, 9], [0.9, 9, 9]])
    silhouettes = np.where(np.arange(4)[:, None] < 2, numbers, np.nan)
    scores = make_scores(
        {"mug": 3, "cup": 1}, 3, silhouette_iou=silhouettes, loss=numbers
    )
    scores = dataclasses.replace(scores, views=np.array([3, 2, 1, 1]))
    metrics = evaluation_summary.summarize(scores)
    mug, cup = metrics["per_category"].values()
    assert mug["silhouette_iou"] == pytest.approx((0.2 + 0.5) / 2)
    assert mug["loss"] == pytest.approx((0.2 + 0.5 + 0.9) / 3)
    assert (mug["objects"], mug["single_views"]) == (3, 1)
    assert cup["silhouette_iou"] is None and cup["single_views"] == 1
    assert metrics["mean_silhouette_iou"] == mug["silhouette_iou"]
    assert metrics["mean_iou"] is None and mug["iou"] is None
    notes = list(evaluation_summary.list_gaps(scores))
    assert "No voxels, hence no IoU of voxels: name of mug, name of cup." in notes
    assert any("with a single picture" in note and "2." in note for note in notes)
    assert any("too narrow" in note and "name of cup." in note for note in notes)


def test_a_loss_that_is_not_finite_is_not_hidden():
    loss = np.full((2, 4), 0.5)
    loss[0, 0] = np.nan
    metrics = evaluation_summary.summarize(make_scores({"a": 2}, iou=0.5, loss=loss))
    assert np.isnan(metrics["mean_loss"]) and metrics["intervals"]["loss"] is None
    assert "nan" in render(evaluation_table.make_table(metrics))


def test_intervals_are_those_of_the_object_means(tmp_path):
    iou = np.random.default_rng(0).random((5, 4))
    scores = make_scores({"a": 3, "b": 2}, iou=iou, loss=0.1)
    metrics = evaluation_summary.summarize(scores, ["a note"])
    whole, each = resampling.intervals(
        {"a": iou[:3].astype("f4").mean(1), "b": iou[3:].astype("f4").mean(1)}
    )
    assert metrics["intervals"]["iou"] == pytest.approx(whole, abs=1e-6)
    found = metrics["per_category"]["b"]["intervals"]["iou"]
    assert found == pytest.approx(each["b"], abs=1e-6)
    assert metrics["notes"] == ["a note"]
    evaluation_summary.write(metrics, tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    table = render(evaluation_table.make_table(metrics))
    assert all(f"{bound:.4f}" in table for bound in metrics["intervals"]["iou"])


class TestAzimuths:
    def test_each_has_a_row(self):
        iou = np.array([[0.1, 0.2, 0.3, 0.4], [0.3, 0.4, 0.5, 9], [0.8, 0.9, 9, 9]])
        scores = make_scores({"a": 2, "b": 1}, iou=iou, loss=0.5)
        scores = dataclasses.replace(scores, views=np.array([4, 3, 2]))
        rows = evaluation_summary.summarize(scores)["by_azimuth"]
        assert [row["azimuth"] for row in rows] == [0, 90, 180, 270]
        assert [row["objects"] for row in rows] == [3, 3, 2, 1]
        expected = [(0.2 + 0.8) / 2, (0.3 + 0.9) / 2, 0.4, 0.4]
        assert [row["iou"] for row in rows] == pytest.approx(expected)

    def test_many_are_put_into_bins(self):
        azimuth = np.linspace(0, 359, 40, dtype=np.float32)
        iou = np.where(np.abs(azimuth - 30) <= 15, 1.0, 0.0)
        scores = make_scores({"a": 2}, 40, iou=iou, loss=0.5)
        scores = dataclasses.replace(scores, azimuth=np.stack([azimuth, azimuth]))
        rows = evaluation_summary.summarize(scores)["by_azimuth"]
        assert [row["azimuth"] for row in rows] == list(range(0, 360, 30))
        assert [row["iou"] for row in rows] == [0, 1] + [0] * 10

    def test_table(self):
        metrics = evaluation_summary.summarize(make_scores({"a": 2}, iou=0.25, loss=1))
        table = render(evaluation_table.make_table(metrics, "azimuth"))
        assert "270°" in table and "0.2500" in table and "name of a" not in table


def test_table_shows_columns_that_have_numbers():
    metrics = evaluation_summary.summarize(
        make_scores({"a[b]": 2}, silhouette_iou=0.5, f_score=0.125, loss=0.25)
    )
    table = render(evaluation_table.make_table(metrics))
    assert "name of a[b]" in table and "none" in table and "0.1250" in table
    assert COLUMNS["f_score"].label in table and COLUMNS["chamfer"].label not in table


def test_colours_have_a_table_with_both_baselines():
    columns = {"psnr": 10, "ssim": 0.5, "psnr_mean_color": 11, "ssim_mean_color": 0.25}
    columns |= {"psnr_nearest_pixel": 12, "ssim_nearest_pixel": 0.125}
    metrics = evaluation_summary.summarize(make_scores({"a": 2}, loss=1, **columns))
    lines = render(evaluation_table.make_color_table(metrics)).splitlines()
    rows = [line.split()[-2:] for line in lines if "1" in line]
    assert rows == [["10.0000", "0.5000"], ["11.0000", "0.2500"], ["12.0000", "0.1250"]]
    assert "shared" not in "".join(lines)  # which nothing has a number in
    assert "PSNR" not in render(evaluation_table.make_table(metrics))


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_losses_that_are_not_finite_are_null_in_the_file(loss, tmp_path):
    losses = np.array([[loss], [0.5], [0.25]])
    metrics = evaluation_summary.summarize(
        make_scores({"a": 2, "b": 1}, iou=0.5, loss=losses)
    )
    evaluation_summary.write(metrics, tmp_path / "metrics.json")
    text = (tmp_path / "metrics.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    found = json.loads(text)
    assert found["mean_loss"] is found["per_category"]["a"]["loss"] is None
    assert found["per_category"]["b"]["loss"] == 0.25
    assert found["mean_iou"] == 0.5 and found["intervals"]["iou"] == [0.5, 0.5]
