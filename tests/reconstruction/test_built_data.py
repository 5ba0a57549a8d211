"""A folder of meshes, as its owner named them: built, trained on and evaluated."""

import json

import pytest

from jaxsoftras.data import SPLITS
from jaxsoftras.data.build import build
from jaxsoftras.data.build_object import Options
from jaxsoftras.data.npz import open_npz
from jaxsoftras.mesh import Mesh
from jaxsoftras.reconstruction import accelerators, evaluation, evaluation_run, training
from tests.support import mesh_folders, small_run

NAMES = ["Tasse à café", "my mugs", "w"]


def test_voxels_of_another_resolution_are_refused(settings, tmp_path):
    mesh_folders.write(tmp_path, {"meshes/w/val/a.obj": mesh_folders.wedge()})
    options = Options(views=1, size=16, resolution=16)
    build(tmp_path / "meshes", tmp_path / "set", options)
    split = open_npz(tmp_path / "set", "val")
    experiment = training.Experiment(settings, accelerators.device_mesh(4))
    with pytest.raises(
        ValueError, match="16 cells a side, and IoU is measured with 32"
    ):
        evaluation.score_split(experiment, experiment.init(0).variables, split, 1e-4)


@pytest.mark.slow  # test_pictures trains on a data set with a description too
def test_categories_of_ones_own(tmp_path, capsys):
    shapes = [
        mesh_folders.ball(),
        mesh_folders.wedge(),
        Mesh(*mesh_folders.wedge()[:2]),
    ]
    for name, shape in zip(NAMES, shapes, strict=True):
        for split in SPLITS:
            mesh_folders.write(tmp_path / "meshes", {f"{name}/{split}/a.obj": shape})
    (tmp_path / "meshes" / "w" / "train" / "broken.stl").touch()
    # the cameras of other tests' data, whose programs are compiled already
    report = build(tmp_path / "meshes", tmp_path / "set", Options(size=16))
    assert report.total == 9 and len(report.left_out) == 1

    words = ["data.categories=()", "optim.steps=2"]
    root, workdir = tmp_path / "set", tmp_path / "run"
    assert small_run.train(*words, workdir=workdir, root=root) == 0
    assert evaluation_run.main(["--workdir", str(workdir), "--split", "val"]) == 0
    folder = workdir / "eval" / "val"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {key: row["name"] for key, row in metrics["per_category"].items()} == {
        name: name for name in NAMES
    }
    assert all(0 < row["iou"] < 1 for row in metrics["per_category"].values())
    assert {path.stem for path in folder.glob("*.obj")} == set(NAMES)
    shown = capsys.readouterr().out
    assert all(name in shown for name in NAMES)
