"""Mesh files that are refused, and what is left on the disk then."""

import numpy as np
import pytest

from jaxsoftras import mesh, texture
from jaxsoftras.meshfile import load_mesh, save_mesh

SPHERE = mesh.icosphere(1)
TEXTURES = {
    "vertex": texture.VertexColors(np.ones((42, 3))),
    "face": texture.FaceColors(np.ones((80, 3))),
    "uv": texture.UVTexture(np.zeros((80, 3, 2)), np.ones((5, 7, 3))),
}


class TestRefusals:
    @pytest.mark.parametrize(
        "name, content, message",
        [
            ("a.obj", "", "has no faces"),
            ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n", "has no faces"),
            ("a.obj", "v 0 0 0\nf 1 2 3\n", "do not exist: 0 to 2 of 1"),
            ("a.obj", "v 0 0 zero\nf 1 1 1\n", "OBJ: line 1 of a.obj is not underst"),
            ("a.obj", "v 0 0\nf 1 1 1\n", "fewer than three coordinates"),
            ("a.obj", "v 0 0 0\nf 0 1 1\n", "line 2 of a.obj .* 'f 0 1 1'"),
            ("a.obj", "v 0 0 0\nf 1/2 1/2 1/2\n", "coordinates that do not exist"),
            ("a.obj", "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
            ("a.obj", "v 0 0 1e300\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
            ("a.off", "", "does not begin with OFF"),
            ("a.off", "OFF\n", "does not say how many"),
            ("a.off", "OFF\n3 1 0\n0 0 0\n", "3 vertices and 1 faces, and ends"),
            ("a.off", "OFF\n1 1 0\n0 0 0\n3 0 0\n", "face 0 has fewer than its 3"),
            ("a.off", "OFF\n1 1 0\n0 0 0\n3 0 0 7\n", "do not exist: 0 to 7 of 1"),
            ("a.ply", "", "cannot be read as PLY"),
            ("a.ply", "ply\nformat ascii 1.0\nelement vertex 9\n", "read as PLY"),
            ("a.stl", "", "a.stl"),
            ("a.stl", "solid nothing\nendsolid\n", "a.stl"),
            ("a.glb", "", "cannot be read as GLB"),
            ("a.glb", "glTF, it says here, and no more", "cannot be read as GLB"),
            ("a.glb", "not a model, but longer than its head", "not begin with 'glTF'"),
            ("a.png", "", r"\.png is not a mesh file by its name.* \.obj, \.off"),
        ],
    )
    def test_bad_files(self, name, content, message, tmp_path):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=message) as caught:
            load_mesh(tmp_path / name)
        sentence = str(caught.value)
        assert name in sentence and sentence.endswith(".") and "\n" not in sentence

    @pytest.mark.parametrize("ending", ["obj", "off", "ply", "stl", "glb"])
    def test_cut_off(self, ending, tmp_path):
        """Files whose faces are not all there are refused, or have none."""
        path = tmp_path / f"a.{ending}"
        save_mesh(path, SPHERE)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 3])
        with pytest.raises(ValueError, match=rf"a\.{ending} "):
            load_mesh(path)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no file .*a\.obj\.$"):
            load_mesh(tmp_path / "a.obj")
        with pytest.raises(FileNotFoundError, match="no folder .*gone to write to"):
            save_mesh(tmp_path / "gone" / "a.obj", SPHERE)

    @pytest.mark.parametrize(
        "ending, kind, message",
        [
            ("stl", "vertex", r"STL files cannot hold a VertexColors; .* as \.obj"),
            ("glb", "face", r"GLB files .* FaceColors; .* \.obj or \.off or \.ply"),
            ("ply", "uv", r"PLY files .* UVTexture; .* \.obj or \.glb"),
        ],
    )
    def test_textures_that_do_not_fit(self, ending, kind, message, tmp_path):
        with pytest.raises(ValueError, match=message):
            save_mesh(tmp_path / f"a.{ending}", SPHERE._replace(texture=TEXTURES[kind]))
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "given, message",
        [
            (SPHERE._replace(vertices=SPHERE.vertices * np.nan), "not finite"),
            (SPHERE._replace(vertices=SPHERE.vertices[:5]), "do not exist"),
            (SPHERE._replace(faces=SPHERE.faces[:0]), "The mesh has no faces"),
            (SPHERE._replace(vertices=SPHERE.vertices[None]), "holds one mesh"),
            (
                SPHERE._replace(texture=texture.FaceColors(np.ones((7, 3)))),
                "should have 80 rows, not 7",
            ),
            (
                SPHERE._replace(texture=texture.VertexColors(np.ones((42, 2)))),
                "1 or 3 channels; the texture has 2",
            ),
        ],
    )
    def test_bad_meshes(self, given, message, tmp_path):
        with pytest.raises(ValueError, match=message):
            save_mesh(tmp_path / "a.obj", given)
        assert not list(tmp_path.iterdir())

    def test_nothing_half_written(self, tmp_path, monkeypatch):
        """A disk that is full leaves the old files as they were."""
        save_mesh(tmp_path / "a.obj", SPHERE._replace(texture=TEXTURES["uv"]))
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        write_bytes = type(tmp_path).write_bytes

        def full_disk(path, content):
            write_bytes(path, content[:10])
            if "obj" in path.name:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(type(tmp_path), "write_bytes", full_disk)
        with pytest.raises(OSError, match="No space"):
            save_mesh(tmp_path / "a.obj", SPHERE._replace(texture=TEXTURES["uv"]))
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
