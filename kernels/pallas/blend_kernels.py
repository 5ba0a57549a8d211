"""The Pallas kernels of soft images, for any backend: they walk each face's pixels.

The contribution of a face-pixel pair is written as elementwise functions that take
every array as an argument, because Mosaic turns them into scalar code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxsoftras.kernels import pairs
from jaxsoftras.kernels.pallas import colors as face_colors
from jaxsoftras.kernels.pallas.backend import Cotangents, Pixels, Run


def evaluate(run: Run, pixels: Pixels, triangle, sigma, gamma) -> pairs.Pair:
    """`pairs.evaluate` with the options of a run."""
    return pairs.evaluate(
        run.task.options,
        pixels.x,
        pixels.y,
        triangle,
        sigma,
        gamma,
        face_count=run.face_count,
    )


def _colored(pair: pairs.Pair, pixels: Pixels) -> jax.Array:
    return pair.colored & pixels.inside & (pair.probability > 0)


def _log_probability(pair: pairs.Pair, colored: jax.Array) -> jax.Array:
    return jnp.log(jnp.where(colored, pair.probability, 1))


def _weight(pair: pairs.Pair, colored: jax.Array, level: jax.Array) -> jax.Array:
    """The weight of a face's colour, relative to the largest one, and so at most 1."""
    # A second computation may round nearness differently.
    logarithm = pair.nearness + _log_probability(pair, colored) - level
    return jnp.where(colored, jnp.exp(jnp.minimum(logarithm, 0)), 0)


def total_kernel(run: Run, total: Any, least: Any) -> None:
    """Sums the faces' contributions to alpha, and finds the largest weight of a colour.

    Unless ``least`` is None, the weight is written as its negative logarithm, which is
    not negative.
    """

    def evaluate_pair(pixels, triangle, sigma, gamma):
        pair = evaluate(run, pixels, triangle, sigma, gamma)
        colored = _colored(pair, pixels)
        remoteness = -pair.nearness - _log_probability(pair, colored)
        counts = pixels.inside & (pair.contribution > 0)
        return pair.contribution, counts, remoteness, colored

    def visit(_face, _writes, triangle, walk, _lanes):
        def add(state, pixels):
            contribution, counts, remoteness, colored = run.map_elementwise(
                evaluate_pair, pixels, triangle, run.sigma, run.gamma
            )
            run.add(total, pixels, 0, contribution, counts, run.depth_quantum)
            if least is not None:
                run.atomic_min(least, pixels, remoteness, colored)
            return state

        walk(add, ())

    run.each_face(visit)


def color_kernel(run: Run, level: Any, scales: Any, weights: Any, sums: Any) -> None:
    """Sums weights, and weighted colours."""
    layout = run.layout
    assert layout is not None
    quanta = [run.weight_quantum * run.scale(scales, c) for c in range(layout.channels)]

    def weigh(pixels, triangle, sigma, gamma, level, colors, face):
        pair = evaluate(run, pixels, triangle, sigma, gamma)
        weight = _weight(pair, _colored(pair, pixels), level)
        index = face_colors.find_texels(layout, pair.weights, colors, face)
        # a smaller weight is lost in the sum, whose largest term is 1
        return weight, weight >= run.weight_quantum, pair.weights, index

    def shade(weight, coordinates, colors, texels):
        shades = face_colors.shade(layout, coordinates, colors, texels)
        return [weight * shade for shade in shades]

    def visit(face, _writes, triangle, walk, _lanes):
        colors = run.attributes(face)

        def add(state, pixels):
            level_there = run.load(level, pixels)
            weight, counts, coordinates, index = run.map_elementwise(
                weigh, pixels, triangle, run.sigma, run.gamma, level_there, colors, face
            )
            texels = run.texels(index, counts)
            shaded = run.map_elementwise(shade, weight, coordinates, colors, texels)
            run.add(weights, pixels, 0, weight, counts, run.weight_quantum)
            for c, (term, quantum) in enumerate(zip(shaded, quanta, strict=True)):
                run.add(sums, pixels, c, term, counts, quantum)
            return state

        walk(add, ())

    run.each_face(visit)


