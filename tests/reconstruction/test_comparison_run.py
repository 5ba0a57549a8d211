"""The command line, on run folders that hold scores and no checkpoint."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from jaxsoftras import config
from jaxsoftras.reconstruction import comparison_run, evaluation_scores
from tests.support import small_run
from tests.support.scores import make_scores


def make_run(folder, *settings, offset=0.0, step=10, place="", **fields):
    """Writes a configuration, and scores of it."""
    write_scores(folder, offset, step, place, **fields)
    values = config.override(config.Config(), settings)
    config.save(values, folder / "config.json")


def write_scores(folder, offset=0.0, step=10, place="", **fields):
    iou = 0.3 + offset + np.arange(20).reshape(5, 4) / 100
    scores = make_scores({"a": 3, "b": 2}, iou=iou, loss=1 - iou)
    scores = dataclasses.replace(scores, step=step, **fields)
    path = folder / "eval" / "test" / place / "scores.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    evaluation_scores.write(scores, path)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        for number, encoder in enumerate(("baseline", "resnet", "attention")):
            folder = tmp_path / f"{encoder}{seed}"
            words = f"model.encoder={encoder}", f"seed={seed}"
            make_run(folder, *words, offset=0.1 * number + 0.02 * seed)
    return tmp_path


def compare(*words) -> int:
    return comparison_run.main([str(word) for word in words])


def test_the_three_encoders_of_the_study(runs, capsys):
    names = [f"{name}{k}" for name in ("baseline", "resnet", "attention") for k in "01"]
    words = ["--group-seeds", "--columns", "loss", "iou", "--format", "json"]
    words += [
        "--label",
        "resnet=ResNet-like",
        "--label",
        "attention=attention-involved",
    ]
    assert compare(*names, *words) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["columns"] == ["loss", "iou"]
    rows = {row["name"]: row["columns"] for row in table["rows"]}
    assert list(rows) == ["baseline", "ResNet-like", "attention-involved"]
    # a: 0.3 + mean(0..11) / 100; b: 0.3 + mean(12..19) / 100; and 0.01 of the seeds
    mean = 0.3 + (0.055 + 0.155) / 2 + 0.01
    assert rows["baseline"]["iou"]["mean"] == pytest.approx(mean, abs=1e-6)
    assert rows["ResNet-like"]["iou"]["difference"] == pytest.approx(0.1, abs=1e-6)
    spread = rows["ResNet-like"]["iou"]["spread"]
    assert spread == pytest.approx(0.02 / np.sqrt(2), abs=1e-6)
    difference = rows["attention-involved"]["loss"]["difference"]
    assert difference == pytest.approx(-0.2, abs=1e-6)


def test_base_and_file(runs, capsys):
    words = ["--base", "resnet0", "--format", "markdown", "--out", "tables/all.md"]
    assert compare("baseline0", "resnet0", "attention0", *words) == 0
    assert capsys.readouterr().out == "Written to tables/all.md.\n"
    lines = (runs / "tables" / "all.md").read_text().splitlines()
    assert lines[2].startswith("| resnet0 ") and "-0.1000" in lines[3]
    assert [path.name for path in (runs / "tables").iterdir()] == ["all.md"]


def test_steps_of_one_run(runs, capsys):
    for step, offset in ((10, 0.0), (20, 0.2)):
        place = f"step-{step}"
        make_run(runs / "x", offset=offset, step=step, place=place)
    assert compare("x:10", "x:20", "--format", "csv") == 0
    captured = capsys.readouterr()
    first, second = captured.out.splitlines()[1:]
    assert first.startswith("x:10,x:10,10,0.4") and second.startswith(
        "x:20,x:20,20,0.6"
    )
    assert "compare: Differences are to x:10" in captured.err


def test_results_of_a_model_file(runs, capsys):
    """The folder of ``eval.py --model``, which has its configuration elsewhere."""
    for name in ("model", "model:7"):
        write_scores(runs / name, 0.1)
        settings = config.override(config.Config(), ["model.encoder=resnet", "seed=5"])
        config.save(settings, runs / name / "eval" / "test" / "config.json")
    words = "baseline0", "model", "model:7", "--format", "json"
    assert compare(*words) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["runs"][0]["seed"] for row in rows] == [0, 5, 5]
    assert rows[1]["columns"]["iou"]["difference"] == pytest.approx(0.1, abs=1e-6)
    assert compare("model:10") == 0
    capsys.readouterr()
    for text, reason in (
        ("model:11", "a model file of step 10: name it without :11"),
        ("model:best", "name it without :best"),
    ):
        assert compare(text) == 2
        assert reason in small_run.error_line(capsys)
    assert compare("model", "--split", "val") == 2
    line = small_run.error_line(capsys)
    assert "by jaxsoftras eval --model FILE --workdir model --split val" in line


@pytest.mark.parametrize(
    ("views", "which"), [(2, "were not fitted"), (0, "the fitted views"), (4, "fitted")]
)
def test_fits_are_said_to_be_no_network(views, which, runs, capsys):
    make_run(runs / "fits")
    record = {"parametrization": "softras", "views": views}
    (runs / "fits" / "fit.json").write_text(json.dumps(record))
    assert compare("baseline0", "fits", "--format", "json") == 0
    (note,) = [
        note
        for note in json.loads(capsys.readouterr().out)["notes"]
        if note.startswith("fits: No network")
    ]
    assert which in note and ("not" in note.rpartition("IoU")[2]) == (views == 2)
    for text in ("{", "[]", '{"views": 2}', json.dumps(record | {"views": -1})):
        (runs / "fits" / "fit.json").write_text(text)
        assert compare("fits") == 2
        assert "fit.json is damaged" in small_run.error_line(capsys)


def test_runs_by_option(runs, capsys):
    words = "--workdir", "resnet0", "attention0", "--format", "csv"
    assert compare("baseline0", *words) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.partition(",")[0] for line in lines] == [
        "baseline0",
        "resnet0",
        "attention0",
    ]
    with pytest.raises(SystemExit) as caught:
        compare("--split", "val")
    assert caught.value.code == 2 and "a run folder is" in capsys.readouterr().err


def test_names_with_colons(runs, capsys):
    make_run(runs / "x:best")
    make_run(runs / "y:7")
    assert compare("x:best", "y:7", "x:best:10") == 0
    assert "x:best:10" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["resnet0:7", "resnet0:best"])
def test_a_folder_named_as_a_checkpoint_is_ambiguous(name, runs, capsys):
    make_run(runs / name)
    assert compare(name) == 0  # while there is no such checkpoint
    (runs / "resnet0" / "checkpoints" / "7").mkdir(parents=True)
    capsys.readouterr()
    assert compare(name) == 2
    line = small_run.error_line(capsys)
    assert f"{name} is a folder, and a checkpoint of resnet0 as well" in line
    assert f"write {name}/ for the folder, or resnet0/:{name[8:]} for" in line
    assert compare(f"{name}/") == 0
    assert comparison_run.split_run("resnet0/:7") == (Path("resnet0"), 7)
    assert comparison_run.split_run("resnet0/:best") == (Path("resnet0"), "best")


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        (["resnet0", "resnet0:10"], ["resnet0 and resnet0:10"]),
        (["resnet0:10", "resnet1", "link"], ["resnet0:10 and link"]),
        (["link", "resnet0:10", "saved"], ["link and resnet0:10"]),
        (["copy", "saved", "copy:10"], ["copy and saved", "copy and copy:10"]),
        (["saved", "copy"], ["saved and copy"]),
        (["resnet0", "resnet1"], []),
        (["saved", "retrained"], []),
    ],
)
def test_one_checkpoint_by_two_names_is_noted(words, pairs, runs, capsys):
    (runs / "link").symlink_to("resnet0")
    for name, checksum in (("saved", "f"), ("copy", "f"), ("retrained", "e")):
        make_run(runs / name, checkpoint=checksum * 32)
    assert compare(*words, "--format", "json") == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    found = [note for note in notes if "the same checkpoint, of step 10" in note]
    assert len(found) == len(pairs)
    assert all(pair in note for pair, note in zip(pairs, found, strict=True))


@pytest.mark.parametrize(
    ("label", "first", "second"),
    [
        ("lr=0.1=small", "small", "resnet0"),
        ("lr=0.1=lr=small", "lr=small", "resnet0"),
        ("resnet0=lr=1", "lr=0.1", "lr=1"),
    ],
)
def test_labels_and_names_with_equals_signs(label, first, second, runs, capsys):
    make_run(runs / "lr=0.1", offset=0.1)
    assert compare("lr=0.1", "resnet0", "--label", label, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"] for row in rows] == [first, second]


def test_a_label_of_either_of_two_rows_is_refused(runs, capsys):
    for name in ("lr", "lr=0.1"):
        make_run(runs / name)
    assert compare("lr", "lr=0.1", "--label", "lr=0.1=x") == 2
    assert "may be of lr or of lr=0.1: name one of" in small_run.error_line(capsys)
    assert compare("./lr", "lr=0.1", "--label", "lr=0.1=x") == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["none", "resnet0"], "none is not a run folder"),
        (["resnet0:11"], "no checkpoint of step 11"),
        (["resnet0:best"], "No sound checkpoint"),
        (["resnet0", "--split", "val"], "no checkpoint in"),
        (["resnet0", "resnet0"], "resnet0 is named twice"),
        (["resnet0:10", "./resnet0:10"], "resnet0:10 is named twice, also as resnet0"),
        (["resnet0", "resnet0/"], "resnet0/ is named twice, also as resnet0"),
        (["resnet0", "x/../resnet0"], "resnet0 is named twice, also as resnet0: "),
        (["resnet0", "resnet0:10", "--group-seeds"], "have the same configuration and"),
        (["resnet0", "--label", "x=y"], "there is no row 'x'; the rows are resnet0"),
        (["resnet0", "--label", "x"], "write NAME=LABEL"),
        (["resnet0", "--base", "x"], "there is no row 'x'"),
        (["resnet0", "resnet1", "--label", "resnet0=resnet1"], "the same label"),
        (["resnet0", "other"], "resnet0 and other cannot be compared"),
        (["resnet0", "damaged"], "scores.npz is damaged"),
        (["resnet0", "--out", "resnet0"], "a folder has the name of a file"),
    ],
)
def test_refusals_take_one_line(words, reason, runs, capsys):
    make_run(runs / "other", data="1")
    make_run(runs / "damaged")
    (runs / "damaged" / "eval" / "test" / "scores.npz").write_bytes(b"PK")
    assert compare(*words) == 2
    assert reason in small_run.error_line(capsys)


@pytest.mark.slow  # the others compare scores that are there
def test_a_checkpoint_without_scores_is_evaluated(trained, evaluated, capsys):
    """Also one whose scores are of another checkpoint of the same step."""
    folder = trained / "eval" / "test"
    saved = evaluation_scores.load(folder / "scores.npz")
    other = dataclasses.replace(saved, checkpoint="f" * 32)
    (folder / "step-3").mkdir()
    evaluation_scores.write(other, folder / "step-3" / "scores.npz")
    try:
        (folder / "scores.npz").rename(folder / "hidden.npz")
        assert compare(trained, "--format", "json") == 0
        captured = capsys.readouterr()
        assert "step 3 has no scores yet" in captured.err
        (row,) = json.loads(captured.out)["rows"]
        expected = evaluation_scores.mean(saved.object_means("iou"))
        assert row["columns"]["iou"]["mean"] == expected
        made = evaluation_scores.load(folder / "step-3" / "scores.npz")
        assert made.checkpoint == saved.checkpoint
        for name in ("iou", "silhouette_iou", "loss"):  # points are others
            np.testing.assert_array_equal(made.columns[name], saved.columns[name])
        assert compare(trained, "--format", "json") == 0
        assert "no scores" not in capsys.readouterr().err
    finally:
        (folder / "hidden.npz").rename(folder / "scores.npz")
        for path in (folder / "step-3").iterdir():
            path.unlink()
        (folder / "step-3").rmdir()
