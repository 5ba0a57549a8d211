"""Batches of training steps: from the memory of the devices, or from the host."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras import config, data
from jaxsoftras.data import resident
from jaxsoftras.models import division
from jaxsoftras.reconstruction import training

_SHARE = 0.5
"""Part of a device's free memory that resident images may take."""


LARGEST = 256
"""Most steps that a feed takes at once."""

_STRIDE = 100
"""Most steps that a GPU takes without waiting for the host."""

_STRIDE_PIXELS = 100 * 2**20
"""Pixels that a GPU renders meanwhile, in 0.2 s with the paper's configuration."""

Measured = Sequence[training.Metrics | jax.Array]
"""Metrics of several steps on the devices: one by one, or all as the rows of one array
``[LARGEST, M]``, the first ones of which are used."""


def read(measured: Measured, count: int) -> list[training.Metrics]:
    """Waits for steps, and returns their metrics on the host.

    Args:
        measured: what `Feed.take_steps` has returned.
        count: number of the steps.
    """
    width = len(training.Metrics._fields)
    parts = [np.reshape(part, (-1, width)) for part in jax.device_get(measured)]
    return [training.Metrics(*row) for row in np.concatenate(parts)[:count]]


class Feed(Protocol):
    """Takes training steps, each on the batch of its number."""

    description: str
    stride: int
    """Steps are taken in multiples of it, and the number of the first is one."""

    def prepare(self, state: training.TrainState) -> None:
        """Compiles the program of the steps, and reads images that steps draw from.

        Args:
            state: shapes, dtypes and shardings; see `runs.abstract`.
        """
        ...

    def take_steps(
        self, state: training.TrainState, count: int
    ) -> tuple[training.TrainState, Measured]:
        """Takes steps, without waiting for the devices.

        Args:
            state: state before the steps; donated.
            count: number of steps, from 1 to `LARGEST`, a multiple of ``stride``.

        Returns:
            The state after the steps, and what `read` makes metrics of.
        """
        ...


class HostFeed:
    """Batches made and copied to the devices by threads of the host."""

    description = "batches from the host"
    stride = 1

    def __init__(
        self,
        experiment: training.Experiment,
        source: data.Split | data.Mixture,
        start: int,
    ):
        """Begins with the batch of step ``start``."""
        self._experiment = experiment
        settings = experiment.config
        self._batches = data.view_batches(
            source,
            settings.optim.batch_size,
            seed=settings.seed,
            start_step=start,
            sharding=experiment.sharded,
            views=settings.data.views_per_object,
        )
        self._first: list[data.ViewBatch] = []
        self._step: Callable[..., tuple[training.TrainState, training.Metrics]]
        self._step = experiment.step

    def prepare(self, state: training.TrainState) -> None:
        """See `Feed`."""
        self._first = [next(self._batches)]
        self._step = self._experiment.compile(
            self._experiment.step,
            (state, *self._first),
            (state, training.Metrics._make(training.Metrics._fields)),
            f"{self._experiment.step_options}",
        )

    def take_steps(
        self, state: training.TrainState, count: int
    ) -> tuple[training.TrainState, Measured]:
        """See `Feed`; each step is dispatched by itself."""
        taken = []
        for _ in range(count):
            batch = self._first.pop() if self._first else next(self._batches)
            state, metrics = self._step(state, batch)
            taken.append(metrics)
        return state, taken


