"""The Pallas kernels of the soft picture: they walk the pixels of each face.

They are the same for Triton and for Mosaic GPU. What differs is how a program finds its
faces, its pixels and its memory: that is a *run*, `triton_run.Run` or `mosaic_run.Run`.
What a pair of a face and a pixel amounts to is written as elementwise functions, which
take every array as an argument: Mosaic makes them scalar code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jaxsoftras.kernels import pairs
from jaxsoftras.kernels.pallas import colors as pair_color
from jaxsoftras.kernels.scene import Task


class Pixels(Protocol):
    """A pixel for each lane of a run.

    Attributes:
        x: its centre, NDC.
        y: its centre, NDC.
        inside: whether there is one.
    """

    x: jax.Array
    y: jax.Array
    inside: Any


class Run(Protocol):
    """What a program of the GPU knows and does.

    Attributes:
        task: what to draw.
        layout: of the attributes; None for alpha alone.
        face_count: of the image.
        sigma: of the image.
        gamma: of the image.
        depth_unit: sums of all faces' shares in alpha are exact in multiples of this.
        weight_unit: the same for sums of numbers of at most 1.
    """

    task: Task
    layout: pair_color.Layout | None
    face_count: int
    sigma: jax.Array
    gamma: jax.Array
    depth_unit: float
    weight_unit: float

    def each_face(self, visit: Callable[..., None]) -> None:
        """Calls ``visit(face, due, triangle, walk, lanes)`` for some faces at a time.

        These are their numbers, whether their result is due now, their corners,
        ``walk(function, state) -> state`` with ``function(state, pixels) -> state``,
        and in how many lanes each is walked.
        """
        ...

    def each(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What an elementwise function of pytrees of arrays returns."""
        ...

    def spread(self, tree: Any, face: jax.Array, lanes: int) -> Any:
        """Arrays that belong to faces or to the image, for each of their lanes."""
        ...

    def attributes(self, face: jax.Array) -> pair_color.Colors:
        """The attributes of faces."""
        ...

    def texels(self, index: list[jax.Array], counts: Any) -> list[list[jax.Array]]:
        """For each texel, each channel."""
        ...

    def at(self, image: Any, pixels: Pixels) -> jax.Array:
        """What a picture of one channel has at pixels."""
        ...

    def scale(self, numbers: Any, channel: int) -> jax.Array:
        """A number of the image."""
        ...

    def add(
        self, sums: Any, pixels: Pixels, channel: int, values, counts, unit
    ) -> None:
        """Adds to a picture, exactly, values rounded to multiples of a unit."""
        ...

    def lower(self, least: Any, pixels: Pixels, values, counts) -> None:
        """Lowers numbers of a picture to these, none of them negative."""
        ...

    def add_to_texels(
        self, sums: Any, index: jax.Array, channel: int, values, counts, unit
    ) -> None:
        """Adds to texels as `add` does to a picture."""
        ...

    def write(self, found: Any, face: jax.Array, due, columns, lanes: int) -> None:
        """Writes the sums over each face's lanes, for the faces that are due.

        Args:
            found: where.
            face: numbers of the faces.
            due: which are due.
            columns: lists of values, a list for each part of what is found.
            lanes: of a face.
        """
        ...


