"""The batch of a step whose loss is not finite, written out to be looked at."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import atomic, config, data
from jaxsoftras.data import drawing, rig
from jaxsoftras.data.mixture import Mixture
from jaxsoftras.reconstruction import augmentation


def save_batch(
    path: Path,
    settings: config.Config,
    source: data.Split | data.Mixture,
    step: int,
) -> None:
    """Writes the batch of a step to an npz file.

    The file holds ``images`` ``[B, k, 4, S, S]`` uint8 as the network saw them; the
    fields of the cameras, such as ``cameras.axes``; ``step`` and ``seed``; and of each
    object its ``source``, from 0, its ``category``, its number within these,
    ``object``, and its ``views`` ``[B, k]``.

    Args:
        path: the file.
        settings: configuration of the run.
        source: the objects that batches are drawn from.
        step: number of the step, from 1.
    """
    size, seed = settings.optim.batch_size, settings.seed
    views = settings.data.views_per_object
    batch = data.sample_views(source, size, seed=seed, step=step - 1, views=views)
    batch = augmentation.augment(
        batch, settings.augment, seed=seed, step=jnp.int32(step - 1)
    )
    arrays: dict[str, Any] = {
        "images": batch.images,
        "step": step,
        "seed": seed,
        **_name_objects(Mixture.of(source), size, seed, step - 1, views),
    }
    cameras = jax.device_get(rig.as_cameras(batch.cameras))
    for field in dataclasses.fields(cameras):
        value = getattr(cameras, field.name)
        if value is not None:
            arrays[f"cameras.{field.name}"] = value
    with atomic.file(path) as partial:
        np.savez_compressed(partial, **arrays)


def _name_objects(
    mixture: Mixture, size: int, seed: int, number: int, views: int
) -> dict[str, np.ndarray]:
    """Names the objects and views of a batch by source, category and number."""
    drawn = drawing.draw(mixture.tables, seed, number, size, np, views)
    splits = list(dict.fromkeys(split for split, _ in mixture.groups))
    chosen = [mixture.groups[group] for group in drawn.groups]
    return {
        "source": np.array([splits.index(split) for split, _ in chosen]),
        "category": np.array([key for _, key in chosen]),
        "object": drawn.objects - mixture.tables.first[drawn.groups],
        "views": drawn.views.T,
    }
