"""Surfaces: their colours after conversion to a mesh, whatever the kinds."""

from typing import Any

import jax
import numpy as np
import pytest

from jaxsoftras import texture
from jaxsoftras.meshfile.surface import Material, Surface, join, to_mesh

SAMPLE = jax.jit(texture.sample, static_argnums=2)

RNG = np.random.default_rng(0)
VERTICES = RNG.random((5, 3))
FACES = np.array([[0, 1, 2], [0, 2, 3]])
COLORS = RNG.random((5, 3))
UVS = RNG.random((2, 3, 2))
IMAGE = RNG.random((3, 4, 3)).astype(np.float32)
WEIGHTS = RNG.dirichlet([1] * 3, 10)
CLEAR = Material("glass", np.array([1, 1, 1, 0]))
RED, GREEN = (Material(c, np.array(v)) for c, v in (("r", [1, 0, 0]), ("g", [0, 1, 0])))


def shape(**more) -> Surface:
    return Surface(VERTICES, FACES, **more)


def seen(surface) -> np.ndarray:
    """Colours at points of every face of the mesh, ``[F, 10, 3]``."""
    mesh, notes = to_mesh(surface)
    assert notes == ()
    match mesh.texture:
        case texture.UVTexture(uv, image, wrap):
            return np.stack(
                [SAMPLE(image, WEIGHTS @ uv[k], wrap) for k in range(len(uv))]
            )
        case texture.VertexColors(values):
            return WEIGHTS @ values[mesh.faces]
        case texture.FaceColors(values):
            return np.repeat(values[:, None], 10, axis=1)
        case _:
            return np.ones((len(mesh.faces), 10, 3))


@pytest.mark.parametrize(
    "given, kind",
    [
        ({}, type(None)),
        ({"uvs": UVS}, texture.UVTexture),
        ({"uvs": UVS * np.nan}, type(None)),
        ({"vertex_colors": COLORS}, texture.VertexColors),
        ({"face_colors": COLORS[:2]}, texture.FaceColors),
        (
            {"material_index": np.array([0, -1]), "materials": (RED,)},
            texture.FaceColors,
        ),
        # vertices that faces of several colours share
        ({"vertex_colors": COLORS, "face_colors": COLORS[:2]}, texture.UVTexture),
        (
            {
                "vertex_colors": COLORS,
                "material_index": np.array([0, 0]),
                "materials": (RED,),
            },
            texture.VertexColors,
        ),
        (
            {
                "vertex_colors": np.ones((5, 3)),
                "material_index": np.array([0, 1]),
                "materials": (RED, GREEN),
            },
            texture.FaceColors,
        ),
    ],
)
def test_kind_of_texture(given, kind):
    surface = shape(**given)
    assert isinstance(to_mesh(surface)[0].texture, kind)
    expected = np.ones((2, 10, 3))
    if surface.vertex_colors is not None:
        expected *= WEIGHTS @ surface.vertex_colors[FACES]
    if surface.face_colors is not None:
        expected *= surface.face_colors[:, None]
    if surface.material_index is not None:
        table = np.array([*(m.color for m in surface.materials), np.ones(3)])
        expected *= table[surface.material_index][:, None]
    np.testing.assert_allclose(seen(surface), expected, atol=1e-5)


def test_missing_and_excessive_colors():
    colors = COLORS.copy()
    colors[1], colors[2] = np.nan, 1.5
    made = to_mesh(shape(vertex_colors=colors))[0].texture
    assert isinstance(made, texture.VertexColors)
    np.testing.assert_array_equal(made.values[1:3], np.ones((2, 3)))


def test_objects_of_different_kinds():
    """Images, vertex colours, face colours, materials and nothing, in one texture."""
    one, two = (Material(image=image) for image in (IMAGE, IMAGE[::-1]))
    both = np.zeros(2, int)
    parts = [
        shape(uvs=UVS, material_index=both, materials=(one,)),
        shape(vertex_colors=COLORS),
        shape(uvs=UVS * 2, material_index=np.array([1, 0]), materials=(one, two)),
        shape(face_colors=COLORS[:2]),
        shape(material_index=both, materials=(RED,)),
        shape(),
    ]
    joined = join(parts)
    assert len(joined.materials) == 3 and len(joined.vertices) == 30
    np.testing.assert_array_equal(joined.faces[2:4], FACES + 5)
    apart = np.concatenate([seen(part) for part in parts])
    np.testing.assert_allclose(seen(joined), apart, atol=1e-4)


def test_equal_images_are_packed_once():
    materials = tuple(Material(name, image=IMAGE.copy()) for name in "ab")
    index = np.array([0, 1])
    made = to_mesh(shape(uvs=UVS, material_index=index, materials=materials))[0].texture
    assert isinstance(made, texture.UVTexture) and made.image.shape == IMAGE.shape


def test_image_times_one_color():
    given = shape(
        uvs=UVS,
        vertex_colors=np.full((5, 3), 0.5),
        material_index=np.zeros(2, int),
        materials=(Material(image=IMAGE),),
    )
    plain = seen(given._replace(vertex_colors=None))
    np.testing.assert_allclose(seen(given), plain / 2, atol=1e-6)


