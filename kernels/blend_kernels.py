"""The Pallas kernels of `blend_triton`: they walk the pixels of each face."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental.pallas import triton

from jaxsoftras.kernels import face_walk, fixed_point, pair_color, pairs
from jaxsoftras.kernels.blending import Scene
from jaxsoftras.kernels.scene_program import Program, at_pixels, of_image

# Optical depths are added as multiples of this: exactly, up to 2**13.
_DEPTH_UNIT = 2.0**-40


def _colored(pair: pairs.Pair, pixels: face_walk.Pixels) -> jax.Array:
    return pair.colored & pixels.inside & (pair.probability > 0)


def _log_probability(pair: pairs.Pair, colored: jax.Array) -> jax.Array:
    return jnp.log(jnp.where(colored, pair.probability, 1))


def _weight(pair: pairs.Pair, colored: jax.Array, level: jax.Array) -> jax.Array:
    """The weight of a face's colour, relative to the largest one, and so at most 1."""
    # A second computation may round nearness differently.
    logarithm = pair.nearness + _log_probability(pair, colored) - level
    return jnp.where(colored, jnp.exp(jnp.minimum(logarithm, 0)), 0)


def total_kernel(scene: Scene, sums, _, *, program: Program):
    """Adds up the faces' shares in alpha, and finds the largest weight of a colour.

    The latter, if asked for, as its negative logarithm, which is not negative.
    """
    total_ref, *least_ref = sums
    sigma, gamma = of_image(scene.sigma), of_image(scene.gamma)

    def visit(_face, _done, triangle, walk, _lanes):
        def add(state, pixels: face_walk.Pixels):
            pair = program.evaluate(scene, pixels, triangle, sigma, gamma)
            place = pixels.row, pixels.column
            fixed_point.add(
                total_ref,
                place,
                pair.share,
                pixels.inside & (pair.share > 0),
                _DEPTH_UNIT,
                interpret=program.interpret,
            )
            if least_ref:
                colored = _colored(pair, pixels)
                fixed_point.lower(
                    least_ref[0],
                    place,
                    -pair.nearness - _log_probability(pair, colored),
                    colored,
                    interpret=program.interpret,
                )
            return state

        walk(add, 0)

    program.each_face(visit, scene)


def color_kernel(scene: Scene, level_ref, scale_ref, sums, _, *, program: Program):
    """Adds up weights, and weighted colours: ``[1 + C, H, W]``."""
    (sums_ref,) = sums
    sigma, gamma = of_image(scene.sigma), of_image(scene.gamma)
    layout = program.layout
    unit = fixed_point.unit_for(scene.face_vertices.shape[0])
    units = [unit, *(unit * scale_ref[c] for c in range(layout.channels))]

    def visit(face, _done, triangle, walk, _lanes):
        colors = pair_color.load(scene.attributes, face, layout)

        def add(state, pixels: face_walk.Pixels):
            pair = program.evaluate(scene, pixels, triangle, sigma, gamma)
            colored = _colored(pair, pixels)
            weight = _weight(pair, colored, at_pixels(level_ref, pixels))
            # less is lost in the sum, whose largest term is 1
            counts = weight >= unit
            index = pair_color.texels_at(layout, pair.weights, colors, face)
            texels = pair_color.load_texels(
                scene.attributes.texels, index, counts, layout.channels
            )
            shades = pair_color.shade(layout, pair.weights, colors, texels)
            terms = [weight, *(weight * shade for shade in shades)]
            for k, (term, unit_of_term) in enumerate(zip(terms, units, strict=True)):
                fixed_point.add(
                    sums_ref,
                    (jnp.full_like(pixels.row, k), pixels.row, pixels.column),
                    term,
                    counts,
                    unit_of_term,
                    interpret=program.interpret,
                )
            return state

        walk(add, 0)

    program.each_face(visit, scene)


class Cotangents(NamedTuple):
    """What the gradient of a face needs to know of the pixels.

    Attributes:
        total: ``[H, W]`` cotangent of `Blend.total`.
        level: ``[H, W]`` `Softmax.level`; None, as the following, for alpha alone.
        base: ``[H, W]`` cotangent of `Blend.logit`, minus the sum over channels of
            cotangent times colour, over the sum of weights.
        color: ``[C, H, W]`` cotangent of `Blend.color`, over the sum of weights.
    """

    total: Any
    level: Any = None
    base: Any = None
    color: Any = None