def evaluate(run: Run, pixels: Pixels, triangle, sigma, gamma) -> pairs.Pair:
    """`pairs.evaluate` for a run's rules."""
    return pairs.evaluate(
        run.task.rules,
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
    """Adds up the faces' shares in alpha, and finds the largest weight of a colour.

    The latter, unless ``least`` is None, as its negative logarithm, which is not
    negative.
    """

    def of_pair(pixels, triangle, sigma, gamma):
        pair = evaluate(run, pixels, triangle, sigma, gamma)
        colored = _colored(pair, pixels)
        remote = -pair.nearness - _log_probability(pair, colored)
        return pair.share, pixels.inside & (pair.share > 0), remote, colored

    def visit(_face, _due, triangle, walk, _lanes):
        def add(state, pixels):
            share, counts, remote, colored = run.each(
                of_pair, pixels, triangle, run.sigma, run.gamma
            )
            run.add(total, pixels, 0, share, counts, run.depth_unit)
            if least is not None:
                run.lower(least, pixels, remote, colored)
            return state

        walk(add, ())

    run.each_face(visit)


def color_kernel(run: Run, level: Any, scale: Any, weights: Any, sums: Any) -> None:
    """Adds up weights, and weighted colours."""
    layout = run.layout
    assert layout is not None
    units = [run.weight_unit * run.scale(scale, c) for c in range(layout.channels)]

    def weigh(pixels, triangle, sigma, gamma, level, colors, face):
        pair = evaluate(run, pixels, triangle, sigma, gamma)
        weight = _weight(pair, _colored(pair, pixels), level)
        index = pair_color.texels_at(layout, pair.weights, colors, face)
        # less is lost in the sum, whose largest term is 1
        return weight, weight >= run.weight_unit, pair.weights, index

    def shade(weight, coordinates, colors, texels):
        shades = pair_color.shade(layout, coordinates, colors, texels)
        return [weight * shade for shade in shades]

    def visit(face, _due, triangle, walk, _lanes):
        colors = run.attributes(face)

        def add(state, pixels):
            at_pixels = run.at(level, pixels)
            weight, counts, coordinates, index = run.each(
                weigh, pixels, triangle, run.sigma, run.gamma, at_pixels, colors, face
            )
            texels = run.texels(index, counts)
            shaded = run.each(shade, weight, coordinates, colors, texels)
            run.add(weights, pixels, 0, weight, counts, run.weight_unit)
            for c, (term, unit) in enumerate(zip(shaded, units, strict=True)):
                run.add(sums, pixels, c, term, counts, unit)
            return state

        walk(add, ())

    run.each_face(visit)


class Cotangents(NamedTuple):
    """What the gradient of a face needs to know of the pixels.

    Attributes:
        total: ``[B, H, W]`` cotangent of `Blend.total`.
        level: ``[B, H, W]`` `Softmax.level`; None, as the following, for alpha alone.
        base: ``[B, H, W]`` cotangent of `Blend.logit`, minus the sum over channels of
            cotangent times colour, over the sum of weights.
        color: for each channel of `Blend.color`, ``[B, H, W]`` its cotangent over the
            sum of weights.
    """

    total: Any
    level: Any = None
    base: Any = None
    color: Any = None


class _FaceInputs(NamedTuple):
    """What the pairs of a face are differentiated by."""

    triangle: pairs.Triangle
    sigma: jax.Array
    gamma: jax.Array
    colors: pair_color.Colors | None
    texels: list[list[jax.Array]]

    def columns(self) -> list[list[jax.Array]]:
        """Of vertices, sigma, gamma, and the attributes' values and light."""
        x0, y0, x1, y1, x2, y2 = self.triangle.corners
        z0, z1, z2 = self.triangle.depths
        columns = [[x0, y0, z0, x1, y1, z1, x2, y2, z2], [self.sigma], [self.gamma]]
        if self.colors is not None:
            columns += [jax.tree.leaves(x) for x in self.colors]
        return columns


def gradient_kernel(
    run: Run, cotangents: Cotangents, texel_unit: Any, by_texels: Any, found: Any
) -> None:
    """The gradients of faces; see `blend_xla` for how a pair's follows."""
    layout = run.layout
    has_texels = layout is not None and layout.lookup.kind != "values"

    def zeros(inputs):
        return jax.tree.map(jnp.zeros_like, inputs)

    def find_texels(pixels, inputs, face):
        weights = evaluate(
            run, pixels, inputs.triangle, inputs.sigma, inputs.gamma
        ).weights
        return pair_color.texels_at(layout, weights, inputs.colors, face)

    def add_pair(sums, pixels, inputs, pulled):
        def of_pair(inputs):
            pair = evaluate(run, pixels, inputs.triangle, inputs.sigma, inputs.gamma)
            values = [pair.share]
            if layout is not None:
                values += [pair.probability, pair.nearness]
                values += pair_color.shade(
                    layout, pair.weights, inputs.colors, inputs.texels
                )
            return values, pair

        values, pullback, pair = jax.vjp(of_pair, inputs, has_aux=True)
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

    def visit(face, due, triangle, walk, lanes):
        colors = run.attributes(face) if layout is not None else None
        inputs = _FaceInputs(triangle, run.sigma, run.gamma, colors, [])
        inputs = run.spread(inputs, face, lanes)

        def add(sums, pixels):
            index = run.each(find_texels, pixels, inputs, face) if has_texels else []
            texels = run.texels(index, pixels.inside)
            pulled = Cotangents(run.at(cotangents.total, pixels))
            if layout is not None:
                pulled = pulled._replace(
                    level=run.at(cotangents.level, pixels),
                    base=run.at(cotangents.base, pixels),
                    color=[run.at(channel, pixels) for channel in cotangents.color],
                )
            sums, of_texels, colored = run.each(
                add_pair, sums, pixels, inputs._replace(texels=texels), pulled
            )
            for place, of_channels in zip(index, of_texels, strict=True):
                for c, values in enumerate(of_channels):
                    unit = run.scale(texel_unit, c)
                    run.add_to_texels(by_texels, place, c, values, colored, unit)
            return sums

        sums = walk(add, run.each(zeros, inputs))
        run.write(found, face, due, sums.columns(), lanes)

    run.each_face(visit)
