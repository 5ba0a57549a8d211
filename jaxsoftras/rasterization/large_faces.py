"""Faces far larger than the image, brought near without a change of what is seen.

Near a corner at 1e7 the numbers of single precision are 1 apart, and so are the pixels
that an edge may pass. Here an edge is its line instead: the direction of its normal and
the distance from the centre of the image, which is computed with twice the digits. If a
corner is far away, the lines that pass the image stay, and those that pass far beyond
it come nearer; the new corners are where they meet.

This costs as much as a silhouette, so that it is done only where the corners are known
to need it (see `known_faces`): in calls outside of `jax.jit`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import geometry
from jaxsoftras.kernels import shading
from jaxsoftras.rasterization.attributes import at_new_corners

_FAR = 2048.0  # NDC: corners beyond it are brought near
_REACH = 16.0  # NDC: lines that pass farther from the centre come nearer
# Sine of the angle of two lines that may meet too far away. One of them is turned,
# about the point where it passes the centre, until they meet at `_FAR`.
_NARROW = 2 * _REACH / _FAR


def are_far(faces: jax.Array) -> jax.Array:
    """Which faces ``[..., 3, D]`` have a corner that is far, and are drawn."""
    size = jnp.max(jnp.abs(faces[..., :2]), axis=(-2, -1))
    return (size > _FAR) & (size <= geometry.FARTHEST)


class Near(NamedTuple):
    """Faces whose corners are near.

    Attributes:
        corners: ``[B, F, 3, D]`` NDC, and depth if D = 3.
        weights: ``[B, F, 3, 3]`` weights of the attributes of each corner (last axis)
            at each new corner.
        far: ``[B, F]`` whether a face had a corner far away; the others are unchanged.
    """

    corners: jax.Array
    weights: jax.Array
    far: jax.Array

    def move(self, attributes: shading.Attributes) -> shading.Attributes:
        """The attributes at the new corners, of which `weights` are the weights."""
        values, texels, light = attributes
        return shading.Attributes(self._gather(values), texels, self._gather(light))

    def _gather(self, values: jax.Array | None) -> jax.Array | None:
        """``[B, F, 3, C]`` to the same; values of whole faces stay as they are."""
        if values is None or values.shape[-2] != 3:
            return values
        return at_new_corners(self.weights, values, self.far)


def _split(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The upper half of the digits of a number in single precision, and the rest."""
    bits = lax.bitcast_convert_type(x, jnp.uint32) & jnp.uint32(0xFFFFF000)
    high = lax.bitcast_convert_type(bits, jnp.float32)
    return high, x - high


@jax.custom_jvp
def _offset(ax, ay, bx, by) -> jax.Array:
    """Signed distance of the line from a to b from the origin: ``a x b / |b - a|``.

    Positive if the origin lies to the left. Products of the upper halves of the digits
    are exact.
    """
    (axh, axl), (ayh, ayl), (bxh, bxl), (byh, byl) = map(_split, (ax, ay, bx, by))
    low = (axh * byl + axl * by) - (ayh * bxl + ayl * bx)
    return ((axh * byh - ayh * bxh) + low) / _length(bx - ax, by - ay)


@_offset.defjvp
def _(primals, tangents):
    ax, ay, bx, by = primals
    ex, ey = bx - ax, by - ay
    length = _length(ex, ey)
    nx, ny = -ey / length, ex / length
    # the point where the line passes the origin, as a share of the way
    t = -(ax / length * (ex / length) + ay / length * (ey / length))
    dax, day, dbx, dby = tangents
    moved = (1 - t) * (nx * dax + ny * day) + t * (nx * dbx + ny * dby)
    return _offset(*primals), -moved


def _length(x: jax.Array, y: jax.Array) -> jax.Array:
    square = x * x + y * y
    return jnp.sqrt(jnp.where(square > 0, square, 1))