class ResidentFeed:
    """Batches drawn within the step, from images in the devices' memory.

    One program takes any number of steps, in a loop whose body is compiled once: a step
    gives the same bits in whatever company it is dispatched. On a GPU, the host decides
    whether a loop of any length goes on. The loop is therefore one of loops of a fixed
    length, the stride, within which the GPU waits for nobody.
    """

    def __init__(
        self,
        experiment: training.Experiment,
        source: data.Split | data.Mixture,
        spec: P,
        where: str,
        images: jax.Array | None = None,
        *,
        start: int = 0,
    ):
        """Reads no image yet.

        Args:
            experiment: functions of the configuration.
            source: the objects to train on.
            spec: how images are divided among the devices.
            where: the same in words.
            images: the images, where they are on the devices already.
            start: number of steps taken before.
        """
        self.stride = _choose_stride(experiment, start)
        self._experiment = experiment
        self._source = source
        self._spec, self._where = spec, where
        self._sharding = NamedSharding(experiment.devices, spec)
        self._images = images
        self._store: resident.Resident | None = None
        self.description = f"images {where}"
        self._loop: Callable[..., tuple[training.TrainState, jax.Array]]
        self._program = self._loop = jax.jit(
            self._take_steps,
            donate_argnums=0,
            out_shardings=(experiment.placement, experiment.replicated),
            compiler_options=experiment.step_options or None,
        )

    def share(self, experiment: training.Experiment) -> ResidentFeed:
        """Makes a feed of another configuration, which has this one's images.

        Args:
            experiment: functions of that configuration, on the same devices.
        """
        return ResidentFeed(
            experiment, self._source, self._spec, self._where, self._images
        )

    def _take_steps(
        self, state: training.TrainState, store: resident.Resident, count: jax.Array
    ) -> tuple[training.TrainState, jax.Array]:
        """Takes steps; metrics ``[LARGEST, M]``, one column for each."""
        experiment, settings = self._experiment, self._experiment.config

        def divide(numbers: jax.Array) -> jax.Array:
            return jax.lax.with_sharding_constraint(numbers, experiment.sharded)

        def take_step(
            number: jax.Array, carry: tuple[training.TrainState, jax.Array]
        ) -> tuple[training.TrainState, jax.Array]:
            state, rows = carry
            batch = store.sample_views(
                settings.optim.batch_size,
                seed=settings.seed,
                step=state.step,
                divide=divide,
                views=settings.data.views_per_object,
            )
            state, metrics = experiment.take_step(state, batch)
            return state, rows.at[number].set(jnp.stack(metrics))

        rows = jnp.zeros((LARGEST, len(training.Metrics._fields)), jnp.float32)
        begin = experiment.split(state), rows
        if self.stride == 1:
            state, rows = jax.lax.fori_loop(0, count, take_step, begin)
            return experiment.join(state), rows

        def take_steps(
            turn: jax.Array, carry: tuple[training.TrainState, jax.Array]
        ) -> tuple[training.TrainState, jax.Array]:
            first = turn * self.stride
            return jax.lax.fori_loop(
                0, self.stride, lambda k, carry: take_step(first + k, carry), carry
            )

        state, rows = jax.lax.fori_loop(0, count // self.stride, take_steps, begin)
        return experiment.join(state), rows

    def prepare(self, state: training.TrainState) -> None:
        """See `Feed`; the images are read while the program is compiled."""
        objects, *rest = resident.image_shape(self._source)
        padded = objects + _count_missing(objects, self._sharding)
        images = jax.ShapeDtypeStruct(
            (padded, *rest), np.uint8, sharding=self._sharding
        )
        like = resident.make_resident(self._source, images)
        with ThreadPoolExecutor(1, "images") as beside:
            reading = beside.submit(self._read_images)
            self._loop = self._experiment.compile(
                self._program,
                (state, like, np.int32(1)),
                (state, 0),
                f"{self.stride} {self._experiment.step_options}",
            )
            self._images = reading.result()
            store = dataclasses.replace(like, images=self._images)
            self._store = jax.tree.map(jnp.asarray, store)

    def _read_images(self) -> jax.Array:
        """Copies the images to the devices, unless they are there."""
        if self._images is not None:
            return self._images
        images = resident.read_images(self._source)
        # objects that nobody draws fill up the last device's part
        if missing := _count_missing(len(images), self._sharding):
            images = np.pad(images, [(0, missing), *[(0, 0)] * (images.ndim - 1)])
        # unlike `jax.device_put`, compares nothing between processes
        return jax.make_array_from_callback(
            images.shape, self._sharding, lambda index: images[index]
        )

    def take_steps(
        self, state: training.TrainState, count: int
    ) -> tuple[training.TrainState, Measured]:
        """See `Feed`; dispatched as one program."""
        if count % self.stride:
            raise ValueError(f"{count} steps are no multiple of {self.stride}.")
        state, rows = self._loop(state, self._store, np.int32(count))
        return state, [rows]


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
            spec, words = P(), "on each device"
            return ResidentFeed(experiment, source, spec, words, start=start)
        case "devices":
            spec, words = division.BATCH, "divided among the devices"
            return ResidentFeed(experiment, source, spec, words, start=start)
    return HostFeed(experiment, source, start)


def due_after(settings: config.Config) -> list[int]:
    """Numbers of steps after which something is due: images, a checkpoint, scores."""
    log = settings.log
    intervals = [log.images_every, log.checkpoint_every]
    return [*intervals, *([log.validate_every] if log.validate_every else [])]


def _choose_stride(experiment: training.Experiment, start: int) -> int:
    """Largest stride that leads from ``start`` to all that is due, and to the end.

    A run that is resumed on as many devices has that of before, of which it had taken a
    multiple. Steps that render many pixels take long, during which a run does not end:
    their strides are shorter.
    """
    devices, settings = experiment.devices.devices, experiment.config
    if devices.flat[0].platform != "gpu":
        return 1  # nothing there waits for the host
    images = settings.optim.batch_size * settings.data.views_per_object**2
    pixels = images * settings.model.image_size**2 / devices.size
    most = min(_STRIDE, max(1, int(_STRIDE_PIXELS / pixels)))
    common = math.gcd(start, settings.optim.steps, *due_after(settings))
    return max(n for n in range(1, most + 1) if common % n == 0)


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


def _count_missing(objects: int, sharding: NamedSharding) -> int:
    """Number of objects by which the devices' parts are made equal."""
    return -objects % sharding.mesh.size if sharding.spec else 0
