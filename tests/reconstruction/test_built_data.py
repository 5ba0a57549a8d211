"""A folder of meshes, as its owner named them: built, trained on and evaluated."""

import json

from jaxsoftras.data import SPLITS
from jaxsoftras.data.build import build
from jaxsoftras.data.build_object import Options
from jaxsoftras.mesh import Mesh
from jaxsoftras.reconstruction import evaluation_run
from tests.support import mesh_folders, small_run

NAMES = ["Tasse à café", "my mugs", "w"]


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
