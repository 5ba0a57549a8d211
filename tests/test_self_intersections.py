import itertools

import numpy as np
import pytest
import scipy.optimize

from jaxsoftras import mesh, self_intersections

SPHERE = mesh.icosphere(3)
POINTS, FACES = np.asarray(SPHERE.vertices), np.asarray(SPHERE.faces)
TRIANGLE = [[0, 0, 0], [4, 0, 0], [0, 4, 0]]


def find(vertices, faces):
    found = self_intersections.self_intersecting_faces(vertices, faces)
    share = self_intersections.self_intersecting_share(vertices, faces)
    exist = np.asarray(faces)[:, 0] >= 0
    assert share == pytest.approx(np.sum(found) / max(np.sum(exist), 1))
    return found


def meet(first, second):
    """Whether two triangles meet, by a linear program.

    Of all common points ``first.T a = second.T b``, one that has the most weight on
    corners of the first triangle that are not shared.
    """
    shared = [any(np.array_equal(p, q) for q in second) for p in first]
    if all(shared):
        return True
    equations = np.zeros((5, 6))
    equations[:3] = np.concatenate([first.T, -second.T], axis=1)
    equations[3, :3] = equations[4, 3:] = 1
    goal = -np.concatenate([~np.array(shared), np.zeros(3)])
    found = scipy.optimize.linprog(goal, A_eq=equations, b_eq=[0, 0, 0, 1, 1])
    return found.status == 0 and -found.fun > 1e-7


def reference(vertices, faces):
    corners = np.asarray(vertices, float)[faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    whole = np.flatnonzero(np.any(area != 0, axis=1))
    found = np.zeros(len(faces), bool)
    for i, j in itertools.combinations(whole, 2):
        if not (found[i] and found[j]) and meet(corners[i], corners[j]):
            found[[i, j]] = True
    return found


class TestAgainstTheReference:
    FACES = np.asarray(mesh.icosphere(0).faces)[::2]

    @pytest.mark.parametrize("seed", range(3))
    def test_random_vertices(self, seed):
        vertices = np.random.default_rng(seed).normal(size=(24, 3))
        faces = np.concatenate([self.FACES, self.FACES[:4] + 12])
        found = find(vertices, faces)
        np.testing.assert_array_equal(found, reference(vertices, faces))

    @pytest.mark.parametrize("seed", range(5))
    def test_vertices_on_a_lattice(self, seed):
        """Where faces touch, lie in one plane, on each other, or have no area."""
        random = np.random.default_rng(seed)
        vertices = random.integers(0, 3, (12, 3))
        vertices[6:, 2] = 0
        faces = random.integers(0, 12, (10, 3))
        found = find(vertices, faces)
        np.testing.assert_array_equal(found, reference(vertices, faces))


class TestSpheres:
    def test_none(self):
        assert not find(POINTS, FACES).any()

    def test_star_shaped(self):
        """Radii of any size leave a graph over the sphere."""
        radii = np.random.default_rng(0).uniform(0.2, 2, (len(POINTS), 1))
        assert not find(radii * POINTS, FACES).any()
        assert not find((radii * POINTS).astype(np.float32), FACES).any()

    def test_a_vertex_pushed_through_the_opposite_side(self):
        points = POINTS.copy()
        points[100] *= -1.5
        found = find(points, FACES)
        fan = np.any(FACES == 100, axis=1)
        assert found[fan].all() and 1 <= found[~fan].sum() <= 12
        opposite = points[FACES[found & ~fan]].mean(axis=(0, 1))
        assert np.dot(opposite, POINTS[100]) < -0.9

    def test_two_that_overlap(self):
        both = np.concatenate([POINTS, POINTS + [1, 0, 0]])
        faces = np.concatenate([FACES, FACES + len(POINTS)])
        x = both[faces].mean(axis=1)[:, 0]
        found = find(both, faces)
        assert found.any() and not found[(x < 0.4) | (x > 0.6)].any()

    def test_inside_out_and_nested(self):
        both = np.concatenate([POINTS, 0.5 * POINTS])
        faces = np.concatenate([FACES, FACES[:, ::-1] + len(POINTS)])
        assert not find(both, faces).any()


def tube(crossing):
    """A tube along a figure of eight, whose strands meet or pass each other."""
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    height = 0 * t if crossing else 0.5 * np.cos(t)
    path = np.stack([np.sin(t), np.sin(2 * t), height], -1)
    along = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    across = np.cross(along, [0, 0, 1])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    angle = np.linspace(0, 2 * np.pi, 8, endpoint=False)[:, None]
    ring = 0.1 * (np.cos(angle) * across[:, None] + np.sin(angle) * [0, 0, 1])
    grid = np.arange(64 * 8).reshape(64, 8)
    a, b = grid, np.roll(grid, -1, 0)
    c, d = np.roll(b, -1, 1), np.roll(a, -1, 1)
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])
    return (path[:, None] + ring).reshape(-1, 3), faces.reshape(-1, 3)


