"""The soft picture by Pallas kernels, whichever backend of Pallas they are written for.

The weights of colours are relative to the largest one at a pixel. One pass finds that,
together with alpha; the next adds up weights and colours; and the gradient of a face,
which needs nothing but those sums, is summed in registers.
"""

from __future__ import annotations

import functools
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jaxsoftras.kernels import batching, partitioning, shading
from jaxsoftras.kernels.pallas import blend_kernels, channel_groups, fixed_point
from jaxsoftras.kernels.scene import Blend, Scene, Softmax, Task
from jaxsoftras.kernels.xla import blend as blend_xla

# The kernels count the numbers of a picture of a few channels by 32-bit integers.
_MOST_NUMBERS = 2**31 - 1
_NO_COLOR = float(jnp.finfo(jnp.float32).min)  # `Blend.logit` of no face


class Backend(Protocol):
    """What the kernels for one backend of Pallas compute; hashable, as it is static.

    Attributes:
        effects: whether its interpreter has side effects, which forbid partitioning.
    """

    effects: bool

    def total(
        self, scene: Scene, task: Task, *, interpret: bool
    ) -> tuple[jax.Array, jax.Array | None]:
        """`Blend.total`, and ``[B, H, W]`` minus the largest logarithm of a weight.

        The latter, infinite where no face has a colour, is None without attributes.
        """
        ...

    def colors(
        self, scene: Scene, level: jax.Array, task: Task, *, interpret: bool
    ) -> tuple[jax.Array, list[jax.Array]]:
        """The sum of the weights, and each of a few channels of `Blend.color`.

        All of them are ``[B, H, W]``: XLA fuses what it does to arrays of one shape.
        """
        ...

    def gradient(
        self,
        scene: Scene,
        cotangents: blend_kernels.Cotangents,
        task: Task,
        *,
        interpret: bool,
    ) -> Scene:
        """The gradient through the total and through a few channels."""
        ...


class _Setting(NamedTuple):
    """How to draw; static."""

    backend: Backend
    task: Task
    interpret: bool


