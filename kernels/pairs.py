"""The contribution of one face to one pixel: the formula that all backends share.

Everything here is elementwise over blocks of face-pixel pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import conorm as conorms
from jaxsoftras import geometry, probability
from jaxsoftras.kernels.options import RasterOptions


class Triangle(NamedTuple):
    """Corners of faces in NDC, with the depths of the corners; fields of one shape."""

    corners: geometry.Corners
    depths: tuple[jax.Array, jax.Array, jax.Array]


class Pair(NamedTuple):
    """Contribution of a face to a pixel; fields of one shape.

    Attributes:
        contribution: the face's term in the sum that the T-conorm turns into alpha; 0
            out of reach.
        probability: probability that the face covers the pixel. The weight of its
            colour is this times ``exp(nearness)``; 0 where it has no colour.
        nearness: nearness of the face to the camera, up to a term common to all faces.
        colored: whether the face has a colour there.
        weights: weights of the corners' attributes, of sum 1.
        depth: depth of the face there, world units.
        visible: whether the pixel lies within the face, and the face has a colour
            there: the pixels of an ordinary rasterizer.
    """

    contribution: jax.Array
    probability: jax.Array
    nearness: jax.Array
    colored: jax.Array
    weights: tuple[jax.Array, jax.Array, jax.Array]
    depth: jax.Array
    visible: jax.Array


def unstack(face_vertices: jax.Array) -> tuple[geometry.Corners, tuple[jax.Array, ...]]:
    """``[..., 3, 3]`` to corners and depths ``[...]``; none for ``[..., 3, 2]``."""
    corners = geometry.corners(face_vertices[..., :2])
    if face_vertices.shape[-1] == 2:
        return corners, ()
    return corners, tuple(face_vertices[..., k, 2] for k in range(3))


def triangle(face_vertices: jax.Array) -> Triangle:
    """``[..., 3, 3]`` to fields ``[...]``; without depths, ``[..., 3, 2]``, 1 for z."""
    corners, depths = unstack(face_vertices)
    z0, z1, z2 = depths or (jnp.ones_like(corners.x0),) * 3
    return Triangle(corners, (z0, z1, z2))


def drawable(
    corners: geometry.Corners, depths: tuple[jax.Array, ...] = ()
) -> tuple[Triangle, jax.Array]:
    """Separates the faces that can be drawn from those that cannot.

    A face is left out if a corner is not finite, lies beyond `geometry.FARTHEST` or,
    where there are depths, lies on or behind the camera's plane (depth below
    `geometry.NEAREST`).

    Args:
        corners: fields ``[...]`` NDC.
        depths: of the three corners, ``[...]`` each, or none.

    Returns:
        Triangles that are harmless where they cannot be drawn, of depth 1 if there are
        no depths; and ``[...]`` bool, true for faces to draw.
    """
    valid = jnp.abs(corners[0]) <= geometry.FARTHEST
    for corner in corners[1:]:
        valid &= jnp.abs(corner) <= geometry.FARTHEST
    for depth in depths:
        valid &= (depth >= geometry.NEAREST) & (depth <= geometry.FARTHEST)
    safe = geometry.Corners(*(jnp.where(valid, c, geometry.FARTHEST) for c in corners))
    depths = depths or (jnp.ones_like(corners.x0),) * 3
    z0, z1, z2 = (jnp.where(valid, depth, 1) for depth in depths)
    return Triangle(safe, (z0, z1, z2)), valid


def drawable_faces(face_vertices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`drawable` for arrays.

    Args:
        face_vertices: ``[..., 3, 2]`` NDC, or ``[..., 3, 3]`` with depths.

    Returns:
        Harmless corners of the same shape, and ``[...]`` bool, true for faces to draw.
    """
    _, valid = drawable(*unstack(face_vertices))
    kept = valid[..., None, None]
    safe = jnp.where(kept, face_vertices[..., :2], geometry.FARTHEST)
    if face_vertices.shape[-1] == 3:
        depth = jnp.where(kept, face_vertices[..., 2:], 1)
        safe = jnp.concatenate([safe, depth], axis=-1)
    return safe, valid


