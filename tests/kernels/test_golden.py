"""The GPU kernels against the original's outputs, in single precision."""

import functools

import jax
import numpy as np
import pytest

import jaxsoftras
from tests.rasterization import test_rasterize_golden
from tests.rasterization.test_rasterize_golden import SURFACE, VERTEX
from tests.rasterization.test_silhouette_golden import GOLDEN, load_golden
from tests.support.kernels import IGNORE_DEPRECATION, NAMES

pytestmark = [pytest.mark.gpu, IGNORE_DEPRECATION]


@functools.cache
def silhouette(dist_eps, implementation):
    @jax.jit
    def run(faces, sigma, weight):
        alpha, pullback = jax.vjp(
            lambda faces: jaxsoftras.silhouette(
                faces,
                64,
                sigma=sigma,
                dist_eps=dist_eps,
                implementation=implementation,
            ),
            faces,
        )
        return alpha, pullback(weight)[0]

    return run


def relative(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize("implementation", NAMES)
@pytest.mark.parametrize("name", GOLDEN)
def test_silhouettes(name, implementation, shared):
    archive, index = load_golden(shared)
    case = {**index["defaults"], **index["cases"][name]}
    faces = archive[f"in/{case['geom']}/fv"].astype(np.float32)
    weight = archive["in/G"][:, 3].astype(np.float32)
    run = silhouette(case["dist_eps"], implementation)
    alpha, gradient = run(faces, np.float32(case["sigma"]), weight)
    np.testing.assert_allclose(alpha, archive[f"{name}/img"][:, 3], atol=1e-4)
    theirs = archive[f"{name}/gfv"][..., :2]
    drawn = (faces[..., 2] >= case["near"]).all(axis=-1)
    # the original has no gradient for faces nearer than near
    assert relative(np.asarray(gradient)[drawn][..., :2], theirs[drawn]) < 2e-4


HARD_ALPHA = "soup/x/harddist_hardrgb_vert"


@pytest.mark.parametrize("implementation", NAMES)
@pytest.mark.parametrize("name", [name for name in VERTEX if name != HARD_ALPHA])
def test_vertex_colors(name, implementation, shared):
    ours, theirs = test_rasterize_golden.draw(
        shared, name, implementation, dtype=np.float32
    )
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-4)
    for got, expected in zip(ours[1:], theirs[1:], strict=True):
        assert np.abs(got - expected).max() <= 2e-4 * np.abs(expected).max()


def test_refuses_other_rules_for_alpha(shared):
    with pytest.raises(ValueError, match="the probabilistic T-conorm only"):
        test_rasterize_golden.draw(shared, HARD_ALPHA, "triton", dtype=np.float32)


@pytest.mark.parametrize("implementation", NAMES)
@pytest.mark.parametrize("name", [n for n in SURFACE if n.startswith("soup")])
def test_surface_textures(name, implementation, shared):
    ours, theirs = test_rasterize_golden.draw(
        shared, name, implementation, dtype=np.float32
    )
    alike = np.abs(ours[0] - theirs[0]).max(axis=-1) < 1e-4
    # elsewhere the original reads the texels of other faces
    assert alike.mean() > 0.85 and not alike.all()
