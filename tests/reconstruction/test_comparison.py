import csv
import dataclasses
import io
import json
from typing import Any

import numpy as np
import pytest

from jaxsoftras import config
from jaxsoftras.reconstruction import comparison, comparison_formats, resampling
from jaxsoftras.reconstruction.comparison import Candidate, Row
from jaxsoftras.reconstruction.run_folder import RunError
from tests.support.scores import make_scores

RNG = np.random.default_rng(0)
FIRST = RNG.random((5, 4))
SECOND = FIRST + 0.1 + 0.02 * RNG.random((5, 4))


def candidate(run, iou=FIRST, *settings, counts=None, **fields: Any) -> Candidate:
    scores = make_scores(counts or {"a": 3, "b": 2}, iou=iou, loss=1 - np.asarray(iou))
    columns = dict(scores.columns)
    for column in set(columns) & set(fields):
        value = np.float32(fields.pop(column))
        columns[column] = np.broadcast_to(value, scores.azimuth.shape)
    scores = dataclasses.replace(scores, columns=columns, **fields)
    return Candidate(run, config.override(config.Config(), settings), scores)


def rows(*candidates) -> list[Row]:
    return [Row(each.name, (each,)) for each in candidates]


class TestNumbers:
    def test_difference_interval_and_test_are_paired(self):
        table = comparison.compare(rows(candidate("x"), candidate("y", SECOND)))
        assert table["columns"] == ["iou", "loss"]
        first, second = (row["columns"]["iou"] for row in table["rows"])
        assert first["difference"] is first["p"] is None
        gaps = (SECOND.astype("f4").astype(float) - FIRST.astype("f4")).mean(1)
        strata = {"a": gaps[:3], "b": gaps[3:]}
        expected = (gaps[:3].mean() + gaps[3:].mean()) / 2
        assert second["difference"] == pytest.approx(expected, abs=1e-9)
        assert second["mean"] - first["mean"] == pytest.approx(expected, abs=1e-9)
        bounds, _ = resampling.intervals(strata)
        assert second["difference_interval"] == pytest.approx(bounds, abs=1e-9)
        assert second["p"] == pytest.approx(resampling.sign_flip_test(strata))
        # pairing: the objects differ more than the runs
        width = np.ptp(second["interval"])
        assert np.ptp(second["difference_interval"]) < width / 5

    def test_the_same_run_does_not_differ(self):
        table = comparison.compare(rows(candidate("x"), candidate("y")))
        cell = table["rows"][1]["columns"]["iou"]
        assert cell["difference"] == 0 and cell["p"] == 1
        assert cell["difference_interval"] == [0, 0]

    def test_seeds_are_averaged_and_spread(self):
        several = [candidate(f"s{k}", FIRST + k / 10, f"seed={k}") for k in range(3)]
        other = candidate("other", SECOND)
        table = comparison.compare([Row("three", tuple(several)), *rows(other)])
        cell = table["rows"][0]["columns"]["iou"]
        middle = comparison.compare(rows(several[1]))["rows"][0]["columns"]["iou"]
        assert cell["mean"] == pytest.approx(middle["mean"])
        assert cell["spread"] == pytest.approx(0.1)
        assert middle["spread"] is None
        runs = table["rows"][0]["runs"]
        assert [(run["run"], run["seed"]) for run in runs] == [
            ("s0", 0),
            ("s1", 1),
            ("s2", 2),
        ]

    def test_columns_that_were_asked_for(self):
        table = comparison.compare(rows(candidate("x")), ["loss", "chamfer", "iou"])
        assert table["columns"] == ["loss", "chamfer", "iou"]
        assert table["rows"][0]["columns"]["chamfer"]["mean"] is None


class TestRefusals:
    @pytest.mark.parametrize(
        "other",
        [
            {"split": "val"},
            {"data": "1"},
            {"counts": {"a": 2, "b": 3}},
            {"counts": {"a": 3, "c": 2}},
            {"name": np.array(list("abcde"))},
            {"views": np.array([4, 4, 4, 4, 3])},
        ],
    )
    def test_of_other_objects(self, other):
        pair = rows(candidate("runs/x"), candidate("runs/y", **other))
        with pytest.raises(RunError, match="runs/x and runs/y cannot be compared"):
            comparison.compare(pair)

    @pytest.mark.parametrize(
        "setting", ["loss.laplacian=1.0", "render.sigma=1e-3", "render.dist_eps=1e-3"]
    )
    def test_losses_of_other_weights_are_left_out(self, setting):
        pair = rows(candidate("x"), candidate("y", FIRST, setting))
        table = comparison.compare(pair)
        assert table["columns"] == ["iou"]
        assert "losses are not comparable" in table["notes"][0]

    def test_sigma_of_the_step_counts(self):
        words = "optim.decay_step=10", "optim.steps=20"
        early, late = (candidate(str(k), FIRST, *words, step=k) for k in (5, 15))
        table = comparison.compare(rows(early, late))
        assert "sigma (0.0001 and 3e-05)" in table["notes"][0]

    def test_scores_of_other_points_or_thresholds(self):
        surfaces: dict[str, Any] = {"chamfer": 0.1, "f_score": 0.5, "thin_iou": 0.5}
        surfaces["threshold"] = 0.1
        x = candidate("x", points=10, **surfaces)
        y = candidate("y", points=10, **{**surfaces, "threshold": 0.2})
        z = candidate("z", points=20, **surfaces)
        assert "f_score" in comparison.compare(rows(x, x))["columns"]
        table = comparison.compare(rows(x, y))
        assert table["columns"] == ["iou", "thin_iou", "chamfer", "loss"]
        assert "F-score is left out" in table["notes"][0]
        assert comparison.compare(rows(x, z))["columns"] == ["iou", "thin_iou", "loss"]
        table = comparison.compare(rows(x, candidate("none")))
        assert table["columns"] == ["iou", "loss"]
        assert "not all runs have it of the same objects" in table["notes"][0]


