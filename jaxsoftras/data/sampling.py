"""Training batches: two views of each object, categories equally likely."""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import numpy as np

from jaxsoftras.data.drawing import draw
from jaxsoftras.data.mixture import Mixture
from jaxsoftras.data.rig import Viewpoints
from jaxsoftras.data.split import Split

# Number of batches being prepared or ready while the caller works on one.
_PREFETCHED = 2


class PairBatch(NamedTuple):
    """Images of B objects, two views of each (which may coincide).

    Attributes:
        images_a: ``[B, 4, S, S]`` uint8, the first views.
        images_b: ``[B, 4, S, S]`` uint8, the second views.
        cameras_a: cameras of the first views, with leading axes ``[B]``, for
            `jaxsoftras.data.rig.as_cameras`.
        cameras_b: cameras of the second views, likewise.
    """

    images_a: np.ndarray | jax.Array
    images_b: np.ndarray | jax.Array
    cameras_a: Viewpoints
    cameras_b: Viewpoints


def sample_pairs(
    source: Split | Mixture, batch_size: int, *, seed: int, step: int
) -> PairBatch:
    """Draws a batch: category, object within it, and both its views, each uniformly.

    Args:
        source: the objects to draw from. Of a mixture, one of the splits that have the
            category is drawn by weight before the object.
        batch_size: number of objects B.
        seed: seed of the run, not negative.
        step: number of the batch. Seed and number alone determine the batch.

    Raises:
        ValueError: a batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"The batch size must be at least 1, not {batch_size}.")
    mixture = Mixture.of(source)
    group, objects, views = draw(mixture.tables, seed, step, batch_size, np)
    objects = objects - mixture.tables.first[group]
    members = [(index, np.flatnonzero(group == index)) for index in np.unique(group)]
    side = mixture.image_size
    images = np.empty((2, batch_size, 4, side, side), np.uint8)
    cameras, places = [], []
    for index, rows in members:
        split, key = mixture.groups[index]
        # in one call for both views, a prepared data set reads each object once
        pairs = np.tile(objects[rows], 2), views[:, rows].ravel()
        images[:, rows] = split.images(key, *pairs).reshape(2, -1, 4, side, side)
        cameras.append(mixture.viewpoints(index, *pairs))
        places += [rows, rows + batch_size]
    order = np.argsort(np.concatenate(places))
    joined = jax.tree.map(lambda *parts: np.concatenate(parts)[order], *cameras)
    return PairBatch(
        images[0],
        images[1],
        jax.tree.map(lambda part: part[:batch_size], joined),
        jax.tree.map(lambda part: part[batch_size:], joined),
    )


def pair_batches(
    source: Split | Mixture, batch_size: int, *, seed: int, start_step: int = 0
) -> Generator[PairBatch, None, None]:
    """Draws batches without end, ahead of the caller in a background thread.

    The batch of step n depends on the seed and n alone, so a resumed run sees the same
    batches as an uninterrupted one.

    Args:
        source: the objects to draw from.
        batch_size: number of objects B.
        seed: seed of the run, not negative.
        start_step: step of the first batch, not negative.

    Returns:
        An iterator; ``next`` raises the errors of the thread. The thread ends when the
        iterator is closed or no longer referenced.
    """
    mixture = Mixture.of(source)

    def batch(step: int) -> PairBatch:
        return sample_pairs(mixture, batch_size, seed=seed, step=step)

    steps = itertools.count(start_step)
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pair_batches")
    pending = deque(pool.submit(batch, next(steps)) for _ in range(_PREFETCHED))
    # At interpreter exit, the finalizer of an abandoned iterator still runs in time,
    # whereas the finally clause would run after the modules that a shutdown needs are
    # gone. A finalizer acts only once.
    shut_down = weakref.finalize(pending, pool.shutdown, cancel_futures=True)
    try:
        while True:
            yield pending.popleft().result()
            pending.append(pool.submit(batch, next(steps)))
    finally:
        shut_down()
