"""Training images in the memory of the devices, from which a step draws its batch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import cores
from jaxsoftras.camera import Camera
from jaxsoftras.data.drawing import Tables, draw
from jaxsoftras.data.mixture import Mixture
from jaxsoftras.data.npz import NpzCategory
from jaxsoftras.data.rig import OrbitViews, select_views
from jaxsoftras.data.sampling import ViewBatch
from jaxsoftras.data.split import Split

# Objects that one thread reads at a time.
_CHUNK = 32
# Threads that read, at most: more wait for each other's interpreter lock.
_READERS = 4


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Resident:
    """All images and cameras of a training set; a pytree.

    Attributes:
        images: ``[N, V, 4, S, S]`` uint8; those of objects with fewer than V views are
            followed by zeros.
        viewpoints: cameras with leading axes ``[N, V]``, or view numbers ``[V]`` where
            all objects have the same rig.
        tables: what a batch is drawn among.
    """

    images: jax.Array
    viewpoints: Camera | OrbitViews
    tables: Tables

    def sample_views(
        self,
        batch_size: int,
        *,
        seed: int,
        step: jax.Array,
        divide: Callable[[jax.Array], jax.Array] = lambda x: x,
        views: int = 2,
    ) -> ViewBatch:
        """Draws the batch that `jaxsoftras.data.sample_views` draws; for `jax.jit`.

        Args:
            batch_size: number of objects B.
            seed: seed of the run.
            step: number of the batch.
            divide: places an array ``[B, ...]`` so that each device gathers its own
                images.
            views: number k of views of each object.
        """
        drawn = draw(self.tables, seed, step, batch_size, jnp, views)
        objects, numbers = divide(drawn.objects), divide(drawn.views.T)
        return ViewBatch(
            self.images[objects[:, None], numbers],
            select_views(self.viewpoints, objects, numbers),
        )


def image_shape(source: Split | Mixture) -> tuple[int, int, int, int, int]:
    """Shape ``[N, V, 4, S, S]`` of the images of a training set."""
    mixture = Mixture.of(source)
    side = mixture.image_size
    return len(mixture.tables.view_counts), mixture.num_views, 4, side, side


def image_bytes(source: Split | Mixture) -> int:
    """Memory that the images of a training set need, in bytes."""
    return math.prod(image_shape(source))


def read_images(source: Split | Mixture) -> np.ndarray:
    """Reads all images of a training set, ``[N, V, 4, S, S]`` uint8."""
    mixture = Mixture.of(source)
    images = np.zeros(image_shape(mixture), np.uint8)

    def read(group: int, first: int, last: int) -> None:
        split, key = mixture.groups[group]
        store, counts = split.store(key), split.view_counts(key)
        kept = images[mixture.tables.first[group] :][first:last]
        if isinstance(store, NpzCategory):
            kept[:, : store.num_views] = store.all_images[first:last]
            return
        for number, count in enumerate(counts[first:last].tolist(), first):
            part = kept[number - first, :count]
            np.stack(store.images(number, range(count)), out=part)

    chunks = []
    for group, (split, key) in enumerate(mixture.groups):
        count = split.count(key)
        # one array, whose copy leaves the interpreter to whoever compiles meanwhile
        whole = isinstance(split.store(key), NpzCategory)
        size = count if whole else _CHUNK
        chunks += [(group, first, first + size) for first in range(0, count, size)]
    # zlib and copies release the interpreter lock
    with ThreadPoolExecutor(min(_READERS, cores.count_cores())) as pool:
        list(pool.map(read, *zip(*chunks, strict=True)))
    return images


def make_resident(source: Split | Mixture, images: Any = None) -> Resident:
    """Joins images on the devices with what batches are drawn by.

    Args:
        source: the objects.
        images: images of all objects, as `read_images` orders them. With their shape
            and dtype alone, nothing is copied to a device: the result is to compile
            with. Read to the default device if None.
    """
    mixture = Mixture.of(source)
    if isinstance(images, jax.ShapeDtypeStruct):
        shapes: Any = images
        return Resident(shapes, mixture.viewpoints, mixture.tables)
    if images is None:
        images = jnp.asarray(read_images(mixture))
    return Resident(
        images,
        jax.tree.map(jnp.asarray, mixture.viewpoints),
        jax.tree.map(jnp.asarray, mixture.tables),
    )
