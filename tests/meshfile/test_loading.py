"""Loading: real files, normalization, and how bad files are refused."""

import json
import os
import pathlib

import numpy as np
import pytest

from jaxsoftras import mesh, topology
from jaxsoftras.meshfile import load_mesh, save_mesh

SPHERE = mesh.icosphere(1)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.obj", "", "as OBJ: it is empty, 0 bytes long"),
        ("a.off", "", "is empty"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n", "has no faces"),
        ("a.obj", "v 0 0 0\nf 1 2 3\n", "line 2 of a.obj refers to vertex 2, .* 1"),
        ("a.obj", "v 0 0 zero\nf 1 1 1\n", "OBJ: line 1 of a.obj is not underst"),
        ("a.obj", "v 0 0\nf 1 1 1\n", "line 1 of a.obj .* 'v 0 0'"),
        ("a.obj", "v 0 0 1_0\nf 1 1 1\n", "line 1 of a.obj .* 'v 0 0 1_0'"),
        ("a.obj", "v 0 0 0\nf 0 1 1\n", "line 2 of a.obj .* 'f 0 1 1'"),
        ("a.obj", "v 0 0 0\nf -2 1 1\n", "line 2 of a.obj .* 'f -2 1 1'"),
        ("a.obj", "v 0 0 0\nf 1/2 1 1\n", "line 2 of .* texture coordinates 2, .* 0"),
        ("a.obj", f"v 0 0 0\nf 1 1 {10**30}\n", "line 2 of a.obj refers to vertex"),
        ("a.obj", "v 0 0 nan\nv 1 0 0\nf 2 2 1\n", r"not finite.* 1, .* vertex 0 "),
        ("a.obj", "v 0 0 1e300\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("a.ply", "", "is empty"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 9\n", "read as PLY"),
        ("a.stl", "", "is empty"),
        ("a.stl", "solid nothing\nendsolid\n", "a.stl"),
        ("a.glb", "", "is empty"),
        ("a.glb", "glTF, it says here, and no more", "cannot be read as GLB"),
        ("a.glb", "not a model, but longer than its head", "not begin with 'glTF'"),
        ("a.png", "", r"\.png does not have the name of a mesh file.* \.obj, \.off"),
    ],
)
def test_bad_files(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_mesh(tmp_path / name)
    sentence = str(caught.value)
    assert name in sentence and sentence.endswith(".") and "\n" not in sentence


@pytest.mark.parametrize("ending", ["obj", "off", "ply", "stl", "glb"])
def test_cut_off(ending, tmp_path):
    """Files whose faces are not all there are refused, or have none."""
    path = tmp_path / f"a.{ending}"
    save_mesh(path, SPHERE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    with pytest.raises(ValueError, match=rf"a\.{ending} "):
        load_mesh(path)


@pytest.mark.parametrize("bad", ["nan nan nan", "1e300 0 0", "-nan(ind) 0 1.#QNAN"])
def test_unused_vertices_may_be_anything(bad, tmp_path):
    text = f"v 2 0 0\nv 3 0 0\nv 2 1 0\nv {bad}\nf 1 2 3\n"
    (tmp_path / "a.obj").write_text(text)
    loaded = load_mesh(tmp_path / "a.obj")
    assert loaded.vertices.shape == (4, 3)
    np.testing.assert_array_equal(loaded.vertices[:3, 0], [2, 3, 2])
    save_mesh(tmp_path / "b.glb", loaded)
    assert len(load_mesh(tmp_path / "b.glb").faces) == 1


def test_one_warning_names_all_that_is_missing(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl a\nmap_Kd one.png\nd 0\n")
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl two.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl a\nf 1 2 3\nl 1 2\n"
    )
    with pytest.warns(UserWarning) as caught:
        load_mesh(tmp_path / "a.obj")
    (message,) = (str(warning.message) for warning in caught)
    assert caught[0].filename == __file__
    for part in ("a.obj: ", "one.png", "two.mtl", "lines", "opacity 0: a"):
        assert part in message
    assert message.endswith(".") and "\n" not in message


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*a\.obj\.$"):
        load_mesh(tmp_path / "a.obj")


def test_what_is_no_regular_file(tmp_path):
    (tmp_path / "a.obj").mkdir()
    with pytest.raises(IsADirectoryError, match=r"a\.obj is a folder, not a mesh file"):
        load_mesh(tmp_path / "a.obj")
    os.mkfifo(tmp_path / "b.obj")
    with pytest.raises(ValueError, match=r"b\.obj is not a regular file"):
        load_mesh(tmp_path / "b.obj")


@pytest.mark.parametrize(
    "path, message",
    [
        ("https://a.b/c.obj", "URLs, such as https://a.b/c.obj; download the file"),
        (pathlib.Path("https://a.b/c?d=1"), "does not read URLs"),
        (None, "takes the path of a file, not a NoneType"),
        (SPHERE, "takes the path of a file, not a Mesh"),
    ],
)
def test_what_is_no_path(path, message):
    with pytest.raises(ValueError, match=message):
        load_mesh(path)


def test_normalize(tmp_path):
    box = mesh.Mesh(
        np.array([[1.0, 0, 0], [5, 0, 0], [1, 2, 1]]), np.array([[0, 1, 2]])
    )
    save_mesh(tmp_path / "a.obj", box)
    vertices = load_mesh(tmp_path / "a.obj", normalize=True).vertices
    np.testing.assert_allclose(
        vertices, [[-1, -0.5, -0.25], [1, -0.5, -0.25], [-1, 0.5, 0.25]]
    )
    (tmp_path / "a.obj").write_text(
        (tmp_path / "a.obj").read_text() + "v nan 9 9\nv 1e99 0 0\n"
    )
    spoilt = load_mesh(tmp_path / "a.obj", normalize=True).vertices
    np.testing.assert_array_equal(spoilt[:3], vertices)
    save_mesh(tmp_path / "b.obj", box._replace(vertices=np.ones((3, 3))))
    with pytest.raises(ValueError, match="no extent"):
        load_mesh(tmp_path / "b.obj", normalize=True)


def test_real_files(shared):
    folder = shared / "data" / "meshes" / "samples"
    rows = json.loads((folder / "samples.json").read_text())
    assert len(rows) == 38
    for row in rows:
        loaded = load_mesh(folder / row["file"])
        counts = len(loaded.vertices), len(loaded.faces)
        assert counts == (row["vertices"], row["faces"]), row["file"]
        assert topology.is_watertight(loaded.faces) == row["watertight"], row["file"]
        # file = scale * shape + offset, of a shape in a centred box of longest side 1
        extent = np.ptp(loaded.vertices, axis=0)
        middle = loaded.vertices.min(axis=0) + extent / 2
        assert extent.max() == pytest.approx(row["scale"], rel=1e-3), row["file"]
        np.testing.assert_allclose(middle, row["offset"], atol=1e-3 * row["scale"])
