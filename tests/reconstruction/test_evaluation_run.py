import json
import re
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from jaxsoftras import config, data, model_files, written_files
from jaxsoftras.data import prepared
from jaxsoftras.reconstruction import (
    evaluation_run,
    evaluation_scores,
    runs,
)
from jaxsoftras.reconstruction.evaluation_subject import (
    Subject,
    SurfaceOptions,
    summarize_data,
)
from tests.support import small_run


def evaluate(*arguments) -> int:
    return evaluation_run.main([str(argument) for argument in arguments])


def test_writes_metrics_gallery_and_meshes(trained, evaluated, settings):
    folder = trained / "eval" / "test"
    metrics = json.loads((folder / "metrics.json").read_text())
    split = data.open_split(settings.data, "test")
    assert set(metrics) == {
        *("split", "step", "data", "per_category", "by_azimuth", "intervals"),
        *("bootstrap", "points", "threshold", "notes"),
        *(f"mean_{name}" for name in evaluation_scores.COLUMNS),
    }
    assert metrics["split"] == "test" and metrics["step"] == 3
    assert metrics["data"] == summarize_data(split)
    row = metrics["per_category"][small_run.CABINET]
    assert row["name"] == "cabinet"
    assert row["objects"] == split.count(small_run.CABINET)
    assert 0 < row["iou"] < 1 and row["iou"] == metrics["mean_iou"]
    assert 0 < row["loss"] < 2 and row["loss"] == metrics["mean_loss"]
    assert 0 < row["silhouette_iou"] < 1
    assert 0 < row["chamfer"] < 1 and 0 <= row["f_score"] < 1
    assert 0 < row["thin_iou"] < row["iou"]
    assert metrics["intervals"]["iou"] is None  # of one object
    assert metrics["notes"] == ["No intervals, for no category has two objects."]
    assert [each["azimuth"] for each in metrics["by_azimuth"]] == list(
        range(0, 360, 15)
    )
    scores = evaluation_scores.load(folder / "scores.npz")
    assert scores.object_means("iou")[small_run.CABINET].tolist() == [row["iou"]]
    assert (scores.name.tolist(), scores.views.tolist()) == (["0"], [24])
    assert scores.azimuth[0, 1] == 345 and len(scores.checkpoint) == 32
    assert f"{row['iou']:.4f}" in evaluated and "untrained" in evaluated
    assert f"{row['silhouette_iou']:.4f}" in evaluated
    assert "no IoU of voxels" not in evaluated
    assert "Scored 24 images of 1 objects in " in evaluated
    with Image.open(folder / "gallery.png") as gallery:
        assert gallery.width > 8 * 128 and gallery.height > 128
        assert np.asarray(gallery).std() > 10
    lines = (folder / "cabinet.obj").read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == 42
    assert sum(line.startswith("f ") for line in lines) == 80
    names = {"metrics.json", "scores.npz", "gallery.png", "cabinet.obj"}
    names |= {"examples.npz", "environment.json"}
    names |= {"report.html", "files.json"}
    assert "report.html, " in evaluated
    assert {path.name for path in folder.iterdir()} == names


def test_repeats_byte_for_byte(trained, evaluated, capfd):
    folder = trained / "eval" / "test"
    dated = {folder / f for f in ("environment.json", "report.html", "files.json")}
    paths = sorted(set(folder.iterdir()) - dated)
    before = [path.read_bytes() for path in paths]
    (folder / "mine.obj").write_text("v 0 0 0\n")
    for name in ("sofa.obj", "table.glb"):  # of categories that the data set had
        with written_files.add(folder, name) as partial:
            partial.write_text(name)
    assert evaluate("--workdir", trained, "--points", "300") == 0
    printed = capfd.readouterr()
    assert printed.err == "evaluating: 1 in all\n"  # no word of a library
    assert "Removed, as of an evaluation before: sofa.obj, table.glb." in printed.out
    assert "Not of this evaluation, and left there: mine.obj." in printed.out
    (folder / "mine.obj").unlink()
    assert [path.read_bytes() for path in paths] == before
    assert set(folder.iterdir()) == {*paths, *dated}


