"""Closed, outward-oriented building blocks.

Coordinates are right-handed with +y up; every triangle runs counter-clockwise seen from
outside. Each directed edge of a solid has an opposite one, so that voxelization and
back-face culling are exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.shapes.placement import Axis, Solid, cross, rotate, translate, volume
from jaxsoftras.shapes.polygons import (
    circle,
    following,
    inset,
    rectangle,
    superellipse,
    triangulate,
)

_ORIGIN = (0.0, 0.0, 0.0)


def _outward(vertices: np.ndarray, faces: np.ndarray) -> Solid:
    """Merges equal positions, drops degenerate faces, and orients the rest outwards."""
    # + 0.0 turns -0.0 into 0.0
    rounded = np.round(vertices, 9) + 0.0
    # as np.unique with axis=0 does, in a fraction of its time
    order = np.lexsort(rounded.T[::-1])
    ordered = rounded[order]
    other = np.ones(len(ordered), bool)
    other[1:] = (ordered[1:] != ordered[:-1]).any(1)
    merged, index = ordered[other], np.empty(len(ordered), np.int64)
    index[order] = np.cumsum(other) - 1
    welded = index[faces]
    a, b, c = welded.T
    proper = (a != b) & (b != c) & (c != a)
    solid = Solid(merged, welded[proper].astype(np.int32))
    return solid if volume(solid) > 0 else Solid(merged, solid.faces[:, ::-1])


def _cap(ring: np.ndarray) -> np.ndarray:
    """Triangles that close a flat ring of points, in the ring's own direction."""
    normal = np.sum(cross(ring, following(ring)), 0)
    length = np.linalg.norm(normal)
    if length < 1e-9:  # the ring is a point or a line there and back: already closed
        return np.zeros((0, 3), np.int64)
    normal /= length
    u = cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    return triangulate(ring @ np.stack([u, cross(normal, u)], -1))


def loft(sections: ArrayLike, *, closed: bool = False) -> Solid:
    """Joins flat sections, each to the next, and caps both ends.

    A section may shrink to a point, or to a line there and back.

    Args:
        sections: ``[S, N, 3]`` rings of points, all in the same direction of rotation.
        closed: whether to join the last section to the first one instead of capping.

    Returns:
        The solid between the sections.
    """
    rings = np.asarray(sections, float)
    index = np.arange(rings[..., 0].size).reshape(rings.shape[:2])
    a = index if closed else index[:-1]
    d = following(index)[: len(a)]
    b, c = following(a.T).T, following(d.T).T
    faces = [np.stack([a, b, c], -1), np.stack([a, c, d], -1)]
    if not closed:
        faces += [_cap(rings[0])[:, ::-1], _cap(rings[-1]) + index[-1, 0]]
    return _outward(
        rings.reshape(-1, 3), np.concatenate([part.reshape(-1, 3) for part in faces])
    )


def _in_plane(polygon: np.ndarray, heights: ArrayLike, axis: Axis) -> np.ndarray:
    """Places ``[..., N, 2]`` polygons at heights ``[...]`` along an axis."""
    p, q = polygon[..., 0], polygon[..., 1]
    along = np.broadcast_to(np.asarray(heights, float)[..., None], p.shape)
    order = {"x": (along, q, p), "y": (p, along, q), "z": (p, q, along)}
    return np.stack(order[axis], -1)


def stack(polygons: ArrayLike, heights: ArrayLike, *, axis: Axis = "y") -> Solid:
    """Joins polygons that lie across an axis.

    Args:
        polygons: ``[S, N, 2]`` corners: (z, y) for axis x, (x, z) for y, (x, y) for z.
        heights: ``[S]`` position of each polygon along the axis.
        axis: the axis.

    Returns:
        The solid between the polygons.
    """
    return loft(_in_plane(np.asarray(polygons, float), heights, axis))


def extrude(
    polygon: ArrayLike,
    depth: float,
    *,
    axis: Axis = "y",
    bevel: float = 0.0,
    center: ArrayLike = _ORIGIN,
) -> Solid:
    """A prism over a simple polygon.

    Args:
        polygon: ``[N, 2]`` corners: (z, y) for axis x, (x, z) for y, (x, y) for z.
        depth: extent along the axis.
        axis: direction of the prism.
        bevel: width of the chamfer around both ends, small against all sides.
        center: ``[3]`` where the polygon's origin goes, at half the depth.

    Returns:
        The prism.
    """
    corners = np.asarray(polygon, float)
    half = depth / 2
    if bevel:
        small = inset(corners, bevel)
        rings = [small, corners, corners, small]
        heights = [-half, bevel - half, half - bevel, half]
    else:
        rings, heights = [corners, corners], [-half, half]
    return translate(stack(rings, heights, axis=axis), center)


def box(size: ArrayLike, center: ArrayLike = _ORIGIN, *, bevel: float = 0.0) -> Solid:
    """A cuboid with extents ``size`` ``[3]`` (x, y, z), its edges optionally chamfered.

    The four upright edges are cut and the top and bottom ones chamfered by ``bevel``,
    but by no more than 0.3 of the shortest extent.
    """
    width, height, depth = np.asarray(size, float)
    bevel = min(bevel, 0.3 * min(width, height, depth))
    outline = rectangle(width, depth, bevel, segments=1)
    return extrude(outline, height, bevel=bevel, center=center)


