"""Devices of a training, and how they are arranged."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh

from jaxsoftras import terminal


def find_devices() -> list[Any]:
    """Lists the devices of JAX.

    Raises:
        ProgramError: there is none of the kind that was asked for.
    """
    try:
        return jax.devices()
    except (RuntimeError, AssertionError) as error:
        reason = (str(error).splitlines() or ["no backend"])[0]
        raise terminal.ProgramError(
            f"JAX finds no device of the kind that JAX_PLATFORMS names ({reason}): set "
            "it to cpu, or install JAX for that kind."
        ) from error


def device_mesh(
    batch_size: int, devices: Sequence[Any] | None = None, *, model: int = 1
) -> Mesh:
    """Arranges devices along two axes, ``("data", "model")``.

    Args:
        batch_size: number of objects in a batch.
        devices: devices to use; all if None.
        model: number of devices along ``"model"``; 0 for all devices of a process, if
            all processes have as many, else 1. See `config.Devices`.

    Raises:
        ValueError: a batch, or the devices along ``"model"``, do not divide evenly.
    """
    devices = find_devices() if devices is None else devices
    count = len(devices)
    model = model or _count_alike(devices)
    if count % model:
        raise ValueError(
            f"devices.model={model} does not divide the number of devices, {count}: "
            "set it to one that does, or to 1."
        )
    if batch_size % count:
        raise ValueError(
            f"A batch of {batch_size} objects does not divide evenly among {count} "
            f"devices; set optim.batch_size to a multiple of {count}."
        )
    return jax.make_mesh(
        (count // model, model),
        ("data", "model"),
        axis_types=(AxisType.Auto, AxisType.Auto),
        devices=devices,
    )


def _count_alike(devices: Sequence[Any]) -> int:
    """Number of devices that every process has; 1 if not all have as many."""
    counts = set(collections.Counter(d.process_index for d in devices).values())
    return counts.pop() if len(counts) == 1 else 1
