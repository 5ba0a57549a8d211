import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import KDTree

from jaxsoftras import losses
from tests.support.derivatives import check_gradient

RNG = np.random.default_rng(0)
# more points than the search looks at together
MANY = RNG.normal(size=(2500, 3))
OTHERS = RNG.normal(size=(1100, 3))


def points(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=(*shape, 3))


def search(first, second):
    """Distances and indices from a k-d tree."""
    return KDTree(second).query(first)


class TestNearestPoints:
    def test_by_a_tree(self, x64):
        for first, second in ((MANY, OTHERS), (OTHERS, MANY)):
            found = losses.nearest_points(first, second)
            distances, indices = search(first, second)
            np.testing.assert_array_equal(found.indices, indices)
            np.testing.assert_allclose(found.distances, distances)
            assert found.indices.dtype == jnp.int32

    def test_single_precision_far_from_the_origin(self):
        """A formula by norms and products would lose all digits here."""
        first, second = (np.float32(x[:300] + 1000) for x in (MANY, OTHERS))
        found = losses.nearest_points(first, second)
        expected, _ = search(first.astype(float), second.astype(float))
        np.testing.assert_allclose(found.distances, expected, rtol=1e-6)

    def test_batches_broadcast(self):
        first, second = points(2, 1, 40), points(3, 30, seed=1)
        found = losses.nearest_points(first, second)
        assert found.distances.shape == (2, 3, 40)
        for i in range(2):
            for j in range(3):
                distances, indices = search(first[i, 0], second[j])
                np.testing.assert_array_equal(found.indices[i, j], indices)
                np.testing.assert_allclose(found.distances[i, j], distances, rtol=1e-5)

    def test_many_small_sets(self):
        """More sets than are searched together."""
        first, second = points(3000, 3), points(3000, 600, seed=1)[:, :5]
        second = np.tile(second, (1, 120, 1))  # copies: the first one is found
        found = losses.nearest_points(first, second)
        squared = np.sum((first[:, :, None] - second[:, None, :5]) ** 2, axis=-1)
        np.testing.assert_array_equal(found.indices, squared.argmin(axis=-1))

    def test_the_first_of_equal_targets(self):
        targets = np.tile(OTHERS[:3], (700, 1))
        found = losses.nearest_points(OTHERS[:3], targets)
        np.testing.assert_array_equal(found.indices, [0, 1, 2])

    def test_numbers_that_are_not_finite(self):
        targets = np.array([[0, 0, 0], [np.nan, 0, 0], [np.inf, 0, 0], [9, 0, 0]])
        found = losses.nearest_points(np.array([[8, 0, 0], [np.nan, 0, 0]]), targets)
        np.testing.assert_array_equal(found.distances, [1, np.nan])
        assert found.indices[0] == 3

    def test_gradient(self, x64):
        check_gradient(
            lambda *sets: losses.nearest_points(*sets).distances,
            (points(5), points(4, seed=1)),
        )


class TestChamferDistance:
    @pytest.mark.parametrize("squared", [True, False])
    def test_by_a_tree(self, squared, x64):
        first, second = search(MANY, OTHERS)[0], search(OTHERS, MANY)[0]
        power = 2 if squared else 1
        got = losses.chamfer_distance(MANY, OTHERS, squared=squared)
        assert got.forward == pytest.approx(np.mean(first**power))
        assert got.backward == pytest.approx(np.mean(second**power))
        assert got.total == got.forward + got.backward
        assert got.forward_normals is None

    def test_by_hand(self):
        square = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
        got = losses.chamfer_distance(square, square + [0, 0, 0.5])
        assert got.forward == got.backward == 0.25
        got = losses.chamfer_distance(square, square[:1])
        assert (got.forward, got.backward) == (1, 0)

    def test_normals(self, x64):
        first, second = points(40), points(30, seed=1)
        normals = points(40, seed=2), points(30, seed=3)
        got = losses.chamfer_distance(
            first, second, first_normals=normals[0], second_normals=normals[1]
        )
        units = [n / np.linalg.norm(n, axis=-1, keepdims=True) for n in normals]
        forward, backward = search(first, second)[1], search(second, first)[1]
        expected = [
            np.mean(1 - np.abs(np.sum(units[0] * units[1][forward], axis=-1))),
            np.mean(1 - np.abs(np.sum(units[1] * units[0][backward], axis=-1))),
        ]
        np.testing.assert_allclose(jax.tree.leaves(got)[2:], expected)
        plain = losses.chamfer_distance(first, second)
        np.testing.assert_allclose(got[:2], plain[:2])

    @pytest.mark.parametrize("squared", [True, False])
    def test_gradients(self, squared, x64):
        def loss(first, second, first_normals, second_normals):
            found = losses.chamfer_distance(
                first,
                second,
                first_normals=first_normals,
                second_normals=second_normals,
                squared=squared,
            )
            return jnp.stack(jax.tree.leaves(found))

        arguments = [points(2, 5, seed=k) for k in range(4)]
        arguments[1], arguments[3] = arguments[1][:, :4], arguments[3][:, :4]
        check_gradient(loss, tuple(arguments))

    @pytest.mark.parametrize("squared", [True, False])
    def test_equal_points(self, squared):
        first = jnp.asarray(points(6)).at[:3].set(0)
        loss = functools.partial(losses.chamfer_distance, squared=squared)
        value, gradient = jax.jit(jax.value_and_grad(lambda x: loss(x, first).total))(
            first
        )
        assert value == 0 and np.all(gradient == 0)

    def test_normals_without_length(self):
        def loss(normals):
            found = losses.chamfer_distance(
                points(3), points(3), first_normals=normals, second_normals=normals
            )
            return found.forward_normals

        value, gradient = jax.jit(jax.value_and_grad(loss))(jnp.zeros((3, 3)))
        assert value == 1 and np.all(gradient == 0)

    def test_masks(self):
        first, second = points(2, 9), points(8, seed=1)
        first_mask = np.arange(9) < np.array([[9], [4]])
        second_mask = np.arange(8) % 3 > 0
        got = losses.chamfer_distance(
            jnp.where(first_mask[..., None], first, np.nan),
            second,
            first_mask=first_mask,
            second_mask=second_mask,
        )
        for k in range(2):
            alone = losses.chamfer_distance(
                first[k][first_mask[k]], second[second_mask]
            )
            np.testing.assert_allclose([x[k] for x in got[:2]], alone[:2], rtol=1e-6)

    def test_traced_masks_of_no_point(self):
        def loss(first, mask):
            return losses.chamfer_distance(first, points(4), first_mask=mask)

        @jax.jit
        def differentiate(first, mask):
            found, pullback = jax.vjp(lambda x: loss(x, mask), first)
            return found, pullback(jax.tree.map(jnp.ones_like, found))

        found, gradient = differentiate(np.float32(points(5)), np.zeros(5, bool))
        assert found.forward == found.backward == 0
        assert np.all(gradient[0] == 0)

    def test_memory_of_many_points(self):
        """All pairs would take 40 GB."""
        many = jax.ShapeDtypeStruct((100_000, 3), jnp.float32)
        gradient = jax.grad(lambda *sets: losses.chamfer_distance(*sets).total, (0, 1))
        compiled = jax.jit(gradient).lower(many, many).compile()
        memory = compiled.memory_analysis()
        assert memory is not None and memory.temp_size_in_bytes < 100e6

    def test_vmap_and_half_precision(self):
        first, second = (jnp.asarray(points(2, 6, seed=k), jnp.float16) for k in (0, 1))
        got = jax.vmap(losses.chamfer_distance)(first, second)
        single = losses.chamfer_distance(
            *(x.astype(jnp.float32) for x in (first, second))
        )
        assert got.forward.dtype == jnp.float32
        np.testing.assert_allclose(got.total, single.total, rtol=1e-6)


