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

    images_a: np.ndarray
    images_b: np.ndarray
    cameras_a: Viewpoints
    cameras_b: Viewpoints


def sample_pairs(split: Split, batch_size: int, rng: np.random.Generator) -> PairBatch:
    """Draws a batch: category, object within it, and both its views, each uniformly.

    Args:
        split: the objects to draw from.
        batch_size: number of objects B.
        rng: source of randomness.

    Raises:
        ValueError: a batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"The batch size must be at least 1, not {batch_size}.")
    category = rng.integers(len(split.categories), size=batch_size)
    counts = np.array([split.count(key) for key in split.categories])
    objects = rng.integers(counts[category])
    members = [
        (split.categories[index], np.flatnonzero(category == index))
        for index in np.unique(category)
    ]
    view_counts = np.empty(batch_size, np.int64)
    for key, rows in members:
        view_counts[rows] = split.view_counts(key)[objects[rows]]
    views = rng.integers(view_counts, size=(2, batch_size), dtype=np.int32)
    side = split.image_size
    images = np.empty((2, batch_size, 4, side, side), np.uint8)
    cameras, places = [], []
    for key, rows in members:
        # in one call for both views, a prepared data set reads each object once
        pairs = np.tile(objects[rows], 2), views[:, rows].ravel()
        images[:, rows] = split.images(key, *pairs).reshape(2, -1, 4, side, side)
        cameras.append(split.viewpoints(key, *pairs))
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
    split: Split, batch_size: int, *, seed: int, start_step: int = 0
) -> Generator[PairBatch, None, None]:
    """Draws batches without end, ahead of the caller in a background thread.

    The batch of step n depends on the seed and n alone, so a resumed run sees the same
    batches as an uninterrupted one.

    Args:
        split: the objects to draw from.
        batch_size: number of objects B.
        seed: seed of the run, not negative.
        start_step: step of the first batch, not negative.

    Returns:
        An iterator; ``next`` raises the errors of the thread. The thread ends when the
        iterator is closed or no longer referenced.
    """

    def batch(step: int) -> PairBatch:
        return sample_pairs(split, batch_size, np.random.default_rng([seed, step]))

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
