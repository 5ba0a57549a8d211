"""Batches of training steps: from the memory of the devices, or from the host."""

from __future__ import annotations

from typing import Protocol

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras import config, data
from jaxsoftras.data import resident
from jaxsoftras.reconstruction import training

_SHARE = 0.5
"""Part of a device's free memory that resident images may take."""


class Feed(Protocol):
    """Takes training steps, each on the batch of its number."""

    description: str

    def take_step(
        self, state: training.TrainState
    ) -> tuple[training.TrainState, training.Metrics]:
        """Takes the step after ``state``, which is donated."""
        ...


class HostFeed:
    """Batches made and copied to the devices by threads of the host."""

    def __init__(
        self,
        experiment: training.Experiment,
        source: data.Split | data.Mixture,
        start: int,
    ):
        """Begins with the batch of step ``start``."""
        self._experiment = experiment
        settings = experiment.config
        self._batches = data.pair_batches(
            source,
            settings.optim.batch_size,
            seed=settings.seed,
            start_step=start,
            sharding=experiment.sharded,
        )
        self.description = "images on the host"

    def take_step(
        self, state: training.TrainState
    ) -> tuple[training.TrainState, training.Metrics]:
        """See `Feed`."""
        return self._experiment.step(state, next(self._batches))


class ResidentFeed:
    """Batches drawn within the step, from images in the devices' memory."""

    def __init__(
        self, experiment: training.Experiment, store: resident.Resident, where: str
    ):
        """Takes the images as they are placed."""
        self._store = store
        self.description = f"images {where}"
        settings = experiment.config

        def divide(numbers: jax.Array) -> jax.Array:
            return jax.lax.with_sharding_constraint(numbers, experiment.sharded)

        def step(state: training.TrainState, store: resident.Resident):
            batch = store.sample_pairs(
                settings.optim.batch_size,
                seed=settings.seed,
                step=state.step,
                divide=divide,
            )
            return experiment.take_step(state, batch)

        self._step = jax.jit(
            step,
            donate_argnums=0,
            out_shardings=(experiment.placement, experiment.replicated),
        )

    def take_step(
        self, state: training.TrainState
    ) -> tuple[training.TrainState, training.Metrics]:
        """See `Feed`."""
        return self._step(state, self._store)


def make_feed(
    experiment: training.Experiment, source: data.Split | data.Mixture, start: int
) -> Feed:
    """Chooses where images are kept, by `config.Data.feeding`.

    ``"auto"`` keeps images on each device of an accelerator if they take less than half
    of its free memory, else divided among the devices if that is enough, else on the
    host. Batches do not depend on it.

    Args:
        experiment: functions of the configuration.
        source: the objects to train on.
        start: number of the first batch.
    """
    where = experiment.config.data.feeding
    if where == "auto":
        devices = experiment.devices
        where = _choose(
            resident.image_bytes(source), _free_memory(devices), devices.size
        )
    match where:
        case "device":
            store = resident.make_resident(source, _placer(experiment, P()))
            return ResidentFeed(experiment, store, "on each device")
        case "devices":
            store = resident.make_resident(source, _placer(experiment, P("data")))
            return ResidentFeed(experiment, store, "divided among the devices")
    return HostFeed(experiment, source, start)


def _choose(needed: int, free: float, devices: int) -> config.Feeding:
    """Chooses where images are kept.

    Args:
        needed: bytes of all images.
        free: bytes that are free on every device.
        devices: number of devices.
    """
    if needed < _SHARE * free:
        return "device"
    return "devices" if needed < _SHARE * free * devices else "host"


def _free_memory(devices: Mesh) -> float:
    """Bytes that are free on every device; 0 where they say nothing, as CPUs do."""
    stats = [device.memory_stats() or {} for device in devices.local_devices]
    free = min(s.get("bytes_limit", 0) - s.get("bytes_in_use", 0) for s in stats)
    # processes see their own devices only, and must choose alike
    return float(np.min(multihost_utils.process_allgather(np.float32(free))))


def _placer(experiment: training.Experiment, spec: P):
    sharding = NamedSharding(experiment.devices, spec)

    def place(array: np.ndarray) -> jax.Array:
        # objects that nobody draws fill up the last device's part
        rest = -len(array) % (experiment.devices.size if spec else 1)
        padded = array
        if rest:
            padded = np.pad(array, [(0, rest), *[(0, 0)] * (array.ndim - 1)])
        # unlike `jax.device_put`, compares nothing between processes
        return jax.make_array_from_callback(
            padded.shape, sharding, lambda index: padded[index]
        )

    return place
