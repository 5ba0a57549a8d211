"""The training loop: chunks of steps, and what is done with what they leave behind.

While the devices take one chunk, the next one waits for them, so that they never wait
for the host. Everything else looks at the results of a chunk once it is complete: it
reads the metrics, and copies of the state that were made before the next chunk, whose
steps are donated the state itself.
"""

from __future__ import annotations

import collections
import contextlib
import time
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import config, data, interruption, models
from jaxsoftras.reconstruction import (
    background,
    feeding,
    gallery,
    monitor,
    pacing,
    runs,
    training,
)

State = TypeVar("State")

_AHEAD = 2  # chunks that the devices have been given and not completed
_ROWS = 4  # objects in an image for TensorBoard


@jax.jit
def copy_state(state: State) -> State:
    """Copies a state on its devices."""
    return jax.tree.map(jnp.copy, state)


class _Chunk(NamedTuple):
    """Steps that the devices have been given.

    Attributes:
        last: number of the last step, from 1.
        count: number of steps.
        measured: see `feeding.read`.
        saved: state after the last step, if it is to be saved.
        shown: network after the last step, if it is to be shown.
        begun: time at which it was dispatched.
    """

    last: int
    count: int
    measured: feeding.Measured
    saved: training.TrainState | None
    shown: models.Variables | None
    begun: float


class Loop:
    """Takes the steps of a run."""

    def __init__(
        self,
        settings: config.Config,
        experiment: training.Experiment,
        source: data.Split | data.Mixture,
        feed: feeding.Feed,
        checkpoints: runs.Checkpoints,
        report: monitor.Monitor,
    ):
        """Makes a loop.

        Args:
            settings: the configuration.
            experiment: its functions.
            source: the objects to train on.
            feed: takes the steps; it is ready.
            checkpoints: where to save.
            report: where to report.
        """
        self._settings = settings
        self._source = source
        self._feed = feed
        self._checkpoints = checkpoints
        self._report = report
        log, steps = settings.log, settings.optim.steps
        intervals = (log.metrics_every, log.images_every, log.checkpoint_every)
        self._pace = pacing.Pace(steps, intervals, feeding.LARGEST)
        self._running: collections.deque[_Chunk] = collections.deque()
        self._completed = 0.0  # time at which the last chunk was
        device = experiment.devices.local_devices[:1]
        self._beside = training.Experiment(settings, training.device_mesh(1, device))

    def run(
        self, state: training.TrainState, start: int, stop: interruption.Stop
    ) -> tuple[training.TrainState, int]:
        """Takes the steps that are left, with a checkpoint at the end.

        Args:
            state: state after ``start`` steps; donated.
            start: number of steps taken.
            stop: ends the loop. Signals are deferred from the first step on, for then
                there is work to save.

        Returns:
            The state, and the number of steps taken.
        """
        steps, step = self._settings.optim.steps, start
        like = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state
        )
        with contextlib.ExitStack() as deferred, background.Background() as work:
            work.submit(lambda: copy_state.lower(like).compile(), lambda _: None)
            while step < steps and stop.number is None:
                begun, count = time.monotonic(), self._pace.choose(step)
                state, measured = self._feed.take_steps(state, count)
                if step == start:
                    deferred.enter_context(stop.defer())
                step += count
                self._running.append(
                    _Chunk(step, count, measured, *self._copy(state, step), begun)
                )
                if len(self._running) == _AHEAD:
                    self._complete(work)
            while self._running:
                self._complete(work)
            if step > start:
                self._checkpoints.save(step, state)
            work.wait()
        return state, step

    def _copy(
        self, state: training.TrainState, step: int
    ) -> tuple[training.TrainState | None, models.Variables | None]:
        """Copies what is to be saved and to be shown after a step."""
        log, last = self._settings.log, step == self._settings.optim.steps
        saved = step % log.checkpoint_every == 0 and not last
        shown = step % log.images_every == 0 or last
        if not saved and not shown:
            return None, None
        copied = copy_state(state)
        return copied if saved else None, copied.variables if shown else None

    def _complete(self, work: background.Background) -> None:
        """Waits for the oldest chunk, and reports, shows and saves its results."""
        chunk = self._running.popleft()
        measured = feeding.read(chunk.measured, chunk.count)
        now = time.monotonic()
        self._pace.measure(chunk.count, now - max(chunk.begun, self._completed))
        self._completed = now
        for step, metrics in enumerate(measured, chunk.last - chunk.count + 1):
            self._report.record(step, metrics)
        self._checkpoints.check()
        work.check()
        if chunk.shown is not None:
            self._show(work, chunk.last, chunk.shown)
        if chunk.saved is not None:
            self._checkpoints.save(chunk.last, chunk.saved)

    def _show(
        self, work: background.Background, step: int, variables: models.Variables
    ) -> None:
        """Makes an image of the first objects of a batch, beside the training."""
        settings = self._settings
        rows = np.arange(min(_ROWS, settings.optim.batch_size))

        def draw() -> np.ndarray:
            batch = data.sample_pairs(
                self._source,
                settings.optim.batch_size,
                seed=settings.seed,
                step=step - 1,
                rows=rows,
            )
            return gallery.training_views(
                self._beside,
                jax.device_put(variables, self._beside.replicated),
                jax.device_put(batch, self._beside.sharded),
                step,
            )

        work.submit(draw, lambda views: self._report.image("train/views", views, step))
