"""The fields of the flow decoder: injectivity, invariance of the cube, gradients."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsoftras import mesh, self_intersections
from jaxsoftras.models import flow, templates

CELLS = (2, 3, 4)
COUNT = flow.count_controls(CELLS)
RANDOM = np.random.default_rng(0)
POINTS = RANDOM.uniform(-0.5, 0.5, (1, 50, 3))


def extreme(seed, count=COUNT):
    """Control points at the bound, of random signs."""
    signs = np.random.default_rng(seed).choice([-1, 1], (1, count))
    return flow.BOUND * signs


def b_spline(x):
    """The uniform cubic B-spline by its pieces."""
    x = abs(x)
    if x >= 2:
        return 0.0
    return (2 - x) ** 3 / 6 if x >= 1 else 2 / 3 - x**2 + x**3 / 2


def reflected(control, coordinate, n, index):
    """Displacement of a control point anywhere in space, n cells from -1/2 to 1/2."""
    sign, place = 1, []
    for axis, i in enumerate(index):
        while not 0 <= i <= n:
            i = -i if i < 0 else 2 * n - i
            sign *= -1 if axis == coordinate else 1
        if axis == coordinate:
            if i in (0, n):
                return 0.0
            i -= 1
        place.append(i)
    return sign * control[tuple(place)]


def reference(point, controls, cells):
    """`flow.flow` of one point as loops over control points."""
    begin, point = 0, np.array(point)
    for n in cells:
        step = np.zeros(3)
        grid = list(itertools.product(range(-1, n + 2), repeat=3))
        for coordinate in range(3):
            shape = [n - 1 if axis == coordinate else n + 1 for axis in range(3)]
            control = controls[begin : begin + np.prod(shape)].reshape(shape)
            begin += np.prod(shape)
            for index in grid:
                weight = np.prod(
                    [
                        b_spline(n * (x + 0.5) - i)
                        for x, i in zip(point, index, strict=True)
                    ]
                )
                if weight:
                    value = reflected(control, coordinate, n, index)
                    step[coordinate] += weight * value / n
        point = point + step
    assert begin == len(controls)
    return point


@pytest.fixture(scope="module")
def move():
    """`flow.flow`, jitted, in double precision."""
    jitted = jax.jit(lambda points, controls: flow.flow(points, controls, CELLS))

    def run(points, controls):
        with jax.enable_x64(True):
            return np.asarray(jitted(jnp.asarray(points), jnp.asarray(controls)))

    return run


@pytest.fixture(scope="module")
def jacobians():
    """Jacobians ``[P, 3, 3]`` of `flow.flow` at points ``[P, 3]``."""

    def at(point, controls):
        return flow.flow(point[None, None], controls, CELLS)[0, 0]

    jitted = jax.jit(jax.vmap(jax.jacfwd(at), (0, None)))

    def run(points, controls):
        with jax.enable_x64(True):
            return np.asarray(jitted(jnp.asarray(points), jnp.asarray(controls)))

    return run


def test_matches_the_reference(move):
    controls = RANDOM.uniform(-0.4, 0.4, (1, COUNT))
    got = move(POINTS, controls)[0, :8]
    expected = [reference(point, controls[0], CELLS) for point in POINTS[0, :8]]
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_zero_moves_nothing(move):
    np.testing.assert_array_equal(move(POINTS, np.zeros((1, COUNT))), POINTS)


@pytest.mark.parametrize("seed", range(4))
def test_the_jacobian_determinant_stays_positive(jacobians, seed):
    points = np.random.default_rng(seed).uniform(-0.5, 0.5, (4096, 3))
    assert np.linalg.det(jacobians(points, extreme(seed))).min() > 0


def worst_determinant(point, bound, starts):
    """Least determinant over all control points within a bound, of one field.

    It is linear in each row of the Jacobian, so that one row after the other is
    minimised, from several starts.
    """
    places, h = np.arange(-1, 3), 1e-6
    values = [np.array([b_spline(x - i) for i in places]) for x in point]
    slopes = [
        np.array(
            [(b_spline(x - i + h) - b_spline(x - i - h)) / (2 * h) for i in places]
        )
        for x in point
    ]
    gradients = np.stack(
        [
            np.einsum(
                "i,j,k->ijk", *((slopes if a == b else values)[b] for b in range(3))
            ).ravel()
            for a in range(3)
        ],
        axis=-1,
    )
    least = np.inf
    for signs in starts:
        rows = np.eye(3) + bound * signs @ gradients
        for row in list(range(3)) * 4:
            cofactor = np.cross(rows[(row + 1) % 3], rows[(row + 2) % 3])
            rows[row] = np.eye(3)[row] - bound * (
                np.sign(gradients @ cofactor) @ gradients
            )
        least = min(least, np.linalg.det(rows))
    return least


def test_the_bound_is_safe_and_nearly_the_largest():
    """Choi and Lee's 1 / 2.479 = 0.4033, found again by a search."""
    starts = np.random.default_rng(0).choice([-1, 1], (6, 3, 64))
    points = list(itertools.product([0, 0.25, 0.5], repeat=3))
    bounds = [flow.BOUND, 0.405]
    safe, unsafe = (
        min(worst_determinant(point, bound, starts) for point in points)
        for bound in bounds
    )
    assert safe > 0 > unsafe


