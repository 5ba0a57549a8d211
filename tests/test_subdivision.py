from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import mesh, texture, topology
from jaxsoftras.subdivision import subdivide

OCTAHEDRON = mesh.Mesh(
    np.concatenate([np.eye(3), -np.eye(3)]),
    np.array(
        [
            [0, 1, 2],
            [1, 3, 2],
            [3, 4, 2],
            [4, 0, 2],
            [1, 0, 5],
            [3, 1, 5],
            [4, 3, 5],
            [0, 4, 5],
        ]
    ),
)
# two triangles, and padding between them
SQUARE = mesh.Mesh(
    np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]),
    np.array([[0, 1, 2], [-1, -1, -1], [0, 2, 3]]),
)


def refine(given: mesh.Mesh, levels: int, scheme: Literal["midpoint", "loop"]):
    """`subdivide`, compiled, with the faces known."""
    topologies = []

    @jax.jit
    def run(vertices, colors):
        fine = subdivide(mesh.Mesh(vertices, given.faces, colors), levels, scheme)
        topologies.append(fine.faces)
        return fine.vertices, fine.texture

    vertices, colors = run(given.vertices, given.texture)
    return mesh.Mesh(vertices, topologies[-1], colors)


def area(given: mesh.Mesh) -> float:
    vertices, faces = np.asarray(given.vertices), np.asarray(given.faces)
    corners = vertices[faces[faces[:, 0] >= 0]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.linalg.norm(normals, axis=1).sum() / 2


@pytest.mark.parametrize("scheme", ["midpoint", "loop"])
def test_closed_surfaces_stay_closed(scheme):
    fine = refine(OCTAHEDRON, 2, scheme)
    assert fine.vertices.shape == (66, 3) and fine.faces.shape == (128, 3)
    assert fine.faces.dtype == np.int32
    assert topology.is_watertight(fine.faces)
    corners = np.asarray(fine.vertices)[np.asarray(fine.faces)]
    assert np.all(np.linalg.det(corners) > 0)  # outward


def test_midpoints_leave_the_surface():
    fine = refine(SQUARE, 2, "midpoint")
    assert area(fine) == pytest.approx(1, rel=1e-6)
    np.testing.assert_array_equal(fine.vertices[:4], SQUARE.vertices)
    assert np.sum(np.asarray(fine.faces)[:, 0] >= 0) == 32
    assert subdivide(SQUARE, 0) is SQUARE


def test_loop_rule():
    """Weights of the rule, worked out by hand."""
    fine = refine(OCTAHEDRON, 1, "loop")
    # four neighbours add up to zero; 1 - 4 s = 33/64
    expected = 33 / 64 * OCTAHEDRON.vertices
    np.testing.assert_allclose(fine.vertices[:6], expected, rtol=1e-6)
    edges = topology.edges(OCTAHEDRON.faces)
    middles = 0.375 * OCTAHEDRON.vertices[edges].sum(axis=1)  # opposites cancel
    np.testing.assert_allclose(fine.vertices[6:], middles, atol=1e-6)


def test_loop_rule_on_boundaries():
    fine = refine(SQUARE, 1, "loop")
    corners = [
        [1 / 8, 1 / 8, 0],
        [7 / 8, 1 / 8, 0],
        [7 / 8, 7 / 8, 0],
        [1 / 8, 7 / 8, 0],
    ]
    np.testing.assert_allclose(fine.vertices[:4], corners, rtol=1e-6)
    edges = topology.edges(SQUARE.faces)
    for vertex, ends in zip(fine.vertices[4:], edges, strict=True):
        # the diagonal is interior, and the rule puts its vertex in the middle, too
        np.testing.assert_allclose(vertex, SQUARE.vertices[ends].mean(axis=0))
    # two triangles that touch in one vertex: four boundary edges meet there
    bow = mesh.Mesh(
        np.array(
            [[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [-1, 0, 0], [-1, -1, 0], [9, 9, 9]]
        ),
        np.array([[0, 1, 2], [0, 3, 4]]),
    )
    fine = refine(bow, 1, "loop")
    np.testing.assert_array_equal(fine.vertices[0], bow.vertices[0])
    np.testing.assert_array_equal(fine.vertices[5], bow.vertices[5])


def test_loop_converges_to_a_smooth_surface():
    """Its limit has normals that vary less and less between neighbours."""

    def bend(given):
        vertices = np.asarray(given.vertices)
        pairs = vertices[topology.interior_edges(given.faces)]
        edge = pairs[:, 1] - pairs[:, 0]
        sides = [np.cross(edge, pairs[:, k] - pairs[:, 0]) for k in (2, 3)]
        unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides]
        return np.arccos(np.clip(-np.sum(unit[0] * unit[1], axis=1), -1, 1)).max()

    bends = [bend(refine(OCTAHEDRON, level, "loop")) for level in (0, 2, 3)]
    assert bends[1] < 0.4 * bends[0] and bends[2] < 0.6 * bends[1]


def test_linear_in_the_vertices(x64):
    rng = np.random.default_rng(0)
    vertices = jnp.asarray(rng.normal(size=(2, 6, 3)))
    weights = jnp.asarray(rng.normal(size=(2, 66, 3)))

    @jax.jit
    def fine(vertices):
        return subdivide(OCTAHEDRON._replace(vertices=vertices), 2, "loop").vertices

    value, pull = jax.vjp(fine, vertices)
    (gradient,) = pull(weights)
    assert float(jnp.sum(gradient * vertices)) == pytest.approx(
        float(jnp.sum(value * weights)), rel=1e-12
    )
    np.testing.assert_allclose(fine(jnp.ones((2, 6, 3))), 1, rtol=1e-12)


def on_the_surface(given: mesh.Mesh, weights: np.ndarray):
    """Colours and positions ``[F * N, 3]`` at barycentric coordinates ``[N, 3]``."""
    faces = np.asarray(given.faces)

    def between(corners):
        return np.einsum("nk,fkc->fnc", weights, corners)

    match given.texture:
        case texture.VertexColors(values):
            colors = between(np.asarray(values)[faces])
        case texture.FaceColors(values):
            colors = np.repeat(values, len(weights), axis=0)
        case texture.SurfaceTexture(texels) as surface:
            w0, w1, _ = weights.T
            cells = texture.surface_cell(w0, w1, surface.resolution)
            colors = np.asarray(texels)[:, cells]
        case texture.UVTexture(coordinates, image):
            uv = between(np.asarray(coordinates)).reshape(-1, 2)
            colors = jax.jit(texture.sample)(image, uv)
        case _:
            raise ValueError(given.texture)
    positions = between(np.asarray(given.vertices)[faces])
    return np.asarray(colors).reshape(-1, 3), positions.reshape(-1, 3)


@pytest.mark.parametrize("kind", ["vertex", "face", "even", "odd", "uv"])
def test_textures_look_the_same(kind):
    rng = np.random.default_rng(0)
    given = OCTAHEDRON._replace(
        texture={
            "vertex": texture.VertexColors(rng.random((6, 3))),
            "face": texture.FaceColors(rng.random((8, 3))),
            "even": texture.SurfaceTexture(rng.random((8, 16, 3))),
            "odd": texture.SurfaceTexture(rng.random((8, 9, 3))),
            "uv": texture.UVTexture(rng.random((8, 3, 2)), rng.random((4, 4, 3))),
        }[kind]
    )
    fine = refine(given, 1, "midpoint")
    if isinstance(fine.texture, texture.SurfaceTexture):
        assert fine.texture.resolution == {"even": 2, "odd": 3}[kind]
    weights = texture.texel_centers(12)  # at least four in each child's texel
    colors, positions = on_the_surface(given, weights)
    got, places = on_the_surface(fine, texture.texel_centers(6))
    # the same points in another order
    order, other = (np.lexsort(np.round(p, 4).T) for p in (positions, places))
    np.testing.assert_allclose(places[other], positions[order], atol=1e-5)
    np.testing.assert_allclose(got[other], colors[order], atol=1e-5)


def test_refusals():
    with pytest.raises(ValueError, match="scheme must be one of midpoint, loop"):
        subdivide(SQUARE, 1, "butterfly")  # pyright: ignore
    for wrong in (-1, 1.0):
        with pytest.raises(ValueError, match=f"integer of at least 0, not {wrong}"):
            subdivide(SQUARE, wrong)  # pyright: ignore
    with pytest.raises(ValueError, match="needs to know the faces"):
        jax.jit(subdivide)(SQUARE)
    with pytest.raises(ValueError, match="belong to one mesh"):
        subdivide(mesh.stack_meshes([SQUARE, OCTAHEDRON]))


def test_several_images_and_opacity_stay():
    images = (np.ones((2, 2, 4)), np.zeros((1, 1, 4)))
    skin = texture.UVTexture(
        np.zeros((8, 3, 2)), images, "clamp", True, np.arange(8) % 2
    )
    fine = refine(OCTAHEDRON._replace(texture=skin), 1, "midpoint").texture
    assert isinstance(fine, texture.UVTexture) and fine.transparent
    np.testing.assert_array_equal(fine.image_index, np.tile(np.arange(8) % 2, 4))
    for kind in (texture.FaceColors, texture.VertexColors):
        skin = kind(np.ones((8 if kind is texture.FaceColors else 6, 4)), True)
        fine = refine(OCTAHEDRON._replace(texture=skin), 1, "midpoint").texture
        assert fine is not None and fine.transparent
