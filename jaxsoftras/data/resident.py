"""Training images in the memory of the devices, from which a step draws its batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras.camera import Camera
from jaxsoftras.data.drawing import Tables, draw
from jaxsoftras.data.mixture import Mixture
from jaxsoftras.data.rig import OrbitViews
from jaxsoftras.data.sampling import PairBatch
from jaxsoftras.data.split import Split


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

    def sample_pairs(
        self,
        batch_size: int,
        *,
        seed: int,
        step: jax.Array,
        divide: Callable[[jax.Array], jax.Array] = lambda x: x,
    ) -> PairBatch:
        """Draws the batch that `jaxsoftras.data.sample_pairs` draws; for `jax.jit`.

        Args:
            batch_size: number of objects B.
            seed: seed of the run.
            step: number of the batch.
            divide: places an array ``[B]`` so that each device gathers its own images.
        """
        _, objects, views = draw(self.tables, seed, step, batch_size, jnp)
        objects, a, b = divide(objects), divide(views[0]), divide(views[1])

        def cameras(view: jax.Array) -> Camera | OrbitViews:
            if isinstance(self.viewpoints, OrbitViews):
                return dataclasses.replace(self.viewpoints, numbers=view)
            return jax.tree.map(lambda part: part[objects, view], self.viewpoints)

        return PairBatch(
            self.images[objects, a], self.images[objects, b], cameras(a), cameras(b)
        )


def image_bytes(source: Split | Mixture) -> int:
    """Memory that the images of a training set need, in bytes."""
    mixture = Mixture.of(source)
    views = max(split.num_views for split, _ in mixture.groups)
    objects = len(mixture.tables.view_counts)
    return objects * views * 4 * mixture.image_size**2


def make_resident(
    source: Split | Mixture, place: Callable[[np.ndarray], jax.Array] = jnp.asarray
) -> Resident:
    """Copies a training set to the devices.

    Args:
        source: the objects.
        place: copies an array ``[N, ...]`` to the devices.
    """
    mixture = Mixture.of(source)
    views = max(split.num_views for split, _ in mixture.groups)
    side, total = mixture.image_size, len(mixture.tables.view_counts)
    images = np.zeros((total, views, 4, side, side), np.uint8)
    tables = []
    for group, (split, key) in enumerate(mixture.groups):
        start = mixture.tables.first[group]
        counts = split.view_counts(key)
        number, view = np.nonzero(np.arange(views) < counts[:, None])
        images[start + number, view] = split.images(key, number, view)
        # an object's last view stands for those that it lacks
        shown = np.minimum(np.arange(views), counts[:, None] - 1)
        rows = np.broadcast_to(np.arange(len(counts))[:, None], shown.shape)
        flat = mixture.viewpoints(group, rows.ravel(), shown.ravel())
        tables.append(
            jax.tree.map(
                lambda part, like=shown: part.reshape(*like.shape, *part.shape[1:]),
                flat,
            )
        )
    viewpoints = tables[0]
    if isinstance(viewpoints, OrbitViews):
        numbers = np.arange(views, dtype=np.int32)
        viewpoints = dataclasses.replace(viewpoints, numbers=numbers)
    else:
        viewpoints = jax.tree.map(lambda *parts: np.concatenate(parts), *tables)
    return Resident(
        place(images),
        jax.tree.map(jnp.asarray, viewpoints),
        jax.tree.map(jnp.asarray, mixture.tables),
    )
