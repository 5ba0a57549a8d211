"""Tables and figures of the study, from run folders without checkpoints."""

import contextlib
import dataclasses
import importlib
import io
import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import scipy.stats

from jaxsoftras import config
from jaxsoftras.reconstruction import evaluation_scores, resampling
from tests.support.scores import make_scores

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SOURCES = {
    "real13": (),
    "embedded": ("data.source=embedded",),
    "mixed": ('data.sources=[{"root": "a"}, {"root": "b", "source": "embedded"}]',),
}
OFFSETS = {"baseline": 0.0, "resnet": 0.1, "attention": -0.05}


@pytest.fixture(scope="module")
def program():
    pytest.importorskip("matplotlib", reason="matplotlib draws the figures")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(IMAGES))
        yield importlib.import_module("study")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(resampling, "RESAMPLES", 200)


def make_run(folder, *settings, iou=0.3, val_iou=0.25, step=10, part="all", **fields):
    """Writes configuration, history and scores of 3 and 2 objects, views alike."""
    folder.mkdir(parents=True)
    values = config.override(config.Config(), settings)
    config.save(values, folder / "config.json")
    spread = np.arange(5)[:, None] / 100 + np.zeros((5, 4))
    scores = make_scores({"a": 3, "b": 2}, iou=iou + spread, loss=1 - iou - spread)
    scores = dataclasses.replace(scores, step=step, **fields)
    path = folder / "eval" / "test" / "scores.npz"
    path.parent.mkdir(parents=True)
    evaluation_scores.write(scores, path)
    lines = [{"step": k, "loss": 1 / (1 + k)} for k in range(1, step + 1)]
    lines += [
        {"step": k, "val_iou": value, "val_part": part}
        for k, value in ((step // 2, 0.1), (step, val_iou))
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text)


def make_cell(folder, data_set, encoder, seeds=(0, 1, 2), **fields):
    for seed in seeds:
        words = *SOURCES[data_set], f"model.encoder={encoder}", f"seed={seed}"
        iou = 0.3 + OFFSETS[encoder] + 0.02 * seed
        make_run(folder / f"{data_set}-{encoder}-{seed}", *words, iou=iou, **fields)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study of which some runs are missing, damaged or others than they say."""
    path = tmp_path_factory.mktemp("study")
    for encoder in OFFSETS:
        make_cell(path, "real13", encoder)
    make_cell(path, "mixed", "resnet", (0, 1))
    make_cell(path, "mixed", "attention", (0, 2))
    (path / "mixed-resnet-1" / "eval" / "test" / "scores.npz").write_bytes(b"PK\3\4")
    words = "model.encoder=baseline", "seed=1"
    make_run(path / "mixed-attention-1", *words)
    (path / "notes").mkdir()
    (path / "mixed-baseline-0").mkdir()
    return path


def run(program, monkeypatch, *words) -> int:
    arguments = [str(word) for word in ("study.py", *words)]
    monkeypatch.setattr(sys, "argv", arguments)
    return program.main()


def read_tables(text):
    """Rows of the tables in Markdown, by first cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.fixture(scope="module")
def results(program, folder, tmp_path_factory):
    """What the program prints of the study, and the folder of its figures."""
    out = tmp_path_factory.mktemp("figures") / "new"
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(io.StringIO()) as printed,
    ):
        patch.setattr(resampling, "RESAMPLES", 200)
        assert run(program, patch, folder, "--out", out) == 0
    return printed.getvalue(), out


@pytest.fixture
def printed(results):
    return results[0]


@pytest.fixture
def figures(results):
    return results[1]


class TestTables:
    def test_means_and_spreads_over_seeds(self, printed):
        rows = read_tables(printed)
        losses, ious = rows[:5], rows[5:10]
        assert losses[0] == ["mean loss", "published", "real13", "embedded", "mixed"]
        # a: offsets 0, 1, 2; b: 3, 4 hundredths; seeds add 0.02
        mean = 0.3 + (0.01 + 0.035) / 2 + 0.02
        assert ious[2][:3] == ["baseline", "0.546209", f"{mean:.4f} ± 0.0200"]
        assert losses[2][:3] == ["baseline", "0.204286", f"{1 - mean:.4f} ± 0.0200"]
        assert ious[3][2] == f"{mean + 0.1:.4f} ± 0.0200"
        assert [row[3] for row in ious[2:]] == ["–"] * 3

    def test_cells_of_fewer_runs_say_so(self, printed):
        rows = read_tables(printed)[7:10]
        assert rows[0][4] == "–"
        assert rows[1][4].endswith("(1 run)") and "±" not in rows[1][4]
        assert rows[2][4].endswith("(2 runs)") and "±" in rows[2][4]

    def test_differences_name_both_encoders(self, printed):
        rows = {tuple(row[:2]): row[2:] for row in read_tables(printed)[12:]}
        assert set(rows) == {
            ("real13", "resnet − baseline"),
            ("real13", "attention − baseline"),
            ("mixed", "attention − resnet"),
        }
        assert rows["real13", "resnet − baseline"][1].startswith("+0.1000 [+0.1000")
        assert rows["real13", "attention − baseline"][0].startswith("+0.0500")
        # means -0.02, 0, 0.02 about both: t = 0.1 / (0.02 sqrt(2 / 3)), 4 degrees
        expected = 2 * scipy.stats.t.sf(0.1 / (0.02 * np.sqrt(2 / 3)), 4)
        found = rows["real13", "resnet − baseline"][1]
        assert found.endswith(f", over seeds p = {expected:.3f}")
        assert "over seeds" not in "".join(rows["mixed", "attention − resnet"])
        # five objects whose differences have one sign: 2 of 32 flips are as extreme
        match = re.search(r", p = ([0-9.]+), ", found)
        assert match and 0.02 < float(match[1]) < 0.15

    def test_what_is_left_out_is_named(self, printed):
        notes = [line for line in printed.splitlines() if line.startswith("* ")]
        text = "\n".join(notes)
        (line,) = (note for note in notes if note.startswith("* Missing: "))
        # mixed: baseline 1 and 2, resnet 2
        assert "embedded-baseline-0, " in line and line.count(",") == 9 + 3 - 1
        assert "* mixed: Differences are to resnet; p: " in text
        assert "\n* In brackets: " in text  # of all data sets
        assert "Left out: mixed-resnet-1 (" in text and "scores.npz" in text
        assert (
            "Left out: mixed-attention-1 (its configuration has the data set real13, "
            "the encoder baseline and the seed 1)." in text
        )
        assert "Left out: mixed-baseline-0 (" in text and "no config.json" in text
        assert "* Not of the study by its name: notes." in text
        assert len(set(notes)) == len(notes)

    @pytest.mark.parametrize("name", SOURCES)
    def test_runs_on_another_data_set_are_left_out(self, name, program, tmp_path):
        for data_set in SOURCES:
            make_run(tmp_path / f"{data_set}-baseline-0", *SOURCES[name])
        study = program.study_runs.read_study(tmp_path, "test")
        assert set(study.runs) == {(name, "baseline", 0)}
        found = [note for note in study.notes if f"has the data set {name}, " in note]
        assert len(found) == 2

    def test_other_differences_than_encoder_and_seed_are_noted(self, program, tmp_path):
        make_cell(tmp_path, "real13", "baseline", (0,))
        words = "model.encoder=resnet", "optim.batch_size=32"
        make_run(tmp_path / "real13-resnet-0", *words)
        study = program.study_runs.read_study(tmp_path, "test")
        text = program.study_tables.describe_study(study)
        assert "The runs of real13 differ in more than encoder and seed: " in text
        assert "optim.batch_size=32" in text

    def test_runs_without_curves_and_finite_losses(self, program, tmp_path):
        make_cell(tmp_path, "real13", "baseline", (0, 1))
        make_cell(tmp_path, "real13", "resnet", (0, 1))
        scores = make_scores({"a": 3, "b": 2}, iou=0.5, loss=np.inf)
        folder = tmp_path / "real13-resnet-0"
        evaluation_scores.write(scores, folder / "eval" / "test" / "scores.npz")
        (folder / "metrics.jsonl").write_text('{"step": 1, "loss": NaN}\n[')
        study = program.study_runs.read_study(tmp_path, "test")
        text = program.study_tables.describe_study(study)
        assert "Unreadable lines in the metrics.jsonl of real13-resnet-0: 1." in text
        assert "No curve of the loss: real13-resnet-0" in text
        assert "No curve of IoU: real13-resnet-0" in text
        assert "inf ± nan (2 runs)" in text
        figure = program.study_plots.draw_curves(study)
        assert [len(axes.lines) for axes in figure.axes] == [4, 3]
        program.study_plots.plt.close(figure)

    def test_columns_that_are_left_out_have_no_tests(self, program, tmp_path):
        for encoder in ("baseline", "resnet"):
            make_cell(tmp_path, "real13", encoder, (0, 1))
        path = tmp_path / "real13-resnet-0" / "eval" / "test" / "scores.npz"
        scores = evaluation_scores.load(path)
        scores.columns["iou"][0] = np.nan  # the means are of different objects
        evaluation_scores.write(scores, path)
        study = program.study_runs.read_study(tmp_path, "test")
        text = program.study_tables.describe_study(study)
        assert "mean IoU is left out" in text
        loss, iou = read_tables(text)[-1][2:]
        assert "over seeds p = " in loss and iou == "–"

    def test_runs_on_different_objects_are_refused(
        self, program, tmp_path, monkeypatch, capsys
    ):
        make_cell(tmp_path, "real13", "baseline", (0,))
        make_cell(tmp_path, "real13", "resnet", (0,), data="other")
        assert run(program, monkeypatch, tmp_path) == 2
        assert "cannot be compared" in capsys.readouterr().err

    @pytest.mark.parametrize("exists", [False, True])
    def test_a_folder_without_runs_is_refused(
        self, exists, program, tmp_path, monkeypatch, capsys
    ):
        place = tmp_path if exists else tmp_path / "none"
        assert run(program, monkeypatch, place) == 2
        message = "holds no evaluated run" if exists else "is not a folder"
        assert message in capsys.readouterr().err


class TestAblation:
    def test_rows_are_compared_with_the_first(
        self, program, tmp_path, monkeypatch, capsys
    ):
        monkeypatch.chdir(tmp_path)
        for name, iou in (("a0", 0.3), ("a1", 0.34), ("b0", 0.42)):
            make_run(tmp_path / name, f"seed={name[1]}", iou=iou, val_iou=iou - 0.1)
        words = "the |paper|=a0, a1", "mo\nre=b0,gone", "none=gone2"
        assert run(program, monkeypatch, "--ablation", *words) == 0
        printed = capsys.readouterr().out
        rows = [line for line in printed.splitlines() if line.startswith("|")]
        assert rows[2].startswith(
            "| the \\|paper\\| | 2 | 0.2200 | 0.3425 ± 0.0283 | –"
        )
        assert rows[3].startswith("| mo\\nre | 1 | 0.3200 | 0.4425 | +0.1000 [")
        assert rows[4] == "| none | 0 | – | – | – |"
        assert "Left out: gone (" in printed and "Left out: gone2 (" in printed

    def test_validations_of_different_steps_or_parts(self, program, tmp_path):
        make_run(tmp_path / "a", part="all")
        make_run(tmp_path / "b", "seed=1", part="some")
        lines = (tmp_path / "b" / "metrics.jsonl").read_text().splitlines()
        (tmp_path / "b" / "metrics.jsonl").write_text("\n".join(lines[:-1]))
        words = [f"a={tmp_path / 'a'}", f"b={tmp_path / 'b'}"]
        text = program.study_tables.describe_ablation(words, "test")
        assert "| a | 1 | 0.2500 |" in text
        assert "| b | 1 | – |" in text  # validated at half of the steps alone
        assert "Validations are of different parts: all; some." in text

    def test_rows_that_differ_in_other_things_than_seeds_are_noted(
        self, program, tmp_path
    ):
        for name, *words in (
            ("a0", "seed=0"),
            ("a1", "seed=1", "optim.batch_size=32"),
            ("b0", "seed=5"),
            ("b1", "seed=5"),
        ):
            make_run(tmp_path / name, *words)
        rows = [f"{r}={tmp_path / f'{r}0'},{tmp_path / f'{r}1'}" for r in "ab"]
        text = program.study_tables.describe_ablation(rows, "test")
        assert "The runs of a differ in more than their seed: 64; 32." in text
        assert "± of b is not of different seeds: its runs have 5, 5." in text

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["a"], "write LABEL=RUN,RUN,RUN"),
            (["=runs/a"], "write LABEL=RUN,RUN,RUN"),
            ([" =runs/a"], "write LABEL=RUN,RUN,RUN"),
            (["a=,"], "write LABEL=RUN,RUN,RUN"),
            (["a=x", " a =y"], "two rows have the label a"),
            (["a=x", "b=./x"], "x is named twice"),
            (["a=x", "b=y"], "The row a, which the others are compared with, has no"),
        ],
    )
    def test_refusals(self, words, message, program, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert run(program, monkeypatch, "--ablation", *words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


class TestFigures:
    def test_are_small_vector_images_with_text(self, figures):
        assert {x.name for x in figures.iterdir()} == {"study.svg", "study-curves.svg"}
        for path in figures.iterdir():
            text = path.read_text()
            assert len(text) < 100_000
            words = " ".join(ElementTree.fromstring(text).itertext())
            for word in ("baseline", "resnet", "attention", "real13", "mixed"):
                assert word in words
            assert "#ffffff" in text  # opaque, for dark pages

    def test_have_a_dot_for_each_run(self, program, folder, monkeypatch):
        study = program.study_runs.read_study(folder, "test")
        figure = program.study_plots.draw_scores(study, "test")
        dots = [x for axes in figure.axes for x in axes.lines if x.get_marker() == "o"]
        assert np.ptp([np.ptp(axes.get_ylim()) for axes in figure.axes[:2]]) < 1e-9
        found = np.concatenate([line.get_ydata() for line in dots])
        expected = [0.3225 + OFFSETS[key[1]] + 0.02 * key[2] for key in study.runs]
        np.testing.assert_allclose(np.sort(found), np.sort(expected), atol=1e-6)
        assert len(found) == 9 + 1 + 2
        program.study_plots.plt.close(figure)
        scores = program.study_plots.evaluation_scores
        monkeypatch.setattr(scores, "mean", lambda _: np.inf)
        assert not any(map(any, program.study_plots._list_scores(study, "real13")))

    def test_curves_are_those_of_the_runs(self, program, folder):
        study = program.study_runs.read_study(folder, "test")
        figure = program.study_plots.draw_curves(study)
        upper, lower = figure.axes[0], figure.axes[2]
        assert len(upper.lines) == len(lower.lines) == 9
        steps = np.arange(1, 11)
        np.testing.assert_allclose(
            upper.lines[0].get_xydata(), np.stack([steps, 1 / (1 + steps)], 1)
        )
        np.testing.assert_allclose(lower.lines[0].get_xydata(), [[5, 0.1], [10, 0.25]])
        program.study_plots.plt.close(figure)

    def test_long_curves_are_averaged(self, program):
        steps, values = np.arange(1, 601), np.arange(600.0)
        values[3] = np.nan
        steps, means = program.study_plots._average(steps, values)
        assert len(steps) == 24 and steps[-1] == 600
        np.testing.assert_allclose(means[-1], np.mean(np.arange(575, 600)), atol=0.5)

    def test_an_ablation_has_no_figures(self, program, monkeypatch, capsys):
        with pytest.raises(SystemExit):
            run(program, monkeypatch, "--ablation", "a=x", "--out", "there")
        assert "an ablation has none" in capsys.readouterr().err
