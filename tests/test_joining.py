from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import joining, mesh, texture

SAMPLE = jax.jit(texture.sample, static_argnums=2)
RNG = np.random.default_rng(0)
TRIANGLE = mesh.Mesh(np.eye(3), np.array([[0, 1, 2], [-1, -1, -1]]))
STRIP = mesh.Mesh(RNG.normal(size=(4, 3)), np.array([[0, 1, 2], [2, 1, 3]]))


def image(height, width):
    return RNG.uniform(size=(height, width, 3))


def corners(low=0.0, high=1.0):
    return RNG.uniform(low, high, (2, 3, 2))


# for meshes of two faces, V vertices
TEXTURES: dict[str, Any] = {
    "none": lambda v: None,
    "faces": lambda v: texture.FaceColors(RNG.uniform(size=(2, 3))),
    "vertices": lambda v: texture.VertexColors(RNG.uniform(size=(v, 3))),
    "texels": lambda v: texture.SurfaceTexture(RNG.uniform(size=(2, 1, 3))),
    "fine": lambda v: texture.SurfaceTexture(RNG.uniform(size=(2, 4, 3))),
    "finer": lambda v: texture.SurfaceTexture(RNG.uniform(size=(2, 16, 3))),
    "image": lambda v: texture.UVTexture(corners(), image(3, 5)),
    "clamped": lambda v: texture.UVTexture(corners(-1, 2), image(3, 5), "clamp"),
    "repeated": lambda v: texture.UVTexture(corners(-1, 2), image(5, 2), "repeat"),
    "far": lambda v: texture.UVTexture(9999 * corners(), image(2, 2), "repeat"),
    "several": lambda v: several("repeat"),
    "clear faces": lambda v: texture.FaceColors(RNG.uniform(size=(2, 4)), True),
    "clear vertices": lambda v: texture.VertexColors(RNG.uniform(size=(v, 4)), True),
    "clear fine": lambda v: texture.SurfaceTexture(RNG.uniform(size=(2, 4, 4)), True),
    "clear several": lambda v: several("repeat", 4),
}


def several(wrap, channels=3):
    """Two images, shown by one face each."""
    images = tuple(RNG.uniform(size=(k + 2, 3, channels)) for k in range(2))
    index = np.array([1, 0], np.int32)
    return texture.UVTexture(corners(-1, 2), images, wrap, channels == 4, index)


def colored(base, name):
    return base._replace(texture=TEXTURES[name](len(base.vertices)))


def values(shown, weights):
    """Colours ``[F, N, C]`` at barycentric coordinates ``[N, 3]`` of all real faces."""
    vertices, faces, skin = shown
    faces = faces[faces[:, 0] >= 0]
    match skin:
        case None:
            return np.ones((len(faces), len(weights), 3))
        case texture.VertexColors(colors):
            return weights @ np.asarray(colors)[faces]
        case texture.FaceColors(colors):
            return np.stack([colors[: len(faces)]] * len(weights), 1)
        case texture.SurfaceTexture(texels):
            w0, w1 = weights[:, 0], weights[:, 1]
            return texels[: len(faces)][
                :, texture.surface_cell(w0, w1, skin.resolution)
            ]
    uv = weights @ np.asarray(skin.coordinates)[: len(faces)]
    index = skin.image_index
    index = np.zeros(len(faces), int) if index is None else index[: len(faces)]
    images = skin.image if isinstance(skin.image, tuple) else (skin.image,)
    wrap = skin.wrap or "clamp"
    return np.stack(
        [SAMPLE(images[k], corner, wrap) for k, corner in zip(index, uv, strict=True)]
    )


