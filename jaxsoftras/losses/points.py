"""Distances between point sets: nearest points, chamfer distance, F-score."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks, deterministic
from jaxsoftras.losses import search
from jaxsoftras.losses.inputs import (
    as_numbers,
    check_leading,
    check_mask,
    masked_mean,
    square_root,
    unit,
)


class NearestPoints(NamedTuple):
    """Nearest points of another set; a pytree.

    Attributes:
        distances: ``[..., N]`` to the nearest point.
        indices: ``[..., N]`` int32 index of the nearest point.
    """

    distances: jax.Array
    indices: jax.Array


class ChamferDistance(NamedTuple):
    """Chamfer distance of two point sets in both directions; a pytree.

    Attributes:
        forward: ``[...]`` mean distance of the first set's points to the second set.
        backward: ``[...]`` mean distance of the second set's points to the first set.
        forward_normals: ``[...]`` mean deviation of normals, of the same pairs as in
            ``forward``; None without normals.
        backward_normals: ``[...]`` the same for ``backward``.
    """

    forward: jax.Array
    backward: jax.Array
    forward_normals: jax.Array | None = None
    backward_normals: jax.Array | None = None

    @property
    def total(self) -> jax.Array:
        """``forward + backward``, the chamfer distance ``[...]``."""
        return self.forward + self.backward


class FScore(NamedTuple):
    """F-score of a point set and its two parts, each ``[...]`` in [0, 1]; a pytree.

    Attributes:
        score: harmonic mean of precision and recall.
        precision: part of the predicted points that are near the target.
        recall: part of the target points that are near the prediction.
    """

    score: jax.Array
    precision: jax.Array
    recall: jax.Array


def _check_sets(**sets: tuple[ArrayLike, ArrayLike | None]) -> tuple[Any, ...]:
    """Checks points and masks by name; returns the points, then the masks."""
    points = {
        name: as_numbers(name, value, "[..., N, 3]", None, 3)
        for name, (value, _) in sets.items()
    }
    masks = {
        name: check_mask(name, mask, points[name]) for name, (_, mask) in sets.items()
    }
    leading = {name: value.shape[:-2] for name, value in points.items()}
    for name, mask in masks.items():
        if mask is not None:
            leading[f"the mask of {name}"] = mask.shape[:-1]
    check_leading(**leading)
    return (*points.values(), *masks.values())


def _squared_distance(query, target) -> jax.Array:
    x, y, z = (query[k] - target[k] for k in range(3))
    return x * x + y * y + z * z


def _find_nearest(
    points: jax.Array, targets: jax.Array, mask: jax.Array | None
) -> jax.Array:
    """Indices ``[..., N]`` of the nearest targets that count."""
    counts = jnp.all(jnp.isfinite(targets), axis=-1, keepdims=True)
    if mask is not None:
        counts = counts & mask[..., None]
    targets = jnp.where(counts, targets, jnp.inf)  # infinitely far
    batch = jnp.broadcast_shapes(points.shape[:-2], targets.shape[:-2])
    points, targets = (
        jnp.broadcast_to(x, (*batch, *x.shape[-2:])).reshape(-1, *x.shape[-2:])
        for x in (points, targets)
    )
    index = search.nearest(_squared_distance, points, targets)
    return index.reshape(*batch, index.shape[-1])


def _take(rows: jax.Array, index: jax.Array) -> jax.Array:
    """Rows ``[..., M, C]`` at indices ``[..., N]``: ``[..., N, C]``."""
    return jnp.vectorize(deterministic.take, signature="(m,c),(n)->(n,c)")(rows, index)


def _nearest(
    points: jax.Array, targets: jax.Array, mask: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """Squared distances to the nearest targets, and their indices, ``[..., N]``."""
    index = _find_nearest(points, targets, mask)
    offset = points - _take(targets, index)
    return jnp.sum(offset * offset, axis=-1), index


def nearest_points(
    points: ArrayLike, targets: ArrayLike, *, targets_mask: ArrayLike | None = None
) -> NearestPoints:
    """Finds the nearest target of each point.

    Every pair is looked at, in blocks of bounded memory. The distances are
    differentiable, with a gradient of 0 at distance 0; of equally near targets, the
    first one is taken and receives the gradient. A target that is not finite is nearest
    to nothing.

    Args:
        points: ``[..., N, 3]``.
        targets: ``[..., M, 3]``, M > 0; leading axes broadcast.
        targets_mask: ``[..., M]`` bool, the targets that count; None: all do.

    Returns:
        Distances ``[..., N]``, in units of the points, and indices ``[..., N]``.

    Raises:
        ValueError: a wrong shape or dtype, or a set without points.

    Example:
        >>> targets = jnp.array([[0.0, 0, 0], [1, 0, 0], [5, 0, 0]])
        >>> print(*losses.nearest_points(jnp.array([[3.5, 0, 0], [0, 1, 0]]), targets))
        [1.5 1. ] [2 0]
    """
    points, targets, _, mask = _check_sets(
        points=(points, None), targets=(targets, targets_mask)
    )
    return _nearest_points(points, targets, mask)


@jax.jit
def _nearest_points(points, targets, mask) -> NearestPoints:
    points, targets = checks.as_floats(points, targets)
    squared, index = _nearest(points, targets, mask)
    return NearestPoints(square_root(squared), index)


def chamfer_distance(
    first: ArrayLike,
    second: ArrayLike,
    *,
    first_normals: ArrayLike | None = None,
    second_normals: ArrayLike | None = None,
    first_mask: ArrayLike | None = None,
    second_mask: ArrayLike | None = None,
    squared: bool = True,
) -> ChamferDistance:
    """Chamfer distance of point sets: mean distances to the nearest point of the other.

    ``forward = mean_p min_q |p - q|^2`` over the points p of the first set,
    ``backward`` the same from the second set to the first, and ``total`` their sum (Fan
    et al., 2017, with means for sums; ``squared=False``: of distances, "L1"). With
    normals, each direction also has ``mean_p (1 - |n_p n_q|)`` of the same pairs, in
    [0, 1]; a normal of length 0 counts as 1.

    Memory is bounded whatever the number of points: every pair is looked at, in blocks.
    The gradient is exact wherever the nearest points are unique; of equally near ones
    the first is taken. Points of equal position have a gradient of 0.

    For surfaces, draw points with `jaxsoftras.sample_points`. The vertices of
    `jaxsoftras.stack_meshes` need masks, as some are padding.

    Args:
        first: ``[..., N, 3]``, N > 0.
        second: ``[..., M, 3]``, M > 0; leading axes broadcast.
        first_normals: ``[..., N, 3]`` of any length; both sets have some, or neither.
        second_normals: ``[..., M, 3]``.
        first_mask: ``[..., N]`` bool, the points that count; None: all do.
        second_mask: ``[..., M]`` bool.
        squared: whether distances are squared.

    Returns:
        Means ``[...]`` by direction, in (squared) units of the points. Under a
        transformation, where the values of masks are not known, both directions are 0
        if no point of a set counts.

    Raises:
        ValueError: a wrong shape or dtype, a set without points, or the normals of one
            set only.

    Example:
        >>> first = jnp.array([[0.0, 0, 0], [2, 0, 0]])
        >>> chamfer = losses.chamfer_distance(first, jnp.array([[0.0, 0, 1]]))
        >>> print(chamfer.forward, chamfer.backward, chamfer.total)
        3.0 1.0 4.0
    """
    arrays = _check_sets(first=(first, first_mask), second=(second, second_mask))
    if (first_normals is None) != (second_normals is None):
        raise ValueError("Pass the normals of both sets, or of neither.")
    normals = None
    if first_normals is not None and second_normals is not None:
        normals = tuple(
            as_numbers(
                name, value, f"[..., {points.shape[-2]}, 3]", points.shape[-2], 3
            )
            for name, value, points in (
                ("first_normals", first_normals, arrays[0]),
                ("second_normals", second_normals, arrays[1]),
            )
        )
        check_leading(
            first=arrays[0].shape[:-2],
            second=arrays[1].shape[:-2],
            first_normals=normals[0].shape[:-2],
            second_normals=normals[1].shape[:-2],
        )
    return _chamfer_distance(*arrays, normals, bool(squared))


@functools.partial(jax.jit, static_argnames="squared")
def _chamfer_distance(
    first, second, first_mask, second_mask, normals, squared: bool
) -> ChamferDistance:
    first, second = checks.as_floats(first, second)
    if normals is not None:
        normals = tuple(map(unit, checks.as_floats(*normals)))
    means, deviations = [], []
    for points, targets, mask, targets_mask, order in (
        (first, second, first_mask, second_mask, 1),
        (second, first, second_mask, first_mask, -1),
    ):
        distances, index = _nearest(points, targets, targets_mask)
        distances = distances if squared else square_root(distances)
        counts = _count(mask, targets_mask)
        means.append(masked_mean(distances, counts))
        if normals is not None:
            normal, other = normals[::order]
            cosine = jnp.sum(normal * _take(other, index), axis=-1)
            deviations.append(masked_mean(1 - jnp.abs(cosine), counts))
    return ChamferDistance(*means, *deviations)


def _count(mask: jax.Array | None, targets_mask: jax.Array | None) -> jax.Array | None:
    """Points ``[..., N]`` that count and have a target, or None if all do."""
    if targets_mask is None:
        return mask
    any_target = jnp.any(targets_mask, axis=-1, keepdims=True)
    return any_target if mask is None else mask & any_target


def f_score(
    predicted: ArrayLike,
    target: ArrayLike,
    threshold: ArrayLike,
    *,
    predicted_mask: ArrayLike | None = None,
    target_mask: ArrayLike | None = None,
) -> FScore:
    """F-score of a point set: agreement within a distance (Knapitsch et al., 2017).

    ``2 P R / (P + R)``, 0 if both are 0, with the precision P, the part of the
    predicted points nearer to the target than the threshold, and the recall R, the part
    of the target's points nearer to the prediction than that. A metric: it has no
    gradient.

    Args:
        predicted: ``[..., N, 3]``, N > 0.
        target: ``[..., M, 3]``, M > 0; leading axes broadcast.
        threshold: distance in units of the points, positive: a scalar, or one per pair
            of sets ``[...]``; may be traced.
        predicted_mask: ``[..., N]`` bool, the points that count; None: all do.
        target_mask: ``[..., M]`` bool.

    Returns:
        Score, precision and recall, ``[...]`` each. NaN in a point that counts is NaN
        in the score and in the part of the set of that point; to the other set, the
        point is near to nothing. Under a transformation, where the values of masks are
        not known, all are 0 if no point of a set counts.

    Raises:
        ValueError: a wrong shape or dtype, a set without points, or a threshold that is
            not positive.

    Example:
        >>> points = jnp.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]])
        >>> print(*losses.f_score(points, points[:2] + 0.01, threshold=0.1))
        0.6666667 0.5 1.0
    """
    arrays = _check_sets(
        predicted=(predicted, predicted_mask), target=(target, target_mask)
    )
    threshold = as_numbers("threshold", threshold, "[...], or be a scalar")
    check_leading(
        predicted=arrays[0].shape[:-2],
        target=arrays[1].shape[:-2],
        threshold=np.shape(threshold),
    )
    checks.check_values(
        "threshold must be a positive distance.", lambda value: value > 0, threshold
    )
    return _f_score(*arrays, threshold)


@jax.jit
def _f_score(predicted, target, predicted_mask, target_mask, threshold) -> FScore:
    predicted, target, threshold = jax.lax.stop_gradient(
        checks.as_floats(predicted, target, threshold)
    )

    def near(points, targets, mask, targets_mask):
        squared, _ = _nearest(points, targets, targets_mask)
        close = (jnp.sqrt(squared) < threshold[..., None]).astype(squared.dtype)
        close = jnp.where(jnp.any(jnp.isnan(points), axis=-1), jnp.nan, close)
        return masked_mean(close, _count(mask, targets_mask))

    precision = near(predicted, target, predicted_mask, target_mask)
    recall = near(target, predicted, target_mask, predicted_mask)
    total = precision + recall
    score = 2 * precision * recall / jnp.where(total > 0, total, 1)
    return FScore(score, precision, recall)