class _Line(NamedTuple):
    """``x nx + y ny + h = 0``, with a unit normal that points into the face."""

    nx: jax.Array
    ny: jax.Array
    h: jax.Array

    def height(self, x, y):
        """Distance of a point, positive within the face."""
        return x * self.nx + y * self.ny + self.h


def _meet(a: _Line, b: _Line) -> tuple[jax.Array, jax.Array]:
    sine = a.nx * b.ny - a.ny * b.nx
    sine = jnp.where(jnp.abs(sine) > 1e-12, sine, 1e-12)
    return (a.ny * b.h - b.ny * a.h) / sine, (b.nx * a.h - a.nx * b.h) / sine


def _through(line: _Line, x: jax.Array, y: jax.Array, turn: jax.Array) -> _Line:
    """Turns a line about its point nearest to the origin until it passes (x, y)."""
    fx, fy = -line.h * line.nx, -line.h * line.ny
    dx, dy = x - fx, y - fy
    length = _length(dx, dy)
    nx, ny = -dy / length, dx / length
    sign = jnp.where(nx * line.nx + ny * line.ny < 0, -1, 1)
    nx, ny = (
        jnp.where(turn, sign * n, old) for n, old in ((nx, line.nx), (ny, line.ny))
    )
    return _Line(nx, ny, -(nx * fx + ny * fy))


def _turn_to_meet(kept: _Line, line: _Line, x, y, where) -> _Line:
    """Turns a line until it meets another at `_FAR`, if they meet far beyond it.

    Args:
        kept: the other line.
        line: the line to turn.
        x: corner where they meet.
        y: corner where they meet.
        where: which lines may be turned.
    """
    sine = kept.nx * line.ny - kept.ny * line.nx
    along = x * kept.ny - y * kept.nx
    turn = where & (jnp.abs(sine) < _NARROW) & (jnp.abs(along) > _FAR)
    step = jnp.where(along > 0, _FAR, -_FAR)
    meet_x = -kept.h * kept.nx + step * kept.ny
    meet_y = -kept.h * kept.ny - step * kept.nx
    return _through(line, meet_x, meet_y, turn)


def _edges(xs: list[jax.Array], ys: list[jax.Array]):
    """Lines and lengths of the edges, edge k from corner k to the next."""
    lengths, lines = [], []
    for k in range(3):
        ax, ay, bx, by = xs[k], ys[k], xs[k - 2], ys[k - 2]
        length = _length(bx - ax, by - ay)
        normal = (ay - by) / length, (bx - ax) / length
        lengths.append(length)
        lines.append(_Line(*normal, _offset(ax, ay, bx, by)))
    area = sum(length * line.h for length, line in zip(lengths, lines, strict=True))
    sign = jnp.where(area < 0, -1, 1)
    return [_Line(*(sign * part for part in line)) for line in lines], lengths


def _bring_lines_near(lines, lengths, xs, ys) -> list[_Line]:
    """The same lines within the image, which meet near it."""
    near = [line._replace(h=jnp.clip(line.h, -_REACH, _REACH)) for line in lines]
    # the two narrow angles that a triangle may have lie at its longest edge
    longest = jnp.maximum(jnp.maximum(lengths[0], lengths[1]), lengths[2])
    is_longest = [length == longest for length in lengths]
    is_longest[1] &= ~is_longest[0]
    is_longest[2] &= ~(is_longest[0] | is_longest[1])
    turned = list(near)
    for k in range(3):  # edge k begins at corner k, where edge k - 1 ends
        x, y = xs[k], ys[k]
        turned[k] = _turn_to_meet(near[k - 1], turned[k], x, y, is_longest[k - 1])
        turned[k - 1] = _turn_to_meet(near[k], turned[k - 1], x, y, is_longest[k])
    return turned