class _FaceInputs(NamedTuple):
    """What the pairs of a face are differentiated by; arrays ``[R, lanes]``."""

    triangle: pairs.Triangle
    sigma: jax.Array
    gamma: jax.Array
    colors: pair_color.Colors | None
    texels: list[list[jax.Array]]


def gradient_kernel(
    scene: Scene,
    cotangents: Cotangents,
    texel_unit_ref,
    by_texels,
    by_face: Scene,
    *,
    program: Program,
):
    """The gradients of faces; see `blend_xla` for how a pair's follows."""
    sigma, gamma = of_image(scene.sigma), of_image(scene.gamma)
    layout = program.layout
    has_color = cotangents.color is not None

    def visit(face, done, triangle, walk, lanes):
        def spread(x):
            return jnp.broadcast_to(x, (face.shape[0], lanes))

        colors = pair_color.load(scene.attributes, face, layout) if has_color else None
        inputs = _FaceInputs(triangle, sigma, gamma, colors, [])
        inputs = jax.tree.map(spread, inputs)

        def evaluate(pixels: face_walk.Pixels, inputs: _FaceInputs) -> pairs.Pair:
            return program.evaluate(
                scene, pixels, inputs.triangle, inputs.sigma, inputs.gamma
            )

        def texels_of(pixels: face_walk.Pixels):
            if not has_color or layout.lookup.kind == "values":
                return [], []
            weights = evaluate(pixels, inputs).weights
            index = pair_color.texels_at(layout, weights, inputs.colors, face)
            return index, pair_color.load_texels(
                scene.attributes.texels, index, pixels.inside, layout.channels
            )

        def add(sums, pixels: face_walk.Pixels):
            def of_pair(inputs: _FaceInputs):
                pair = evaluate(pixels, inputs)
                values = [pair.share]
                if has_color:
                    values += [pair.probability, pair.nearness]
                    values += pair_color.shade(
                        layout, pair.weights, inputs.colors, inputs.texels
                    )
                return values, pair

            index, texels = texels_of(pixels)
            values, pullback, pair = jax.vjp(
                of_pair, inputs._replace(texels=texels), has_aux=True
            )
            pulls = [at_pixels(cotangents.total, pixels)]
            colored = _colored(pair, pixels)
            if has_color:
                level = at_pixels(cotangents.level, pixels)
                weight = _weight(pair, colored, level)
                own = [
                    at_pixels(cotangents.color, pixels, c)
                    for c in range(layout.channels)
                ]
                pull = at_pixels(cotangents.base, pixels)
                for cotangent, shade in zip(own, values[3:], strict=True):
                    pull += cotangent * shade
                pull *= weight
                rate = pull / jnp.where(colored, pair.probability, 1)
                pulls += [rate, pull, *(weight * cotangent for cotangent in own)]
            (by_inputs,) = pullback(pulls)
            for place, channels in zip(index, by_inputs.texels, strict=True):
                for c, by_texel in enumerate(channels):
                    fixed_point.add(
                        by_texels[0],
                        (place, jnp.full_like(place, c)),
                        by_texel,
                        colored,
                        texel_unit_ref[c],
                        interpret=program.interpret,
                    )
            return jax.tree.map(jnp.add, sums, by_inputs._replace(texels=[]))

        sums = walk(add, jax.tree.map(jnp.zeros_like, inputs))
        _store(by_face, face, done, sums)

    program.each_face(visit, scene)


def _store(by_face: Scene, face: jax.Array, done: jax.Array, sums: _FaceInputs):
    """Writes what the lanes add up to, for the faces that are done."""
    x0, y0, x1, y1, x2, y2 = sums.triangle.corners
    z0, z1, z2 = sums.triangle.depths
    columns = [
        (by_face.face_vertices, [x0, y0, z0, x1, y1, z1, x2, y2, z2]),
        (by_face.sigma, [sums.sigma]),
        (by_face.gamma, [sums.gamma]),
    ]
    if by_face.attributes is not None:
        colors = sums.colors
        columns += [
            (by_face.attributes.values, jax.tree.leaves(colors.values)),
            (by_face.attributes.light, jax.tree.leaves(colors.light)),
        ]
    for ref, values in columns:
        for k, value in enumerate(values):
            # past the end for faces that are not done: Pallas' interpreter drops it
            place = jnp.where(done, face, ref.shape[0])
            total = jnp.sum(value, axis=1, keepdims=True)
            triton.store(ref.at[place, jnp.full_like(face, k)], total, mask=done)