@pytest.mark.parametrize(
    "first, second, kind",
    [
        ("none", "none", type(None)),
        ("none", "faces", texture.FaceColors),
        ("none", "vertices", texture.VertexColors),
        ("none", "image", texture.UVTexture),
        ("none", "fine", texture.SurfaceTexture),
        ("faces", "faces", texture.FaceColors),
        ("vertices", "vertices", texture.VertexColors),
        ("faces", "fine", texture.SurfaceTexture),
        ("texels", "finer", texture.SurfaceTexture),
        ("fine", "finer", texture.SurfaceTexture),
        ("faces", "vertices", texture.UVTexture),
        ("image", "faces", texture.UVTexture),
        ("vertices", "repeated", texture.UVTexture),
        ("image", "repeated", texture.UVTexture),
        ("clamped", "repeated", texture.UVTexture),
        ("several", "several", texture.UVTexture),
        ("several", "vertices", texture.UVTexture),
        ("none", "clear faces", texture.FaceColors),
        ("clear vertices", "vertices", texture.VertexColors),
        ("faces", "clear fine", texture.SurfaceTexture),
        ("clear faces", "vertices", texture.UVTexture),
        ("clear several", "image", texture.UVTexture),
    ],
)
def test_colours_stay_the_same(first, second, kind, x64):
    meshes = [colored(STRIP, first), colored(STRIP, second)]
    whole = joining.join_meshes(meshes)
    assert type(whole.texture) is kind
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(whole))
    assert isinstance(getattr(whole.texture, "image", None), (np.ndarray, type(None)))
    check_colors(whole, meshes)


def check_colors(whole, meshes, atol=1e-5):
    """Asserts that a mesh has the colours of others, and an opacity of 1 if needed."""
    clear = any(getattr(each.texture, "transparent", False) for each in meshes)
    assert getattr(whole.texture, "transparent", False) == clear
    weights = RNG.dirichlet(np.ones(3), 40)
    found = values(whole, weights)
    assert found.shape[-1] == 3 + clear
    for each, got in zip(meshes, np.split(found, len(meshes)), strict=True):
        expected = values(each, weights)
        missing = found.shape[-1] - expected.shape[-1]
        expected = np.pad(expected, [*[(0, 0)] * 2, (0, missing)], constant_values=1)
        np.testing.assert_allclose(got, expected, atol=atol)


@pytest.mark.parametrize(
    "names",
    [("far", "repeated"), ("far", "clamped"), ("several", "far"), ("far", "faces")],
)
def test_images_too_large_for_one_stay_several(names, x64):
    meshes = [colored(STRIP, name) for name in names]
    whole: Any = joining.join_meshes(meshes)
    assert len(whole.texture.image) == 2 + names.count("several")
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(whole))
    check_colors(whole, meshes, 1e-4)


def test_traced_coordinates_of_different_images():
    meshes = [colored(STRIP, name) for name in ("repeated", "several")]
    whole: Any = jax.jit(joining.join_meshes)(meshes)
    assert len(whole.texture.image) == 3
    np.testing.assert_array_equal(whole.texture.image_index, [0, 0, 2, 1])
    check_colors(whole, meshes, 1e-4)


@pytest.mark.slow  # of compilation
def test_painted_colours_render_as_those_of_vertices():
    sphere = jaxsoftras.icosphere(1)
    colored = sphere._replace(texture=texture.VertexColors(np.abs(sphere.vertices)))
    away = mesh.Mesh(np.ones((3, 3)), TRIANGLE.faces, TEXTURES["image"](3))
    camera = jaxsoftras.frame(sphere)
    settings = jaxsoftras.Settings(image_size=32, sigma=1e-3)
    one, other = (
        jaxsoftras.render(shown, camera, None, settings)
        for shown in (colored, joining.join_meshes([colored, away]))
    )
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_vertices_and_faces_keep_order_and_padding():
    whole = joining.join_meshes([TRIANGLE, STRIP])
    np.testing.assert_array_equal(
        whole.vertices, np.concatenate([TRIANGLE.vertices, STRIP.vertices])
    )
    np.testing.assert_array_equal(
        whole.faces, [[0, 1, 2], [-1, -1, -1], [3, 4, 5], [5, 4, 6]]
    )
    assert whole.faces.dtype == np.int32


