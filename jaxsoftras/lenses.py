"""Lenses: where a lens moves the points of the ideal plane.

A point of the ideal plane is (x, y) = (X / Z, Y / Z), x right, y up, with
``r^2 = x^2 + y^2`` and ``t = atan(r)``, its angle off the axis. The models are those of
OpenCV, there written with y down.

========= ====== ==================================================
lens      length coefficients
========= ====== ==================================================
"brown"   4      k1, k2, p1, p2
"brown"   5      k1, k2, p1, p2, k3
"brown"   8      ..., k4, k5, k6 (rational)
"brown"   12     ..., s1, s2, s3, s4 (thin prism)
"brown"   14     ..., tilts of the sensor about x and y, radians
"fisheye" 4      k1, k2, k3, k4
========= ====== ==================================================

``"brown"`` (Brown and Conrady), with coefficients that are absent as zeros ::

    f   = (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6)
    x_d = x f + 2 p1 x y + p2 (r^2 + 2 x^2) + s1 r^2 + s2 r^4
    y_d = y f + p1 (r^2 + 2 y^2) + 2 p2 x y + s3 r^2 + s4 r^4

followed, on a tilted sensor, by the central projection onto it (`_tilt`).
``"fisheye"`` (Kannala and Brandt) maps angles to distances from the centre ::

    (x_d, y_d) = (x, y) / r * t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8)

**Rim.** These polynomials hold in the field of view that they were fitted to. Farther
out many of them turn back, and would fold what lies there into the image. The rim of a
lens is the circle of the ideal plane where the distance of moved points stops to grow
(`_growth`), or r = 100 (a fisheye: 1e6) if it grows until there. A point beyond the rim
moves in proportion to r: twice as far from the axis as a point of the rim, it lands
twice as far from the centre.
"""

from __future__ import annotations

import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import checks

Lens = Literal["brown", "fisheye"]
"""``"brown"``: polynomials of the distance from the axis, for ordinary lenses.
``"fisheye"``: a polynomial of the angle off the axis."""

LENGTHS = {"brown": (4, 5, 8, 12, 14), "fisheye": (4,)}
"""Numbers of coefficients of each lens."""

_WIDEST = {"brown": 1e2, "fisheye": 1e6}  # largest r of a rim
_NARROWEST = 1e-6  # smallest r of a rim
# Coordinates are cut off here, so that second derivatives fit in single precision.
_FARTHEST = 1e12
# Least denominators, of values near 1 on the axis. They vanish at a pole of the
# rational model and at the horizon of a tilted sensor.
_LEAST_BOTTOM = 1e-3
_LEAST_DEPTH = 1e-2
# Other terms of a polynomial move the rim from the turning point of the radial factor
# only if they reach this slope.
_SMALL_SLOPE = 0.25
# Parts into which the search of the rim divides an interval, again and again.
_CELLS = 256
# Terms of the series of atan(r) / r, in double precision for r^2 up to 0.1.
_TERMS = 16


def check_distortion(distortion: jax.Array, lens: Lens) -> None:
    """Raises a ValueError unless a lens has such coefficients ``[..., K]``."""
    lengths = LENGTHS[lens]
    if not distortion.ndim or distortion.shape[-1] not in lengths:
        *others, last = [f"[..., {length}]" for length in lengths]
        raise ValueError(
            f"distortion must have the shape {', '.join(others)}"
            f"{' or ' if others else ''}{last} for a {lens} lens, not "
            f"{list(distortion.shape)}."
        )
    if distortion.shape[-1] == 14:
        checks.check_values(
            "The tilts of the sensor, the last two coefficients of distortion, must lie"
            " between -pi / 2 and pi / 2; they are in radians.",
            lambda tilts: np.abs(tilts) < np.pi / 2,
            distortion[..., -2:],
        )


def distort(plane: jax.Array, distortion: jax.Array | None, lens: Lens) -> jax.Array:
    """Moves points of the ideal plane as a lens does; the module has the formulas.

    Values and derivatives of any order are finite for all finite points.

    Args:
        plane: ``[..., N, 2]`` x and y, relative to the optical axis, y up.
        distortion: ``[..., K]`` coefficients, or None for zeros.
        lens: see `Lens`.

    Returns:
        ``[..., N, 2]`` moved points, in the same units.

    Raises:
        ValueError: a vector that the lens does not have.

    Example:
        >>> plane = jnp.array([[0.5, 0.0], [0.0, 2.0]])
        >>> print(lenses.distort(plane, jnp.array([0.1, 0, 0, 0]), "brown"))
        [[0.5125 0.    ]
         [0.     2.8   ]]
    """
    if distortion is None:
        if lens == "brown":
            return plane
        distortion = jnp.zeros(LENGTHS[lens], plane.dtype)
    distortion = jnp.asarray(distortion)
    check_distortion(distortion, lens)
    # Outside of `jax.jit`, one step after another rounds as it always has for short
    # vectors; fused sums would differ in the last bit. Longer ones take too many steps.
    short = lens == "brown" and distortion.shape[-1] <= 5
    return (_move if short else _move_at_once)(plane, distortion, lens)