def _signed(options: RasterOptions, distance2, weights):
    """Signed distance, or its square, as the options have it."""
    if options.distance == "barycentric":
        w0, w1, w2 = weights
        # the derivative of `minimum` is shared where two coordinates tie
        least = jnp.where((w0 <= w1) & (w0 <= w2), w0, jnp.where(w1 <= w2, w1, w2))
        return least * jnp.abs(least) if options.squared else least
    if options.squared:
        return distance2
    size = jnp.abs(distance2)
    # the square root has no derivative at 0
    root = jnp.where(size > 0, jnp.sqrt(jnp.where(size > 0, size, 1)), 0)
    return jnp.where(distance2 > 0, root, -root)


def _in_box(px, py, corners: geometry.Corners, margin):
    x0, y0, x1, y1, x2, y2 = corners
    return (
        (px >= jnp.minimum(x0, jnp.minimum(x1, x2)) - margin)
        & (px <= jnp.maximum(x0, jnp.maximum(x1, x2)) + margin)
        & (py >= jnp.minimum(y0, jnp.minimum(y1, y2)) - margin)
        & (py <= jnp.maximum(y0, jnp.maximum(y1, y2)) + margin)
    )


@jax.custom_jvp
def _unit_interval(x: jax.Array) -> jax.Array:
    """Clips to [0, 1]; at both ends the derivative is 1.

    `clip` shares its derivative there between x and the end, which costs time.
    """
    return jnp.minimum(jnp.maximum(x, 0), 1)


@_unit_interval.defjvp
def _(primals, tangents):
    (x,), (change,) = primals, tangents
    # Not where the result is x: XLA may compute x twice, rounded differently.
    return _unit_interval(x), jnp.where((x >= 0) & (x <= 1), change, 0)


def _clipped(weights, fallback, has_area):
    """Barycentric coordinates of a point of the face: clipped to [0, 1], of sum 1."""
    clipped = [_unit_interval(w) for w in weights]
    # at least 1, but that rounding may spoil the coordinates of a needle
    total = clipped[0] + clipped[1] + clipped[2]
    precise = has_area & (total > 0.5)
    inverse = 1 / jnp.where(precise, total, 1)
    return [
        jnp.where(precise, w * inverse, other)
        for w, other in zip(clipped, fallback, strict=True)
    ]


def surface_point(
    options: RasterOptions, px: jax.Array, py: jax.Array, face: Triangle
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], jax.Array]:
    """The point of a face that a pixel sees, or nearly sees.

    The barycentric coordinates of the pixel, clipped to [0, 1] and divided by their sum
    (section 3.2 of Liu et al., 2019). Depth is perspective-correct: ``1 / z = sum_k w_k
    / z_k``; in an orthographic camera, ``z = sum_k w_k z_k``.

    Returns:
        The weights of the corners' attributes, of sum 1, and the depth.
    """
    return _surface_point(options, face, geometry.locate(px, py, face.corners))


def _surface_point(options: RasterOptions, face: Triangle, location: geometry.Location):
    # a face without area has the weights of the nearest point
    has_area = geometry.has_area(face.corners)
    weights = _clipped(location.coordinates, location.nearest, has_area)
    if options.match_softras:
        weights = [lax.stop_gradient(w) for w in weights]
    if options.parallel:
        z0, z1, z2 = (w * z for w, z in zip(weights, face.depths, strict=True))
        w0, w1, w2 = weights
        return (w0, w1, w2), z0 + z1 + z2
    over_depth = [w * (1 / z) for w, z in zip(weights, face.depths, strict=True)]
    depth = 1 / (over_depth[0] + over_depth[1] + over_depth[2])
    if options.perspective:
        weights = [w * depth for w in over_depth]
    w0, w1, w2 = weights
    return (w0, w1, w2), depth


class Cover(NamedTuple):
    """How faces cover pixels, whatever their opacity; fields of one shape.

    Attributes:
        cdf: probability that the face covers the pixel.
        log_survival: logarithm of the probability that it does not.
        counts: whether the pixel is within reach of the face.
        seen: whether the face has a colour there.
        inside: whether the pixel lies within the face.
        weights: weights of the corners' attributes, of sum 1.
        depth: depth of the face there, world units.
    """

    cdf: jax.Array
    log_survival: jax.Array
    counts: jax.Array
    seen: jax.Array
    inside: jax.Array
    weights: tuple[jax.Array, jax.Array, jax.Array]
    depth: jax.Array


