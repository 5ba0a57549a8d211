"""Images and validations of a run, made at intervals beside its steps."""

from __future__ import annotations

import functools
import math
import time
import warnings
from typing import Any

import jax
import numpy as np

from jaxsoftras import config, data, models
from jaxsoftras.reconstruction import (
    accelerators,
    background,
    event_format,
    gallery,
    monitor,
    previews,
    profiling,
    runs,
    training,
    validation,
)

_ROWS = 4  # objects in an image of a batch


class Watcher:
    """Makes the images and validations of a run beside its steps, and records them.

    They are made on one device, by threads; see `background.Background`.
    """

    def __init__(
        self,
        settings: config.Config,
        device: Any,
        source: data.Split | data.Mixture,
        report: monitor.Monitor,
        checkpoints: runs.Checkpoints,
    ):
        """Opens the validation split, if it is wanted.

        Args:
            settings: the configuration of the run.
            device: device to make them on.
            source: the objects that the network is trained on.
            report: where images and validations are recorded.
            checkpoints: those of the run, which are given the scores.
        """
        self._settings = settings
        self._devices = accelerators.device_mesh(1, [device])
        self._experiment = training.Experiment(settings, self._devices)
        self._source = source
        self._report, self._checkpoints = report, checkpoints
        self._previews: previews.Previews | None = None
        self._unscored = 0  # validations that were asked for and not delivered
        self.validator = validation.open_validator(self._experiment, settings)
        _warn_of_intervals(settings)

    @functools.cached_property
    def _drawing(self) -> training.Experiment:
        """Functions that draw images; made by the thread that draws them."""
        # a few images are not worth the time in which algorithms are tried for them
        return training.Experiment(self._settings, self._devices, tuned=False)

    def watch(
        self,
        work: background.Background,
        drawing: background.Background,
        step: int,
        variables: models.Variables,
    ) -> None:
        """Has a network validated and shown, if it is time to.

        Args:
            work: what validates it.
            drawing: what makes the images. The first ones take seconds to compile, and
                no checkpoint waits for them.
            step: number of steps taken.
            variables: parameters and batch statistics after them, which nobody donates.
        """
        if validates(self._settings, step):
            self.validate(work, step, variables)
        if shows(self._settings, step):
            self._show(drawing, step, variables)

    def _show(
        self, drawing: background.Background, step: int, variables: models.Variables
    ) -> None:
        """Has images made: of the step's batch, and of the same objects as ever."""

        def draw() -> list[bytes]:
            placed = jax.device_put(variables, self._drawing.replicated)
            # encoded here, for that would take time from the steps
            return [
                event_format.make_record(event_format.encode_image(step, name, pixels))
                for name, pixels in self._draw(step, placed).items()
            ]

        def deliver(events: list[bytes]) -> None:
            for event in events:
                self._report.event(event)

        drawing.submit(draw, deliver)

    def _draw(self, step: int, variables: models.Variables) -> dict[str, np.ndarray]:
        experiment, settings = self._drawing, self._settings
        batch = data.sample_views(
            self._source,
            settings.optim.batch_size,
            seed=settings.seed,
            step=step - 1,
            views=settings.data.views_per_object,
            rows=np.arange(min(_ROWS, settings.optim.batch_size)),
        )
        batch = jax.device_put(batch, experiment.sharded)
        views = gallery.training_views(experiment, variables, batch, step)
        if self._previews is None:
            splits = {"train": self._source}
            if self.validator:
                splits["val"] = self.validator.split
            self._previews = previews.Previews(experiment, splits)
        meshes = self._previews.draw(variables)
        return {
            "train/views": views,
            **{f"{name}/meshes": pixels for name, pixels in meshes.items()},
        }

    def validate(
        self, work: background.Background, step: int, variables: models.Variables
    ) -> None:
        """Has a network validated, and its score given to the checkpoint of the step.

        Nothing happens where there is nothing to validate on.

        Args:
            work: what validates it.
            step: number of steps taken.
            variables: parameters and batch statistics after them, which nobody donates.
        """
        validator = self.validator
        if validator is None:
            return

        def validate() -> tuple[validation.Validation, float]:
            begun = time.monotonic()
            placed = jax.device_put(variables, self._experiment.replicated)
            return validator.validate(placed), time.monotonic() - begun

        def deliver(result: tuple[validation.Validation, float]) -> None:
            self._unscored -= 1
            self._report.validation(step, *result)
            self._checkpoints.add_score(step, result[0].mean)

        self._unscored += 1
        work.submit(validate, deliver)

    def wait_for_scores(self, work: background.Background) -> None:
        """Waits for the validations, lest the best checkpoint be removed as an old one.

        To be called before the next checkpoint is saved.
        """
        if self._unscored:
            work.wait()

    def summarize(self, steps: int, seconds: float) -> str:
        """Sums up the steps of this process in a line; waits for the checkpoints.

        Args:
            steps: number of steps taken.
            seconds: the time that they took.
        """
        parts = [f"{steps} steps in {seconds:.1f} s"]
        if (peak := profiling.peak_memory()) is not None:
            parts.append(f"peak memory {peak / 1e9:.2f} GB a device")
        self._checkpoints.wait()
        best = self._checkpoints.peek_best()
        if best is not None:
            parts.append(
                f"best validation of a checkpoint {self._checkpoints.score(best):.4f} "
                f"at step {best}"
            )
        return ", ".join(parts)


def shows(settings: config.Config, step: int) -> bool:
    """Tells whether images are made after a step: at intervals, and the last one."""
    return step % settings.log.images_every == 0 or step == settings.optim.steps


def validates(settings: config.Config, step: int) -> bool:
    """Tells whether a step is validated: at intervals, and the last one."""
    every = settings.log.validate_every
    return bool(step and every) and (step % every == 0 or step == settings.optim.steps)


def _warn_of_intervals(settings: config.Config) -> None:
    log, steps = settings.log, settings.optim.steps
    every = log.validate_every
    if every and max(every, log.checkpoint_every) < steps:
        if math.lcm(every, log.checkpoint_every) >= steps:
            warnings.warn(
                f"No step before the last has both a validation (every {every}) and a "
                f"checkpoint (every {log.checkpoint_every}), so that the last "
                "checkpoint will be the best one; make one interval a multiple of the "
                "other.",
                stacklevel=4,
            )
