"""Saving: round trips in every format, refusals, and what an error leaves."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import mesh, texture, topology
from jaxsoftras.meshfile import load_mesh, save_mesh

SAMPLE = jax.jit(texture.sample, static_argnums=2)

FORMATS = ["obj", "off", "ply", "stl", "glb"]
RNG = np.random.default_rng(0)
SPHERE = mesh.Mesh(
    np.asarray(mesh.icosphere(1).vertices, np.float32),
    np.asarray(mesh.icosphere(1).faces),
)
TEXTURES = {
    "vertex": texture.VertexColors(RNG.random((42, 3))),
    "face": texture.FaceColors(RNG.random((80, 3))),
    "uv": texture.UVTexture(RNG.random((80, 3, 2)), RNG.random((5, 7, 3))),
}
EIGHT_BITS = 0.5 / 255 + 1e-6


def textured(kind) -> mesh.Mesh:
    return SPHERE._replace(texture=TEXTURES[kind])


def files_of(folder):
    return sorted(path.name for path in folder.iterdir())


class TestRoundTrip:
    @pytest.mark.parametrize("ending", FORMATS)
    def test_shape(self, ending, tmp_path):
        save_mesh(tmp_path / f"a.{ending}", SPHERE)
        assert files_of(tmp_path) == [f"a.{ending}"]
        loaded = load_mesh(tmp_path / f"a.{ending}")
        assert loaded.texture is None
        assert loaded.vertices.dtype == np.float32 and loaded.faces.dtype == np.int32
        assert topology.is_watertight(loaded.faces)
        if ending == "stl":  # holds triangles only
            vertices, expected = loaded.vertices, SPHERE.vertices
            assert len(vertices) == len(expected)
            np.testing.assert_array_equal(
                vertices[loaded.faces], expected[SPHERE.faces]
            )
        else:
            np.testing.assert_array_equal(loaded.vertices, SPHERE.vertices)
            np.testing.assert_array_equal(loaded.faces, SPHERE.faces)

    @pytest.mark.parametrize(
        "ending, kind, tolerance",
        [
            ("obj", "vertex", 1e-6),
            ("obj", "face", 1e-6),
            ("off", "vertex", 1e-6),
            ("off", "face", 1e-6),
            ("ply", "vertex", EIGHT_BITS),
            ("ply", "face", EIGHT_BITS),
            ("glb", "vertex", 1e-6),
        ],
    )
    def test_colors(self, ending, kind, tolerance, tmp_path):
        save_mesh(tmp_path / f"a.{ending}", textured(kind))
        loaded = load_mesh(tmp_path / f"a.{ending}")
        assert loaded.texture is not None
        assert type(loaded.texture) is type(TEXTURES[kind])
        np.testing.assert_array_equal(loaded.faces, SPHERE.faces)
        values = loaded.texture[0]
        np.testing.assert_allclose(values, TEXTURES[kind][0], rtol=0, atol=tolerance)
        assert values.dtype == np.float32

    @pytest.mark.parametrize("ending", ["obj", "glb"])
    def test_image(self, ending, tmp_path):
        save_mesh(tmp_path / f"a b.{ending}", textured("uv"))
        if ending == "obj":
            assert files_of(tmp_path) == ["a b.mtl", "a b.obj", "a b.png"]
        loaded = load_mesh(tmp_path / f"a b.{ending}")
        np.testing.assert_array_equal(loaded.vertices, SPHERE.vertices)
        np.testing.assert_array_equal(loaded.faces, SPHERE.faces)
        assert isinstance(loaded.texture, texture.UVTexture)
        coordinates, image = TEXTURES["uv"][:2]
        np.testing.assert_allclose(loaded.texture.coordinates, coordinates, atol=1e-6)
        np.testing.assert_allclose(loaded.texture.image, image, atol=EIGHT_BITS)

    @pytest.mark.parametrize("resolution", [1, 2, 3])
    def test_texels_survive_on_an_image(self, resolution, tmp_path):
        texels = RNG.random((80, resolution**2, 3))
        surface = texture.SurfaceTexture(texels)
        save_mesh(tmp_path / "a.obj", SPHERE._replace(texture=surface))
        loaded = load_mesh(tmp_path / "a.obj").texture
        assert isinstance(loaded, texture.UVTexture)
        baked = jax.jit(texture.bake, static_argnums=1)(loaded, resolution)
        np.testing.assert_allclose(baked.texels, texels, atol=EIGHT_BITS)

    @pytest.mark.parametrize("ending", ["obj", "off", "ply", "glb"])
    def test_colors_out_of_range_are_clipped(self, ending, tmp_path):
        colors = np.tile([1.02, 0.5, -0.2], (42, 1))
        given = SPHERE._replace(texture=texture.VertexColors(colors))
        with pytest.warns(UserWarning, match="range from -0.2 to 1.02") as caught:
            save_mesh(tmp_path / f"a.{ending}", given)
        assert [warning.filename for warning in caught] == [__file__]
        loaded = load_mesh(tmp_path / f"a.{ending}").texture
        assert isinstance(loaded, texture.VertexColors)
        expected = np.tile([1, 0.5, 0], (42, 1))
        np.testing.assert_allclose(loaded.values, expected, atol=EIGHT_BITS)

    @pytest.mark.parametrize(
        "ending, colors",
        [
            ("ply", texture.FaceColors(np.full((80, 3), 255.0))),
            ("obj", TEXTURES["uv"]._replace(image=np.full((5, 7, 1), 255.0))),
            ("glb", texture.SurfaceTexture(np.full((80, 4, 3), 255.0, np.float16))),
        ],
    )
    def test_colors_of_8_bits_are_clipped_with_a_warning(
        self, ending, colors, tmp_path
    ):
        given = SPHERE._replace(texture=colors)
        message = f"{type(colors).__name__} range from 255 to 255.*divide 8-bit colours"
        with pytest.warns(UserWarning, match=message):
            save_mesh(tmp_path / f"a.{ending}", given)

    def test_rounding_is_clipped_without_a_warning(self, tmp_path):
        colors = np.tile([1.001, 0.5, -0.001], (42, 1))
        given = SPHERE._replace(texture=texture.VertexColors(colors))
        save_mesh(tmp_path / "a.off", given)
        loaded = load_mesh(tmp_path / "a.off").texture
        assert loaded is not None and np.ptp(loaded[0]) == 1

    def test_half_precision(self, tmp_path):
        colors = jnp.full((42, 3), 0.25, jnp.bfloat16)
        given = SPHERE._replace(texture=texture.VertexColors(colors))
        save_mesh(tmp_path / "a.off", given)
        loaded = load_mesh(tmp_path / "a.off").texture
        assert loaded is not None and np.all(np.asarray(loaded[0]) == 0.25)

    @pytest.mark.parametrize("ending", ["obj", "glb"])
    @pytest.mark.parametrize("wrap", ["clamp", "repeat", None])
    def test_continuation_of_the_image(self, ending, wrap, tmp_path):
        coordinates, image = TEXTURES["uv"][:2]
        uv = 3 * coordinates - 1
        given = texture.UVTexture(uv, image, wrap)
        save_mesh(tmp_path / f"a.{ending}", SPHERE._replace(texture=given))
        loaded = load_mesh(tmp_path / f"a.{ending}").texture
        assert isinstance(loaded, texture.UVTexture)
        wrap = wrap or "clamp"  # as the renderer shows it
        expected = SAMPLE(image, uv.reshape(-1, 2), wrap)
        for way in {wrap, loaded.wrap}:
            seen = SAMPLE(loaded.image, loaded.coordinates.reshape(-1, 2), way)
            np.testing.assert_allclose(seen, expected, atol=2 * EIGHT_BITS)

    def test_grey_and_padding(self, tmp_path):
        small = mesh.Mesh(SPHERE.vertices[:3], np.array([[0, 1, 2]]))
        grey = texture.FaceColors(np.full((1, 1), 0.25))
        many = texture.FaceColors(np.full((80, 1), 0.5))
        batch = mesh.stack_meshes(
            [small._replace(texture=grey), SPHERE._replace(texture=many)]
        )
        save_mesh(tmp_path / "a.off", jax.tree.map(lambda x: x[0], batch))
        loaded = load_mesh(tmp_path / "a.off")
        np.testing.assert_array_equal(loaded.faces, [[0, 1, 2]])
        assert isinstance(loaded.texture, texture.FaceColors)
        np.testing.assert_array_equal(loaded.texture.values, np.full((1, 3), 0.25))

    def test_a_name_like_an_option(self, tmp_path):
        clear = np.where(np.arange(4) < 3, 1.0, RNG.random((5, 7, 1)))
        given = texture.UVTexture(TEXTURES["uv"][0], clear, transparent=True)
        save_mesh(tmp_path / "-s 1.obj", SPHERE._replace(texture=given))
        loaded = load_mesh(tmp_path / "-s 1.obj").texture
        assert isinstance(loaded, texture.UVTexture) and loaded.transparent
        np.testing.assert_allclose(loaded.image, clear, atol=EIGHT_BITS)

    def test_save_of_arrays(self, tmp_path):
        save_mesh(tmp_path / "a.obj", mesh.Mesh(SPHERE.vertices, SPHERE.faces))
        assert len(load_mesh(tmp_path / "a.obj").faces) == 80


class TestRefusals:
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
                r"1 or 3 channels, and .* has 2\. Set transparent=True",
            ),
            (
                SPHERE._replace(texture=texture.VertexColors(np.ones((42, 3), int))),
                "VertexColors must be floating-point, not int64; divide 8-bit colours",
            ),
            (
                SPHERE._replace(
                    texture=TEXTURES["uv"]._replace(image=np.ones((2, 2, 3), np.uint8))
                ),
                "UVTexture must be floating-point, not uint8; divide 8-bit colours",
            ),
            (
                SPHERE._replace(texture=texture.FaceColors(np.full((80, 3), np.nan))),
                "FaceColors must be finite; 240 of 240 are not",
            ),
            (
                SPHERE._replace(texture=texture.FaceColors(np.ones((80, 1)), True)),
                "the texture has 1 with opacity",
            ),
            (
                SPHERE._replace(
                    texture=texture.VertexColors(np.ones((42, 4)) / 2, True)
                ),
                "OBJ files cannot hold the opacity of vertices; save the mesh as ",
            ),
            (
                SPHERE._replace(
                    texture=TEXTURES["uv"]._replace(image=np.ones((1, 2, 2, 3)))
                ),
                r"image \[H, W, C\], not \[1, 2, 2, 3\]",
            ),
            (
                SPHERE._replace(
                    texture=TEXTURES["uv"]._replace(image=(np.ones((2, 2, 3)),))
                ),
                "UVTexture must have an image_index where its image is a tuple",
            ),
            (
                SPHERE._replace(
                    texture=TEXTURES["uv"]._replace(
                        coordinates=np.full((80, 3, 2), np.inf)
                    )
                ),
                "coordinates of UVTexture must be finite",
            ),
        ],
    )
    def test_bad_meshes(self, given, message, tmp_path):
        with pytest.raises(ValueError, match=message):
            save_mesh(tmp_path / "a.obj", given)
        assert not list(tmp_path.iterdir())

    def test_formats_that_are_only_read(self, tmp_path):
        with pytest.raises(ValueError, match="GLTF files are not written; save"):
            save_mesh(tmp_path / "a.gltf", SPHERE)

    def test_arguments_in_another_order(self, tmp_path):
        wrong: Any = SPHERE
        with pytest.raises(ValueError, match=r"path first: save_mesh\(path, mesh\)"):
            save_mesh(wrong, tmp_path / "a.obj")

    def test_something_else_and_traced_meshes(self, tmp_path):
        wrong: Any = (SPHERE.vertices, SPHERE.faces)
        with pytest.raises(ValueError, match="save_mesh takes a Mesh.* not a tuple"):
            save_mesh(tmp_path / "a.obj", wrong)
        with pytest.raises(ValueError, match="return it from the compiled function"):
            jax.jit(lambda m: save_mesh(tmp_path / "a.obj", m))(SPHERE)

    def test_missing_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no folder .*gone to write to"):
            save_mesh(tmp_path / "gone" / "a.obj", SPHERE)


class TestWriting:
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