@pytest.mark.slow  # tests/data compares the arrays and batches
def test_prepared_data_give_the_same_run(trained, evaluated, cabinets, tmp_path):
    prepared.prepare(cabinets, tmp_path / "prepared")
    code = small_run.train(
        "optim.steps=3",
        "data.source=prepared",
        workdir=tmp_path / "run",
        root=tmp_path / "prepared",
    )
    assert code == 0
    assert evaluate("--workdir", tmp_path / "run") == 0
    folders = [run / "eval" / "test" for run in (trained, tmp_path / "run")]
    first, second = ((folder / "cabinet.obj").read_bytes() for folder in folders)
    assert first == second
    first, second = (
        evaluation_scores.load(folder / "scores.npz") for folder in folders
    )
    for name in ("iou", "silhouette_iou", "loss"):
        np.testing.assert_array_equal(first.columns[name], second.columns[name])


@pytest.mark.parametrize(
    ("count", "message"),
    [
        ("0", "--color-gallery must be from 1 to 100, not 0"),
        ("101", "--color-gallery must be from 1 to 100, not 101"),
        ("3", "this one has none"),
    ],
)
def test_galleries_of_colours_that_cannot_be(count, message, trained, capsys):
    assert evaluate("--workdir", trained, "--color-gallery", count) == 2
    assert message in small_run.error_line(capsys)


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.zip"
    model_files.save(path, runs.load(trained, None), license="CC0-1.0")
    return path


def test_a_model_file_is_the_network_of_its_run(trained, model, tmp_path):
    ours = Subject(tmp_path / "none", "test", model=model)
    theirs = Subject(trained, "test")
    assert ours.settings == theirs.settings and ours.step == theirs.step == 3
    jax.tree.map(np.testing.assert_array_equal, ours.variables, theirs.variables)


def test_inverted_colours_are_noted(trained, tmp_path):
    path = tmp_path / "model.zip"
    network = runs.load(trained, None)._replace(inverted=True)
    model_files.save(path, network, license="CC0-1.0")
    subject = Subject(tmp_path, "test", model=path)
    _, notes = evaluation_run.score(subject, SurfaceOptions(points=0))
    assert any("takes inverted colours" in note for note in notes)


@pytest.mark.slow  # the one that compares the networks is quick
def test_a_model_file_has_the_scores_of_its_run(
    trained, evaluated, model, tmp_path, capsys
):
    workdir = tmp_path / "results"
    assert evaluate("--workdir", workdir, "--model", model, "--points", "0") == 0
    assert "report.html, " in capsys.readouterr().out
    ours, theirs = (
        evaluation_scores.load(folder / "eval" / "test" / "scores.npz")
        for folder in (workdir, trained)
    )
    assert ours.step == 3 and ours.data == theirs.data
    assert len(ours.checkpoint) == 32 and ours.checkpoint != theirs.checkpoint
    for name in ("iou", "silhouette_iou", "loss"):
        np.testing.assert_array_equal(ours.columns[name], theirs.columns[name])
    page = (workdir / "eval" / "test" / "report.html").read_text()
    assert "a model file holds none" in page and "validated" not in page
    saved = config.read(workdir / "eval" / "test" / "config.json")
    assert saved == config.read(trained / "config.json")


def test_refuses_to_write_the_results_of_a_model_file(trained, model, tmp_path, capsys):
    assert evaluate("--workdir", trained, "--model", model) == 2
    assert "is the folder of a run" in small_run.error_line(capsys)
    assert evaluate("--workdir", model / "results", "--model", model) == 2
    assert f"{model} is a file" in small_run.error_line(capsys)
    with pytest.raises(ValueError, match="name no step, as 3"):
        evaluation_run.evaluate(tmp_path, "test", model=model, step=3)


