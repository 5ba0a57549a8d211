"""A decoder that deforms space by fields which never fold it.

A field moves a point x of the model frame, the cube ``[-1/2, 1/2]^3``, to

    f(x) = x + sum_ijk c_ijk B(n x_1 - i) B(n x_2 - j) B(n x_3 - k),

with B the uniform cubic B-spline and c the displacements of control points, 1 / n
apart. f is injective where no coordinate of any c exceeds 1 / (K n) in size, with K =
2.479 (Choi and Lee, *Injectivity Conditions of 2D and 3D Uniform Cubic B-Spline
Functions*, Graphical Models 62, 2000). Here ``c = BOUND / n tanh(h)``, for outputs h of
a network.

The condition gives a positive Jacobian determinant everywhere. Continued by reflection,
the control points fill all space, and f, which moves no point by more than BOUND / n
along an axis, is then a bijection of it (a proper local homeomorphism is one, by
Hadamard). Under reflection, the normal displacement is odd in each face of the cube, so
that each is mapped to itself; with it the cube is, and so is any composition of fields.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxsoftras import config
from jaxsoftras.models import decoder, layers, templates

BOUND = 0.4
"""Largest displacement of a control point along an axis, in cells; below 1 / K."""


# by default, GPUs round the factors to fewer digits than the bound leaves room for
_sum = functools.partial(jnp.einsum, precision="highest")


class Folding(NamedTuple):
    """Basis functions of an axis after reflection, as sums of B-splines.

    Attributes:
        even: ``[n + 3, E]``, for displacements along the planes of reflection.
        odd: ``[n + 3, O]``, for those across, which vanish on the planes.
    """

    even: np.ndarray
    odd: np.ndarray


@functools.cache
def fold(cells: int, halved: bool) -> Folding:
    """Reflects the control points outside of an interval of n cells into it.

    The control points -1 to n + 1 have a B-spline within the interval each. Planes of
    reflection are its ends, or its middle and its upper end.

    Args:
        cells: n.
        halved: whether the lower plane lies in the middle, n then being even.
    """
    first = cells // 2 if halved else 0
    even = np.zeros((cells + 3, cells - first + 1))
    odd = np.zeros_like(even)
    for row, place in enumerate(range(-1, cells + 2)):
        sign = 1
        while not first <= place <= cells:
            place = 2 * (first if place < first else cells) - place
            sign = -sign
        even[row, place - first] = 1
        odd[row, place - first] = sign
    return Folding(even, odd[:, 1:-1])


def _shapes(cells: int, symmetric: bool) -> list[tuple[int, ...]]:
    """Numbers of control points along each axis, for each coordinate of a field."""
    return [
        tuple(_basis(cells, symmetric, axis, coordinate).shape[1] for axis in range(3))
        for coordinate in range(3)
    ]


def _basis(cells: int, symmetric: bool, axis: int, coordinate: int) -> np.ndarray:
    """Basis functions along an axis, for a coordinate of the displacement."""
    folding = fold(cells, symmetric and axis == 0)
    return folding.odd if axis == coordinate else folding.even


def count_controls(cells: Sequence[int], symmetric: bool = False) -> int:
    """Number of coordinates of the control points of fields; see `flow`."""
    return sum(math.prod(shape) for n in cells for shape in _shapes(n, symmetric))


def _b_spline(x: jax.Array) -> jax.Array:
    """The uniform cubic B-spline, with its peak at 0 and its support in (-2, 2)."""
    size = jnp.abs(x)
    wide, narrow = jnp.maximum(2 - size, 0), jnp.maximum(1 - size, 0)
    return (wide**3 - 4 * narrow**3) / 6


def _move(
    points: jax.Array, controls: list[jax.Array], cells: int, symmetric: bool
) -> jax.Array:
    """Moves points ``[N, P, 3]`` by one field; see `flow`.

    All control points are multiplied with all weights, most of them zero: on a GPU, the
    gradient of a gather would add in an order that varies.
    """
    places = np.arange(-1, cells + 2) - cells / 2
    weights = _b_spline(cells * points[..., None] - places.astype(points.dtype))
    steps = []
    for coordinate, control in enumerate(controls):
        x, y, z = (
            _sum(
                "npw,wb->npb",
                weights[..., axis, :],
                _basis(cells, symmetric, axis, coordinate).astype(points.dtype),
            )
            for axis in range(3)
        )
        lines = _sum("nijk,npk->npij", control, z)
        steps.append(_sum("npij,npj,npi->np", lines, y, x))
    return points + jnp.stack(steps, axis=-1) / cells


def flow(
    points: jax.Array,
    controls: jax.Array,
    cells: Sequence[int],
    symmetric: bool = False,
) -> jax.Array:
    """Moves points by fields, one after the other.

    Args:
        points: ``[N, P, 3]`` within the model frame.
        controls: ``[N, C]`` displacements of the control points of all fields, in
            cells, with C of `count_controls`; injective up to `BOUND` in size.
        cells: cells of each field along a side of the model frame, at least 2.
        symmetric: whether the fields are their own mirror images in x = 0, which points
            then must not be below. Numbers of cells are then even.

    Returns:
        ``[N, P, 3]`` within the model frame.
    """
    begin = 0
    for n in cells:
        field = []
        for shape in _shapes(n, symmetric):
            end = begin + math.prod(shape)
            field.append(controls[:, begin:end].reshape(controls.shape[0], *shape))
            begin = end
        points = _move(points, field, n, symmetric)
    return points


def place_by_flow(
    template: templates.Template, controls: jax.Array, cells: Sequence[int]
) -> jax.Array:
    """Vertices of `FlowDecoder`, from the outputs of its head.

    Args:
        template: the sphere, with P predicted vertices.
        controls: ``[N, C]``, of which ``BOUND tanh(h)`` are the displacements of the
            control points; see `flow`.
        cells: see `flow`.

    Returns:
        ``[N, P, 3]`` predicted vertices, model frame.
    """
    controls = BOUND * jnp.tanh(controls)
    sphere = jnp.asarray(template.vertices[template.predicted], controls.dtype)
    points = jnp.broadcast_to(sphere, (controls.shape[0], *sphere.shape))
    return flow(points, controls, cells, template.symmetric)


class FlowDecoder(decoder.Decoder):
    """A decoder whose mesh is the image of a sphere under an injective map of space.

    One linear head gives the control points of all fields of ``flow_cells``, for
    `flow`. The deformed sphere cannot meet itself; the mesh, whose flat faces
    approximate it, can where the map bends them more than they resolve. The fields of a
    symmetric template are symmetric, too. 7,603,582 parameters at full size.
    """

    def __init__(self, settings: config.Model, *, rngs: nnx.Rngs):
        """See `jaxsoftras.models.decoder.Decoder`."""
        super().__init__(settings, rngs=rngs)
        self._cells = settings.flow_cells
        self.controls = layers.linear(
            settings.decoder_hidden[-1],
            count_controls(settings.flow_cells, settings.symmetric),
            rngs,
        )

    def _predict(self, hidden: jax.Array) -> jax.Array:
        return place_by_flow(self.template, self.controls(hidden), self._cells)
