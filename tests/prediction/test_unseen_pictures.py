"""The program that predicts meshes from pictures of the sample meshes."""

import json

import numpy as np
import pytest
from PIL import Image

import jaxsoftras
from jaxsoftras import model_files
from tests.support import tiny_models, unseen_pictures
from tests.support.unseen_pictures import SHOTS

SAMPLES = "data/meshes/samples"
CHAIR = next(shot for shot in SHOTS if shot.mesh.startswith("chair/"))


def test_there_are_twelve_at_least_of_all_categories():
    assert len({shot.mesh.partition("/")[0] for shot in SHOTS}) == len(SHOTS) == 13
    assert len({shot.size for shot in SHOTS}) == len(SHOTS)
    assert len({shot.angles for shot in SHOTS}) == len(SHOTS)


def test_pictures_have_their_size_and_background():
    image = np.zeros((64, 64, 4), np.float32)
    image[16:48, 16:48] = 0.5, 0.25, 0, 1
    for shot in SHOTS:
        picture, mask = unseen_pictures.develop(image, shot._replace(noise=0))
        assert picture.size == mask.size == shot.size
        assert picture.mode == ("RGBA" if shot.background is None else "RGB")
        middle = np.asarray(picture)[shot.size[1] // 2, shot.size[0] // 2]
        np.testing.assert_allclose(middle[:3], (128, 64, 0), atol=1)
        corner = np.asarray(picture)[0, 0]
        if shot.background is None:
            assert corner[3] == 0
        else:
            behind = 255 * shot.background(*reversed(shot.size))[0, 0]
            np.testing.assert_allclose(corner, behind, atol=1)
        covered = np.mean(np.asarray(mask)) / 255 * np.prod(shot.size)
        sides = np.minimum(shot.size, max(shot.size) / 2)  # beyond, it is cut off
        assert covered == pytest.approx(sides.prod(), rel=0.05)


def test_voxels_are_compared_in_one_frame(shared, tmp_path):
    path = shared / SAMPLES / CHAIR.mesh
    solid = jaxsoftras.load_mesh(path, normalize=True)
    vertices = np.asarray(solid.vertices) / 2

    def compare(*flips: int) -> float:
        mesh = solid._replace(vertices=vertices * flips, texture=None)
        jaxsoftras.save_mesh(tmp_path / "chair.glb", mesh)
        return unseen_pictures.compare_voxels(tmp_path / "chair.glb", path)

    # the rule of data sets fills a few cells more
    assert compare(1, 1, 1) > 0.8
    assert compare(1, 1, -1) < 0.6 and compare(1, -1, 1) < 0.6


@pytest.mark.slow  # the others test its parts
def test_writes_table_and_sheet(shared, tmp_path, monkeypatch, capsys):
    model = tmp_path / "model.zip"
    model_files.save(model, tiny_models.make(), license="CC0-1.0")
    phone = next(shot for shot in SHOTS if shot.mesh.startswith("telephone/"))
    monkeypatch.setattr(unseen_pictures, "SHOTS", [CHAIR, phone])
    monkeypatch.setattr(unseen_pictures, "PHOTOGRAPHS", {"no_such_package": ("x",)})
    words = ["--meshes", str(shared / SAMPLES), "--out", str(tmp_path / "out")]
    assert unseen_pictures.main([*words, "--", "--model", str(model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    summary = json.loads((tmp_path / "out/meshes/predictions.json").read_text())
    (row,) = summary["predictions"]
    (line,) = [line for line in lines if line.startswith("| `chair.png`")]
    assert f"{row['silhouette_iou']:.3f}" in line and row["mask"] == "background"
    assert any(
        line.startswith("Left out: telephone.jpg: it has no mask") for line in lines
    )
    with Image.open(tmp_path / "out/sheet.png") as sheet:
        assert sheet.width > 8 * 192
