"""The two programs from their command lines: what they write, and how they refuse."""

import contextlib
import io
import json

import numpy as np
import pytest
from PIL import Image

import eval as evaluation_program
import jaxsoftras.reconstruction.evaluation
import train
from jaxsoftras import config, data
from jaxsoftras.reconstruction import runs as checkpoint
from tests.support.small_run import CABINET, ROOT, SMALL

CONFIG = str(ROOT / "configs" / "softras.py")


def run_train(*settings, workdir, root=None):
    words = [*SMALL, *([f"data.root={root}"] if root else []), *settings]
    return train.main(["--config", CONFIG, "--workdir", str(workdir), "--set", *words])


def error_line(capsys) -> str:
    """The one line that a failed program left."""
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert "Traceback" not in line
    return line


@pytest.fixture(scope="module")
def trained(cabinets, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "cabinets"
    assert run_train("optim.steps=3", workdir=workdir, root=cabinets) == 0
    return workdir


@pytest.fixture(scope="module")
def evaluated(trained) -> str:
    """What the evaluation of `trained` printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert evaluation_program.main(["--workdir", str(trained), "--untrained"]) == 0
    return printed.getvalue()


class TestEval:
    def test_writes_metrics_gallery_and_meshes(self, trained, evaluated, cabinets):
        folder = trained / "eval" / "test"
        metrics = json.loads((folder / "metrics.json").read_text())
        settings = config.Data(root=str(cabinets), categories=(CABINET,))
        split = data.open_split(settings, "test")
        assert set(metrics) == {
            "split",
            "step",
            "mean_iou",
            "mean_loss",
            "per_category",
        }
        assert metrics["split"] == "test" and metrics["step"] == 3
        row = metrics["per_category"][CABINET]
        assert row["name"] == "cabinet" and row["objects"] == split.count(CABINET)
        assert 0 < row["iou"] < 1 and row["iou"] == metrics["mean_iou"]
        assert 0 < row["loss"] < 2 and row["loss"] == metrics["mean_loss"]
        assert f"{row['iou']:.4f}" in evaluated and "untrained" in evaluated
        with Image.open(folder / "gallery.png") as picture:
            assert picture.width > 8 * 128 and picture.height > 128
            assert np.asarray(picture).std() > 10
        lines = (folder / "cabinet.obj").read_text().splitlines()
        assert sum(line.startswith("v ") for line in lines) == 42
        assert sum(line.startswith("f ") for line in lines) == 80

    def test_repeats(self, trained, capsys):
        results = []
        for _ in range(2):
            assert (
                evaluation_program.main(["--workdir", str(trained), "--split", "val"])
                == 0
            )
            results.append((trained / "eval" / "val" / "metrics.json").read_bytes())
        assert results[0] == results[1]

    def test_mean_is_over_categories_not_objects(self):
        score = jaxsoftras.reconstruction.evaluation.Score
        metrics = jaxsoftras.reconstruction.evaluation.summarize(
            {
                "02691156": score(np.full((9, 24), 0.2), np.full((9, 24), 0.5)),
                "04379243": score(np.full((1, 24), 0.8), np.full((1, 24), 0.1)),
            },
            split="test",
            step=1,
        )
        assert metrics["mean_iou"] == pytest.approx(0.5)
        assert metrics["mean_loss"] == pytest.approx(0.3)

    def test_refusals(self, trained, tmp_path, capsys):
        def fails(*arguments):
            assert evaluation_program.main([str(a) for a in arguments]) == 2
            return error_line(capsys)

        assert "not a run folder" in fails("--workdir", tmp_path)
        assert "no checkpoint of step 7" in fails("--workdir", trained, "--step", 7)
        message = fails("--workdir", trained, "--data", tmp_path / "none")
        assert str(tmp_path / "none") in message

    def test_damaged_checkpoint(self, cabinets, tmp_path, capsys):
        workdir = tmp_path / "run"
        assert run_train("optim.steps=1", workdir=workdir, root=cabinets) == 0
        capsys.readouterr()
        for path in (workdir / "checkpoints" / "1" / "default").rglob("*"):
            if path.is_file() and path.stat().st_size > 1000:
                path.write_bytes(path.read_bytes()[:100])
        assert evaluation_program.main(["--workdir", str(workdir)]) == 2
        assert "damaged" in error_line(capsys)


class TestRefusals:
    """Exit code 2, one sentence, and no run folder."""

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("optim.lr=1", "no configuration field 'optim.lr'"),
            ("optim.steps=many", "optim.steps must be int, not 'many'"),
            ("optim.batch_size=6", "6 objects does not divide evenly among 4 devices"),
            ("data.source=web", "data.source must be one of"),
            ("data.categories=('999',)", "999"),
            ("model.channels=4,4,4,4,4", "cannot be halved 5 times"),
        ],
    )
    def test_settings(self, setting, message, cabinets, tmp_path, capsys):
        assert run_train(setting, workdir=tmp_path / "run", root=cabinets) == 2
        assert message in error_line(capsys)
        assert not (tmp_path / "run").exists()

    def test_missing_configuration(self, tmp_path, capsys):
        assert train.main(["--config", str(tmp_path / "x.py")]) == 2
        assert "no configuration file" in error_line(capsys)

    @pytest.mark.parametrize(
        "damage", ["folder", "file", "truncated", "shape", "dtype"]
    )
    def test_data(self, damage, cabinets, tmp_path, capsys):
        folder = tmp_path / "data"
        if damage != "folder":
            folder.mkdir()
            for path in cabinets.iterdir():
                (folder / path.name).write_bytes(path.read_bytes())
        path = folder / f"{CABINET}_train_images.npz"
        if damage == "file":
            path.unlink()
        elif damage == "truncated":
            path.write_bytes(path.read_bytes()[:-1000])
        elif damage == "shape":
            np.savez_compressed(path, np.zeros((2, 24, 3, 16, 16), np.uint8))
        elif damage == "dtype":
            np.savez_compressed(path, np.zeros((2, 24, 4, 16, 16), np.float32))
        assert run_train(workdir=tmp_path / "run", root=folder) == 2
        assert str(folder) in error_line(capsys)
        assert not (tmp_path / "run").exists()

    def test_run_folder_of_another_configuration(self, trained, cabinets, capsys):
        before = (trained / "config.json").read_bytes()
        assert run_train("model.latent=4", workdir=trained, root=cabinets) == 2
        line = error_line(capsys)
        assert "model.latent: 8 there, 4 here" in line and "--workdir" in line
        assert (trained / "config.json").read_bytes() == before

    def test_folder_that_is_no_run(self, cabinets, tmp_path, capsys):
        (tmp_path / "thesis.txt").write_text("precious")
        assert run_train(workdir=tmp_path, root=cabinets) == 2
        assert "not a run folder" in error_line(capsys)
        assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_prepared_data_train_the_same_network(trained, evaluated, cabinets, tmp_path):
    from jaxsoftras.data import prepared

    prepared.prepare(cabinets, tmp_path / "prepared")
    code = run_train(
        "optim.steps=3",
        "data.source=prepared",
        workdir=tmp_path / "run",
        root=tmp_path / "prepared",
    )
    assert code == 0
    assert evaluation_program.main(["--workdir", str(tmp_path / "run")]) == 0
    results = [
        (workdir / "eval" / "test" / name).read_bytes()
        for name in ("metrics.json", "cabinet.obj")
        for workdir in (trained, tmp_path / "run")
    ]
    assert results[0] == results[1] and results[2] == results[3]


def test_config_of_a_run_is_read_back(trained):
    assert checkpoint.read_config(trained).model == config.Model(
        channels=(4, 8), hidden=(16,), latent=8, decoder_hidden=(16,), template_level=1
    )
