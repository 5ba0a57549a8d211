"""Results of a search: who is the best, and the tables about it."""

import csv
import io
import json
import os
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from jaxsoftras import config
from jaxsoftras.reconstruction.tuning import formats, results, search
from jaxsoftras.reconstruction.tuning import space as spaces
from jaxsoftras.reconstruction.tuning.trial import Outcome
from jaxsoftras.reconstruction.validation import Validation

TEXTS = ["optim.learning_rate=1e-4..1e-2:log", "model.hidden=(8,8)|(16,)"]
PART = "35 of 35 objects, 4 of 24 views"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Results of two complete trials, a pruned, a failed and a running one."""
    space = spaces.read(TEXTS, config.Config())
    shared = search.Search(tmp_path_factory.mktemp("s"), space, 0, 20, prune=False)
    ends = [([0.2, 0.6, 0.4], False), ([0.9], True), ([0.1, 0.5, 0.55], False)]
    with shared.join():
        for course, pruned in ends:
            trial = shared.ask(9)
            assert trial is not None
            for step, score in enumerate(course, 1):
                shared.report(trial, 10 * step, score)
            step = 10 * (course.index(max(course)) + 1)
            scores = Validation("iou", max(course), {}, PART)
            shared.finish(trial, Outcome(step, scores, pruned, 1.0, 2.5))
        trial = shared.ask(9)
        assert trial is not None
        shared.fail(trial, "Step 3 | gave\na loss of nan.")
        shared.ask(9)
        return results.collect(shared, TEXTS, 20)


class TestCollect:
    def test_the_best_is_the_best_complete_one(self, found):
        assert found["best"] == 0
        best = results.find_best(found)
        assert best is not None and best["score"] == 0.6 and best["step"] == 20
        assert best["course"] == [[10, 0.2], [20, 0.6], [30, 0.4]]
        assert (found["measure"], found["part"], found["steps"]) == ("iou", PART, 20)

    def test_every_trial_has_its_state(self, found):
        states = [row["state"] for row in found["trials"]]
        assert states == ["complete", "pruned", "complete", "failed", "running"]
        assert found["trials"][3]["reason"] == "Step 3 | gave\na loss of nan."
        assert all(set(row["values"]) == set(found["space"]) for row in found["trials"])

    def test_ranks_complete_ones_by_their_score(self, found):
        assert [row["number"] for row in results.rank(found)] == [0, 2, 1, 3, 4]

    def test_nothing_is_best_before_a_trial_is_complete(self, tmp_path):
        space = spaces.read(TEXTS, config.Config())
        shared = search.Search(tmp_path, space, 0, 20, prune=True)
        empty = results.collect(shared, TEXTS, 20)
        assert empty["best"] is None and results.find_best(empty) is None
        for make in (formats.format_table, *formats.FORMATS.values()):
            assert make(empty)


class TestConfig:
    @pytest.mark.parametrize("name", ["demo", "color", "mixed"])
    def test_is_read_as_the_configuration_of_the_best(self, found, tmp_path, name):
        settings = config.load(name, ["optim.steps=777"])
        path = tmp_path / "best.py"
        path.write_text(results.write_config(settings, found))
        point = found["trials"][0]["values"]
        best = spaces.apply(settings, point)
        assert config.load(path) == results.with_absolute_paths(best)
        assert path.read_text().startswith('"""Trial 0, the best of 3: iou 0.6000')

    def test_any_text_of_a_field_is_kept(self, found, tmp_path):
        root = "a'\"\\{x}\n\u00fc"
        settings = config.override(config.Config(), [f"data.root={root!r}"])
        path = tmp_path / "best.py"
        path.write_text(results.write_config(settings, found), encoding="utf-8")
        assert config.load(path).data.root == os.path.abspath(root)

    def test_paths_are_those_of_the_folder_of_the_search(
        self, found, tmp_path, monkeypatch
    ):
        monkeypatch.chdir(tmp_path)
        settings = config.override(config.load("mixed"), ["init_from=runs/a:40"])
        (tmp_path / "best.py").write_text(results.write_config(settings, found))
        monkeypatch.chdir("/")
        best = config.load(tmp_path / "best.py")
        assert best.init_from == str(tmp_path / "runs" / "a:40")
        assert best.data.root == str(tmp_path / settings.data.root)
        roots = [str(Path(each.root).parent) for each in best.data.sources]
        assert str(tmp_path / "data") in roots


class TestFormats:
    def test_table_has_all_trials_and_what_went_wrong(self, found, monkeypatch):
        monkeypatch.setenv("COLUMNS", "100")
        text = formats.format_table(found)
        assert max(map(len, text.splitlines()[:12])) <= 100
        assert "learning_rate" in text and "0.6000" in text and PART in text
        assert "1 failed" in text and "2 complete" in text
        assert r"Trial 3 failed: Step 3 | gave\na loss of nan." in text

    def test_importance_names_the_trials_that_it_is_of(self, found):
        text = formats.format_markdown({**found, "importance": {"model.hidden": 1.0}})
        assert "the best tenth of 2 complete trials): model.hidden 1.00." in text
        assert "Importance" not in formats.format_markdown(found)

    def test_table_of_many_trials_says_that_it_has_not_all(self, found):
        many = {**found, "trials": found["trials"][:1] * 30}
        assert "The best 20 of 30 trials" in formats.format_table(many)

    def test_markdown_has_one_row_a_trial(self, found):
        lines = formats.format_markdown(found).splitlines()
        assert lines[0] == (
            "| trial | state | IoU | step | s | learning_rate | hidden |"
        )
        rows = [line for line in lines[2:] if line.startswith("|")]
        assert len(rows) == 5 and rows[0].startswith(
            "| 0 | complete | 0.6000 | 20 | 2.5"
        )

    def test_csv_has_numbers_in_full(self, found):
        rows = list(csv.DictReader(io.StringIO(formats.format_csv(found))))
        for row, trial in zip(rows, found["trials"], strict=True):
            rate = trial["values"]["optim.learning_rate"]
            assert float(row["optim.learning_rate"]) == rate
            assert row["reason"] == trial["reason"]
        assert rows[3]["score"] == ""

    def test_json_is_all(self, found):
        assert json.loads(formats.format_json(found)) == found

    def test_fields_of_one_name_keep_their_path(self):
        paths = ["augment.scale", "augment.color.hue", "x.scale"]
        assert formats.shorten(paths) == {
            "augment.scale": "augment.scale",
            "augment.color.hue": "hue",
            "x.scale": "x.scale",
        }