def _move(plane: jax.Array, distortion: jax.Array, lens: Lens) -> jax.Array:
    rim = _find_rim(distortion, lens)[..., None]
    plane = jnp.clip(plane, -_FARTHEST, _FARTHEST)
    r2 = plane[..., 0] * plane[..., 0] + plane[..., 1] * plane[..., 1]
    # how far beyond the rim; 1 within, which leaves values there as they are
    beyond = jnp.sqrt(jnp.where(r2 <= rim * rim, 1, r2 / (rim * rim)))[..., None]
    move = _move_brown if lens == "brown" else _move_fisheye
    return move(plane / beyond, distortion[..., None, :]) * beyond


_move_at_once = jax.jit(_move, static_argnames="lens")


def _split(distortion: jax.Array, lens: Lens) -> list[jax.Array | float]:
    """Coefficients ``[...]`` of the longest vector of a lens; absent ones are 0.0."""
    given = list(jnp.moveaxis(distortion, -1, 0))
    return given + [0.0] * (max(LENGTHS[lens]) - len(given))


def _move_brown(plane: jax.Array, distortion: jax.Array) -> jax.Array:
    _, _, p1, p2, *_, s1, s2, s3, s4, tilt_x, tilt_y = _split(distortion, "brown")
    x, y = plane[..., 0], plane[..., 1]
    r2 = x * x + y * y
    top, bottom = _brown_radial(r2, distortion)
    radial = top / bottom
    x_d = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    y_d = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    if distortion.shape[-1] >= 12:
        x_d, y_d = x_d + r2 * (s1 + r2 * s2), y_d + r2 * (s3 + r2 * s4)
    if distortion.shape[-1] >= 14:
        x_d, y_d = _tilt(x_d, y_d, tilt_x, tilt_y)
    return jnp.stack([x_d, y_d], axis=-1)


def _brown_radial(
    r2: jax.Array, distortion: jax.Array
) -> tuple[jax.Array, jax.Array | float]:
    """Numerator and denominator of the factor of (x, y)."""
    k1, k2, _, _, k3, k4, k5, k6, *_ = _split(distortion, "brown")
    top = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    if distortion.shape[-1] < 8:
        return top, 1.0
    return top, 1 + r2 * (k4 + r2 * (k5 + r2 * k6))


def _tilt(x, y, tilt_x, tilt_y) -> tuple[jax.Array, jax.Array]:
    """Moves points to a sensor turned by R about the x axis, then about the y axis.

    A ray through (x, y, 1) has the direction ``(a, b, c) = R (x, y, 1)`` seen from the
    sensor, which it meets at ``R_zz (a, b) / c - (R_xz, R_yz)``: the centre stays.
    """
    sin_x, cos_x = jnp.sin(tilt_x), jnp.cos(tilt_x)
    sin_y, cos_y = jnp.sin(tilt_y), jnp.cos(tilt_y)
    turned = y * sin_x - cos_x  # minus the depth after the turn about x
    a = cos_y * x + sin_y * turned
    b = cos_x * y + sin_x
    c = sin_y * x - cos_y * turned
    zz = cos_y * cos_x
    return zz * a / c + sin_y * cos_x, zz * b / c - sin_x


def _angle_over_radius(r2: jax.Array) -> jax.Array:
    """``atan(r) / r``, smooth in r^2."""
    # Derivatives of the closed form cancel near 0; use the Taylor series there.
    near = r2 < 0.1
    r2_near = jnp.where(near, r2, 0)
    series = jnp.zeros_like(r2)
    for n in reversed(range(_TERMS)):
        series = 1 / (2 * n + 1) - r2_near * series
    r = jnp.sqrt(jnp.where(near, 1, r2))
    return jnp.where(near, series, jnp.arctan(r) / r)


def _fisheye_radial(angle2: jax.Array, distortion: jax.Array) -> jax.Array:
    """Distance from the centre over the angle off the axis, from its square."""
    k1, k2, k3, k4 = _split(distortion, "fisheye")
    return 1 + angle2 * (k1 + angle2 * (k2 + angle2 * (k3 + angle2 * k4)))


def _move_fisheye(plane: jax.Array, distortion: jax.Array) -> jax.Array:
    r2 = jnp.sum(plane * plane, axis=-1)
    ratio = _angle_over_radius(r2)
    radial = ratio * _fisheye_radial(r2 * ratio * ratio, distortion)
    return plane * radial[..., None]


