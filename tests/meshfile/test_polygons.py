"""Polygons: triangles that cover them, whatever their shape, and what cannot be."""

import numpy as np
import pytest

from jaxsoftras.meshfile import load_mesh
from jaxsoftras.meshfile.polygons import triangulate

NOTCHED = [[0, 4], [0, 0], [4, 0], [1, 1]]
PENTAGON = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]]
# corners on straight lines, inside of which a neighbour may have a vertex
LETTER_U = [[0, 0], [1, 0], [3, 0], [3, 3], [2, 3], [2, 2], [2, 1], [1, 1], [1, 3]]
LETTER_U += [[0, 3], [0, 1.5]]
REPEATED = [LETTER_U[k] for k in (0, 0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0)]
# a square with a square hole, and a way from one to the other
HOLE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0], [1, 1], [1, 3], [3, 3], [3, 1], [1, 1]]
SHAPES = [(NOTCHED, 4), (PENTAGON, 10), (LETTER_U, 7), (REPEATED, 7), (HOLE, 12)]


def place(points) -> np.ndarray:
    """Moves a plane polygon to a slanted plane, far from the origin."""
    axes = np.linalg.qr(np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 10]]))[0]
    return np.asarray(points) @ axes[:2] * 0.01 + [5, -7, 9]


def areas(points, triangles) -> np.ndarray:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a) / 2


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize("points, area", SHAPES)
def test_triangles_cover_polygons(points, area, turn):
    count = len(points)
    for start in range(count):
        moved = place(np.roll(points, start, axis=0)[::turn])
        made = triangulate(moved, np.arange(count), [count])
        assert made.notes == ()
        parts = areas(moved, made.corners)
        whole = np.linalg.norm(parts.sum(axis=0))
        assert whole == pytest.approx(area * 1e-4)
        # none is turned the other way, or covers another
        assert np.linalg.norm(parts, axis=1).sum() == pytest.approx(whole)
        sides = [(t[k - 1], t[k]) for t in made.corners.tolist() for k in range(3)]
        outline = {(k, (k + 1) % count) for k in range(count)}
        assert len(set(sides)) == len(sides) and outline <= set(sides)
        assert all((b, a) in sides for a, b in set(sides) - outline)


def test_fans_where_they_are_right():
    angles = np.arange(6) * np.pi / 3
    hexagon = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=-1)
    corners, counts = [0, 1, 2, 3, 4, 5, 2, 3, 4, 5, 1, 2, 3, 4], [6, 4, 4]
    made = triangulate(hexagon, np.array(corners), counts)
    fan = [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5]]
    quads = [[2, 3, 4], [2, 4, 5], [1, 2, 3], [1, 3, 4]]
    np.testing.assert_array_equal(np.array(corners)[made.corners], [*fan, *quads])
    np.testing.assert_array_equal(made.owners, [0] * 4 + [1] * 2 + [2] * 2)


@pytest.mark.parametrize(
    "points",
    [
        [[0, 0], [1, 1], [1, 0], [0, 1]],  # parts that cancel
        [[0, 0], [1, 1], [1, 0], [0, 3]],
        [[2, 0], [-1.6, 1.2], [0.6, -1.9], [0.6, 1.9], [-1.6, -1.2]],  # a star
    ],
)
def test_polygons_that_cross_themselves(points):
    count = len(points)
    made = triangulate(place(points), np.arange(count), [count])
    fan = [[0, k, k + 1] for k in range(1, count - 1)]
    np.testing.assert_array_equal(made.corners, fan)
    assert made.notes == ("polygons that cross themselves: 1, split into fans",)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1e300])
def test_polygons_without_an_area(value):
    points = np.full((5, 3), value)
    made = triangulate(points, np.arange(5), [5])
    np.testing.assert_array_equal(made.corners, [[0, 1, 2], [0, 2, 3], [0, 3, 4]])
    assert made.notes == ()


def test_few_corners():
    made = triangulate(np.eye(3), np.array([0, 0, 1, 0, 1, 2]), [1, 2, 3, 0])
    np.testing.assert_array_equal(made.corners, [[3, 4, 5]])
    np.testing.assert_array_equal(made.owners, [2])
    assert made.notes == ("faces of fewer than three corners: 3, left out",)


@pytest.mark.parametrize("ending", ["obj", "off", "ply"])
def test_concave_polygons_of_files(ending, tmp_path):
    rows = "".join(f"{x} {y} 0\n" for x, y in PENTAGON)
    head = "ply\nformat ascii 1.0\nelement vertex 5\n" + "".join(
        f"property float {axis}\n" for axis in "xyz"
    )
    head += "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    text = {
        "obj": "v " + rows[:-1].replace("\n", "\nv ") + "\nf 2 3 4 5 1\n",
        "off": f"OFF\n5 1 0\n{rows}5 1 2 3 4 0\n",
        "ply": f"{head}{rows}5 1 2 3 4 0\n",
    }
    (tmp_path / f"a.{ending}").write_text(text[ending])
    loaded = load_mesh(tmp_path / f"a.{ending}")
    parts = areas(np.asarray(loaded.vertices), np.asarray(loaded.faces))[:, 2]
    assert np.all(parts > 0) and parts.sum() == pytest.approx(10)