def test_a_figure_of_eight_meets_itself_at_its_crossing():
    vertices, faces = tube(crossing=True)
    found = find(vertices, faces)
    far = np.linalg.norm(vertices[faces].mean(axis=1), axis=1) > 0.5
    assert found.any() and not found[far].any()
    assert not find(*tube(crossing=False)).any()


CASES = {
    "cross": ([[1, 1, -1], [1, 1, 1], [9, 9, 0]], True),
    "apart": ([[1, 1, 1], [1, 1, 2], [9, 9, 3]], False),
    "boxes meet alone": ([[3, 3, -1], [3, 3, 1], [4, 4, 0]], False),
    "in the interior of the other": ([[1, 1, -1], [2, 1, -1], [1, 1, 1]], True),
    "corner on the face": ([[1, 1, 0], [1, 1, 2], [2, 1, 2]], True),
    "corner on an edge": ([[2, 2, 0], [4, 4, 1], [4, 4, 2]], True),
    "parallel": ([[0, 0, 1], [4, 0, 1], [0, 4, 1]], False),
    "in its plane, apart": ([[5, 0, 0], [9, 0, 0], [5, 4, 0]], False),
    "in its plane, within": ([[1, 1, 0], [2, 1, 0], [1, 2, 0]], True),
    "in its plane, crossing": ([[1, -1, 0], [1, 9, 0], [2, -1, 0]], True),
    "equal": (TRIANGLE, True),
    "equal, reversed": (TRIANGLE[::-1], True),
    "common corner": ([[0, 0, 0], [-1, 0, 1], [0, -1, 1]], False),
    "common corner, through": ([[0, 0, 0], [2, 2, -1], [2, 2, 1]], True),
    "common corner, in its plane": ([[0, 0, 0], [-4, 0, 0], [0, -4, 0]], False),
    "common corner, overlapping": ([[0, 0, 0], [4, 1, 0], [1, 4, 0]], True),
    "common edge": ([[0, 0, 0], [4, 0, 0], [0, 0, 4]], False),
    "common edge, in its plane": ([[0, 0, 0], [4, 0, 0], [0, -4, 0]], False),
    "common edge, nearly folded": ([[0, 0, 0], [4, 0, 0], [1, 1, 1e-9]], False),
    "common edge, folded": ([[0, 0, 0], [4, 0, 0], [1, 1, 0]], True),
    "no area, a line": ([[1, 1, -1], [1, 1, 0], [1, 1, 1]], False),
    "no area, a point": ([[1, 1, 0], [1, 1, 0], [1, 1, 0]], False),
    "negative zero": ([[-0.0, -0.0, 0], [-1, 0, 1], [0, -1, 1]], False),
}


@pytest.mark.parametrize("name", CASES)
def test_two_triangles(name):
    second, expected = CASES[name]
    for turn in itertools.permutations(range(3)):
        vertices = np.array([*TRIANGLE, *np.array(second, float)[list(turn)]])
        for faces in ([[0, 1, 2], [3, 4, 5]], [[5, 3, 4], [2, 1, 0]]):
            assert find(vertices, faces).tolist() == [expected] * 2
        for scale in (1e-150, 1e150):
            assert find(scale * vertices, faces).tolist() == [expected] * 2