class TestGroups:
    def test_differ_in_the_seed_alone(self):
        runs = [
            candidate("b0", FIRST),
            candidate("r0", SECOND, "model.encoder=resnet"),
            candidate("b1", FIRST, "seed=1", "log.metrics_every=7", "data.root=x"),
            candidate("r1", SECOND, "seed=1", "model.encoder=resnet"),
        ]
        grouped = comparison.group_by_seed(runs)
        assert [row.name for row in grouped] == ["baseline", "resnet"]
        names = [[each.name for each in row.candidates] for row in grouped]
        assert names == [["b0", "b1"], ["r0", "r1"]]

    def test_are_named_by_all_fields_that_differ(self):
        words = "model.encoder=resnet", "optim.ema=0.5"
        pair = [candidate("x"), candidate("y", FIRST, *words)]
        grouped = comparison.group_by_seed(pair)
        assert grouped[1].name == "model.encoder=resnet, optim.ema=0.5"
        assert comparison.group_by_seed([candidate("x")])[0].name == "all runs"

    def test_one_run_does_not_count_twice(self):
        with pytest.raises(RunError, match="x and y have the same configuration and"):
            comparison.group_by_seed([candidate("x"), candidate("y")])

    def test_of_different_steps_are_said_to_be(self):
        pair = candidate("x"), candidate("y", FIRST, "seed=1", step=2)
        table = comparison.compare([Row("both", pair)])
        assert "The runs of both are of different steps: 1, 2." in table["notes"]


class TestFormats:
    @pytest.fixture(scope="class")
    @classmethod
    def table(cls):
        seeds = [candidate(f"runs/a_{k}", FIRST + k / 10, f"seed={k}") for k in (0, 1)]
        awkward = candidate("runs/50% of|<x>_\n[b]", SECOND)
        return comparison.compare([Row("a & b", tuple(seeds)), *rows(awkward)])

    def test_table(self, table, monkeypatch):
        monkeypatch.setenv("COLUMNS", "160")
        text = comparison_formats.format_table(table)
        assert "a & b" in text and "±" in text and r"_\n[b]" in text
        assert f"{table['rows'][1]['columns']['iou']['difference']:+.4f}" in text
        assert all(note in text for note in table["notes"])

    def test_table_shows_names_whole(self, monkeypatch):
        monkeypatch.setenv("COLUMNS", "60")
        names = [f"/a/long/folder/of/many/runs/{end}" for end in "xy"]
        table = comparison.compare(rows(*map(candidate, names)))
        lines = comparison_formats.format_table(table).splitlines()
        first = "".join(line[1:].partition("│")[0].strip() for line in lines)
        assert all(name in first for name in names)

    def test_markdown(self, table):
        lines = comparison_formats.format_markdown(table).splitlines()
        assert r"of\|<x>" in lines[3]
        assert {line.replace(r"\|", "").count("|") for line in lines[:4]} == {7}

    def test_latex(self, table):
        text = comparison_formats.format_latex(table)
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert {line.replace(r"\&", "").count("&") for line in rows} == {5}
        assert r"a \& b" in text and r"runs/50\% of|$<$x>\_" in text
        assert r"$\pm$" in text and "±" not in text.partition("tabular")[2]

    def test_json(self, table):
        assert json.loads(comparison_formats.format_json(table)) == table

    def test_losses_that_are_not_finite_are_null_in_json(self):
        seeds = candidate("a"), candidate("b", FIRST, "seed=1", loss=np.inf)
        table = comparison.compare([Row("x", seeds), *rows(candidate("y", loss=1))])
        text = comparison_formats.format_json(table)
        assert "Infinity" not in text and "NaN" not in text
        first, second = (row["columns"] for row in json.loads(text)["rows"])
        assert first["loss"]["mean"] is first["loss"]["spread"] is None
        assert first["loss"]["interval"] is second["loss"]["p"] is None
        assert second["loss"]["difference"] is None and second["loss"]["mean"] == 1
        assert second["iou"] == table["rows"][1]["columns"]["iou"]

    def test_csv(self, table):
        text = comparison_formats.format_csv(table)
        first, second = csv.DictReader(io.StringIO(text))
        assert first["runs"] == "runs/a_0;runs/a_1" and first["iou_difference"] == ""
        cell = table["rows"][1]["columns"]["iou"]
        assert float(second["iou_difference"]) == cell["difference"]
        assert float(second["iou_interval_low"]) == cell["interval"][0]
        assert second["name"] == "runs/50% of|<x>_\n[b]"