def largest_color(scene: Scene) -> jax.Array:
    """What no colour exceeds in size, ``[B, C]``."""
    values, texels, light = scene.attributes
    if texels is None:
        size = fixed_point.largest(values, (1, 2))
    else:
        size = fixed_point.largest(texels, 1)
        size = jnp.repeat(size, len(scene.sigma) // len(size), axis=0)
    if light is None:
        return size
    factor, summand = jnp.split(fixed_point.largest(light, (1, 2)), 2, axis=-1)
    return size * factor + summand


def largest_texel_gradient(
    scene: Scene, cotangents: blend_kernels.Cotangents
) -> jax.Array:
    """What no pair adds to the gradient of a texel exceeds in size, ``[T, C]``."""
    sizes = [fixed_point.largest(channel, (1, 2)) for channel in cotangents.color]
    size = jnp.stack(sizes, axis=1)
    if scene.attributes.light is not None:
        factor, _ = jnp.split(scene.attributes.light, 2, axis=-1)
        size = size * fixed_point.largest(factor, (1, 2))
    textures = len(scene.attributes.texels)
    return jnp.max(size.reshape(textures, -1, size.shape[-1]), axis=1)


def columns(scene: Scene) -> list[int]:
    """How many numbers the gradient of a face has, for each array of a scene."""
    counts = [scene.face_vertices[0, 0].size, 1, 1]
    if scene.attributes is not None:
        values, _, light = scene.attributes
        counts += [x[0, 0].size for x in (values, light) if x is not None]
    return counts


def gradient_like(
    scene: Scene,
    by_face: list[jax.Array],
    sigma: jax.Array,
    gamma: jax.Array,
    texels: jax.Array | None,
) -> Scene:
    """A gradient as a `Scene`, of arrays ``[B, F, columns]`` and ``[B]``."""
    vertices, *rest = by_face
    attributes = scene.attributes
    if attributes is not None:
        values, _, light = attributes
        found = iter(rest)
        values, light = (
            None if x is None else next(found).reshape(x.shape) for x in (values, light)
        )
        attributes = shading.Attributes(values, texels, light)
    return Scene(vertices.reshape(scene.face_vertices.shape), sigma, gamma, attributes)


def _forward(scene: Scene, *, setting: _Setting) -> tuple[Blend, Softmax | None]:
    backend, task, interpret = setting
    total, least = backend.total(scene, task, interpret=interpret)
    if least is None:
        return Blend(total, None, None), None
    level = jnp.where(least < jnp.inf, -least, 0)
    # so that the sums of the one pass are gone before those of the next are made
    total, level = jax.lax.optimization_barrier((total, level))
    colors, weight = [], level
    for group in channel_groups.groups(scene):
        part = channel_groups.with_channels(scene, group)
        weight, channels = jax.lax.optimization_barrier(
            backend.colors(part, level, task, interpret=interpret)
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
    if color is None or softmax is None:
        cotangents = blend_kernels.Cotangents(cotangent.total)
        return backend.gradient(scene, cotangents, task, interpret=interpret)
    by_total, base = cotangent.total, cotangent.logit
    share = jnp.exp(-softmax.log_sum)
    parts = []
    for group in channel_groups.groups(scene):
        channels = range(color.shape[1])[group]
        own = [cotangent.color[:, c] for c in channels]
        for c, by_channel in zip(channels, own, strict=True):
            base = base - by_channel * color[:, c]
        cotangents = blend_kernels.Cotangents(
            by_total, softmax.level, base * share, [x * share for x in own]
        )
        part = channel_groups.with_channels(scene, group)
        parts.append(backend.gradient(part, cotangents, task, interpret=interpret))
        # the rest of the picture counts once
        by_total, base = jnp.zeros_like(by_total), jnp.zeros_like(base)
    return channel_groups.joined(parts)


def _on_batches(kernel, outputs, setting: _Setting):
    run = functools.partial(kernel, setting=setting)
    if not (setting.interpret and setting.backend.effects):
        run = partitioning.trees_by_image(run, outputs)
    return batching.fold_batch(run)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _picture_of(scene: Scene, setting: _Setting):
    return _on_batches(_forward, blend_xla.like_forward, setting)(scene)


@_picture_of.defjvp
def _(setting, primals, tangents):
    picture = _picture_of(*primals, setting)
    by_xla = functools.partial(blend_xla.forward, task=setting.task)
    return picture, jax.jvp(by_xla, primals, tangents)[1]


@functools.partial(jax.custom_jvp, nondiff_argnums=(4,))
def _gradient_of(scene, color, softmax, cotangent, setting: _Setting):
    run = _on_batches(_backward, lambda scene, *_: scene, setting)
    return run(scene, color, softmax, cotangent)


@_gradient_of.defjvp
def _(setting, primals, tangents):
    scene, color, _, cotangent = primals
    # The level of `blend_xla` is another one; neither has a tangent.
    _, softmax = blend_xla.forward(scene, setting.task)
    by_xla = functools.partial(blend_xla.backward, task=setting.task)
    _, tangent = jax.jvp(by_xla, (scene, color, softmax, cotangent), tangents)
    return _gradient_of(*primals, setting), tangent


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _blend(scene: Scene, setting: _Setting) -> Blend:
    return _picture_of(scene, setting)[0]


def _blend_forward(scene, setting):
    blend, softmax = _picture_of(scene, setting)
    return blend, (scene, blend.color, softmax)


def _blend_backward(setting, residuals, cotangent):
    return (_gradient_of(*residuals, cotangent, setting),)


_blend.defvjp(_blend_forward, _blend_backward)


def supports(task: Task) -> bool:
    """Whether the kernels know these rules; `blend_xla` knows all."""
    rules = task.rules
    return (rules.distribution.name, rules.conorm.name) == (
        "logistic",
        "probabilistic",
    )


def blend_pallas(
    scene: Scene, task: Task, backend: Backend, *, interpret: bool = False
) -> Blend:
    """Soft pictures, equal to `blend_reference` in value and gradient.

    Double precision, empty batches and pictures beyond 23,000 pixels along both sides
    are left to `blend_xla`.

    Args:
        scene: a batch of faces with depths.
        task: what to draw, by rules that are supported.
        backend: whose kernels draw it.
        interpret: run the kernels in Pallas' interpreter, on any device; for tests.

    Returns:
        See `Blend`.
    """
    vertices = scene.face_vertices
    numbers = task.height * task.width * channel_groups.LARGEST
    if vertices.dtype != jnp.float32 or 0 in vertices.shape or numbers > _MOST_NUMBERS:
        return blend_xla.blend_xla(scene, task)
    # Not weakly typed: under the kernels' precision a Python number would be a double.
    scene = jax.tree.map(lambda x: x.astype(jnp.float32), scene)
    return _blend(scene, _Setting(backend, task, interpret))
