# arrays of NumPy stand in for those of JAX
# pyright: reportArgumentType=false, reportOptionalMemberAccess=false

import numpy as np
import pytest

from jaxsoftras.reconstruction import objective
from tests.support.derivatives import check_gradient


def make_pair(*batch, size=5, seed=0):
    """Renders ``[..., S, S, 3]`` and RGBA images ``[..., 4, S, S]``."""
    rng = np.random.default_rng(seed)
    coverage = np.clip(rng.uniform(-1, 2, (*batch, 1, size, size)), 0, 1)
    colors = coverage * rng.random((*batch, 3, size, size))
    rendered = rng.random((*batch, size, size, 3))
    return rendered, np.concatenate([colors, coverage], axis=-3)


class TestColorDifference:
    @pytest.mark.parametrize("norm", ["l1", "l2"])
    def test_by_loops(self, norm, x64):
        rendered, images = make_pair(2)
        expected = np.zeros(2)
        for n in range(2):
            total = 1e-6
            for i in range(5):
                for j in range(5):
                    alpha = images[n, 3, i, j]
                    total += 3 * alpha
                    for c in range(3):
                        error = alpha * rendered[n, i, j, c] - images[n, c, i, j]
                        expected[n] += abs(error) if norm == "l1" else error**2
            expected[n] /= total
        got = objective.color_difference(rendered, images, norm)
        np.testing.assert_allclose(got, expected, rtol=1e-5)

    def test_only_the_object_counts(self):
        rendered, images = make_pair()
        before = objective.color_difference(rendered, images, "l1")
        changed = np.where(images[3][..., None] == 0, 7.0, rendered)
        assert objective.color_difference(changed, images, "l1") == before
        assert before > 0.1

    def test_the_true_colours_differ_by_nothing(self, x64):
        _, images = make_pair()
        coverage = np.maximum(images[3], 1e-9)[..., None]
        colors = np.moveaxis(images[:3], 0, -1) / coverage
        assert objective.color_difference(colors, images, "l1") < 1e-12
        assert objective.color_difference(colors + 0.1, images, "l1") == pytest.approx(
            0.1, rel=1e-4
        )

    def test_no_object(self):
        rendered, images = make_pair()
        assert objective.color_difference(rendered, 0 * images, "l2") == 0

    def test_gradient(self, x64):
        rendered, images = make_pair()
        check_gradient(
            lambda x: objective.color_difference(x, images, "l2"), (rendered,)
        )
