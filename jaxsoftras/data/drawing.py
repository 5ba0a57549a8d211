"""The choice of the objects and views of a batch, by seed and step alone."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

from jaxsoftras.data.threefry import random_bits


class Tables(NamedTuple):
    """Groups that `draw` chooses among: C categories, G groups of objects, N objects.

    Attributes:
        members: ``[C, K]`` int32 groups that hold objects of a category; the last one
            is repeated.
        bounds: ``[C, K - 1]`` uint32; member k is drawn from the bound before it up to
            its own, of 2^32.
        first: ``[G]`` int32 number of each group's first object.
        counts: ``[G]`` uint32 number of its objects.
        view_counts: ``[N]`` uint32 number of views of each object.
    """

    members: Any
    bounds: Any
    first: Any
    counts: Any
    view_counts: Any


class Draw(NamedTuple):
    """Objects and views of a batch.

    Attributes:
        groups: ``[B]`` int32.
        objects: ``[B]`` int32 numbers among all N objects.
        views: ``[k, B]`` int32 numbers of the views of each.
    """

    groups: Any
    objects: Any
    views: Any


def draw(
    tables: Tables,
    seed: int,
    step: Any,
    batch_size: int,
    xp: ModuleType,
    views: int = 2,
) -> Draw:
    """Draws category, group, object and its views, uniformly but for the groups.

    A remainder of 32 random bits stands for a uniform number: of n numbers, none is
    more probable than another by more than n / 2^32.

    Args:
        tables: arrays of ``xp``.
        seed: seed of the run, not negative, below 2^64.
        step: number of the batch, a number or a scalar array, below 2^32.
        batch_size: number of objects B.
        xp: `numpy` or `jax.numpy`, which draw the same.
        views: number k of views; the first ones do not depend on it.
    """
    key = [xp.asarray([word], xp.uint32) for word in (seed % 2**32, seed >> 32)]
    steps = xp.asarray(step).astype(xp.uint32).reshape(1)

    def draw_words(first: int, width: int) -> list[Any]:
        """Two arrays ``[B, width]`` of random uint32."""
        place = xp.arange(first, first + width * batch_size, dtype=xp.uint32)
        halves = random_bits(key, (steps, place), xp)
        return [half.reshape(batch_size, width) for half in halves]

    words = draw_words(0, 3)
    category = words[0][:, 0] % xp.asarray(len(tables.members), xp.uint32)
    passed = words[1][:, :1] >= tables.bounds[category]
    groups = tables.members[category, passed.sum(axis=1)]
    number = words[0][:, 1] % tables.counts[groups]
    objects = tables.first[groups] + number.astype(xp.int32)
    chosen = [half[:, 2] for half in words]
    if views > 2:
        more = draw_words(3 * batch_size, (views - 1) // 2)
        chosen += [half[:, j] for j in range((views - 1) // 2) for half in more]
    remainders = xp.stack(chosen[:views]) % tables.view_counts[objects]
    return Draw(groups, objects, remainders.astype(xp.int32))