def _growth(at: jax.Array, distortion: jax.Array, lens: Lens) -> jax.Array:
    """Positive where points farther from the axis land farther from the centre.

    Args:
        at: ``[...]`` radius r, or angle off the axis in a fisheye.
        distortion: ``[..., K]``.
        lens: see `Lens`.
    """
    if lens == "fisheye":

        def angle_to_distance(angle):
            return angle * _fisheye_radial(angle * angle, distortion)

        return jax.jvp(angle_to_distance, (at,), (jnp.ones_like(at),))[1]

    def radius_to_distance(r):
        top, bottom = _brown_radial(r * r, distortion)
        return r * top / bottom, bottom

    _, _, p1, p2, *_, s1, s2, s3, s4, tilt_x, tilt_y = _split(distortion, "brown")
    distance, slope, bottom = jax.jvp(
        radius_to_distance, (at,), (jnp.ones_like(at),), has_aux=True
    )
    # The other terms turn back far out, on one side of the axis.
    aside = 6 * (abs(p1) + abs(p2)) + 2 * (abs(s1) + abs(s3))
    aside = at * (aside + 4 * at * at * (abs(s2) + abs(s4)))
    # a tilted sensor has a horizon, too
    depth = jnp.cos(tilt_x) * jnp.cos(tilt_y)
    steepness = abs(jnp.sin(tilt_y)) + abs(jnp.cos(tilt_y) * jnp.sin(tilt_x))
    horizon = (1 - _LEAST_DEPTH) * depth - steepness * (distance + at * aside / 2)
    growth = jnp.minimum(slope, jnp.maximum(slope, _SMALL_SLOPE) - aside)
    return jnp.minimum(growth, jnp.minimum(bottom - _LEAST_BOTTOM, horizon))


def _last(lens: Lens) -> float:
    """Argument of `_growth` at the widest rim."""
    widest = _WIDEST[lens]
    return float(np.arctan(widest)) if lens == "fisheye" else widest


def _rim_of_angle(angle: jax.Array, lens: Lens) -> jax.Array:
    """The argument of `_growth` at an angle off the axis."""
    return angle if lens == "fisheye" else jnp.tan(angle)


def _search(distortion: jax.Array, lens: Lens) -> jax.Array:
    """First root ``[...]`` of `_growth`, or its largest argument if there is none."""
    dtype = distortion.dtype
    low = jnp.zeros(distortion.shape[:-1], dtype)
    high = jnp.full_like(low, np.arctan(_WIDEST[lens]))
    steps = jnp.arange(_CELLS + 1, dtype=dtype) / _CELLS

    def divide(_, state):
        low, high, turns = state
        angles = low[..., None] + (high - low)[..., None] * steps
        growth = _growth(_rim_of_angle(angles, lens), distortion[..., None, :], lens)
        falls = ~(growth > 0)
        found = jnp.any(falls, axis=-1)
        first = jnp.where(found, jnp.maximum(jnp.argmax(falls, axis=-1), 1), _CELLS)
        width = (high - low) / _CELLS
        return low + width * (first - 1), low + width * first, turns | found

    # each division finds 8 binary digits
    count = -(-(jnp.finfo(dtype).nmant + 1) // 8)
    state = low, high, jnp.zeros(low.shape, bool)
    low, _, turns = jax.lax.fori_loop(0, count, divide, state)
    low = jnp.maximum(low, _NARROWEST)
    return jnp.where(turns, _rim_of_angle(low, lens), _last(lens))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _turning_point(distortion: jax.Array, lens: Lens) -> jax.Array:
    """Where a lens stops to grow, ``[...]``, as an argument of `_growth`."""
    return _search(distortion, lens)


@_turning_point.defjvp
def _turning_point_jvp(lens, primals, tangents):
    """Derivative of a root: ``d at = -(d growth / d k) dk / (d growth / d at)``."""
    (distortion,), (tangent,) = primals, tangents
    at = _turning_point(distortion, lens)
    growth = functools.partial(_growth, lens=lens)
    zero = jnp.zeros_like(at)
    _, change = jax.jvp(growth, (at, distortion), (zero, tangent))
    still = jnp.zeros_like(distortion)
    _, slope = jax.jvp(growth, (at, distortion), (jnp.ones_like(at), still))
    falls = (slope < 0) & (at < _last(lens))
    return at, jnp.where(falls, -change / jnp.where(falls, slope, -1), 0)


@functools.partial(jax.jit, static_argnames="lens")
def _find_rim(distortion: jax.Array, lens: Lens) -> jax.Array:
    """Radius ``[...]`` of the rim in the ideal plane; see the module."""
    dtype = jnp.promote_types(distortion.dtype, jnp.float32)
    at = _turning_point(distortion.astype(dtype), lens)
    return jnp.tan(at) if lens == "fisheye" else at
