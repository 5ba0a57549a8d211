"""One trial of a search: steps, validations, and an early end."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxsoftras import config, interruption, terminal
from jaxsoftras.reconstruction import (
    background,
    feeding,
    monitor,
    pacing,
    runs,
    validation,
    watching,
)
from jaxsoftras.reconstruction.tuning import programs


class TrialError(terminal.ProgramError):
    """A trial that cannot be completed; the message says why."""


class Outcome(NamedTuple):
    """End of a trial.

    Attributes:
        step: step of the best validation, the first one of equals.
        scores: its scores.
        pruned: whether the trial ended early.
        start: seconds until the first step, with compilations.
        seconds: seconds altogether.
    """

    step: int
    scores: validation.Validation
    pruned: bool
    start: float
    seconds: float


Report = Callable[[int, validation.Validation], bool]
"""``report(step, scores)``: whether the trial is to end early."""
Progress = Callable[[int], None]
"""``progress(step)``, called now and then."""


def run(
    settings: config.Config,
    found: programs.Programs,
    report: Report,
    progress: Progress,
    stop: interruption.Stop,
) -> Outcome | None:
    """Trains for the steps of a configuration, and validates at its intervals.

    Args:
        settings: configuration of the trial.
        found: the programs.
        report: receives the scores of each validation.
        progress: receives the number of steps taken.
        stop: ends the trial. Signals are deferred from the first step on.

    Returns:
        The outcome; None if a signal ended the trial.

    Raises:
        TrialError: the loss is no longer finite, memory does not suffice, or the fields
            do not go together.
        Interrupted: a signal came before the first step.
    """
    try:
        return _run(settings, found, report, progress, stop)
    except monitor.DivergedError as error:
        raise TrialError(f"{error}.") from None
    except (ValueError, runs.RunError) as error:
        raise TrialError(str(error)) from None
    except Exception as error:
        if not isinstance(error, MemoryError) and not terminal.out_of_device_memory(
            error
        ):
            raise
        reason = str(error).partition("\n")[0] or "none is left"
    # beyond the handler, whose error holds the arrays
    found.forget()
    gc.collect()
    raise TrialError(f"Memory does not suffice ({reason}).")


def _run(
    settings: config.Config,
    found: programs.Programs,
    report: Report,
    progress: Progress,
    stop: interruption.Stop,
) -> Outcome | None:
    begun = time.monotonic()
    program = found.find(settings)
    state = found.begin(program, settings)
    feed = found.make_feed(program)
    _prepare(feed, state)
    start = time.monotonic() - begun
    pace = pacing.Pace(
        settings.optim.steps,
        [settings.log.validate_every],
        feeding.LARGEST,
        feed.stride,
    )
    best: tuple[int, validation.Validation] | None = None
    step, pruned = 0, False
    with stop.defer():
        while step < settings.optim.steps and not pruned:
            state, step = _take_steps(feed, state, step, pace)
            progress(step)
            if stop.number is not None:
                return None
            if watching.validates(settings, step):
                scores = _validate(program.validator, state, step)
                if best is None or scores.mean > best[1].mean:
                    best = step, scores
                pruned = report(step, scores) and step < settings.optim.steps
    assert best is not None  # the last step is validated
    return Outcome(*best, pruned, start, time.monotonic() - begun)


def _prepare(feed: feeding.Feed, state: programs.State) -> None:
    """Compiles the steps in a thread, for which a signal does not wait."""
    like: Any = runs.abstract(state)
    with background.Background() as work:
        work.submit(lambda: feed.prepare(like), lambda _: None)
        work.wait()


def _take_steps(
    feed: feeding.Feed, state: Any, step: int, pace: pacing.Pace
) -> tuple[Any, int]:
    """Takes some steps and waits for them; returns the state, and the step it is at."""
    count, begun = pace.choose(step), time.monotonic()
    state, measured = feed.take_steps(state, count)
    for number, metrics in enumerate(feeding.read(measured, count), step + 1):
        monitor.check_finite(number, metrics)
    pace.measure(count, time.monotonic() - begun)
    return state, step + count


def _validate(
    validator: validation.Validator, state: programs.State, step: int
) -> validation.Validation:
    scores = validator.validate(state.evaluated)
    if not math.isfinite(scores.mean):
        raise TrialError(f"The validation of step {step} gave {scores.mean}.")
    return scores
