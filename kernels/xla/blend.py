"""Soft images over an exact work list: portable, and the fast path on a CPU."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import linear
from jaxsoftras.kernels import pairs, shading
from jaxsoftras.kernels.scene import Blend, Scene, Softmax, Task
from jaxsoftras.kernels.xla import walk as walks
from jaxsoftras.kernels.xla import worklist


def _log(probability: jax.Array) -> jax.Array:
    """Logarithm, defined as 0 at 0 so that the derivative is finite there."""
    return jnp.log(jnp.where(probability > 0, probability, 1))


def _relative(pair: pairs.Pair, items: worklist.Items, level: jax.Array) -> jax.Array:
    """Nearness against a level ``[K, h, w]``; -inf where there is no colour."""
    colored = pair.colored & items.valid[:, None, None] & (pair.probability > 0)
    relative = pair.nearness - level
    # The level is the greatest nearness up to the rounding of a second computation.
    relative = relative - lax.stop_gradient(jnp.maximum(relative, 0))
    # Smaller exponentials vanish in the rounding of the sum; and they are denormal
    # numbers, with which a CPU computes a hundred times slower.
    lost = 0.9 * math.log(jnp.finfo(relative.dtype).tiny)
    return jnp.where(colored & (relative > lost), relative, -jnp.inf)


def _forward(scene: Scene, walk: walks.Walk) -> tuple[Blend, Softmax | None]:
    lowest = float(jnp.finfo(scene.face_vertices.dtype).min)

    def first_pass(carry, items, faces):
        total, highest = carry
        covered = walk.cover(items, faces)
        if walk.task.lookup.transparent:
            footprint = walk.footprint(scene, items, faces, covered)
            texels = walk.look_up(scene, footprint)
            pair, _ = walk.shade(scene, faces, covered, texels)
        else:
            pair = walk.contribute(scene, faces, covered)
        total = walk.add_to_tiles(total, items, pair.contribution)
        if highest is not None:
            nearness = lax.stop_gradient(pair.nearness)
            nearness = jnp.where(pair.colored, nearness, lowest)
            highest = highest.at[items.tile].max(nearness, mode="drop")
        return total, highest

    attributes = scene.attributes
    highest = None if attributes is None else walk.blank(scene, fill=lowest)
    total, highest = walk.fold(first_pass, (walk.blank(scene), highest), scene)
    if attributes is None:
        return Blend(worklist.from_tiles(total, walk.grid)), None

    def second_pass(sums, items, faces):
        covered = walk.cover(items, faces)
        footprint = walk.footprint(scene, items, faces, covered)
        texels = walk.look_up(scene, footprint)
        pair, color = walk.shade(scene, faces, covered, texels)
        level = worklist.gather_tiles(highest, items)
        relative = _relative(pair, items, level)
        # XLA computes an exponential once, and a product again for each channel.
        weight = jnp.exp(relative + _log(pair.probability))[:, None]
        values = jnp.concatenate([weight, weight * color], axis=1)
        return walk.add_to_tiles(sums, items, values)

    channels = attributes.channels - walk.task.lookup.transparent
    sums = walk.blank(scene, 1 + channels)
    sums = walk.fold(second_pass, sums, scene)
    weight, color = sums[:, :1], sums[:, 1:]
    any_face = weight > 0
    divisor = jnp.where(any_face, weight, 1)
    log_sum = jnp.log(divisor[:, 0])
    logit = jnp.where(any_face[:, 0], highest + log_sum, lowest)
    image = Blend(
        worklist.from_tiles(total, walk.grid),
        worklist.from_tiles(logit, walk.grid),
        worklist.from_tiles(color / divisor, walk.grid),
    )
    level, log_sum = (worklist.from_tiles(a, walk.grid) for a in (highest, log_sum))
    return image, Softmax(level, log_sum)


def _backward(
    scene: Scene,
    color: jax.Array | None,
    softmax: Softmax | None,
    cotangent: Blend,
    walk: walks.Walk,
) -> Scene:
    """Computes the cotangent of the scene.

    With D_j the probability, n_j the nearness and C_j the colour of face j, e_j =
    exp(n_j - logit) and p_j = D_j e_j: ``d color / d C_j = p_j``, ``d logit / d n_j =
    p_j``, ``d color / d n_j = p_j (C_j - color)``, and the same for D_j with e_j in
    place of p_j. The rest is the derivative of one pair, which JAX takes.
    """
    by_total, by_logit, by_color, color, level, log_sum = (
        None if image is None else worklist.pad_for_windows(image)
        for image in (*cotangent, color, *(softmax or (None, None)))
    )

    def visit(carry, items: worklist.Items, faces: walks.ItemFaces):
        gradients, texel_gradients = carry

        def pair_values(faces, texels) -> tuple[list[jax.Array], pairs.Pair]:
            covered = walk.cover(items, faces)
            if color is None:
                pair = walk.contribute(scene, faces, covered)
                return [pair.contribution], pair
            pair, shade = walk.shade(scene, faces, covered, texels)
            return [pair.contribution, pair.probability, pair.nearness, shade], pair

        def at(image):
            return worklist.gather_windows(image, items)

        covered = walk.cover(items, faces)
        footprint = walk.footprint(scene, items, faces, covered)
        values, pullback, pair = jax.vjp(
            pair_values, faces, walk.look_up(scene, footprint), has_aux=True
        )
        cotangents = [jnp.where(items.valid[:, None, None], at(by_total), 0)]
        if color is not None:
            by_channel = at(by_color)
            pull = at(by_logit) + jnp.sum(by_channel * (values[3] - at(color)), axis=1)
            relative = _relative(pair, items, at(level)) - at(log_sum)
            weight = jnp.exp(relative + _log(values[1]))
            cotangents += [
                jnp.exp(relative) * pull,
                weight * pull,
                weight[:, None] * by_channel,
            ]
        by_faces, by_texels = pullback(lax.optimization_barrier(cotangents))
        gradients = jax.tree.map(
            lambda total, new: walks.add(total, items.face, new, index_sorted=True),
            gradients,
            by_faces,
        )
        if footprint is not None:
            by_texels = jnp.moveaxis(by_texels.values, -3, -1)
            in_use = items.valid[:, None, None]
            index = jnp.where(in_use, footprint, len(texel_gradients))
            texel_gradients = walks.add(
                texel_gradients,
                index.reshape(-1),
                by_texels.reshape(-1, by_texels.shape[-1]),
                index_sorted=False,
            )
        return gradients, texel_gradients

    batch, count = scene.face_vertices.shape[:2]
    attributes = scene.attributes or shading.Attributes(None)

    def zeros(*shape: int) -> jax.Array:
        return jnp.zeros_like(scene.face_vertices, shape=shape)

    per_face = batch * count
    texels = attributes.texels
    faces, texel_gradients = walk.fold(
        visit,
        (
            walks.ItemFaces(
                zeros(per_face, *scene.face_vertices.shape[2:]),
                zeros(per_face),
                zeros(per_face),
                *(
                    None if a is None else zeros(per_face, *a.shape[2:])
                    for a in (attributes.values, attributes.light)
                ),
            ),
            None
            if texels is None
            else zeros(texels.shape[0] * texels.shape[1], texels.shape[2]),
        ),
        scene,
        windows=True,
    )

    def shaped(gradient, like):
        return None if gradient is None else gradient.reshape(like.shape)

    return Scene(
        faces.vertices.reshape(scene.face_vertices.shape),
        jnp.sum(faces.sigma.reshape(batch, count), axis=1),
        jnp.sum(faces.gamma.reshape(batch, count), axis=1),
        None
        if scene.attributes is None
        else shading.Attributes(
            shaped(faces.values, attributes.values),
            shaped(texel_gradients, attributes.texels),
            shaped(faces.light, attributes.light),
        ),
    )


def output_ranks(scene: Scene) -> tuple[Blend, Softmax | None]:
    """Arrays with as many axes as the results of `forward` have."""
    image = scene.sigma[:, None, None]
    if scene.attributes is None:
        return Blend(image), None
    return Blend(image, image, image[None]), Softmax(image, image)


def forward(scene: Scene, task: Task) -> tuple[Blend, Softmax | None]:
    """The image of `blend`, and the normalizer of its weights.

    JAX can differentiate it forwards only.
    """
    run = walks.walk_by_image(_forward, task, walks.choose_chunks(scene), output_ranks)
    return run(scene)


def backward(
    scene: Scene,
    color: jax.Array | None,
    softmax: Softmax | None,
    cotangent: Blend,
    task: Task,
) -> Scene:
    """Computes the cotangent of the scene from the cotangent of its image.

    JAX can differentiate it forwards only.
    """
    run = walks.walk_by_image(
        _backward, task, walks.choose_chunks(scene), lambda scene, *_: scene
    )
    return run(scene, color, softmax, cotangent)


def derivative(
    scene: Scene,
    image: Blend,
    softmax: Softmax | None,
    change: Scene,
    task: Task,
    pull: Callable[[Scene, jax.Array | None, Softmax | None, Blend], Scene],
) -> Blend:
    """Computes the derivative of an image along a change of its scene.

    Args:
        scene: a batch of faces.
        image: of the scene, by any backend.
        softmax: normalizer of its weights.
        change: of the scene.
        task: the image to render.
        pull: maps the scene, colour, normalizer and cotangent of the image to the
            cotangent of the scene, for reverse mode.
    """

    def along(residuals, change):
        def draw(scene):
            return forward(scene, task)[0]

        return jax.jvp(draw, residuals[:1], (change,))[1]

    def back(residuals, cotangent):
        scene, color, softmax = residuals
        return pull(scene, color, softmax, cotangent)

    return linear.call(
        along,
        back,
        residuals=(scene, image.color, softmax),
        values=change,
        like=image,
    )


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _blend(scene: Scene, task: Task) -> Blend:
    return forward(scene, task)[0]


@_blend.defjvp
def _(task, primals, tangents):
    (scene,) = primals
    image, softmax = forward(scene, task)
    pull = functools.partial(backward, task=task)
    return image, derivative(scene, image, softmax, tangents[0], task, pull)


def blend(scene: Scene, task: Task) -> Blend:
    """Renders soft images, equal to the reference in value and gradient.

    Args:
        scene: a batch of faces.
        task: the image to render.

    Returns:
        See `Blend`.
    """
    return _blend(scene, task)