def _barycentric(lines, lengths, x, y) -> list[jax.Array]:
    """Barycentric coordinates of a point, of sum 1."""
    # edge k - 2 lies opposite to corner k
    parts = [lines[k - 2].height(x, y) * lengths[k - 2] for k in range(3)]
    total = parts[0] + parts[1] + parts[2]
    total = jnp.where(total > 1e-12, total, 1e-12)
    return [part / total for part in parts]


def _depth(
    weights: list[jax.Array], linear: list[jax.Array], parallel: bool
) -> tuple[jax.Array, list[jax.Array]]:
    """Depth of a point, and its weights in space, from those on the screen.

    Args:
        weights: of the corners, on the screen.
        linear: reciprocal depths of the corners or, if lines of sight are parallel,
            their depths: positive numbers that are linear on the screen.
        parallel: whether they are.
    """
    least = jnp.minimum(jnp.minimum(linear[0], linear[1]), linear[2])

    def mean(weights):
        over = [w * i for w, i in zip(weights, linear, strict=True)]
        return over[0] + over[1] + over[2]

    # a corner may lie beside a face whose lines were turned; but in front of the camera
    inside = [jnp.clip(w, 0, 1) for w in weights]
    total = inside[0] + inside[1] + inside[2]
    usual = mean(weights) > 0.1 * least
    weights = [
        jnp.where(usual, w, i / total) for w, i in zip(weights, inside, strict=True)
    ]
    if parallel:
        return mean(weights), weights
    depth = 1 / mean(weights)
    return depth, [w * i * depth for w, i in zip(weights, linear, strict=True)]


def bring_near(faces: jax.Array, perspective: bool, *, parallel: bool = False) -> Near:
    """Brings far corners of faces near.

    Exact in the image, to rounding, but where two edges that nearly are parallel pass
    it and meet beyond 2048: one is turned, by their distance over 2048 (radians).

    Args:
        faces: ``[B, F, 3, D]`` corners, NDC, and depth if D = 3.
        perspective: whether attributes are linear on the face, not on the screen.
        parallel: whether depth is linear on the screen.

    Returns:
        Faces with a corner beyond `geometry.FARTHEST`, or behind the camera, are not
        changed. Neither are faces in double precision, which has digits enough.
    """
    if faces.dtype != jnp.float32:
        far = jnp.zeros_like(faces, shape=faces.shape[:-2], dtype=bool)
        return Near(faces, jnp.zeros_like(faces, shape=(*far.shape, 3, 3)), far)
    xs, ys = ([faces[..., k, axis] for k in range(3)] for axis in range(2))
    far = are_far(faces)
    linear: list[jax.Array] = []
    if faces.shape[-1] == 3:
        depths = faces[..., 2]
        in_front = (depths >= geometry.NEAREST) & jnp.isfinite(depths)
        far &= jnp.all(in_front, axis=-1)
        linear = [jnp.where(far, depths[..., k], 1) for k in range(3)]
        linear = linear if parallel else [1 / depth for depth in linear]
    # a harmless triangle elsewhere, so that derivatives stay finite
    xs = [jnp.where(far, x, other) for x, other in zip(xs, (0, 1, 0), strict=True)]
    ys = [jnp.where(far, y, other) for y, other in zip(ys, (0, 0, 1), strict=True)]
    lines, lengths = _edges(xs, ys)
    near = _bring_lines_near(lines, lengths, xs, ys)

    points, rows = [], []
    for k in range(3):
        x, y = _meet(near[k - 1], near[k])
        weights = _barycentric(lines, lengths, x, y)
        point = [x, y]
        if linear:
            depth, in_space = _depth(weights, linear, parallel)
            point.append(depth)
            weights = in_space if perspective else weights
        points.append(jnp.stack(point, axis=-1))
        rows.append(jnp.stack(weights, axis=-1))
    moved, table = jnp.stack(points, axis=-2), jnp.stack(rows, axis=-2)
    return Near(jnp.where(far[..., None, None], moved, faces), table, far)