@pytest.mark.parametrize("wrap", [None, "clamp", "repeat"])
def test_one_image_is_kept(wrap):
    shared = image(2, 3)
    skins = [texture.UVTexture(corners(-1, 2), shared, wrap) for _ in range(2)]
    skins.append(texture.UVTexture(corners(-1, 2), shared.copy(), wrap))
    whole = joining.join_meshes([STRIP._replace(texture=skin) for skin in skins])
    assert isinstance(whole.texture, texture.UVTexture)
    np.testing.assert_array_equal(whole.texture.image, shared)
    assert whole.texture.wrap == wrap
    np.testing.assert_array_equal(
        whole.texture.coordinates, np.concatenate([skin.coordinates for skin in skins])
    )


def test_texture_coordinates_that_are_not_finite_stay():
    skins = [TEXTURES["image"](4), TEXTURES["image"](4)]
    skins[0].coordinates[1, 2] = np.nan
    whole = joining.join_meshes([STRIP._replace(texture=skin) for skin in skins])
    assert isinstance(whole.texture, texture.UVTexture)
    lost = np.isnan(whole.texture.coordinates)
    np.testing.assert_array_equal(np.argwhere(lost), [[1, 2, 0], [1, 2, 1]])


@pytest.mark.parametrize("names", [("image", "vertices"), ("fine", "finer")])
def test_gradients_reach_vertices_and_colours(names, x64):
    meshes = [colored(STRIP, name) for name in names]
    floats = [jax.tree.map(jnp.asarray, (m.vertices, m.texture)) for m in meshes]
    uv = [getattr(m.texture, "coordinates", None) for m in meshes]
    weights = RNG.dirichlet(np.ones(3), 7)

    @jax.jit
    def total(floats):
        given = []
        for (vertices, skin), base, known in zip(floats, meshes, uv, strict=True):
            if known is not None:
                skin = skin._replace(coordinates=known)
            given.append(base._replace(vertices=vertices, texture=skin))
        whole = joining.join_meshes(given)
        skin = whole.texture
        if isinstance(skin, texture.UVTexture):
            places = (weights @ skin.coordinates).reshape(-1, 2)
            shown = texture.sample(jnp.asarray(skin.image), jnp.asarray(places))
        else:
            assert isinstance(skin, texture.SurfaceTexture)
            shown = skin.texels
        return jnp.sum(whole.vertices**2) + jnp.mean(shown)

    for vertices, skin in jax.grad(total)(floats):
        assert np.all(vertices != 0)
        colors = skin.image if isinstance(skin, texture.UVTexture) else skin[0]
        assert np.sum(colors) > 0.1


def test_faces_may_be_traced():
    @jax.jit
    def join(faces):
        return joining.join_meshes([TRIANGLE._replace(faces=faces), STRIP]).faces

    expected = joining.join_meshes([TRIANGLE, STRIP]).faces
    np.testing.assert_array_equal(join(TRIANGLE.faces), expected)


@pytest.mark.parametrize(
    "meshes, message",
    [
        ([], "at least one mesh"),
        (STRIP, "list of meshes; unstack_meshes"),
        ([STRIP, None], "join_meshes takes a Mesh.* NoneType"),
        ([STRIP._replace(vertices=np.ones((2, 4, 3)))], r"\[2, 4, 3\]"),
        ([STRIP._replace(faces=np.array([[0, 1, 4]]))], "indices of the 4 vertices"),
        (
            [STRIP._replace(texture=np.ones((2, 3)))],
            "texture must be FaceColors, .* not a ndarray",
        ),
        (
            [STRIP._replace(texture=texture.FaceColors(np.ones((3, 3))))],
            r"must have 2 rows .* \[3, 3\]",
        ),
        ([colored(STRIP, "fine"), colored(STRIP, "image")], "bake"),
        (
            [STRIP, STRIP._replace(texture=texture.FaceColors(np.ones((2, 3), "u1")))],
            "floating-point, not uint8",
        ),
        ([colored(STRIP, "fine"), colored(STRIP, "vertices")], "SurfaceTexture"),
        (
            [
                STRIP._replace(texture=texture.SurfaceTexture(np.ones((2, 4, 3)))),
                STRIP._replace(texture=texture.SurfaceTexture(np.ones((2, 9, 3)))),
            ],
            "divide the largest one; they are 2, 3",
        ),
        (
            [
                colored(STRIP, "faces"),
                STRIP._replace(texture=texture.FaceColors(np.ones((2, 1)))),
            ],
            "number of channels, not 1 and 3",
        ),
        (
            [
                colored(STRIP, "image"),
                STRIP._replace(texture=texture.UVTexture(corners(1, 2), image(2, 2))),
            ],
            "wrap='repeat'",
        ),
        (
            [
                colored(STRIP, "far"),
                STRIP._replace(
                    texture=texture.UVTexture(9999 * corners(), image(2, 2), "clamp")
                ),
            ],
            "2 images, of which some repeat and others are clamped far",
        ),
        (
            [
                STRIP,
                STRIP._replace(texture=several("clamp")._replace(image_index=None)),
            ],
            "UVTexture of item 1 must have an image_index where its image is a tuple",
        ),
        (
            [
                colored(STRIP, "clear faces"),
                STRIP._replace(texture=texture.FaceColors(np.ones((2, 4)))),
            ],
            "number of channels, not 4 and 5",
        ),
    ],
)
def test_refusals(meshes, message):
    with pytest.raises(ValueError, match=message):
        joining.join_meshes(meshes)


