"""Derivatives of every kind that JAX offers, against the reference's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from tests.support import scenes

FACES = np.concatenate(
    [scenes.random_like(2, 3, 2) * 0.8, 3 + 0.5 * scenes.random_like(2, 3, 1)], -1
)
COLORS = scenes.random_like(2, 3, 3)
WEIGHT = scenes.random_like(5, 6, 4)
DIRECTIONS = scenes.random_like(3, *FACES.shape)


def draw(what, implementation):
    options = {"sigma": 0.05, "dist_eps": 1e-12, "implementation": implementation}
    if what == "silhouette":
        return lambda faces: jaxsoftras.silhouette(faces, (5, 6), **options)
    return lambda faces: jaxsoftras.rasterize(
        faces, COLORS, (5, 6), gamma=0.1, **options
    )


def loss(image):
    return lambda faces: jnp.sum(
        image(faces) * (WEIGHT[..., 0] if image(faces).ndim == 2 else WEIGHT)
    )


KINDS = {
    "jvp": lambda f: jax.jvp(f, (FACES,), (DIRECTIONS[0],))[1],
    "jacfwd": lambda f: jax.jacfwd(f)(FACES),
    "jacrev": lambda f: jax.jacrev(f)(FACES),
    "hessian": lambda f: jax.hessian(loss(f))(FACES),
    "vmap of products": lambda f: jax.vmap(
        lambda d: jax.jvp(jax.grad(loss(f)), (FACES,), (d,))[1]
    )(DIRECTIONS),
    "jvp of jvp": lambda f: jax.jvp(
        lambda x: jax.jvp(f, (x,), (DIRECTIONS[0],))[1], (FACES,), (DIRECTIONS[1],)
    )[1],
}
# all products make a Hessian; forward mode of colours goes through `render` below
QUICK = {("silhouette", "vmap of products")}


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        pytest.param(
            what, kind, marks=() if (what, kind) in QUICK else pytest.mark.slow
        )
        for what in ("silhouette", "color")
        for kind in KINDS
    ],
)
def test_work_list_equals_reference(what, kind, x64):
    expected, got = (
        jax.jit(lambda name=name: KINDS[kind](draw(what, name)))()
        for name in ("reference", "xla")
    )
    scale = np.abs(expected).max()
    assert scale > 0.01
    np.testing.assert_allclose(got, expected, atol=1e-12 * scale)


@pytest.mark.slow  # forward mode through `render` is clipped alike
def test_jacobians_of_colors_agree(x64):
    """Under vmap, XLA computes a clipped number and its argument apart."""
    image = draw("color", "reference")
    forward, reverse = (
        jax.jit(jacobian(image))(FACES) for jacobian in (jax.jacfwd, jax.jacrev)
    )
    np.testing.assert_allclose(forward, reverse, atol=1e-12)


def test_forward_mode_through_render(x64):
    """From vertices, with light, against differences."""
    sphere = jaxsoftras.icosphere(0)
    camera = jaxsoftras.perspective_camera((0.3, 0.4, 3))
    settings = jaxsoftras.Settings(
        image_size=6, sigma=1e-2, gamma=1e-2, implementation="reference"
    )

    def image(vertices):
        return jaxsoftras.render(
            sphere._replace(vertices=vertices), camera, settings=settings
        )

    @jax.jit  # one program gives the image and its derivative
    def differentiate(vertices, step):
        return jax.jvp(image, (vertices,), (step,))

    vertices = np.asarray(sphere.vertices)
    step = scenes.random_like(*vertices.shape)
    _, got = differentiate(vertices, step)
    above, below = (differentiate(vertices + s * step, step)[0] for s in (1e-6, -1e-6))
    expected = (np.asarray(above) - np.asarray(below)) / 2e-6
    np.testing.assert_allclose(got, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    "what", ["silhouette", pytest.param("color", marks=pytest.mark.slow)]
)
def test_linearized_once_and_applied(what):
    """By programs that hold the derivative alone."""
    faces, directions = (a.astype(np.float32) for a in (FACES, DIRECTIONS))
    image = draw(what, "xla")
    drawn, along = jax.linearize(image, faces)
    pushed = jax.vmap(along)(directions)
    expected = jax.jvp(image, (faces,), (directions[1],))[1]
    scale = np.abs(expected).max()
    assert scale > 0.01
    np.testing.assert_allclose(pushed[1], expected, atol=1e-6 * scale)
    weight = scenes.random_like(*drawn.shape).astype(np.float32)
    (pulled,) = jax.linear_transpose(along, faces)(weight)
    np.testing.assert_allclose(
        np.vdot(pulled, directions[1]), np.vdot(weight, expected), rtol=1e-4
    )


@pytest.mark.slow
def test_memory_of_a_hessian():
    """In proportion to its size: 18 x 18 numbers, of a walk over 2 faces."""
    of_one = jax.jit(lambda: KINDS["vmap of products"](draw("silhouette", "xla")))
    of_all = jax.jit(lambda: KINDS["hessian"](draw("silhouette", "xla")))
    few, all_rows = (f.lower().compile().memory_analysis() for f in (of_one, of_all))
    assert few is not None and all_rows is not None
    assert few.temp_size_in_bytes < 2**28
    assert all_rows.temp_size_in_bytes < 6 * few.temp_size_in_bytes


@pytest.mark.parametrize(
    "outer", ["grad of grad", pytest.param("grad of jvp", marks=pytest.mark.slow)]
)
def test_reverse_mode_twice_is_refused(outer):
    image = draw("silhouette", "xla")

    def slope(faces):
        if outer == "grad of grad":
            return jnp.sum(jax.grad(loss(image))(faces))
        return jnp.sum(jax.jvp(image, (faces,), (DIRECTIONS[0],))[1])

    with pytest.raises(NotImplementedError, match="forward mode over reverse"):
        jax.eval_shape(jax.grad(slope), FACES)
