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
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from jaxsoftras import config, data, interruption, models
from jaxsoftras.reconstruction import (
    background,
    feeding,
    monitor,
    pacing,
    processes,
    profiling,
    runs,
    training,
    watching,
)
from jaxsoftras.reconstruction.shared_checkpoints import SharedCheckpoints

State = TypeVar("State")

_AHEAD = 2  # chunks that the devices have been given and not completed


@jax.jit
def copy_state(state: State) -> State:
    """Copies a state on its devices."""
    return jax.tree.map(jnp.copy, state)


def list_shards(tree: Any) -> None:
    """Has JAX list the shards of arrays, so that several threads may use them.

    It lists them where they are first asked for, and two threads at once make it list
    some twice, or not all.
    """
    for array in jax.tree.leaves(tree):
        _ = array.addressable_shards


class _Chunk(NamedTuple):
    """Steps that the devices have been given.

    Attributes:
        last: number of the last step, from 1.
        count: number of steps.
        measured: see `feeding.read`.
        saved: state after the last step, if it is to be saved.
        watched: network after the last step, if it is to be validated or shown.
        begun: time at which it was dispatched.
    """

    last: int
    count: int
    measured: feeding.Measured
    saved: training.TrainState | None
    watched: models.Variables | None
    begun: float


class Loop:
    """Takes the steps of a run."""

    def __init__(
        self,
        settings: config.Config,
        experiment: training.Experiment,
        source: data.Split | data.Mixture,
        feed: feeding.Feed,
        checkpoints: SharedCheckpoints,
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
        self._feed = feed
        self._checkpoints = checkpoints
        self._report = report
        self._pace = pacing.Pace(
            settings.optim.steps,
            feeding.due_after(settings),
            feeding.LARGEST,
            feed.stride,
        )
        self._running: collections.deque[_Chunk] = collections.deque()
        self._completed = 0.0  # time at which the last chunk was
        self._watcher: watching.Watcher | None = None
        if checkpoints.own:
            device = experiment.devices.local_devices[0]
            self._watcher = watching.Watcher(
                settings, device, source, report, checkpoints.own
            )

    def run(
        self,
        state: training.TrainState,
        start: int,
        stop: interruption.Stop,
        profiler: profiling.Profiler | None = None,
    ) -> tuple[training.TrainState, int]:
        """Takes the steps that are left, with a checkpoint at the end.

        Args:
            state: state after ``start`` steps; donated.
            start: number of steps taken.
            stop: ends the loop. Signals are deferred from the first step on, for then
                there is work to save.
            profiler: traces some of the steps.

        Returns:
            The state, and the number of steps taken.
        """
        steps, step, first = self._settings.optim.steps, start, time.monotonic()
        like = runs.abstract(state)
        vote, stopped = processes.Vote(stop), False
        with contextlib.ExitStack() as open_until_end:
            work = open_until_end.enter_context(background.Background())
            drawing = open_until_end.enter_context(background.Background())
            if profiler:
                open_until_end.enter_context(profiler)
            if start < steps:
                work.submit(lambda: copy_state.lower(like).compile(), lambda _: None)
            self._make_up(work, state, start)
            self._report.begin(start)
            while step < steps and not (stopped := vote.stops()):
                begun, count = time.monotonic(), self._pace.choose(step)
                state, measured = self._feed.take_steps(state, count)
                if step == start:
                    open_until_end.enter_context(stop.defer())
                step += count
                self._running.append(
                    _Chunk(step, count, measured, *self._copy(state, step), begun)
                )
                if profiler:
                    for line in profiler.after_step(step, state):
                        self._report.message(line)
                if len(self._running) == _AHEAD:
                    self._complete(self._running.popleft(), work, drawing)
            while self._running:
                chunk = self._running.popleft()
                if not self._running:  # no step is donated this state any more
                    chunk = chunk._replace(saved=state)
                    if stopped:  # soon; a resumed run makes up for the validation
                        chunk = chunk._replace(watched=None)
                self._complete(chunk, work, drawing)
            work.wait()
            drawing.wait()
        if self._watcher and step > start:
            seconds = time.monotonic() - first
            self._report.message(self._watcher.summarize(step - start, seconds))
        return state, step

    def _make_up(
        self, work: background.Background, state: training.TrainState, start: int
    ) -> None:
        """Validates the checkpoint that a run goes on from, if it has no score."""
        if not watching.validates(self._settings, start):
            return
        variables = self._fetch(copy_state(state.evaluated))
        if self._watcher and self._checkpoints.own:
            if self._checkpoints.own.score(start) is None:
                self._watcher.validate(work, start, variables)

    def _copy(
        self, state: training.TrainState, step: int
    ) -> tuple[training.TrainState | None, models.Variables | None]:
        """Copies what is to be saved and to be watched after a step."""
        settings = self._settings
        last = step == settings.optim.steps
        saved = step % settings.log.checkpoint_every == 0 and not last
        watched = watching.validates(settings, step) or watching.shows(settings, step)
        if not saved and not watched:
            return None, None
        copied = copy_state(state)
        return copied if saved else None, copied.evaluated if watched else None

    def _complete(
        self,
        chunk: _Chunk,
        work: background.Background,
        drawing: background.Background,
    ) -> None:
        """Waits for a chunk, and reports, saves, validates and shows its results."""
        measured = feeding.read(chunk.measured, chunk.count)
        now = time.monotonic()
        self._pace.measure(chunk.count, now - max(chunk.begun, self._completed))
        self._completed = now
        for step, metrics in enumerate(measured, chunk.last - chunk.count + 1):
            self._report.record(step, metrics)
        self._checkpoints.check()
        work.check()
        drawing.check()
        list_shards((chunk.saved, chunk.watched))
        if chunk.saved is not None:
            if self._watcher:
                self._watcher.wait_for_scores(work)
            self._checkpoints.save(chunk.last, chunk.saved)
        if chunk.watched is not None:
            variables = self._fetch(chunk.watched)
            if self._watcher:
                self._watcher.watch(work, drawing, chunk.last, variables)

    def _fetch(self, variables: models.Variables) -> models.Variables:
        """Brings a network to the host, in all processes, if there are several."""
        return processes.fetch(variables) if processes.count() > 1 else variables