class _FaceInputs(NamedTuple):
    """The arrays by which the pairs of a face are differentiated."""

    triangle: pairs.Triangle
    sigma: jax.Array
    gamma: jax.Array
    colors: face_colors.Colors | None
    texels: list[list[jax.Array]]

    def columns(self) -> list[list[jax.Array]]:
        """Lists for vertices, sigma, gamma, and the attributes' values and light."""
        x0, y0, x1, y1, x2, y2 = self.triangle.corners
        z0, z1, z2 = self.triangle.depths
        columns = [[x0, y0, z0, x1, y1, z1, x2, y2, z2], [self.sigma], [self.gamma]]
        if self.colors is not None:
            columns += [jax.tree.leaves(x) for x in self.colors]
        return columns


def gradient_kernel(
    run: Run, cotangents: Cotangents, texel_quanta: Any, by_texels: Any, gradients: Any
) -> None:
    """Sums the gradients of faces; `xla.blend` says how a pair's gradient follows."""
    layout = run.layout
    has_texels = layout is not None and layout.lookup.kind != "values"

    def zeros(inputs):
        return jax.tree.map(jnp.zeros_like, inputs)

    def find_texels(pixels, inputs, face):
        assert layout is not None
        pair = evaluate(run, pixels, inputs.triangle, inputs.sigma, inputs.gamma)
        return face_colors.find_texels(layout, pair.weights, inputs.colors, face)

    def add_pair(sums, pixels, inputs, pulled):
        def evaluate_pair(inputs):
            pair = evaluate(run, pixels, inputs.triangle, inputs.sigma, inputs.gamma)
            values = [pair.contribution]
            if layout is not None:
                values += [pair.probability, pair.nearness]
                values += face_colors.shade(
                    layout, pair.weights, inputs.colors, inputs.texels
                )
            return values, pair

        values, pullback, pair = jax.vjp(evaluate_pair, inputs, has_aux=True)
        colored = _colored(pair, pixels)
        pulls = [pulled.total]
        if layout is not None:
            weight = _weight(pair, colored, pulled.level)
            pull = pulled.base
            for cotangent, shade in zip(pulled.color, values[3:], strict=True):
                pull += cotangent * shade
            pull *= weight
            rate = pull / jnp.where(colored, pair.probability, 1)
            pulls += [rate, pull, *(weight * x for x in pulled.color)]
        (by_inputs,) = pullback(pulls)
        sums = jax.tree.map(jnp.add, sums, by_inputs._replace(texels=[]))
        return sums, by_inputs.texels, colored

    def visit(face, writes, triangle, walk, lanes):
        colors = run.attributes(face) if layout is not None else None
        inputs = _FaceInputs(triangle, run.sigma, run.gamma, colors, [])
        inputs = run.broadcast(inputs, face, lanes)

        def add(sums, pixels):
            index = []
            if has_texels:
                index = run.map_elementwise(find_texels, pixels, inputs, face)
            texels = run.texels(index, pixels.inside)
            pulled = Cotangents(run.load(cotangents.total, pixels))
            if layout is not None:
                pulled = pulled._replace(
                    level=run.load(cotangents.level, pixels),
                    base=run.load(cotangents.base, pixels),
                    color=[run.load(channel, pixels) for channel in cotangents.color],
                )
            sums, texel_gradients, colored = run.map_elementwise(
                add_pair, sums, pixels, inputs._replace(texels=texels), pulled
            )
            for texel, channels in zip(index, texel_gradients, strict=True):
                for c, values in enumerate(channels):
                    quantum = run.scale(texel_quanta, c)
                    run.add_to_texels(by_texels, texel, c, values, colored, quantum)
            return sums

        sums = walk(add, run.map_elementwise(zeros, inputs))
        run.write(gradients, face, writes, sums.columns(), lanes)

    run.each_face(visit)
