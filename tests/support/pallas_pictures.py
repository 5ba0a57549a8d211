"""What the tests of the Pallas kernels for pictures share, whatever their backend."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras import geometry
from jaxsoftras.kernels import bench_inputs, pairs, shading
from jaxsoftras.kernels import scene as blending
from jaxsoftras.kernels.reference import blend as blend_reference
from jaxsoftras.kernels.xla import blend as blend_xla
from tests.support.pallas_silhouettes import assert_same_bytes

HEIGHT, WIDTH = 9, 13  # no multiple of anything
FLAT = 4  # number of a face without area, of which two corners coincide
FLAT_TEXELS = slice(FLAT * 4, FLAT * 4 + 4)  # of a surface texture
RULES = pairs.Rules(cutoff=geometry.support(1e-4))


def faces():
    """``[2, 9, 3, 3]``: overlapping faces, and all that can be wrong with a face."""
    rng = np.random.default_rng(0)
    some = np.concatenate(
        [rng.uniform(-0.8, 0.8, (2, 9, 3, 2)), rng.uniform(2, 2.02, (2, 9, 3, 1))], -1
    )
    some[:, 1] = some[:, 0]  # coincident
    some[:, 2, 0] = np.nan
    some[:, 3, 2, 2] = -1  # behind the camera
    some[:, FLAT, 2] = some[:, FLAT, 1]  # without area
    some[:, 5, 0, 2] = 0.5  # partly nearer than near
    some[0, 6, :, 0] += 5  # off-screen
    some[1, 6, :, :2] *= 60  # huge
    return some.astype(np.float32)


def scene(kind, channels=3, light=False):
    """A `Scene` with colours of a kind, and how to look them up."""
    rng = np.random.default_rng(1)
    images, count = faces().shape[:2]

    def random(*shape):
        return jnp.asarray(rng.uniform(-1, 1, shape), jnp.float32)

    values = texels = None
    lookup = shading.Lookup()
    if kind == "surface":
        lookup = shading.Lookup("surface", (2, 2))
        texels = random(images, count * 4, channels)
    elif kind == "image":
        lookup = shading.Lookup("image", (5, 4), "repeat")
        values, texels = random(images, count, 3, 2), random(1, 20, channels)
    else:
        values = random(images, count, {"corners": 3, "face": 1}[kind], channels)
    lit = random(images, count, 3, 2 * channels) if light else None
    # rounding decides which of the corners in the same place a pixel is nearest to
    if kind == "surface" and texels is not None:
        texels = texels.at[:, FLAT_TEXELS].set(texels[:, FLAT_TEXELS][:, :1])
    values, lit = (
        x if x is None or x.shape[2] < 3 else x.at[:, FLAT, 2].set(x[:, FLAT, 1])
        for x in (values, lit)
    )
    return blending.Scene(
        jnp.asarray(faces()),
        jnp.asarray([1e-3, 3e-4], jnp.float32),
        jnp.asarray([1e-3, 1e-4], jnp.float32),
        shading.Attributes(values, texels, lit),
    ), lookup


def task(lookup=None, height=HEIGHT, width=WIDTH):
    return blending.Task(height, width, RULES, lookup or shading.Lookup())


def with_gradients(draw, task):
    """Of a scene: the picture, and the gradient of a weighing of it."""

    def run(scene):
        blend, pullback = jax.vjp(lambda scene: draw(scene, task), scene)
        rng = np.random.default_rng(2)
        weights = jax.tree.map(
            # spread over devices as the picture is
            lambda x: (
                jnp.ones_like(x) * rng.normal(size=x.shape[1:]).astype(np.float32)
            ),
            blend,
        )
        return blend, pullback(weights)[0]

    return run


def coincident_corners_added(result):
    """Rounding decides which of two edges in the same place is the nearest."""
    blend, gradient = result

    def add(x):
        x = jnp.asarray(np.asarray(x))  # from all devices
        if x.ndim == 3 and x.shape[1] == faces().shape[1] * 4:
            total = x[:, FLAT_TEXELS].sum(axis=1, keepdims=True)
            return x.at[:, FLAT_TEXELS].set(total)
        if x.ndim < 4:
            return x
        return x.at[:, FLAT, 1].add(x[:, FLAT, 2]).at[:, FLAT, 2].set(0)

    return blend, jax.tree.map(add, gradient)


def assert_close(got, expected, rtol=1e-4):
    """Each array within a part of its largest number."""
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        g, e = np.asarray(g), np.asarray(e)
        assert np.isfinite(g).all()
        covered = np.abs(e) < 1e30  # the logit of no face is the lowest number
        np.testing.assert_array_equal(g[~covered], e[~covered])
        largest = np.abs(e[covered]).max(initial=0)
        np.testing.assert_allclose(g[covered], e[covered], rtol=0, atol=rtol * largest)


KINDS = {
    "corners": {"kind": "corners", "light": True},
    "surface": {"kind": "surface", "light": True},
    "image": {"kind": "image", "light": True},
    "face, many channels": {"kind": "face", "channels": 5},
}


def assert_equals_the_reference(draw, name):
    """On all that can be wrong with a face, in value and gradient."""
    inputs, lookup = scene(**KINDS[name])
    got = jax.jit(with_gradients(draw, task(lookup)))(inputs)
    reference = with_gradients(blend_reference.blend_reference, task(lookup))
    expected = jax.jit(reference)(inputs)
    assert_close(coincident_corners_added(got), coincident_corners_added(expected))


def assert_leaves_to_xla(draw, call):
    """Double precision, and nothing to draw.

    Args:
        draw: the kernels.
        call: what a jaxpr shows of them; needs `jax.enable_x64`.
    """
    inputs, lookup = scene("corners")
    double = jax.tree.map(lambda x: x[:1].astype(float), inputs)
    draw = functools.partial(draw, task=task(lookup))
    assert call in str(jax.make_jaxpr(draw)(inputs))
    assert call not in str(jax.make_jaxpr(draw)(double))
    nothing = inputs._replace(
        face_vertices=inputs.face_vertices[:, :0],
        attributes=shading.Attributes(jnp.zeros((2, 0, 3, 3), jnp.float32)),
    )
    assert call not in str(jax.make_jaxpr(draw)(nothing))


def assert_devices_draw_their_own_images(draw, kind, count):
    """Of a mesh of a kind of axis, with the same bytes as one device."""
    if jax.device_count() < count:
        pytest.skip(f"needs {count} devices")
    inputs, lookup = scene("corners")
    inputs = jax.tree.map(lambda x: jnp.concatenate([x, x]), inputs)
    run = with_gradients(draw, task(lookup))
    mesh = jax.make_mesh((count,), ("data",), axis_types=(kind,))
    spread = jax.device_put(inputs, NamedSharding(mesh, P("data")))
    # without `jax.set_mesh`: explicit axes are known from types alone
    compiled = jax.jit(run).lower(spread).compile()
    got = compiled(spread)
    assert "all-gather" not in str(compiled.as_text())
    got = jax.tree.map(np.asarray, got)
    # as many images at a time as a device has, and all of them
    for many in (len(inputs.sigma) // count, len(inputs.sigma)):
        alone = jax.jit(run)
        starts = range(0, len(inputs.sigma), many)
        rows = [slice(start, start + many) for start in starts]
        parts = [alone(jax.tree.map(operator.itemgetter(k), inputs)) for k in rows]
        expected = jax.tree.map(lambda *x: np.concatenate(x), *parts)
        as_many = many < len(inputs.sigma) and jax.__version_info__ < (0, 12)
        if as_many or jax.default_backend() == "gpu":
            assert_same_bytes(*map(jax.tree.leaves, (got, expected)))
        else:  # what XLA makes of the interpreted kernels depends on what is around
            assert_close(
                coincident_corners_added(got), coincident_corners_added(expected)
            )


def assert_spheres_equal(draw, faces, size):
    """As `blend_xla`, and the same bytes twice."""
    vertices = jnp.asarray(bench_inputs.face_vertices(3, faces))
    colors = jnp.asarray(np.random.default_rng(0).uniform(size=vertices.shape))
    small = jnp.full(3, 1e-4, jnp.float32)
    attributes = shading.Attributes(colors.astype(jnp.float32))
    inputs = blending.Scene(vertices, small, small, attributes)
    square = task(height=size, width=size)
    run = jax.jit(with_gradients(draw, square))
    got = run(inputs)
    assert_close(got, jax.jit(with_gradients(blend_xla.blend_xla, square))(inputs))
    assert_same_bytes(*map(jax.tree.leaves, (run(inputs), got)))


def assert_an_image_alone_is_as_in_a_batch(draw):
    """In its bytes."""
    inputs, lookup = scene("surface")
    draw = functools.partial(draw, task=task(lookup))
    alone = jax.tree.map(lambda x: x[1:], inputs)
    batch = jax.jit(draw)(inputs)
    assert_same_bytes(jax.jit(draw)(alone), [x[1:] for x in batch])
    singly = jax.vmap(lambda scene: draw(jax.tree.map(lambda x: x[None], scene)))
    assert_same_bytes(
        jax.tree.leaves(jax.jit(singly)(inputs)), [x[:, None] for x in batch]
    )


def assert_order_of_faces_is_of_no_consequence(draw):
    """Not for a byte, with 50,000 faces on 16 x 16 pixels: sums are exact."""
    rng = np.random.default_rng(0)
    count = 50_000
    corners = rng.uniform(-0.9, 0.9, (1, count, 1, 2))
    corners = corners + rng.uniform(-0.01, 0.01, (1, count, 3, 2))
    depth = rng.uniform(2, 3, (1, count, 1, 1)) * np.ones((3, 1))
    vertices = np.concatenate([corners, depth], -1).astype(np.float32)
    values = rng.uniform(size=(1, count, 1, 3)).astype(np.float32)

    def of(order):
        small, large = (jnp.full(1, x, jnp.float32) for x in (1e-6, 1e-2))
        attributes = shading.Attributes(jnp.asarray(values[:, order]))
        faces = jnp.asarray(vertices[:, order])
        return blending.Scene(faces, small, large, attributes)

    square = task(height=16, width=16)
    run = jax.jit(functools.partial(draw, task=square))
    order = np.arange(count)
    blend = run(of(order))
    assert_same_bytes(run(of(rng.permutation(count))), blend)
    reference = jax.jit(blend_xla.blend_xla, static_argnums=1)
    assert_close(blend, reference(of(order), square))