@pytest.mark.parametrize(
    "given, note",
    [
        (
            {"materials": (Material("m", image=IMAGE),)},
            "colours of faces with an image",
        ),
        ({"uvs": None}, "faces with an image but no texture coordinates: 2"),
        ({"materials": (CLEAR,)}, "materials of opacity 0: glass, invisible"),
        (
            {"materials": (Material("", image=np.zeros((1, 2, 4))),)},
            "materials of opacity 0: one without a name",
        ),
        (
            {"materials": (RED,), "vertex_colors": COLORS[:, [0, 1, 2, 2]] * 0},
            "it is invisible",
        ),
        ({"materials": (Material("m"),), "notes": ("said before",)}, "said before"),
    ],
)
def test_notes(given, note):
    given = {"materials": (Material(image=IMAGE),), "vertex_colors": COLORS, **given}
    surface = shape(**{"uvs": UVS, "material_index": np.zeros(2, int), **given})
    notes = to_mesh(surface)[1]
    assert any(text.startswith(note) for text in notes), notes


def test_unused_materials_are_not_named():
    given = shape(material_index=np.array([1, -1]), materials=(CLEAR, RED))
    assert to_mesh(given)[1] == ()


class TestOpacity:
    """Products of the opacities of all kinds, in one texture, or none of them."""

    GLASS = Material("glass", np.array([1, 1, 1, 0.5]))
    VEIL = Material("veil", image=np.append(IMAGE, IMAGE[..., :1], axis=-1))
    ALPHA = np.append(COLORS, COLORS[:, :1], axis=1)

    @pytest.mark.parametrize(
        "given, kind",
        [
            ({"vertex_colors": ALPHA}, texture.VertexColors),
            ({"face_colors": ALPHA[:2]}, texture.FaceColors),
            (
                {"material_index": np.array([0, -1]), "materials": (GLASS,)},
                texture.FaceColors,
            ),
            ({"vertex_colors": ALPHA, "face_colors": ALPHA[:2]}, texture.UVTexture),
            (
                {
                    "vertex_colors": ALPHA,
                    "material_index": np.array([0, 0]),
                    "materials": (GLASS,),
                },
                texture.VertexColors,
            ),
        ],
    )
    def test_products(self, given, kind):
        surface = shape(**given)
        made: Any = to_mesh(surface)[0].texture
        assert isinstance(made, kind) and made.transparent
        expected = np.ones((2, 10))
        if surface.vertex_colors is not None:
            expected *= surface.vertex_colors[FACES][..., 3] @ WEIGHTS.T
        if surface.face_colors is not None:
            expected *= surface.face_colors[:, None, 3]
        if surface.material_index is not None:
            expected *= np.array([0.5, 1])[surface.material_index][:, None]
        np.testing.assert_allclose(seen(surface)[..., 3], expected, atol=1e-5)

    def test_opaque_parts_beside_transparent_ones(self):
        parts = [
            shape(
                uvs=UVS, material_index=np.array([0, 1]), materials=(self.VEIL, GREEN)
            ),
            shape(vertex_colors=COLORS),
            shape(face_colors=self.ALPHA[:2]),
            shape(),
        ]
        joined = join(parts)
        found = seen(joined)
        made = to_mesh(joined)[0].texture
        assert isinstance(made, texture.UVTexture) and made.transparent
        for k, part in enumerate(parts):
            apart = seen(part)
            np.testing.assert_allclose(
                found[2 * k : 2 * k + 2, :, : apart.shape[-1]], apart, atol=1e-4
            )
        np.testing.assert_allclose(found[[1, 2, 3, 6, 7], :, 3], 1, atol=1e-6)

    def test_image_times_one_opacity(self):
        given = shape(
            uvs=UVS,
            face_colors=np.array([[1, 1, 1, 0.5]] * 2),
            material_index=np.zeros(2, int),
            materials=(self.VEIL._replace(image=IMAGE),),
        )
        np.testing.assert_allclose(seen(given)[..., 3], 0.5, atol=1e-6)

    def test_mean_color_counts_what_is_seen(self):
        image = np.array([[[1, 0, 0, 1], [0, 0, 1, 0]]], np.float32)
        given = shape(
            uvs=UVS * np.nan,
            material_index=np.zeros(2, int),
            materials=(Material(image=image),),
        )
        made = to_mesh(given)[0].texture
        assert isinstance(made, texture.FaceColors)
        np.testing.assert_allclose(made.values, [[1, 0, 0, 0.5]] * 2)

    @pytest.mark.parametrize(
        "given",
        [
            {"vertex_colors": np.append(COLORS[:4], np.ones((4, 1)), axis=1)},
            # a vertex without a face
            {"vertex_colors": np.append(COLORS, np.eye(5)[:, 4:] / -2 + 1, axis=1)},
            {"materials": (CLEAR, RED), "material_index": np.array([1, 1])},
            {
                "materials": (Material(image=np.ones((2, 2, 4), np.float32)),),
                "material_index": np.array([0, 0]),
                "uvs": UVS,
            },
        ],
    )
    def test_none_in_use(self, given):
        made = to_mesh(shape(**given))[0].texture
        assert made is not None and not made.transparent
        colors = made.image if isinstance(made, texture.UVTexture) else made[0]
        assert colors.shape[-1] == 3
