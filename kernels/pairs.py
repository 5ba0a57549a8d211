"""What one face does to one pixel: the formula that all implementations share.

Everything here is elementwise over blocks of pairs of a face and a pixel.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import conorm as conorms
from jaxsoftras import geometry, probability

Distance = Literal["euclidean", "barycentric", "hard"]
"""Of a pixel from a face: to its boundary, by its least barycentric coordinate, or
only whether it is covered."""

FrontFace = Literal["clockwise", "counterclockwise"]
"""How the corners of a face run on the screen when its front is seen."""


class Rules(NamedTuple):
    """What counts, and how; static.

    Attributes:
        distance: what the probability map is a function of.
        squared: whether it is a function of the squared distance.
        distribution: the probability map, a CDF.
        conorm: how the probabilities of all faces make up alpha.
        cutoff: the reach of a face in units of sigma.
        near: least depth at which a face has a colour.
        far: greatest depth at which a face has a colour.
        front: how the corners of a front face run.
        double_sided: whether back faces have a colour.
        perspective: whether attributes are interpolated in space or on the screen.
        parity: whether gradients leave out what those of the original leave out.
    """

    distance: Distance = "euclidean"
    squared: bool = True
    distribution: probability.Distribution = probability.Distribution("logistic")
    conorm: conorms.Conorm = conorms.Conorm("probabilistic")
    cutoff: float = geometry.support(1e-4)
    near: float = 1.0
    far: float = 100.0
    front: FrontFace = "clockwise"
    double_sided: bool = True
    perspective: bool = True
    parity: bool = False

    def margin(self, sigma: jax.Array) -> jax.Array:
        """How far faces reach beyond their bounding boxes, NDC."""
        if self.distance == "hard":
            return jnp.zeros_like(sigma)
        reach = sigma * self.cutoff
        return jnp.sqrt(reach) if self.squared else reach


class Triangle(NamedTuple):
    """Corners of faces in NDC, with the depths of the corners; fields of one shape."""

    corners: geometry.Corners
    depths: tuple[jax.Array, jax.Array, jax.Array]


class Pair(NamedTuple):
    """What a face gives to a pixel; fields of one shape.

    Attributes:
        share: of the sum that the T-conorm turns into alpha; 0 out of reach.
        probability: that the face covers the pixel; the weight of its colour is this
            times ``exp(nearness)``. 0 where it has no colour.
        nearness: of the face to the camera, up to a term common to all faces.
        colored: whether it has a colour there.
        weights: of its corners' attributes, of sum 1.
        depth: of the face there, world units.
        visible: whether the pixel lies within the face, and the face has a colour
            there: what an ordinary rasterizer would draw.
    """

    share: jax.Array
    probability: jax.Array
    nearness: jax.Array
    colored: jax.Array
    weights: tuple[jax.Array, jax.Array, jax.Array]
    depth: jax.Array
    visible: jax.Array


def triangle(face_vertices: jax.Array) -> Triangle:
    """``[..., 3, 3]`` to fields ``[...]``; without depths, ``[..., 3, 2]``, 1 for z."""
    corners = geometry.corners(face_vertices[..., :2])
    if face_vertices.shape[-1] == 2:
        one = jnp.ones_like(corners.x0)
        return Triangle(corners, (one, one, one))
    z0, z1, z2 = (face_vertices[..., k, 2] for k in range(3))
    return Triangle(corners, (z0, z1, z2))


def _signed(rules: Rules, distance2, weights):
    """Signed distance, or its square, as the rules have it."""
    if rules.distance == "barycentric":
        w0, w1, w2 = weights
        # the derivative of `minimum` is shared where two coordinates tie
        least = jnp.where((w0 <= w1) & (w0 <= w2), w0, jnp.where(w1 <= w2, w1, w2))
        return least * jnp.abs(least) if rules.squared else least
    if rules.squared:
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

    That of `clip` is shared there between x and the end, which costs time.
    """
    return jnp.minimum(jnp.maximum(x, 0), 1)


@_unit_interval.defjvp
def _(primals, tangents):
    (x,), (change,) = primals, tangents
    clipped = _unit_interval(x)
    return clipped, jnp.where(clipped == x, change, 0)


def _clipped(weights, fallback, has_area):
    """Barycentric coordinates of a point of the face: clipped to [0, 1], of sum 1."""
    clipped = [_unit_interval(w) for w in weights]
    total = clipped[0] + clipped[1] + clipped[2]
    inverse = 1 / jnp.where(total > 1e-5, total, 1e-5)
    return [
        jnp.where(has_area, w * inverse, other)
        for w, other in zip(clipped, fallback, strict=True)
    ]


