"""Soft images by Pallas kernels, for any backend of Pallas.

The weights of colours are relative to the largest one at a pixel. One pass finds that,
together with alpha; the next sums weights and colours; and the gradient of a face,
which needs nothing but those sums, is summed in registers. Silhouettes have a pass and
a gradient of their own, which are shorter.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxsoftras.kernels import batching, partitioning, shading
from jaxsoftras.kernels.pallas import channel_groups, fixed_point
from jaxsoftras.kernels.pallas.backend import Backend, Cotangents
from jaxsoftras.kernels.scene import Blend, Scene, Softmax, Task
from jaxsoftras.kernels.xla import blend as xla_blend

# The kernels index an image of a few channels with 32-bit integers.
_MOST_VALUES = 2**31 - 1
_NO_COLOR = float(jnp.finfo(jnp.float32).min)  # `Blend.logit` of no face


class _Setting(NamedTuple):
    """How to render; static."""

    backend: Backend
    task: Task
    interpret: bool


def largest_color(scene: Scene) -> jax.Array:
    """Upper bound on the size of a face's colour, ``[B, C]``."""
    assert scene.attributes is not None
    values, texels, light = scene.attributes
    if texels is not None:
        size = fixed_point.largest(texels, 1)
        size = jnp.repeat(size, len(scene.sigma) // len(size), axis=0)
    else:
        assert values is not None
        size = fixed_point.largest(values, (1, 2))
    if light is None:
        return size
    factor, summand = jnp.split(fixed_point.largest(light, (1, 2)), 2, axis=-1)
    return size * factor + summand


def largest_texel_gradient(scene: Scene, cotangents: Cotangents) -> jax.Array:
    """Upper bound on what one pair adds to a texel's gradient, ``[T, C]``."""
    assert scene.attributes is not None and scene.attributes.texels is not None
    sizes = [fixed_point.largest(channel, (1, 2)) for channel in cotangents.color]
    size = jnp.stack(sizes, axis=1)
    if scene.attributes.light is not None:
        factor, _ = jnp.split(scene.attributes.light, 2, axis=-1)
        size = size * fixed_point.largest(factor, (1, 2))
    textures = len(scene.attributes.texels)
    return jnp.max(size.reshape(textures, -1, size.shape[-1]), axis=1)


def count_columns(scene: Scene) -> list[int]:
    """Numbers in the gradient of a face, for each array of a scene."""
    counts = [scene.face_vertices[0, 0].size, 1, 1]
    if scene.attributes is not None:
        values, _, light = scene.attributes
        counts += [x[0, 0].size for x in (values, light) if x is not None]
    return counts


def as_gradient(
    scene: Scene,
    by_face: list[jax.Array],
    sigma: jax.Array,
    gamma: jax.Array,
    texels: jax.Array | None,
) -> Scene:
    """The gradient as a `Scene`, from arrays ``[B, F, columns]`` and ``[B]``."""
    vertices, *rest = by_face
    attributes = scene.attributes
    if attributes is not None:
        columns = iter(rest)
        values, light = (
            None if x is None else next(columns).reshape(x.shape)
            for x in (attributes.values, attributes.light)
        )
        attributes = shading.Attributes(values, texels, light)
    return Scene(vertices.reshape(scene.face_vertices.shape), sigma, gamma, attributes)


def _is_silhouette(scene: Scene, task: Task) -> bool:
    return scene.face_vertices.shape[-1] == 2 and task.options.soft_silhouette


def _forward(scene: Scene, *, setting: _Setting) -> tuple[Blend, Softmax | None]:
    backend, task, interpret = setting
    if _is_silhouette(scene, task):
        total = backend.silhouette(
            scene.face_vertices, scene.sigma, task, interpret=interpret
        )
        return Blend(total), None
    total, least = backend.total(scene, task, interpret=interpret)
    if least is None:
        return Blend(total), None
    level = jnp.where(least < jnp.inf, -least, 0)
    # frees the sums of this pass before the next allocates its own
    total, level = jax.lax.optimization_barrier((total, level))
    colors, weight = [], level
    for group in channel_groups.split_channels(scene):
        selected = channel_groups.select_channels(scene, group)
        weight, channels = jax.lax.optimization_barrier(
            backend.color(selected, level, task, interpret=interpret)
        )
        colors += channels
    log_sum = jnp.log(jnp.where(weight > 0, weight, 1))
    logit = jnp.where(weight > 0, level + log_sum, _NO_COLOR)
    color = jnp.stack(colors, axis=1)
    return Blend(total, logit, color), Softmax(level, log_sum)


def _backward(
    scene: Scene,
    color: jax.Array | None,
    softmax: Softmax | None,
    cotangent: Blend,
    *,
    setting: _Setting,
) -> Scene:
    backend, task, interpret = setting
    if _is_silhouette(scene, task):
        corners, sigma = backend.silhouette_gradient(
            scene.face_vertices, scene.sigma, cotangent.total, task, interpret=interpret
        )
        return Scene(corners, sigma, jnp.zeros_like(scene.gamma))
    if color is None or softmax is None:
        cotangents = Cotangents(cotangent.total)
        return backend.gradient(scene, cotangents, task, interpret=interpret)
    by_total, base = cotangent.total, cotangent.logit
    inverse_sum = jnp.exp(-softmax.log_sum)
    gradients = []
    for group in channel_groups.split_channels(scene):
        channels = range(color.shape[1])[group]
        by_channels = [cotangent.color[:, c] for c in channels]
        for c, by_channel in zip(channels, by_channels, strict=True):
            base = base - by_channel * color[:, c]
        cotangents = Cotangents(
            by_total,
            softmax.level,
            base * inverse_sum,
            [x * inverse_sum for x in by_channels],
        )
        selected = channel_groups.select_channels(scene, group)
        gradients.append(
            backend.gradient(selected, cotangents, task, interpret=interpret)
        )
        # alpha and logit contribute through the first group only
        by_total, base = jnp.zeros_like(by_total), jnp.zeros_like(base)
    return channel_groups.join_gradients(gradients)


def _batch_kernel(kernel, outputs, setting: _Setting):
    run = functools.partial(kernel, setting=setting)
    if not (setting.interpret and setting.backend.interpreter_effects):
        run = partitioning.shard_by_image(run, outputs)
    return batching.fold_batch(run)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _render(scene: Scene, setting: _Setting):
    return _batch_kernel(_forward, xla_blend.output_ranks, setting)(scene)


@_render.defjvp
def _(setting, primals, tangents):
    image = _render(*primals, setting)
    by_xla = functools.partial(xla_blend.forward, task=setting.task)
    return image, jax.jvp(by_xla, primals, tangents)[1]


@functools.partial(jax.custom_jvp, nondiff_argnums=(4,))
def _gradient(scene, color, softmax, cotangent, setting: _Setting):
    run = _batch_kernel(_backward, lambda scene, *_: scene, setting)
    return run(scene, color, softmax, cotangent)


@_gradient.defjvp
def _(setting, primals, tangents):
    scene, color, _, cotangent = primals
    # The level of `xla.blend` is another one; neither has a tangent.
    _, softmax = xla_blend.forward(scene, setting.task)
    by_xla = functools.partial(xla_blend.backward, task=setting.task)
    _, tangent = jax.jvp(by_xla, (scene, color, softmax, cotangent), tangents)
    return _gradient(*primals, setting), tangent


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _blend(scene: Scene, setting: _Setting) -> Blend:
    return _render(scene, setting)[0]


@_blend.defjvp
def _(setting, primals, tangents):
    (scene,) = primals
    image, softmax = _render(scene, setting)

    def pull(*arguments):
        return _gradient(*arguments, setting)

    change = xla_blend.derivative(
        scene, image, softmax, tangents[0], setting.task, pull
    )
    return image, change


def blend(
    scene: Scene, task: Task, *, backend: Backend, interpret: bool = False
) -> Blend:
    """Renders soft images, equal to the reference in value and gradient.

    Derivatives in forward mode, of first and second order, are left to `xla.blend`, as
    are double precision, empty batches, and images beyond 23,000 pixels along both
    sides.

    Args:
        scene: a batch of faces; without depths, for alpha alone.
        task: the image to render, by options that `dispatch.explain_unsupported`
            accepts.
        backend: whose kernels render it.
        interpret: run the kernels in Pallas' interpreter, on any device; for tests.

    Returns:
        See `Blend`.
    """
    vertices = scene.face_vertices
    values = task.height * task.width * channel_groups.LARGEST
    if vertices.dtype != jnp.float32 or 0 in vertices.shape or values > _MOST_VALUES:
        return xla_blend.blend(scene, task)
    if not _is_silhouette(scene, task):
        scene = scene.add_depths()
    # Not weakly typed: under the kernels' precision a Python number would be a double.
    scene = jax.tree.map(lambda x: x.astype(jnp.float32), scene)
    return _blend(scene, _Setting(backend, task, interpret))
