"""Pictures with cameras and without voxels: taken over, trained on and evaluated."""

import json

from jaxsoftras.data.picture_objects import Options
from jaxsoftras.data.pictures import import_pictures
from jaxsoftras.reconstruction import evaluation_run
from tests.support import picture_folders, small_run


def test_pictures_of_ones_own(tmp_path, capsys):
    root = tmp_path / "in"
    for place, count in (("train/a", 5), ("train/b", 3), ("test/c", 4), ("test/d", 3)):
        picture_folders.write_object(root / "mugs" / place, count, unit_box=True)
    for name in ("1.png", "2.png"):  # one picture is left
        (root / "mugs" / "test" / "d" / name).unlink()
    options = Options(size=16, keep_frame=True)
    assert len(import_pictures(root, tmp_path / "set", options).objects) == 4

    workdir = tmp_path / "run"
    words = ["data.categories=()", "optim.steps=2"]
    assert small_run.train(*words, workdir=workdir, root=tmp_path / "set") == 0
    capsys.readouterr()
    assert evaluation_run.main(["--workdir", str(workdir), "--untrained"]) == 0
    shown = capsys.readouterr().out
    assert "No voxels, hence no IoU of voxels: mugs." in shown
    assert "none to compare silhouettes in: 1." in shown
    assert "silhouette IoU of the untrained model" in shown

    folder = workdir / "eval" / "test"
    metrics = json.loads((folder / "metrics.json").read_text())
    row = metrics["per_category"]["mugs"]
    assert metrics["mean_iou"] is None and row["iou"] is None
    assert 0 < row["silhouette_iou"] < 1 and 0 < row["loss"] < 2
    assert (row["objects"], row["single_views"]) == (2, 1)
    assert metrics["mean_silhouette_iou"] == row["silhouette_iou"]
    assert (folder / "gallery.png").exists() and (folder / "mugs.obj").exists()
