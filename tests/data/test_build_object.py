"""One object of a data set: its frame, its notes, and thirty kinds of broken mesh."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from jaxsoftras.data import build_images, build_pool
from jaxsoftras.data.build_object import Options, make_object, to_model_frame
from jaxsoftras.data.build_pool import Outcome, Task
from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import save_mesh
from jaxsoftras.texture import UVTexture
from tests.support.mesh_folders import CORNERS, wedge

QUICK = Options(views=2, size=8, resolution=8, max_faces=20)
TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
FAR = 1e6


def make(path: Path, options: Options = QUICK) -> Outcome:
    return build_pool.run(Task(path, path.parent / "kept", options))


def glb(length: int | None = None) -> bytes:
    """A GLB file without content, or with a wrong length."""
    text = json.dumps({"asset": {"version": "2.0"}}).encode()
    text += b" " * (-len(text) % 4)
    size = 20 + len(text) if length is None else length
    head = struct.pack("<4sIIII", b"glTF", 2, size, len(text), 0x4E4F534A)
    return head + text


def gltf(**parts: object) -> bytes:
    return json.dumps({"asset": {"version": "2.0"}, **parts}).encode()


BUFFER = {
    "buffers": [{"uri": "lost.bin", "byteLength": 36}],
    "bufferViews": [{"buffer": 0, "byteLength": 36}],
    "accessors": [
        {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
    ],
    "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
    "nodes": [{"mesh": 0}],
    "scenes": [{"nodes": [0]}],
}
STL = b"binary".ljust(80) + struct.pack("<I", 2)
FACET = struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0)
PLY = (
    b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
    b"property float z\nelement face 1\nproperty list uchar int vertex_indices\n"
    b"end_header\n"
)
MANY = TRIANGLE + "f 1 2 3\n" * 21
BROKEN = {
    "empty.obj": (b"", "cannot be read as OBJ"),
    "empty.glb": (b"", "cannot be read as GLB"),
    "empty.ply": (b"", "cannot be read as PLY"),
    "empty.off": (b"", "cannot be read as OFF"),
    "empty.stl": (b"", "cannot be read as STL"),
    "points.obj": (TRIANGLE.encode(), "no faces"),
    "lines.obj": (f"{TRIANGLE}l 1 2 3\n".encode(), "no faces"),
    "corners.obj": (f"{TRIANGLE}f 1 2\n".encode(), "cannot be read"),
    "nan.obj": (f"{TRIANGLE}v nan 0 0\nf 1 2 4\n".encode(), "not finite"),
    "infinite.obj": (f"{TRIANGLE}v 0 1e39 0\nf 1 2 4\n".encode(), "not finite"),
    "index.obj": (f"{TRIANGLE}f 1 2 9\n".encode(), "cannot be read"),
    "zero.obj": (f"{TRIANGLE}f 0 1 2\n".encode(), "cannot be read"),
    "letters.obj": (b"v a b c\nf 1 1 1\n", "cannot be read"),
    "point.obj": (b"v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "no extent"),
    "line.obj": (b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "nothing of it can be seen"),
    "speck.obj": (f"{TRIANGLE}v {FAR} 0 0\nf 1 2 3\n".encode(), "remove the vertices"),
    "many.obj": (MANY.encode(), "it has 21 faces, more than the 20 that --max-faces"),
    "page.glb": (b"<html>Not found</html>", "cannot be read as GLB"),
    "blank.glb": (glb(), "cannot be read as GLB"),
    "cut.glb": (glb(10_000)[:30], "cannot be read as GLB"),
    "text.gltf": (b"{", "cannot be read as GLTF"),
    "deep.gltf": (b'{"a":' + b"[" * 50_000, "cannot be read as GLTF"),
    "lost.gltf": (gltf(**BUFFER), "lost.bin"),
    "cut.stl": (STL + FACET[:40], "cannot be read as STL"),
    "short.ply": (PLY + b"0 0 0\n1 0 0\n", "cannot be read as PLY"),
    "nan.ply": (PLY + b"0 0 0\n1 0 0\nnan 1 0\n3 0 1 2\n", "not finite"),
    "head.ply": (PLY[:40], "cannot be read as PLY"),
    "count.off": (b"OFF\n9 1 0\n0 0 0\n1 0 0\n3 0 1 2\n", "cannot be read as OFF"),
    "noise.off": (bytes(range(256)) * 4, "cannot be read as OFF"),
    "objects.ply": (pickle.dumps({"vertices": [1]}), "cannot be read as PLY"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_meshes_are_an_outcome(name, tmp_path):
    content, reason = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    outcome = make(tmp_path / name)
    assert reason in outcome.error and "\n" not in outcome.error
    assert not (tmp_path / "kept.npz").exists()
    assert build_pool.find_outcome(
        Task(tmp_path / name, tmp_path / "kept", QUICK)
    ) == Outcome(outcome.error)


def test_damaged_images_are_an_outcome(tmp_path):
    (tmp_path / "a.obj").write_text(
        f"mtllib a.mtl\n{TRIANGLE}vt 0 0\nusemtl m\nf 1/1 2/1 3/1\n"
    )
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd a.png\n")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n")
    assert "a.png cannot be read as an image" in make(tmp_path / "a.obj").error


def test_links_to_nowhere_and_folders_are_an_outcome(tmp_path):
    (tmp_path / "lost.obj").symlink_to(tmp_path / "nowhere.obj")
    assert "There is no file" in make(tmp_path / "lost.obj").error
    (tmp_path / "folder.obj").mkdir()
    assert "is a folder" in make(tmp_path / "folder.obj").error


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("worn\nout"), ValueError()]
)
def test_any_error_is_an_outcome(error, tmp_path, monkeypatch):
    save_mesh(tmp_path / "a.obj", wedge())

    def fail(*arguments):
        raise error

    monkeypatch.setattr(build_images, "render_views", fail)
    assert make(tmp_path / "a.obj").error in {
        "it needs more memory than there is",
        "RuntimeError: worn",
        "ValueError",
    }


LACKING = {
    "missing material": ({}, "a.mtl"),
    "missing image": ({"a.mtl": b"newmtl m\nmap_Kd a.png\n"}, "a.png"),
    "glass": ({"a.mtl": b"newmtl m\nKd 1 0 0\nd 0.5\n"}, "not opaque"),
}


@pytest.mark.parametrize("kind", LACKING)
def test_meshes_that_lack_something_are_made_with_a_note(kind, tmp_path):
    files, expected = LACKING[kind]
    text = f"mtllib a.mtl\n{TRIANGLE}vt 0 0\nusemtl m\nf 1/1 2/1 3/1\n"
    for name, content in {"a.obj": text.encode(), **files}.items():
        (tmp_path / name).write_bytes(content)
    outcome = make(tmp_path / "a.obj")
    assert not outcome.error
    # the file is named beside the note
    assert expected in outcome.notes[-1] and "a.obj" not in outcome.notes[-1]
    example = build_pool.read_example(Task(tmp_path, tmp_path / "kept", QUICK))
    assert example.views.shape == (2, 4, 8, 8) and example.voxels.any()


def test_meshes_that_cover_next_to_nothing_are_made_with_a_note(tmp_path):
    stray = "v 60 0 0\nv 60 0 1\nv 60 1 0\nf 4 5 6\n"
    (tmp_path / "a.obj").write_text(f"{TRIANGLE}f 1 2 3\n{stray}")
    [note] = make(tmp_path / "a.obj", Options(views=2)).notes
    assert "a stray vertex may stretch its bounding box" in note


def test_scale_and_place_do_not_matter(tmp_path):
    # 1e6 away, the wedge has few digits left in single precision, but not in the file
    for name, shift in {"a.obj": 0, "b.obj": FAR}.items():
        lines = [
            f"v {x + shift} {y + shift} {z + shift}" for x, y, z in CORNERS.tolist()
        ]
        faces = ["f " + " ".join(str(k + 1) for k in face) for face in wedge().faces]
        (tmp_path / name).write_text("\n".join(lines + faces))
    near, _ = make_object(tmp_path / "a.obj", QUICK)
    far, _ = make_object(tmp_path / "b.obj", QUICK)
    np.testing.assert_array_equal(near.views, far.views)
    np.testing.assert_array_equal(near.voxels, far.voxels)


def test_frame_of_gltf():
    mesh = to_model_frame(wedge(5.0), "+Y", "+Z")
    # (x, y, -z), centred; the longest side is 1
    expected = (CORNERS - CORNERS.max(0) / 2) / 4 * [1, 1, -1]
    np.testing.assert_allclose(mesh.vertices, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("up", "front"), [("+Z", "-Y"), ("-X", "+Z"), ("+Y", "-Z"), ("-Z", "+X")]
)
def test_directions(up, front):
    axes = {
        name: sign * np.eye(3)[k]
        for sign, signs in ((1, "+"), (-1, "-"))
        for k, name in enumerate(f"{signs}{axis}" for axis in "XYZ")
    }
    side = np.cross(axes[up], axes[front])
    # a wedge as it would be in a file of the default directions
    turned = CORNERS @ np.stack([side, axes[up], axes[front]])
    faces, texture = wedge().faces, wedge().texture
    expected = to_model_frame(Mesh(CORNERS, faces, texture), "+Y", "+Z")
    found = to_model_frame(Mesh(turned, faces, texture), up, front)
    np.testing.assert_allclose(found.vertices, expected.vertices, atol=1e-6)
    np.testing.assert_array_equal(found.faces, expected.faces)


def test_faces_stay_counterclockwise_and_keep_their_image():
    uv = np.arange(6 * len(wedge().faces), dtype=np.float32).reshape(-1, 3, 2)
    mesh = wedge()._replace(texture=UVTexture(uv, np.zeros((2, 2, 3), np.float32)))
    turned = to_model_frame(mesh, "+Y", "+Z")
    a, b, c = np.asarray(turned.vertices, float)[np.asarray(turned.faces)].swapaxes(
        0, 1
    )
    volume = np.einsum("ni,ni->n", a, np.cross(b, c)).sum() / 6
    assert volume > 0
    place = np.argwhere(np.asarray(turned.faces)[3] == mesh.faces[3][0])[0, 0]
    np.testing.assert_array_equal(turned.texture.coordinates[3, place], uv[3, 0])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"views": 0}, "views must be from 1 to 10000, not 0"),
        ({"size": 10**6}, "size must be from 1 to 8192"),
        ({"resolution": 1}, "resolution must be from 2 to 1024"),
        ({"max_faces": 0}, "max_faces must be positive"),
        ({"elevation": 90.0}, "between -90 and 90"),
        ({"elevation": float("nan")}, "between -90 and 90"),
        ({"up": "Y"}, "'Y' is not a direction"),
        ({"up": "+Y", "front": "-Y"}, "perpendicular"),
    ],
)
def test_options_are_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        Options(**changes)
