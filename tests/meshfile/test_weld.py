"""Merging of vertices: closed surfaces become closed, sheets keep their two sides."""

import numpy as np
import pytest

from jaxsoftras import mesh, normals, topology
from jaxsoftras.meshfile import weld as weld_module
from jaxsoftras.meshfile.surface import Surface
from jaxsoftras.meshfile.weld import weld

SPHERE = mesh.icosphere(1)
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
FRONT = np.array([[0, 1, 2], [0, 2, 3]])


def soup(vertices, faces, **more) -> Surface:
    """A surface whose faces share no vertices."""
    corners = np.reshape(np.asarray(vertices, float)[faces], (-1, 3))
    return Surface(corners, np.arange(len(corners)).reshape(-1, 3), **more)


def lit(surface: Surface) -> bool:
    """Whether the normals at the corners of all faces point to their front."""
    smooth = np.asarray(normals.vertex_normals(surface.vertices, surface.faces))
    a, b, c = np.moveaxis(surface.vertices[surface.faces], 1, 0)
    front = np.cross(b - a, c - a)
    return bool(np.all(np.sum(smooth[surface.faces] * front[:, None], axis=-1) > 0))


def test_order_and_positions():
    welded = weld(soup(SPHERE.vertices, SPHERE.faces))
    assert topology.is_watertight(welded.faces)
    assert len(welded.vertices) == len(SPHERE.vertices)
    corners = welded.vertices[welded.faces]
    np.testing.assert_array_equal(corners, SPHERE.vertices[SPHERE.faces])
    _, first = np.unique(welded.faces, return_index=True)
    assert np.all(np.diff(first) > 0)


def test_vertices_that_are_single_stay():
    vertices = np.append(SQUARE, [[np.nan] * 3, [5, 5, 5]], axis=0)
    welded = weld(Surface(vertices, FRONT))
    np.testing.assert_array_equal(welded.vertices, vertices)
    np.testing.assert_array_equal(welded.faces, FRONT)


def test_zeros_of_either_sign_are_equal():
    surface = soup(SQUARE, FRONT)
    surface.vertices[3:] *= [1, 1, -1]
    assert len(weld(surface).vertices) == 4


@pytest.mark.parametrize("color, count", [(1, 4), (0, 6)])
def test_colors(color, count):
    colors = np.ones((6, 3))
    colors[3:] = color
    welded = weld(soup(SQUARE, FRONT, vertex_colors=colors))
    assert len(welded.vertices) == count
    assert welded.vertex_colors is not None
    np.testing.assert_array_equal(
        welded.vertex_colors[welded.faces].reshape(-1, 3), colors
    )


BENT = np.stack(np.meshgrid(*[np.arange(4.0)] * 2, indexing="ij"), axis=-1)
BENT = np.concatenate([BENT, np.sin(BENT[..., :1] * BENT[..., 1:])], axis=-1)


def grid() -> np.ndarray:
    index = np.arange(16).reshape(4, 4)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
    return faces.reshape(-1, 3)


@pytest.mark.parametrize(
    "vertices, front, back",
    [
        (SQUARE, FRONT, FRONT[:, ::-1]),
        (SQUARE, FRONT, [[3, 1, 0], [3, 2, 1]]),  # by the other diagonal
        (SQUARE, FRONT[:1], FRONT[:1, ::-1]),
        (BENT.reshape(-1, 3), grid(), grid()[:, [1, 0, 2]]),
    ],
)
def test_sheets(vertices, front, back):
    colors = np.random.default_rng(0).random((len(vertices), 3))
    faces = np.concatenate([front, back])
    corners = colors[faces].reshape(-1, 3)
    welded = weld(soup(vertices, faces, vertex_colors=corners))
    used = len(np.unique(front))
    assert len(welded.vertices) == 2 * used
    assert not set(welded.faces[: len(front)].flat) & set(
        welded.faces[len(front) :].flat
    )
    assert lit(welded)
    assert welded.vertex_colors is not None
    found = welded.vertex_colors[welded.faces].reshape(-1, 3)
    np.testing.assert_array_equal(found, corners)
    np.testing.assert_array_equal(
        welded.vertices[welded.faces], np.asarray(vertices)[faces]
    )


def test_sheet_beside_single_faces():
    """The side that goes on keeps the vertices of its neighbours."""
    vertices = np.append(SQUARE, [[2, 0, 0], [2, 1, 0]], axis=0)
    faces = np.concatenate([FRONT, FRONT[:, ::-1], [[1, 4, 5], [1, 5, 2]]])
    welded = weld(soup(vertices, faces))
    assert len(welded.vertices) == 10 and lit(welded)


def test_closed_surfaces_with_folds_stay_closed():
    """A corner that is drawn out in the plane of its face: two faces lie on others."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, -1], [1, 1, 0.0]])
    faces = [[1, 0, 3], [2, 1, 3], [0, 2, 3], [0, 1, 4], [1, 2, 4], [2, 0, 4]]
    welded = weld(soup(vertices, faces))
    assert len(welded.vertices) == 5 and topology.is_watertight(welded.faces)


def test_boxes_that_touch_stay_as_they_are():
    box = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1)]
    sides += [(2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([[s[0], s[k], s[k + 1]] for s in sides for k in (1, 2)])
    vertices = np.concatenate([box, box + [1, 0, 0]])
    welded = weld(soup(vertices, np.concatenate([faces, faces + 8])))
    assert len(welded.vertices) == 12


def test_many_faces_at_one_edge():
    """No more memory than in proportion to the faces."""
    angle = np.linspace(0, 6, 20_000)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1)
    vertices = np.concatenate([[[0, 0, 0], [0, 0, 1]], ring])
    first = np.arange(2, len(vertices))
    faces = np.stack([0 * first, 1 + 0 * first, first], axis=-1)
    welded = weld(Surface(vertices, np.concatenate([faces, faces[:, ::-1]])))
    assert len(welded.faces) == 40_000


def test_folds_are_among_the_suspects():
    """Faces on others, up to the angle that counts as flat, among random ones."""
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(60, 3))
    faces = np.array([rng.permutation(60)[:3] for _ in range(200)])

    a, b, c = np.moveaxis(vertices[faces[:80]], 1, 0)
    across = np.cross(b - a, c - a)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    apex = c + 0.3 * (a - b) + 1e-3 * rng.random((80, 1)) * across
    back = np.stack([faces[:80, 1], faces[:80, 0], 60 + np.arange(80)], axis=1)
    vertices, faces = np.concatenate([vertices, apex]), np.concatenate([faces, back])
    normals = weld_module._unit_normals(vertices, faces)
    pairs = weld_module._pair_faces(faces, normals, np.arange(faces.size))
    folded = pairs.cosine < weld_module._FLAT - 1
    assert folded.sum() >= 20
    suspects = weld_module._may_fold(faces, normals, len(vertices))
    for side in (pairs.one[folded], pairs.other[folded]):
        face, corner = np.divmod(side, 3)
        assert np.all(suspects[faces[face, corner]])
        assert np.all(suspects[faces[face, (corner + 1) % 3]])


@pytest.mark.parametrize("prime", [0, weld_module._PRIME])
def test_rows_that_share_a_number(prime, monkeypatch):
    monkeypatch.setattr(weld_module, "_PRIME", np.uint64(prime))
    rows = np.random.default_rng(0).integers(0, 3, (50, 3)).astype(np.float32)
    first, number = weld_module._rank_rows(rows)
    _, expected = np.unique(rows, axis=0, return_index=True)
    np.testing.assert_array_equal(first, np.sort(expected))
    np.testing.assert_array_equal(rows[first][number], rows)
