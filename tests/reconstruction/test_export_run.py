import json
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from jaxsoftras import config, model_files, models
from jaxsoftras.reconstruction import export_run, provenance, runs
from tests.support import tiny_models
from tests.support.small_run import error_line

ROW = {"name": "cup", "objects": 3, "iou": 0.5, "silhouette_iou": 0.25}
METRICS = {
    "step": 7,
    "mean_iou": 0.5,
    "mean_silhouette_iou": 0.25,
    "per_category": {"1": ROW},
}


class State(NamedTuple):
    """The part of a training state that is exported."""

    variables: models.Variables


@pytest.fixture(scope="module")
def workdir(tmp_path_factory) -> Path:
    """A run folder with two checkpoints, of which the first has the higher score."""
    workdir = tmp_path_factory.mktemp("runs") / "cups"
    workdir.mkdir()
    config.save(tiny_models.CONFIG, workdir / "config.json")
    provenance.record_start(workdir, step=0, seed=0, overrides=["seed=0"])
    variables = tiny_models.make().variables
    arrays = models.flatten(variables)
    name = "params.decoder.centroid.bias"
    arrays[name] = arrays[name] + 1
    later = models.unflatten(variables, arrays)
    with runs.Checkpoints(workdir) as checkpoints:
        for step, values, score in ((7, variables, 0.5), (9, later, 0.4)):
            checkpoints.save(step, State(values))
            checkpoints.add_score(step, score)
    return workdir


@pytest.fixture
def write_metrics(workdir):
    """Writes results of the split ``test``, which are removed after the test."""
    path = workdir / "eval" / "test" / "metrics.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    yield lambda content: path.write_text(json.dumps(content))
    path.unlink(missing_ok=True)


def export(workdir: Path, out: Path, *words: str) -> int:
    arguments = ["--workdir", str(workdir), "--out", str(out), *words]
    return export_run.main([*arguments, "--license", "CC0-1.0"])


def check_same(path: Path) -> models.Trained:
    """Compares a model file with the tiny model; returns what was loaded."""
    found, expected = model_files.load(path), tiny_models.make()
    arrays = models.flatten(expected.variables)
    for name, array in models.flatten(found.variables).items():
        np.testing.assert_array_equal(array, arrays[name])
    return found


def test_best_checkpoint_with_its_metrics(workdir, write_metrics, tmp_path, capsys):
    write_metrics(METRICS)
    out = tmp_path / "sub" / "model.zip"
    assert export(workdir, out, "--checkpoint", "best", "--inverted") == 0
    assert "step 7" in capsys.readouterr().out
    model = check_same(out)
    assert model.step == 7 and model.inverted and model.config == tiny_models.CONFIG
    with zipfile.ZipFile(out) as archive:
        assert json.loads(archive.read("metrics/test.json")) == METRICS
        card = archive.read("README.md").decode()
        about = json.loads(archive.read("model.json"))
    assert "| test | cup | 3 | 0.5000 | 0.2500 |" in card
    assert "Trained on `mesh_reconstruction` (npz), by 7 steps of 64 objects" in card
    assert about["license"] == "CC0-1.0" and "jax" in about["versions"]


def test_metrics_of_another_step_are_left_out(workdir, write_metrics, tmp_path, capsys):
    write_metrics(METRICS)
    out = tmp_path / "model.zip"
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # printed by the program
        assert export(workdir, out, "--storage", "float16") == 0
    captured = capsys.readouterr()
    assert "step 9" in captured.out and "is of step 7, not 9" in captured.err
    with zipfile.ZipFile(out) as archive:
        assert not [name for name in archive.namelist() if "metrics" in name]
        assert "Not evaluated" in archive.read("README.md").decode()
    assert model_files.load(out).step == 9


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {**METRICS, "per_category": 3},
        {**METRICS, "step": "7"},
        {**METRICS, "mean_iou": "high"},
        {**METRICS, "per_category": {"1": {"name": "cup"}}},
        {**METRICS, "per_category": {"1": {**ROW, "name": None}}},
    ],
)
def test_damaged_metrics_are_left_out(content, workdir, write_metrics):
    write_metrics(content)
    with pytest.warns(UserWarning, match="metrics.json is damaged, and is left out"):
        assert export_run._read_metrics(workdir, 7) == {}


def test_a_step(workdir, tmp_path):
    assert export(workdir, tmp_path / "a.zip", "--step", "7") == 0
    check_same(tmp_path / "a.zip")


def test_home_is_not_told(workdir, monkeypatch):
    start = {
        "command": ["/x/train.py", "--workdir", str(Path.home() / "r"), "a b"],
        "devices": "1 x",
    }
    monkeypatch.setattr(provenance, "read_starts", lambda _: [start])
    text = export_run._describe(workdir, tiny_models.make())
    assert "On 1 x, by" in text and "    train.py --workdir ~/r 'a b'" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--step", "8"], "no checkpoint of step 8"),
        (["--out", "x.pt"], "a .zip archive"),
        (["--workdir", "none"], "not a run folder"),
    ],
)
def test_refusals(words, message, workdir, tmp_path, capsys):
    out = tmp_path / "a.zip"
    # the later of two equal options counts
    assert export(workdir, out, *words) == 2
    assert message in error_line(capsys)
    assert not out.exists()


@pytest.mark.parametrize("license", ["", " ", "a|b", "a\nb"])
def test_licences_fit_into_the_card(license, workdir, tmp_path):
    with pytest.raises(model_files.ModelFileError, match="short phrase"):
        export_run.export(workdir, tmp_path / "a.zip", license=license)
