"""Silhouettes and images under the transformations of JAX."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jaxsoftras
from jaxsoftras.rasterization.inputs import match_sharding
from tests.support import scenes

BATCH, SIZE = 4, 16
FACES = np.concatenate(
    [scenes.sphere(BATCH), scenes.random_like(BATCH, 80, 3, 1) * 0.1 + 2], -1
).astype(np.float32)
COLORS = scenes.random_like(BATCH, 80, 3, 2).astype(np.float32)
SIGMA = np.array([1e-4, 3e-4, 1e-3, 2e-3], np.float32)
WEIGHT = scenes.random_like(BATCH, SIZE, SIZE, 3).astype(np.float32)


def draw(faces, colors, sigma, **options):
    return jaxsoftras.rasterize(faces, colors, SIZE, sigma=sigma, gamma=1e-2, **options)


def gradient(faces, colors, sigma, weight):
    def loss(faces, colors, sigma):
        return jnp.sum(weight * draw(faces, colors, sigma))

    return jax.grad(loss, argnums=(0, 1, 2))(faces, colors, sigma)


@functools.cache
def of_batch():
    return jax.device_get(jax.jit(gradient)(FACES, COLORS, SIGMA, WEIGHT))


def test_vmap_equals_batch():
    vmapped = jax.jit(jax.vmap(gradient))(FACES, COLORS, SIGMA, WEIGHT)
    for got, batch in zip(vmapped, of_batch(), strict=True):
        np.testing.assert_array_equal(got, batch)


@pytest.mark.slow  # under `jax.shard_map`, each device has one image
def test_loop_equals_batch():
    one = jax.jit(gradient)
    looped = [one(*row) for row in zip(FACES, COLORS, SIGMA, WEIGHT, strict=True)]
    for k, batch in enumerate(of_batch()):
        np.testing.assert_array_equal(np.stack([row[k] for row in looped]), batch)


def test_a_schedule_compiles_once():
    traces = []

    @jax.jit
    def render(faces, colors, sigma):
        traces.append(None)
        return draw(faces, colors, sigma, implementation="reference")

    totals = {float(render(FACES, COLORS, s).sum()) for s in (1e-3, 1e-4, 1e-5)}
    assert len(traces) == 1 and len(totals) == 3


def _devices(axis_type=AxisType.Auto):
    return jax.make_mesh((BATCH,), ("data",), axis_types=(axis_type,))


@pytest.mark.slow  # plain jit divides the images in the same way, training by this one
def test_shard_map_over_devices():
    mesh = _devices()
    sharded = jax.jit(
        jax.shard_map(gradient, mesh=mesh, in_specs=P("data"), out_specs=P("data"))
    )
    arguments = jax.device_put(
        (FACES, COLORS, SIGMA, WEIGHT), NamedSharding(mesh, P("data"))
    )
    compiled = sharded.lower(*arguments).compile()
    assert "all-gather" not in str(compiled.as_text())
    for got, expected in zip(compiled(*arguments), of_batch(), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "axis_type",
    [AxisType.Auto, pytest.param(AxisType.Explicit, marks=pytest.mark.slow)],
)
def test_plain_jit_over_devices(axis_type):
    mesh = _devices(axis_type)
    arguments = jax.device_put(
        (FACES, COLORS, SIGMA, WEIGHT), NamedSharding(mesh, P("data"))
    )
    with jax.set_mesh(mesh):
        compiled = jax.jit(gradient).lower(*arguments).compile()
        results = compiled(*arguments)
    assert "all-gather" not in str(compiled.as_text())
    for got, expected in zip(results, of_batch(), strict=True):
        np.testing.assert_array_equal(got, expected)


def _gradient_of_silhouette(faces, sigma, weight):
    return jax.grad(
        lambda f: jnp.sum(weight * jaxsoftras.silhouette(f, SIZE, sigma=sigma))
    )(faces)


@pytest.mark.slow  # colour does the same in test_plain_jit_over_devices
@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
def test_silhouettes_by_plain_jit_over_devices(axis_type):
    """Without `jax.set_mesh`: explicit axes are known from types alone."""
    arguments = FACES, SIGMA, WEIGHT[..., 0]
    sharded = jax.device_put(arguments, NamedSharding(_devices(axis_type), P("data")))
    compiled = jax.jit(_gradient_of_silhouette).lower(*sharded).compile()
    assert "all-gather" not in str(compiled.as_text())
    np.testing.assert_array_equal(
        compiled(*sharded), jax.jit(_gradient_of_silhouette)(*arguments)
    )


def test_gradients_without_jit_over_devices():
    mesh = _devices(AxisType.Explicit)
    with jax.set_mesh(mesh):
        faces, sigma = jax.device_put((FACES, SIGMA), NamedSharding(mesh, P("data")))
        gradient = jax.grad(lambda f: jnp.sum(match_sharding(f, sigma)[0]))
        np.testing.assert_array_equal(gradient(faces), np.ones_like(FACES))


@pytest.mark.slow  # test_derivatives has the derivatives of second order
@pytest.mark.parametrize("implementation", ["reference", "xla"])
@pytest.mark.parametrize(
    # the Hessian of silhouettes is in test_derivatives
    "what",
    [pytest.param("silhouette", marks=pytest.mark.slow), "color"],
)
def test_hessian_vector_product(what, implementation, x64):
    """Forward over reverse, against differences of gradients."""
    faces, colors = (a[0, :6].astype(np.float64) for a in (FACES, COLORS))
    weight = scenes.random_like(6, 6, 3)

    def loss(faces):
        if what == "silhouette":
            alpha = jaxsoftras.silhouette(
                faces, 6, sigma=0.05, dist_eps=1e-12, implementation=implementation
            )
            return jnp.sum(weight[..., 0] * alpha)
        image = jaxsoftras.rasterize(
            faces,
            colors,
            6,
            sigma=0.05,
            gamma=0.1,
            dist_eps=1e-12,
            implementation=implementation,
        )
        return jnp.sum(weight * image)

    @jax.jit  # one program gives the gradient and its derivative
    def slope_and_product(faces, direction):
        return jax.jvp(jax.grad(loss), (faces,), (direction,))

    direction = scenes.random_like(*faces.shape)
    _, got = slope_and_product(faces, direction)
    step = 1e-6 * direction
    above, below = (slope_and_product(faces + s * step, step)[0] for s in (1, -1))
    expected = (above - below) / 2e-6
    scale = np.abs(expected).max()
    assert scale > 0.1
    np.testing.assert_allclose(got, expected, atol=1e-5 * scale)


def test_exports_and_lowers_for_tpu():
    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (FACES, COLORS, SIGMA)]
    loss = jax.jit(jax.grad(lambda *arguments: jnp.sum(draw(*arguments) ** 2)))
    lowered = loss.trace(*shapes).lower(lowering_platforms=("tpu",))
    assert "while" in lowered.as_text()
    exported = jax.export.export(jax.jit(draw))(*shapes)
    np.testing.assert_array_equal(
        exported.call(FACES, COLORS, SIGMA), jax.jit(draw)(FACES, COLORS, SIGMA)
    )