def tapered_box(
    bottom: tuple[float, float],
    top: tuple[float, float],
    height: float,
    base: ArrayLike = _ORIGIN,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Solid:
    """A block whose upper rectangle differs from the lower one.

    Args:
        bottom: extents (x, z) of the lower rectangle.
        top: extents (x, z) of the upper rectangle.
        height: extent in y.
        base: ``[3]`` centre of the lower rectangle.
        shift: displacement (x, z) of the upper rectangle.

    Returns:
        The block.
    """
    outlines = [rectangle(*bottom), rectangle(*top) + shift]
    return translate(stack(outlines, [0.0, height]), base)


def cylinder(
    radius: float,
    height: float,
    base: ArrayLike = _ORIGIN,
    *,
    top_radius: float | None = None,
    sides: int = 16,
) -> Solid:
    """A cylinder along +y, or a frustum or cone.

    Args:
        radius: radius at the bottom.
        height: extent in y.
        base: ``[3]`` centre of the bottom.
        top_radius: radius at the top, equal to ``radius`` if None; 0 makes a cone.
        sides: number of sides.

    Returns:
        The solid.
    """
    top = radius if top_radius is None else top_radius
    return translate(lathe([(radius, 0.0), (top, height)], sides=sides), base)


def lathe(profile: ArrayLike, *, sides: int = 16, closed: bool = False) -> Solid:
    """A surface of revolution around the y axis.

    Args:
        profile: ``[N, 2]`` pairs (radius, y); an end that is not on the axis is capped.
        sides: number of sides.
        closed: whether the profile is a closed outline, as for a ring or a lampshade.

    Returns:
        The solid.
    """
    radius, height = np.asarray(profile, float).T
    rings = circle(1.0, sides) * radius[:, None, None]
    return loft(_in_plane(rings, height, "y"), closed=closed)


def superellipsoid(
    size: ArrayLike,
    center: ArrayLike = _ORIGIN,
    *,
    exponent: float = 2.0,
    sides: int = 12,
    rings: int = 7,
) -> Solid:
    """An ellipsoid, or with larger exponents a box with soft edges, such as a cushion.

    Args:
        size: ``[3]`` extents (x, y, z).
        center: ``[3]`` the centre.
        exponent: 2 is an ellipsoid; larger values approach the cuboid.
        sides: number of meridians.
        rings: number of parallels, both poles included.

    Returns:
        The solid.
    """
    if rings % 2 == 0:
        raise ValueError(f"The number of rings must be odd, not {rings}.")
    width, height, depth = np.asarray(size, float)
    upright = superellipse(2.0, height, exponent, 2 * rings - 2)
    profile = np.roll(upright, rings // 2, 0)[:rings]
    outline = superellipse(width, depth, exponent, sides)
    parallels = outline * np.abs(profile[:, 0])[:, None, None]
    return translate(stack(parallels, profile[:, 1]), center)


def wheel(radius: float, width: float, center: ArrayLike) -> tuple[Solid, Solid]:
    """A tyre and its hub, with the axle along x.

    Args:
        radius: radius of the tyre.
        width: extent of the tyre along the axle.
        center: ``[3]`` the middle of the axle.

    Returns:
        The tyre, and the hub that fills it.
    """
    r, w = radius, width / 2
    tyre = lathe([(r * 0.9, -w), (r, -w * 0.6), (r, w * 0.6), (r * 0.9, w)], sides=16)
    hub = cylinder(r * 0.55, width * 1.1, (0, -w * 1.1, 0), sides=8)
    upright = [rotate(part, "z", 90) for part in (tyre, hub)]
    return translate(upright[0], center), translate(upright[1], center)


def sweep(path: ArrayLike, section: ArrayLike, *, scale: ArrayLike = 1.0) -> Solid:
    """Sweeps a section along a path without twist.

    Args:
        path: ``[N, 3]`` points, at least two.
        section: ``[M, 2]`` outline; its first axis starts out level, its second one
            upwards (towards +z where the path starts upright).
        scale: ``[]`` or ``[N]`` size of the section at each point.

    Returns:
        The solid along the path.
    """
    points = np.asarray(path, float)
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=-1, keepdims=True)
    upright = abs(tangents[0, 1]) > 0.9
    side = cross((0, 0, 1) if upright else (0, 1, 0), tangents[0])
    frames = []
    for tangent in tangents:
        side = side - np.dot(side, tangent) * tangent
        side /= np.linalg.norm(side)
        frames.append((side, cross(tangent, side)))
    factors = np.broadcast_to(scale, len(points))[:, None, None]
    rings = factors * np.asarray(section, float) @ np.array(frames)
    return loft(points[:, None] + rings)


def tube(path: ArrayLike, radius: ArrayLike, *, sides: int = 8) -> Solid:
    """A round rod along the points ``[N, 3]``, of radius ``[]`` or ``[N]``."""
    return sweep(path, circle(1.0, sides), scale=radius)


def beam(start: ArrayLike, end: ArrayLike, width: float, height: float) -> Solid:
    """A straight bar with a rectangular section.

    Args:
        start: ``[3]`` centre of one end.
        end: ``[3]`` centre of the other end.
        width: extent across, level (along x for an upright bar).
        height: extent across the other way.

    Returns:
        The bar.
    """
    return sweep(np.array([start, end], float), rectangle(width, height))