@pytest.fixture
def other(cabinets, tmp_path):
    """A data set of other images, which has a test split alone."""
    folder = tmp_path / "other"
    folder.mkdir()
    for path in cabinets.glob("*_test_*.npz"):
        values = np.load(path)["arr_0"]
        if "images" in path.name:
            values = np.roll(values, 1, axis=-1)
        np.savez_compressed(folder / path.name, values)
    return folder


@pytest.mark.filterwarnings("always:The data set in .* is not the one")
@pytest.mark.slow  # the next one has its parts
def test_another_data_set_is_named(trained, evaluated, other, tmp_path, capsys):
    run = shutil.copytree(trained, tmp_path / "run")
    assert evaluate("--workdir", run, "--data", other, "--points", "0") == 0
    captured = capsys.readouterr()
    assert captured.err.count("is not the one in") == 1
    assert "is not the one in" not in captured.out
    metrics = json.loads((run / "eval" / "test" / "metrics.json").read_text())
    before = evaluation_scores.load(trained / "eval" / "test" / "scores.npz")
    assert f"The data set in {other} is not" in metrics["notes"][0]
    assert len(metrics["data"]) == 32 and metrics["data"] != before.data


def test_another_data_set_is_evaluated_on(trained, cabinets, other, tmp_path):
    moved = shutil.copytree(cabinets, tmp_path / "moved")
    here = Subject(trained, "test", overrides=evaluation_run.choose_data(str(moved)))
    assert not here.remarks
    sentence = f"in {other} is not the one in {cabinets} that this run began with"
    with pytest.warns(UserWarning, match=re.escape(sentence)):
        there = Subject(
            trained, "test", overrides=evaluation_run.choose_data(str(other))
        )
    [remark] = there.remarks
    assert sentence in remark
    assert there.settings.data.root == str(other) and there.step == here.step
    assert summarize_data(here.split) != summarize_data(there.split)


def test_refuses_to_change_the_network(trained, capsys):
    assert evaluate("--workdir", trained, "--set", "model.latent=9") == 2
    assert "not model.latent" in small_run.error_line(capsys)


def test_refuses_a_folder_that_is_no_run(tmp_path, capsys):
    assert evaluate("--workdir", tmp_path) == 2
    assert "not a run folder" in small_run.error_line(capsys)


def test_refuses_a_missing_checkpoint(trained, capsys):
    assert evaluate("--workdir", trained, "--step", 7) == 2
    assert "no checkpoint of step 7" in small_run.error_line(capsys)


def test_refuses_missing_data(trained, tmp_path, capsys):
    assert evaluate("--workdir", trained, "--data", tmp_path / "none") == 2
    assert str(tmp_path / "none") in small_run.error_line(capsys)


def test_refuses_images_of_another_size(trained, cabinets, tmp_path, capsys):
    for path in cabinets.glob("*_test_*.npz"):
        values = np.load(path)["arr_0"]
        if "images" in path.name:
            values = values[..., ::2, ::2]
        np.savez_compressed(tmp_path / path.name, values)
    assert evaluate("--workdir", trained, "--data", tmp_path) == 2
    line = small_run.error_line(capsys)
    assert "model.image_size is 16 px" in line and "images of 8 px" in line
    assert str(tmp_path) in line


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--points", "-1", "--points must not be negative"),
        ("--threshold", "0", "--threshold must be positive, not 0.0"),
        ("--threshold", "nan", "--threshold must be positive, not nan"),
        ("--meshes", "none", "does not name the mesh files"),
    ],
)
def test_refuses_comparisons_that_make_no_sense(option, value, reason, trained, capsys):
    assert evaluate("--workdir", trained, option, value) == 2
    assert reason in small_run.error_line(capsys)


def test_unknown_split_exits_with_usage(trained, capsys):
    with pytest.raises(SystemExit) as caught:
        evaluate("--workdir", trained, "--split", "exam")
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: eval.py")
