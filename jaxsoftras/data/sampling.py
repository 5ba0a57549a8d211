"""Training batches: some views of each object, categories equally likely."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding

from jaxsoftras import extras
from jaxsoftras.data.drawing import Draw, draw
from jaxsoftras.data.mixture import Mixture
from jaxsoftras.data.rig import Viewpoints, select_views
from jaxsoftras.data.split import Split

if TYPE_CHECKING:
    import grain

THREADS = 2
"""Batches that are made at the same time, and held ready for the caller."""

_END_STEP = 2**32
"""Steps that `jaxsoftras.data.drawing.draw` can number."""


class ViewBatch(NamedTuple):
    """Images of B objects, k views of each (which may coincide).

    Attributes:
        images: ``[B, k, 4, S, S]`` uint8.
        cameras: their cameras, with leading axes ``[B, k]``, for
            `jaxsoftras.data.rig.as_cameras`.
    """

    images: np.ndarray | jax.Array
    cameras: Viewpoints


def sample_views(
    source: Split | Mixture,
    batch_size: int,
    *,
    seed: int,
    step: int,
    rows: np.ndarray | slice = slice(None),
    views: int = 2,
) -> ViewBatch:
    """Draws a batch: category, object within it, and its views, each uniformly.

    Args:
        source: the objects to draw from. Of a mixture, one of the splits that have the
            category is drawn by weight before the object.
        batch_size: number of objects B.
        seed: seed of the run, not negative.
        step: number of the batch. Seed and number alone determine the batch.
        rows: the objects of the batch to return; all by default. Only theirs are read.
        views: number k of views of each object.

    Raises:
        ValueError: a batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"The batch size must be at least 1, not {batch_size}.")
    mixture = Mixture.of(source)
    drawn = draw(mixture.tables, seed, step, batch_size, np, views)
    drawn = Draw(*(part[..., rows] for part in drawn))
    cameras = select_views(mixture.viewpoints, drawn.objects, drawn.views.T)
    return ViewBatch(mixture.images(drawn), cameras)


def local_rows(sharding: NamedSharding, batch_size: int) -> np.ndarray:
    """Lists the rows of a global batch that the devices of this process hold.

    Args:
        sharding: how batches are divided, along their first axis.
        batch_size: number of objects B of the global batch.

    Returns:
        Increasing numbers below B.
    """
    held = sharding.addressable_devices_indices_map((batch_size,)).values()
    every = np.arange(batch_size)
    return np.unique(np.concatenate([every[index] for index in held]))


def view_batches(
    source: Split | Mixture,
    batch_size: int,
    *,
    seed: int,
    start_step: int = 0,
    sharding: NamedSharding | None = None,
    threads: int = THREADS,
    views: int = 2,
) -> grain.DatasetIterator[ViewBatch]:
    """Draws batches without end, ahead of the caller in background threads.

    The batch of step n depends on the seed and n alone, so a resumed run sees the same
    batches as an uninterrupted one, whatever the number of threads and processes.

    Args:
        source: the objects to draw from.
        batch_size: number of objects B.
        seed: seed of the run, not negative.
        start_step: step of the first batch, not negative.
        sharding: how to divide batches among the devices, of all processes of JAX; each
            process reads the rows of its own devices. If None, batches are arrays of
            numpy.
        threads: number of batches that are made at the same time, and held ready.
        views: number k of views of each object.

    Returns:
        An iterator; ``next`` raises the errors of the threads. They end when the
        iterator is closed or no longer referenced.

    Raises:
        MissingExtraError: grain is not installed.
    """
    extras.require("make batches ahead", "grain")
    import grain

    mixture = Mixture.of(source)
    rows = slice(None) if sharding is None else local_rows(sharding, batch_size)

    def make_batch(step: int) -> ViewBatch:
        batch = sample_views(
            mixture, batch_size, seed=seed, step=step, rows=rows, views=views
        )
        if sharding is None:
            return batch
        # here, so that the training thread does not wait for the copy
        return jax.make_array_from_process_local_data(sharding, batch)

    steps = grain.MapDataset.range(start_step, _END_STEP)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
    return iter(steps.map(make_batch).to_iter_dataset(options))