def surface_point(
    rules: Rules, px: jax.Array, py: jax.Array, face: Triangle
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], jax.Array]:
    """The point of a face that a pixel sees, or nearly sees.

    The barycentric coordinates of the pixel, clipped to [0, 1] and divided by their sum
    (section 3.2 of Liu et al., 2019). Depth is perspective-correct: ``1 / z = sum_k w_k
    / z_k``.

    Returns:
        The weights of the corners' attributes, of sum 1, and the depth.
    """
    return _surface_point(rules, face, geometry.locate(px, py, face.corners))


def _surface_point(rules: Rules, face: Triangle, location: geometry.Location):
    # a face without area has the weights of the nearest point
    has_area = geometry.has_area(face.corners)
    weights = _clipped(location.coordinates, location.nearest, has_area)
    if rules.parity:
        weights = [lax.stop_gradient(w) for w in weights]
    over_depth = [w * (1 / z) for w, z in zip(weights, face.depths, strict=True)]
    depth = 1 / (over_depth[0] + over_depth[1] + over_depth[2])
    if rules.perspective:
        weights = [w * depth for w in over_depth]
    w0, w1, w2 = weights
    return (w0, w1, w2), depth


def evaluate(
    rules: Rules,
    px: jax.Array,
    py: jax.Array,
    face: Triangle,
    sigma: jax.Array,
    gamma: jax.Array,
    *,
    face_count: int,
) -> Pair:
    """Computes what faces give to pixels.

    Args:
        rules: what counts, and how.
        px: pixel centres, x, NDC.
        py: pixel centres, y, NDC.
        face: corners, NDC, finite, of positive depth.
        sigma: sharpness of the probability map.
        gamma: sharpness of the choice among depths.
        face_count: of the mesh.

    Returns:
        All fields finite, with finite derivatives.
    """
    area = geometry.twice_area(face.corners)
    has_area = geometry.has_area(face.corners)
    location = geometry.locate(px, py, face.corners)
    inside = (location.inside > 0) & has_area
    weights, depth = _surface_point(rules, face, location)

    if rules.distance == "hard":
        counts = inside
        smallest = jnp.log(jnp.finfo(px.dtype).tiny)
        cdf = jnp.ones_like(depth)
        log_survival = jnp.full_like(depth, smallest)
    else:
        signed = _signed(rules, location.signed, location.coordinates)
        counts = signed > -sigma * rules.cutoff
        if rules.distance == "barycentric":
            box = _in_box(px, py, face.corners, rules.margin(sigma))
            counts = counts & box & has_area
        # out of reach, the derivatives of the logarithms may overflow
        x = jnp.where(counts, signed * (1 / sigma), 0)
        cdf = probability.cdf(rules.distribution, x)
        log_survival = probability.log_survival(rules.distribution, x)

    share = conorms.generator(rules.conorm, cdf, log_survival, face_count)
    seen = (depth >= rules.near) & (depth <= rules.far)
    if rules.parity:
        share = jnp.where(seen, share, lax.stop_gradient(share))
    if not rules.double_sided:
        seen = seen & ((area < 0) == (rules.front == "clockwise"))
    colored = counts & seen
    nearness = depth * (-1 / (gamma * (rules.far - rules.near)))
    return Pair(
        jnp.where(counts, share, 0),
        jnp.where(colored, cdf, 0),
        jnp.where(colored, nearness, 0),
        colored,
        weights,
        depth,
        inside & seen,
    )


def background_logit(rules: Rules, gamma: jax.Array, epsilon: float) -> jax.Array:
    """Logarithm of the background's weight, on the scale of `Pair.nearness`.

    The weight of a face is ``D exp((far - z) / ((far - near) gamma))`` and that of the
    background ``exp(epsilon / gamma)`` (eq. 3 of Liu et al., 2019). Both lack the
    factor ``exp(far / ((far - near) gamma))`` here, which would cost digits. The
    original's kernel counts epsilon twice.
    """
    factor = 2 if rules.parity else 1
    return (factor * epsilon - rules.far / (rules.far - rules.near)) / gamma


def contained(face_vertices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Separates the faces that can be drawn from those that cannot.

    Left out are faces with a corner that is not finite, beyond `geometry.FARTHEST` or,
    where there is a depth, on or behind the camera's plane (depth <= 0).

    Args:
        face_vertices: ``[..., 3, 2]`` or ``[..., 3, 3]`` NDC and depth.

    Returns:
        Harmless corners of the same shape, and ``[...]`` bool, true for drawn faces.
    """
    safe, drawn = geometry.drawable(face_vertices[..., :2])
    if face_vertices.shape[-1] == 2:
        return safe, drawn
    depth = face_vertices[..., 2]
    drawn = drawn & jnp.all((depth > 0) & (depth <= geometry.FARTHEST), axis=-1)
    kept = drawn[..., None, None]
    safe = jnp.where(kept, safe, geometry.FARTHEST)
    return jnp.concatenate([safe, jnp.where(kept, depth[..., None], 1)], -1), drawn
