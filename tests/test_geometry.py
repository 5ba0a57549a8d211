"""Triangles without area are recognised however a compiler rounds the formula."""

import jax.numpy as jnp
import numpy as np

from jaxsoftras import geometry


def corners(points):
    """``[3, 2]`` or ``[N, 3, 2]`` in single precision."""
    return geometry.corners(jnp.asarray(points, jnp.float32))


class TestHasArea:
    def test_lines_have_none_however_their_products_are_rounded(self):
        points = np.random.default_rng(0).uniform(-1, 1, (1000, 3, 2))
        points[:, 2] = points[:, 1]
        points = points.astype(np.float32)
        assert not np.any(geometry.has_area(corners(points)))
        # a fused multiply-add rounds one product of the two, and so finds an area
        (dx, dy) = (points[:, 1] - points[:, 0]).T
        fused = dx.astype(float) * dy - (dx * dy).astype(float)
        noise = 4 * np.finfo(np.float32).eps * 2 * np.abs(dx * dy)
        assert np.mean(np.abs(fused) > geometry._LEAST_AREA) > 0.5
        assert np.all(np.abs(fused) < geometry._LEAST_AREA + noise)

    def test_slivers_have_some(self):
        sliver = [[-0.5, 0.1], [0.5, 0.1], [0, 0.1001]]
        assert geometry.has_area(corners(sliver))
        assert geometry.has_area(corners(np.array(sliver) * 0.02))
        assert not geometry.has_area(corners(np.array(sliver) * 1e-4))