@pytest.mark.parametrize("seed", range(3))
def test_distinct_points_stay_distinct(move, seed):
    got = move(POINTS, extreme(seed))[0]
    before, after = (
        np.linalg.norm(x[:, None] - x[None], axis=-1)[~np.eye(50, dtype=bool)]
        for x in (POINTS[0], got)
    )
    assert (after / before).min() > 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_faces_of_the_cube_are_mapped_to_themselves(move, seed):
    points = POINTS.copy()
    for row in range(48):
        points[0, row, row % 3] = 0.5 if row % 2 else -0.5
    got = move(points, extreme(seed))
    on_face = np.abs(points) == 0.5
    np.testing.assert_allclose(got[on_face], points[on_face], atol=1e-15)
    assert np.abs(got).max() <= 0.5 + 1e-15
    assert np.abs(got - points).max() > 0.05


def test_symmetric_fields_are_symmetric_fields_of_the_whole(x64):
    """Those of one half equal the full ones with mirrored control points."""
    half = RANDOM.uniform(-0.4, 0.4, (1, flow.count_controls((4,), True)))
    full, begin = [], 0
    for shape, width in zip([(1, 5, 5), (3, 3, 5), (3, 5, 3)], [3, 5, 5], strict=True):
        part = half[0, begin : begin + np.prod(shape)].reshape(shape)
        begin += part.size
        if width == 3:  # across the plane: odd, zero on it
            part = np.concatenate([-part, 0 * part, part])
        else:
            part = np.concatenate([part[:0:-1], part])
        full.append(part.ravel())
    points = POINTS * [1, 1, 1]
    points[..., 0] = abs(points[..., 0])
    got = flow.flow(jnp.asarray(points), jnp.asarray(half), (4,), symmetric=True)
    expected = flow.flow(
        jnp.asarray(points), jnp.concatenate(full)[None], (4,), symmetric=False
    )
    np.testing.assert_allclose(got, expected, atol=1e-14)


@pytest.mark.parametrize("symmetric", [False, True])
def test_fewest_cells(symmetric, x64):
    """A field across the plane has no control point left, with two cells."""
    count = flow.count_controls((2,), symmetric)
    assert count == (2 * 2 * 1 * 3 if symmetric else 3 * 9)
    points = jnp.asarray(np.abs(POINTS))
    got = flow.flow(points, jnp.full((1, count), 0.4), (2,), symmetric)
    moved = np.abs(got - points).max(axis=(0, 1))
    assert (moved[0] == 0) == symmetric and moved[1:].min() > 0.01


def test_gradients(x64):
    controls = jnp.asarray(RANDOM.uniform(-0.4, 0.4, (1, flow.count_controls((3,)))))
    check_grads(
        jax.jit(lambda points, controls: flow.flow(points, controls, (3,))),
        (jnp.asarray(POINTS[:, :4]), controls),
        order=1,
        modes=["rev"],
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_sphere_stays_free_of_self_intersections(move, seed):
    faces = mesh.icosphere(2).faces
    sphere = templates.make(2, False).vertices[None]
    moved = move(sphere, extreme(seed))[0]
    assert np.abs(moved - sphere[0]).max() > 0.1
    assert self_intersections.self_intersecting_share(moved, faces) == 0
    # what the test would find: the same fields, four times as strong as allowed
    folded = move(sphere, 4 * extreme(seed))[0]
    assert self_intersections.self_intersecting_share(folded, faces) > 0