def test_unwelded_faces_share_corners():
    assert not find(POINTS[FACES].reshape(-1, 3), np.arange(3840).reshape(-1, 3)).any()


def test_a_rotated_subdivided_cube_touches_nothing():
    """Its faces are in planes up to rounding, and share corners alone."""
    square = np.stack(np.meshgrid(*[np.linspace(-1, 1, 5)] * 2), -1).reshape(-1, 2)
    a = np.arange(20).reshape(4, 5)[:, :4].ravel()
    quads = np.concatenate(
        [np.stack([a, a + 1, a + 6], 1), np.stack([a, a + 6, a + 5], 1)]
    )
    sides, faces = [], []
    for axis, sign in itertools.product(range(3), (-1, 1)):
        faces.append(quads + len(square) * len(sides))
        sides.append(np.insert(square, axis, sign, axis=1))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    places, names = np.unique(np.concatenate(sides), axis=0, return_inverse=True)
    faces = names.reshape(-1)[np.concatenate(faces)]
    for dtype in (np.float64, np.float32):
        assert not find((places @ turn.T).astype(dtype), faces).any()


def test_order_of_vertices_and_faces_plays_no_part():
    random = np.random.default_rng(0)
    points = POINTS + 0.1 * random.normal(size=POINTS.shape)
    found = find(points, FACES)
    names, order = random.permutation(len(points)), random.permutation(len(FACES))
    moved = np.empty_like(points)
    moved[names] = points
    np.testing.assert_array_equal(find(moved, names[FACES][order]), found[order])
    assert 0.1 < found.mean() < 0.9


def test_batches_of_pairs_give_the_same(monkeypatch):
    coarse = mesh.icosphere(1)
    points, faces = np.random.default_rng(0).normal(size=(42, 3)), coarse.faces
    found = find(points, faces)
    monkeypatch.setattr(self_intersections, "_MOST_PAIRS", 50)
    np.testing.assert_array_equal(find(points, faces), found)


@pytest.mark.parametrize("faces", [np.zeros((0, 3), int), np.full((4, 3), -1)])
def test_no_faces(faces):
    assert find(np.zeros((0, 3)), faces).tolist() == [False] * len(faces)
    assert find(np.full((3, 3), np.nan), faces).tolist() == [False] * len(faces)


def test_padding():
    vertices = np.array([*TRIANGLE, *CASES["cross"][0]])
    faces = np.array([[-1, -1, -1], [0, 1, 2], [3, 4, 5], [-1, -1, -1]])
    assert find(vertices, faces).tolist() == [False, True, True, False]
    assert self_intersections.self_intersecting_share(vertices, faces) == 1


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (np.zeros((2, 5, 3)), [[0, 1, 2]], r"one mesh.*\[2, 5, 3\] and \[1, 3\]"),
        (np.zeros((5, 2)), [[0, 1, 2]], r"one mesh.*\[5, 2\]"),
        (np.zeros((5, 3)), np.zeros((1, 2, 3), int), r"one mesh.*\[1, 2, 3\]"),
        (np.zeros((5, 3)), [[0, 1, 2, 3]], r"faces must have the shape"),
        (np.zeros((5, 3)), [[0, 1, 5]], "indices of the 5 vertices"),
        (np.zeros((5, 3)), [[0, 1, -1]], "indices of the 5 vertices"),
        (np.zeros((5, 3)), [[0.0, 1, 2]], "faces must be integers"),
        (np.full((5, 3), np.inf), [[-1, -1, -1], [0, 1, 2]], "of face 1 are not fin"),
    ],
)
def test_mistakes(vertices, faces, message):
    with pytest.raises(ValueError, match=message):
        self_intersections.self_intersecting_faces(vertices, faces)
