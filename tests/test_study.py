"""Tables and figures of the study, from run folders without checkpoints."""

import contextlib
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import scipy.stats

from jaxsoftras.reconstruction import evaluation_scores, resampling
from tests.support.scores import make_scores
from tests.support.study_runs import import_program, make_run, run

SOURCES = {
    "real13": (),
    "embedded": ("data.source=embedded",),
    "mixed": ('data.sources=[{"root": "a"}, {"root": "b", "source": "embedded"}]',),
}
OFFSETS = {"baseline": 0.0, "resnet": 0.1, "attention": -0.05}


@pytest.fixture(scope="module")
def program():
    with import_program() as module:
        yield module


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(resampling, "RESAMPLES", 200)


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