class TestFScore:
    def test_by_a_tree(self):
        threshold = 0.2
        precision = np.mean(search(MANY, OTHERS)[0] < threshold)
        recall = np.mean(search(OTHERS, MANY)[0] < threshold)
        got = losses.f_score(MANY, OTHERS, threshold)
        expected = 2 * precision * recall / (precision + recall)
        np.testing.assert_allclose(got, [expected, precision, recall], rtol=1e-5)

    def test_limits(self):
        first = points(2, 6)
        got = losses.f_score(first, first, np.array([1e-6, 1.0]))
        np.testing.assert_array_equal(got.score, 1)
        got, gradient = jax.jit(
            jax.value_and_grad(lambda x: losses.f_score(x, first[0] + 100, 1.0).score)
        )(first[0])
        assert got == 0 and np.all(gradient == 0)

    def test_mask(self):
        first = points(6)
        moved = first + np.arange(6)[:, None]
        mask = np.arange(6) < 2
        got = losses.f_score(first, moved, 0.1, predicted_mask=mask, target_mask=mask)
        alone = losses.f_score(first[:2], moved[:2], 0.1)
        np.testing.assert_array_equal(got, alone)

    def test_nan_shows_unless_it_does_not_count(self):
        first, broken = points(5), points(5)
        broken[1, 2] = np.nan
        got = losses.f_score(broken, first, 0.1)
        np.testing.assert_allclose(got, [np.nan, np.nan, 0.8], rtol=1e-6)
        got = losses.f_score(first, broken, 0.1)
        np.testing.assert_allclose(got, [np.nan, 0.8, np.nan], rtol=1e-6)
        got = losses.f_score(first, np.full((5, 3), np.nan), 0.1)
        np.testing.assert_allclose(got, [np.nan, 0, np.nan], rtol=1e-6)
        mask = np.arange(5) != 1
        got = losses.f_score(broken, first, 0.1, predicted_mask=mask)
        np.testing.assert_allclose(got, [1.6 / 1.8, 1, 0.8], rtol=1e-6)

    @pytest.mark.parametrize("threshold", [0.0, -1.0, np.nan])
    def test_wrong_threshold(self, threshold):
        with pytest.raises(ValueError, match="threshold must be a positive distance"):
            losses.f_score(points(3), points(3), threshold)


@pytest.mark.parametrize(
    ("first", "second", "options", "message"),
    [
        (
            np.zeros((4, 2)),
            points(3),
            {},
            r"first must have the shape \[\.\.\., N, 3\]",
        ),
        (points(0), points(3), {}, "first must have at least one point"),
        (points(3), points(0), {}, "second must have at least one point"),
        (points(2, 3), points(3, 3), {}, "leading axes must broadcast"),
        (points(3), points(3), {"first_mask": np.zeros(3, bool)}, "At least one point"),
        (points(3), points(3), {"first_mask": np.ones(3)}, "must be of bool"),
        (
            points(3),
            points(3),
            {"first_mask": np.ones(4, bool)},
            r"shape \[\.\.\., 3\]",
        ),
        (points(3), points(3), {"first_normals": points(3)}, "normals of both sets"),
    ],
)
def test_errors(first, second, options, message):
    with pytest.raises(ValueError, match=message):
        losses.chamfer_distance(first, second, **options)
