"""The soft picture on NVIDIA GPUs, by Pallas kernels for Triton.

Like those of `silhouette_triton`, the kernels walk the pixels of each face
(`face_walk`), and sums over faces are exact (`fixed_point`), so that their order does
not matter. The weights of colours are relative to the largest one at a pixel. One pass
finds that, together with alpha; the next adds up weights and colours; and the gradient
of a face, which needs nothing but those sums, is summed in registers.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels import (
    batching,
    blend_kernels,
    blend_xla,
    channel_groups,
    face_program,
    fixed_point,
    ordered_sum,
    partitioning,
    scene_program,
    shading,
)
from jaxsoftras.kernels.blending import Blend, Scene, Softmax, Task

_NO_COLOR = float(jnp.finfo(jnp.float32).min)  # `Blend.logit` of no face


def _block(task: Task, wide_from: int = 384) -> face_program.Block:
    """Faces and lanes of a program; docs/kernels.md has the timings of others.

    Args:
        task: for the size of the image: in large ones faces have more pixels.
        wide_from: from how many pixels along a side a face has all lanes.
    """
    if min(task.height, task.width) < wide_from:
        return face_program.Block(faces=2, lanes=16)
    return face_program.Block(faces=1, lanes=32)


def _largest_color(scene: Scene) -> jax.Array:
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


def _forward(
    scene: Scene, *, task: Task, interpret: bool
) -> tuple[Blend, Softmax | None]:
    like = scene.face_vertices
    shape = (like.shape[0], task.height, task.width)

    def blank(dtype, *shape, fill=0):
        return jnp.full_like(like, fill, dtype, shape=shape)

    # for the doubles of the sums, whatever precision the rest is computed in
    with jax.enable_x64(True):
        sums = [blank(jnp.float64, *shape)]
        if scene.attributes is not None:
            sums.append(blank(jnp.float32, *shape, fill=jnp.inf))
        (total, *least), _ = scene_program.call(
            blend_kernels.total_kernel,
            [scene_program.flat(scene._replace(attributes=None))],
            sums,
            program=scene_program.program_for(scene, task, _block(task), interpret),
            name="blend_total",
        )
        total = total.astype(jnp.float32)
        if not least:
            return Blend(total, None, None), None
        level = jnp.where(least[0] < jnp.inf, -least[0], 0)
        # so that the doubles of the one are gone before those of the other are made
        total, level = lax.optimization_barrier((total, level))

        colors = []
        for group in channel_groups.groups(scene):
            part = channel_groups.with_channels(scene, group)
            planes = 1 + part.attributes.channels
            block = _block(task, wide_from=128)
            (sums,), _ = scene_program.call(
                blend_kernels.color_kernel,
                [
                    scene_program.flat(part),
                    level,
                    fixed_point.power_above(_largest_color(part)),
                ],
                [blank(jnp.float64, shape[0], planes, *shape[1:])],
                program=scene_program.program_for(part, task, block, interpret),
                name="blend_color",
            )
            divisor = jnp.where(sums[:, :1] > 0, sums[:, :1], 1)
            colors.append((sums[:, 1:] / divisor).astype(jnp.float32))
        weight = sums[:, 0].astype(jnp.float32)
    log_sum = jnp.log(jnp.where(weight > 0, weight, 1))
    logit = jnp.where(weight > 0, level + log_sum, _NO_COLOR)
    color = jnp.concatenate(colors, axis=1)
    return Blend(total, logit, color), Softmax(level, log_sum)


def _texel_unit(scene: Scene, by_color: jax.Array) -> jax.Array:
    """The unit for sums of gradients of texels, ``[B, C]``."""
    images, channels, height, width = by_color.shape
    size = fixed_point.largest(by_color, (2, 3))
    if scene.attributes.light is not None:
        factor, _ = jnp.split(scene.attributes.light, 2, axis=-1)
        size = size * fixed_point.largest(factor, (1, 2))
    textures = len(scene.attributes.texels)
    each = images // textures
    size = jnp.max(size.reshape(textures, each, channels), axis=1)
    unit = fixed_point.unit_for(each * height * width) * fixed_point.power_above(size)
    return jnp.repeat(unit, each, axis=0)


def _group_gradient(
    scene: Scene, cotangents: blend_kernels.Cotangents, *, task: Task, interpret: bool
) -> Scene:
    """The gradient through the total and through some of the channels."""
    program = scene_program.program_for(scene, task, _block(task), interpret)
    attributes = scene.attributes
    columns = Scene(9, 1, 1, None)
    sums, units = [], None
    if attributes is not None:
        columns = columns._replace(
            attributes=jax.tree.map(
                lambda array: array[0, 0].size, attributes._replace(texels=None)
            )
        )
        if attributes.texels is not None:
            units = _texel_unit(scene, cotangents.color)
            sums = [jnp.zeros_like(attributes.texels, jnp.float64)]
    texels, by_face = scene_program.call(
        blend_kernels.gradient_kernel,
        [scene_program.flat(scene), cotangents, units],
        sums,
        columns,
        program=program,
        name="blend_gradient",
    )
    by_face = jax.tree.map(ordered_sum.over_parts, by_face)
    sigma, gamma = (
        ordered_sum.over_faces(x[..., 0], interpret=interpret)
        for x in (by_face.sigma, by_face.gamma)
    )
    if attributes is not None:
        texels = texels[0].astype(jnp.float32) if texels else None
        by_attributes = shading.Attributes(
            by_face.attributes.values, texels, by_face.attributes.light
        )
        attributes = jax.tree.map(
            lambda like, found: found.reshape(like.shape), attributes, by_attributes
        )
    vertices = by_face.face_vertices.reshape(scene.face_vertices.shape)
    return Scene(vertices, sigma, gamma, attributes)


def _backward(
    scene: Scene,
    color: jax.Array | None,
    softmax: Softmax | None,
    cotangent: Blend,
    *,
    task: Task,
    interpret: bool,
) -> Scene:
    def run(scene: Scene, cotangents: blend_kernels.Cotangents) -> Scene:
        # for the doubles of the texels' sums
        with jax.enable_x64(True):
            return _group_gradient(scene, cotangents, task=task, interpret=interpret)

    if color is None or softmax is None:
        return run(scene, blend_kernels.Cotangents(cotangent.total))
    by_total, base = cotangent.total, cotangent.logit
    share = jnp.exp(-softmax.log_sum)
    parts = []
    for group in channel_groups.groups(scene):
        own = cotangent.color[:, group]
        base = base - jnp.sum(own * color[:, group], axis=1)
        cotangents = blend_kernels.Cotangents(
            by_total, softmax.level, base * share, own * share[:, None]
        )
        parts.append(run(channel_groups.with_channels(scene, group), cotangents))
        # the rest of the picture counts once
        by_total, base = jnp.zeros_like(by_total), jnp.zeros_like(base)
    return channel_groups.joined(parts)


def _on_batches(kernel, outputs, task: Task, interpret: bool):
    run = functools.partial(kernel, task=task, interpret=interpret)
    return batching.fold_batch(partitioning.trees_by_image(run, outputs))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _picture_of(scene: Scene, task: Task, interpret: bool):
    run = _on_batches(_forward, blend_xla.like_forward, task, interpret)
    return run(scene)


@_picture_of.defjvp
def _(task, interpret, primals, tangents):
    picture = _picture_of(*primals, task, interpret)
    by_xla = functools.partial(blend_xla.forward, task=task)
    return picture, jax.jvp(by_xla, primals, tangents)[1]


@functools.partial(jax.custom_jvp, nondiff_argnums=(4, 5))
def _gradient_of(scene, color, softmax, cotangent, task: Task, interpret: bool):
    run = _on_batches(_backward, lambda scene, *_: scene, task, interpret)
    return run(scene, color, softmax, cotangent)


@_gradient_of.defjvp
def _(task, interpret, primals, tangents):
    scene, color, _, cotangent = primals
    # The level of `blend_xla` is another one; neither has a tangent.
    _, softmax = blend_xla.forward(scene, task)
    by_xla = functools.partial(blend_xla.backward, task=task)
    _, tangent = jax.jvp(by_xla, (scene, color, softmax, cotangent), tangents)
    return _gradient_of(*primals, task, interpret), tangent


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _blend(scene: Scene, task: Task, interpret: bool) -> Blend:
    return _picture_of(scene, task, interpret)[0]


def _blend_forward(scene, task, interpret):
    blend, softmax = _picture_of(scene, task, interpret)
    return blend, (scene, blend.color, softmax)


def _blend_backward(task, interpret, residuals, cotangent):
    return (_gradient_of(*residuals, cotangent, task, interpret),)


_blend.defvjp(_blend_forward, _blend_backward)


def supports(task: Task) -> bool:
    """Whether the kernels know these rules; `blend_xla` knows all."""
    rules = task.rules
    return (rules.distribution.name, rules.conorm.name) == (
        "logistic",
        "probabilistic",
    )


def blend_triton(scene: Scene, task: Task, *, interpret: bool = False) -> Blend:
    """Soft pictures, equal to `blend_reference` in value and gradient.

    For NVIDIA GPUs of compute capability 8.0 or higher. Double precision and empty
    batches are left to `blend_xla`.

    Args:
        scene: a batch of faces with depths.
        task: what to draw, by rules that are supported.
        interpret: run the kernels in Pallas' interpreter, on any device; for tests.

    Returns:
        See `Blend`.
    """
    if scene.face_vertices.dtype != jnp.float32 or 0 in scene.face_vertices.shape:
        return blend_xla.blend_xla(scene, task)
    # Not weakly typed: under the kernels' precision a Python number would be a double.
    scene = jax.tree.map(lambda x: x.astype(jnp.float32), scene)
    return _blend(scene, task, interpret)