def cover(
    options: RasterOptions,
    px: jax.Array,
    py: jax.Array,
    face: Triangle,
    sigma: jax.Array,
) -> Cover:
    """Computes how faces cover pixels; see `evaluate` for the arguments."""
    assert isinstance(options.distribution, probability.Distribution)
    near, far = options.depth_range
    area = geometry.twice_area(face.corners)
    has_area = geometry.has_area(face.corners)
    location = geometry.locate(px, py, face.corners)
    inside = (location.inside > 0) & has_area
    weights, depth = _surface_point(options, face, location)

    if options.distance == "hard":
        counts = inside
        smallest = jnp.log(jnp.finfo(px.dtype).tiny)
        cdf = jnp.ones_like(depth)
        log_survival = jnp.full_like(depth, smallest)
    else:
        signed = _signed(options, location.signed, location.coordinates)
        counts = signed > -sigma * options.cutoff
        if options.distance == "barycentric":
            box = _in_box(px, py, face.corners, options.margin(sigma))
            counts = counts & box & has_area
        # out of reach, the derivatives of the logarithms may overflow
        x = jnp.where(counts, signed * (1 / sigma), 0)
        cdf = probability.cdf(options.distribution, x)
        log_survival = probability.log_survival(options.distribution, x)
    seen = (depth >= near) & (depth <= far)
    if not options.double_sided:
        facing = (area < 0) == (options.winding == "clockwise")
        return Cover(cdf, log_survival, counts, seen & facing, inside, weights, depth)
    return Cover(cdf, log_survival, counts, seen, inside, weights, depth)


def fade(cover: Cover, opacity: jax.Array) -> Cover:
    """Multiplies the probabilities of faces by their opacity, in [0, 1]."""
    opacity = _unit_interval(opacity)
    cdf = opacity * cover.cdf
    # 1 - o D is precise for small D one way, and for D near 1 the other
    small = cover.cdf < 0.5
    tiny = float(jnp.finfo(cdf.dtype).tiny)
    survival = (1 - opacity) + opacity * jnp.exp(cover.log_survival)
    survival = jnp.maximum(jnp.where(small, 1, survival), tiny)
    log_survival = jnp.where(
        small, jnp.log1p(-jnp.where(small, cdf, 0)), jnp.log(survival)
    )
    return cover._replace(cdf=cdf, log_survival=log_survival)


def contribute(
    options: RasterOptions, cover: Cover, gamma: jax.Array, *, face_count: int
) -> Pair:
    """Computes the contributions of faces from how they cover pixels."""
    assert isinstance(options.conorm, conorms.Conorm)
    near, far = options.depth_range
    contribution = conorms.generator(
        options.conorm, cover.cdf, cover.log_survival, face_count
    )
    if options.match_softras:
        in_range = (cover.depth >= near) & (cover.depth <= far)
        contribution = jnp.where(
            in_range, contribution, lax.stop_gradient(contribution)
        )
    # a face that is not there must not set the level of the others' weights
    colored = cover.counts & cover.seen & (cover.cdf > 0)
    nearness = cover.depth * (-1 / (gamma * (far - near)))
    return Pair(
        jnp.where(cover.counts, contribution, 0),
        jnp.where(colored, cover.cdf, 0),
        jnp.where(colored, nearness, 0),
        colored,
        cover.weights,
        cover.depth,
        cover.inside & cover.seen,
    )


def evaluate(
    options: RasterOptions,
    px: jax.Array,
    py: jax.Array,
    face: Triangle,
    sigma: jax.Array,
    gamma: jax.Array,
    *,
    face_count: int,
) -> Pair:
    """Computes the contributions of opaque faces to pixels.

    Args:
        options: of the rasterizer.
        px: pixel centres, x, NDC.
        py: pixel centres, y, NDC.
        face: corners, NDC, finite, of positive depth.
        sigma: sharpness of the probability map.
        gamma: sharpness of the choice among depths.
        face_count: number of faces of the mesh.

    Returns:
        All fields finite, with finite derivatives.
    """
    covered = cover(options, px, py, face, sigma)
    return contribute(options, covered, gamma, face_count=face_count)


def background_logit(options: RasterOptions, gamma: jax.Array) -> jax.Array:
    """Logarithm of the background's weight, on the scale of `Pair.nearness`.

    The weight of a face is ``D exp((far - z) / ((far - near) gamma))`` and that of the
    background ``exp(epsilon / gamma)`` (eq. 3 of Liu et al., 2019). Both lack the
    factor ``exp(far / ((far - near) gamma))`` here, which would cost digits. The
    original's kernel counts epsilon twice.
    """
    near, far = options.depth_range
    epsilon = (2 if options.match_softras else 1) * options.background_epsilon
    return (epsilon - far / (far - near)) / gamma
