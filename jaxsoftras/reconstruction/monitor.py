"""Reports of a run: a progress bar, metrics, TensorBoard events, an alarm for NaN."""

from __future__ import annotations

import collections
import math
import time
from pathlib import Path

import rich.progress

from jaxsoftras import terminal
from jaxsoftras.reconstruction import records, run_folder, training, validation

_RATE_OVER = 2.0
"""Seconds, at least, over which the rate of steps is measured: their metrics arrive in
chunks (see `jaxsoftras.reconstruction.pacing`), many at a time."""


class DivergedError(terminal.ProgramError):
    """A loss or gradient that is no longer finite.

    Attributes:
        step: number of the step that gave it, from 1.
    """

    def __init__(self, step: int, message: str):
        """Makes an error of a step."""
        super().__init__(message)
        self.step = step


def check_finite(step: int, metrics: training.Metrics) -> None:
    """Checks the metrics of a step.

    Args:
        step: number of the step, from 1.
        metrics: its metrics, on the host.

    Raises:
        DivergedError: the loss or the gradient is not finite.
    """
    if not math.isfinite(metrics.loss + metrics.gradient_norm):
        raise DivergedError(
            step,
            f"Step {step} gave a loss of {metrics.loss:g} and a gradient of norm "
            f"{metrics.gradient_norm:g}",
        )


class Monitor:
    """Reports the metrics of steps; a context manager around the training loop."""

    def __init__(
        self,
        workdir: Path | None,
        *,
        start: int,
        steps: int,
        every: int,
        quiet: bool = False,
    ):
        """Opens the reports of a run.

        Args:
            workdir: the run folder; metrics go to ``metrics.jsonl`` and events to
                ``tensorboard/`` in it. None to write nothing.
            start: number of steps taken so far.
            steps: total number of steps.
            every: number of steps between reports.
            quiet: whether to print nothing.

        Raises:
            OSError: the files cannot be written.
        """
        self._every = every
        self._steps = steps
        self._metrics = self._events = None
        if workdir is not None:
            self._metrics = records.MetricsFile(workdir / run_folder.METRICS, start)
            self._events = records.EventFile(workdir / "tensorboard", start)
        self._console = terminal.make_console(quiet=quiet)
        self._progress = rich.progress.Progress(
            *terminal.bar_columns(
                "{task.fields[rate]}  loss {task.fields[loss]}{task.fields[validation]}"
            ),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(
            "training",
            total=steps,
            completed=start,
            rate="compiling",
            loss="-",
            validation="",
        )
        # numbers of steps, and when they were taken
        self._times: collections.deque[tuple[int, float]] = collections.deque()

    def __enter__(self) -> Monitor:
        """Shows the progress bar."""
        self._progress.start()
        return self

    def __exit__(self, *_) -> None:
        """Removes the progress bar and closes the files."""
        self._progress.stop()
        for file in (self._metrics, self._events):
            if file:
                file.close()

    def message(self, text: str) -> None:
        """Prints a line above the progress bar."""
        terminal.print_above(self._progress, text, "it goes on in metrics.jsonl")

    def begin(self, step: int) -> None:
        """Begins to measure the rate, after ``step`` steps and all compilation."""
        self._times.append((step, time.monotonic()))

    def record(self, step: int, metrics: training.Metrics) -> None:
        """Checks the metrics of a step, and reports them at intervals.

        Args:
            step: number of steps taken, this one included.
            metrics: metrics of the step, on the host.

        Raises:
            DivergedError: the loss or the gradient is not finite.
            OSError: the report cannot be written.
        """
        check_finite(step, metrics)
        if step % self._every == 0 or step == self._steps:
            self._report(step, metrics)

    def _measure_rate(self, step: int) -> float:
        """Steps a second, of the last seconds."""
        now = time.monotonic()
        while len(self._times) > 1 and now - self._times[1][1] >= _RATE_OVER:
            self._times.popleft()
        first, begun = self._times[0]
        self._times.append((step, now))
        return (step - first) / max(now - begun, 1e-9)

    def _report(self, step: int, metrics: training.Metrics) -> None:
        rate = self._measure_rate(step)
        values = {name: float(value) for name, value in metrics._asdict().items()}
        values["steps_per_second"] = rate
        if self._metrics:
            self._metrics.add(step, values)
        if self._events:
            self._events.add_scalars(step, {f"train/{k}": v for k, v in values.items()})
        remaining = (self._steps - step) / rate
        written = f"{rate:.1f} steps/s" if rate >= 1 else f"{1 / rate:.1f} s/step"
        self._progress.update(
            self._task,
            completed=step,
            rate=written,
            loss=f"{metrics.loss:.4f}",
        )
        if not self._console.is_terminal:
            self.message(
                f"step {step}/{self._steps}  loss {metrics.loss:.4f}  "
                f"{written}  {remaining:.0f} s left"
            )

    def validation(
        self, step: int, result: validation.Validation, seconds: float
    ) -> None:
        """Reports a validation.

        A run that was cut off after it had written the line writes no second one.

        Args:
            step: number of steps taken.
            result: scores of the network.
            seconds: time that the validation took.

        Raises:
            OSError: the report cannot be written.
        """
        assert self._metrics and self._events  # only the first process validates
        name = f"val_{result.measure}"
        if step not in self._metrics.validated:
            self._metrics.add(
                step,
                {
                    name: result.mean,
                    f"{name}_per_category": result.per_category,
                    records.PART: result.part,
                    "val_seconds": round(seconds, 3),
                },
            )
        scalars = {f"val/{result.measure}": result.mean}
        for category, score in result.per_category.items():
            scalars[f"val_{result.measure}/{category}"] = score
        self._events.add_scalars(step, scalars)
        label = result.measure.replace("_", " ").replace("iou", "IoU")
        self._progress.update(
            self._task, validation=f"  validation {label} {result.mean:.4f}"
        )
        self.message(
            f"step {step}/{self._steps}  validation {label} {result.mean:.4f} on "
            f"{result.part}  {seconds:.1f} s"
        )

    def event(self, record: bytes) -> None:
        """Writes an event for TensorBoard; see `event_format.make_record`."""
        if self._events:
            self._events.add(record)
