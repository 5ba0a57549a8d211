"""Surfaces: their colours after conversion to a mesh, whatever the kinds."""

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
        (
            {"materials": (Material("m", opacity=0.5),)},
            "transparent materials: m, made",
        ),
        (
            {"materials": (Material("", image=np.ones((1, 2, 4)) / 2),)},
            "transparent materials: one without a name",
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
    glass = Material("glass", opacity=0.5)
    given = shape(material_index=np.array([1, -1]), materials=(glass, RED))
    assert to_mesh(given)[1] == ()