def test_refuses_traced_coordinates_of_different_images():
    one, two = colored(STRIP, "image"), colored(STRIP, "repeated")
    with pytest.raises(ValueError, match="outside of jit, or give them the same"):
        jax.jit(lambda m: joining.join_meshes([m, two]).vertices)(one)


class TestUnstack:
    def test_reverses_stack(self):
        meshes = [colored(STRIP, "vertices"), colored(TRIANGLE, "vertices")]
        batch = mesh.stack_meshes(meshes)
        first, second = joining.unstack_meshes(batch)
        jax.tree.map(np.testing.assert_array_equal, first, meshes[0])
        np.testing.assert_array_equal(second.vertices[:3], TRIANGLE.vertices)
        np.testing.assert_array_equal(second.faces, TRIANGLE.faces)

    def test_leading_axes_broadcast(self):
        skin = texture.UVTexture(
            RNG.uniform(size=(1, 3, 2, 3, 2)), image(2, 2), "repeat"
        )
        vertices = RNG.normal(size=(2, 1, 4, 3))
        parts = joining.unstack_meshes(mesh.Mesh(vertices, STRIP.faces, skin))
        assert len(parts) == 6
        np.testing.assert_array_equal(parts[5].vertices, vertices[1, 0])
        assert isinstance(parts[5].texture, texture.UVTexture)
        assert parts[5].texture.wrap == "repeat"
        np.testing.assert_array_equal(
            parts[5].texture.coordinates, skin.coordinates[0, 2]
        )

    def test_several_images_are_shared(self):
        clear = colored(STRIP, "clear several")
        plain = colored(TRIANGLE, "repeated")
        batch: Any = mesh.stack_meshes([clear, plain])
        assert len(batch.texture.image) == 3 and batch.texture.transparent
        np.testing.assert_array_equal(batch.texture.image_index, [[1, 0], [2, 2]])
        parts: list[Any] = joining.unstack_meshes(batch)
        assert all(len(part.texture.image) == 3 for part in parts)
        check_colors(parts[0], [clear])
        weights = RNG.dirichlet(np.ones(3), 9)
        found, expected = values(parts[1], weights), values(plain, weights)
        np.testing.assert_allclose(found[..., :3], expected, atol=1e-5)
        np.testing.assert_allclose(found[..., 3], 1, atol=1e-6)

    def test_one_mesh(self):
        (only,) = joining.unstack_meshes(colored(STRIP, "faces"))
        assert only.vertices is not None and only.faces.shape == (2, 3)

    def test_refuses_axes_that_do_not_broadcast(self):
        wrong = mesh.Mesh(np.ones((2, 4, 3)), np.ones((3, 1, 3), int))
        with pytest.raises(ValueError, match=r"must broadcast; they are \[2\], \[3\]"):
            joining.unstack_meshes(wrong)
