import json
import shutil

import numpy as np
import pytest

from jaxsoftras import config, terminal
from jaxsoftras.report import examples, results
from tests.support import report_files


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("results") / "run"
    return report_files.write_run(workdir, {"k": "mug"})


@pytest.fixture
def run(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "run")


def refusal(run, split="test") -> str:
    with pytest.raises((terminal.ProgramError, config.ConfigError)) as caught:
        results.read(run, split)
    return str(caught.value)


def test_reads_all_files(sound):
    found = results.read(sound, "test")
    assert (found.split, found.step, found.notes) == ("test", 50, [])
    assert found.rows == [results.Row("k", "mug", 3, 0.5, 0.75, 0.4, 0)]
    assert found.mean.objects == 3 and found.mean.iou == 0.5
    assert found.examples is not None and len(found.examples.ranks) == 3
    assert found.environment is not None and found.config == config.Config()


def test_refuses_what_is_no_run(tmp_path):
    assert "not a run folder" in refusal(tmp_path / "none")
    (tmp_path / "file").write_text("")
    assert "not a run folder" in refusal(tmp_path / "file")


def test_refuses_a_split_without_evaluation(sound):
    assert f"jaxsoftras eval --workdir {sound} --split val" in refusal(sound, "val")


def test_refuses_a_damaged_configuration(run):
    (run / "config.json").write_text("{")
    assert "config.json" in refusal(run)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\xff",
        "[" * 100_000,
        "{}",
        '{"per_category": []}',
        '{"per_category": {}}',
        '{"per_category": {"k": 3}}',
        '{"per_category": {"k": {}}, "step": "x"}',
        '{"per_category": {"k": {}}, "step": 1.5}',
        '{"per_category": {"k": {}}, "step": -1}',
        '{"per_category": {"k": {"iou": 1.5}}}',
        '{"per_category": {"k": {"iou": -0.001}}}',
        '{"per_category": {"k": {"iou": 1%s}}}' % ("0" * 400),
        '{"per_category": {"k": {"loss": 1%s}}}' % ("0" * 400),
        '{"per_category": {"k": {"iou": "high"}}}',
        '{"per_category": {"k": {"iou": true}}}',
        '{"per_category": {"k": {"loss": -1}}}',
        '{"per_category": {"k": {"objects": null}}}',
        '{"per_category": {"k": {"objects": -2}}}',
        '{"per_category": {"k": {}}, "mean_iou": []}',
    ],
)
def test_refuses_damaged_metrics(run, text):
    path = results.folder_of(run, "test") / "metrics.json"
    path.write_text(text, encoding="latin-1")
    message = refusal(run)
    assert f"{path} is damaged" in message and "evaluate the run again" in message


def test_a_loss_that_is_not_finite_is_none(run):
    folder = results.folder_of(run, "test")
    text = (folder / "metrics.json").read_text().replace("0.4", "NaN")
    (folder / "metrics.json").write_text(text)
    (folder / "environment.json").unlink()
    found = results.read(run, "test")
    assert found.rows[0].loss is None and found.mean.loss is None


def test_scores_beyond_their_range_by_rounding(run):
    folder = results.folder_of(run, "test")
    text = json.dumps({"per_category": {"k": {"iou": 1 + 2e-7, "loss": -1e-7}}})
    (folder / "metrics.json").write_text(text)
    (folder / "environment.json").unlink()
    (row,) = results.read(run, "test").rows
    assert (row.iou, row.loss) == (1, 0)


def test_refuses_files_of_two_evaluations(run):
    folder = results.folder_of(run, "test")
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps({**metrics, "step": 60}))
    assert "of two evaluations" in refusal(run)
    shown = report_files.make_examples(["other"], ["best"])
    report_files.write_objects(folder, shown)
    assert "'other'" in refusal(run)


@pytest.mark.parametrize("name", ["examples.npz", "environment.json"])
def test_notes_what_an_earlier_evaluation_did_not_write(run, name):
    (results.folder_of(run, "test") / name).unlink()
    found = results.read(run, "test")
    (note,) = found.notes
    assert "examples.npz" in note and found.examples is None


def test_notes_what_the_training_did_not_report(run):
    (run / "metrics.jsonl").write_text("torn\n")
    notes = " ".join(results.read(run, "test").notes)
    assert "No curves" in notes and "left out: 1" in notes
    assert "Nothing was validated" in notes


def test_notes_categories_without_voxels(tmp_path):
    run = report_files.write_run(tmp_path / "run", {"k": "mug"}, iou=None)
    (note,) = results.read(run, "test").notes
    assert "No voxels" in note and "mug" in note


def test_refuses_a_file_that_is_cut_off(run):
    path = results.folder_of(run, "test") / "examples.npz"
    content = path.read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        assert f"{path} is damaged" in refusal(run)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("faces", np.array([[0, 1, 4]], np.int32)),
        ("faces", np.array([[0, 1, -1]], np.int32)),
        ("faces", np.zeros((1, 3))),
        ("ranks", np.array(["best", "median", "middling"])),
        ("measures", np.array(["iou", "iou", "f1"])),
        ("scores", np.zeros(4, np.float32)),
        ("inputs", np.zeros((3, 16, 8, 3), np.uint8)),
        ("renders", np.zeros((3, 1, 16, 16, 3), np.uint8)),
        ("inputs", np.zeros((3, 16, 16, 3), np.uint16)),
        ("vertices", np.zeros((3, 4), np.float32)),
        ("occupied", np.zeros((3, 8, 8, 7), bool)),
        ("axes", np.zeros((3, 3), np.float32)),
        ("occupied", np.zeros((3, 1, 1, 1), bool)),
        ("eyes", np.array(None, object)),
    ],
)
def test_refuses_arrays_that_do_not_fit(run, name, array):
    folder = results.folder_of(run, "test")
    arrays = examples.load(folder / "examples.npz")._asdict()
    np.savez(folder / "examples.npz", **{**arrays, name: array})
    assert "examples.npz is damaged" in refusal(run)


def test_refuses_a_missing_array(run):
    folder = results.folder_of(run, "test")
    arrays = examples.load(folder / "examples.npz")._asdict()
    del arrays["ranks"]
    np.savez(folder / "examples.npz", **arrays)
    assert "ranks" in refusal(run)
