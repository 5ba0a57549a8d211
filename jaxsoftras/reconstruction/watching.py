"""Images and validations of a run, made at intervals beside its steps."""

from __future__ import annotations

import math
import time
import warnings

import jax

from jaxsoftras import config, data, models
from jaxsoftras.reconstruction import (
    gallery,
    monitor,
    previews,
    profiling,
    runs,
    training,
    validation,
)


class Watcher:
    """Makes the images and validations of a run, and records them."""

    def __init__(
        self,
        experiment: training.Experiment,
        settings: config.Config,
        source: data.Split | data.Mixture,
        report: monitor.Monitor,
        checkpoints: runs.Checkpoints,
    ):
        """Opens the validation split, if it is wanted.

        Args:
            experiment: functions of the configuration of the run.
            settings: the configuration.
            source: the objects that it is trained on.
            report: where images and validations are recorded.
            checkpoints: those of the run, which are given the scores.
        """
        self._experiment, self._settings = experiment, settings
        self._source = source
        self._report, self._checkpoints = report, checkpoints
        self._previews: previews.Previews | None = None
        self.validator = validation.open_validator(experiment, settings)
        _warn_of_intervals(settings)

    def shows(self, step: int) -> bool:
        """Tells whether images are made after a step."""
        settings = self._settings
        return step % settings.log.images_every == 0 or step == settings.optim.steps

    def show(self, step: int, state: training.TrainState) -> None:
        """Makes images: of the step's batch, and of the same objects as ever.

        Args:
            step: number of steps taken.
            state: state after them.
        """
        experiment, settings = self._experiment, self._settings
        batch = data.sample_pairs(
            self._source, settings.optim.batch_size, seed=settings.seed, step=step - 1
        )
        batch = jax.device_put(batch, experiment.sharded)
        views = gallery.training_views(experiment, state, batch)
        self._report.image("train/views", views, step)
        if self._previews is None:
            splits = {"train": self._source}
            if self.validator:
                splits["val"] = self.validator.split
            self._previews = previews.Previews(experiment, splits)
        for name, meshes in self._previews.draw(state.evaluated).items():
            self._report.image(f"{name}/meshes", meshes, step)

    def validates(self, step: int) -> bool:
        """Tells whether a step is validated: at intervals, and the last one."""
        settings = self._settings
        if self.validator is None or step == 0:
            return False
        return step % settings.log.validate_every == 0 or step == settings.optim.steps

    def validate(self, step: int, variables: models.Variables) -> None:
        """Validates a network; see `record`.

        Args:
            step: number of steps taken.
            variables: parameters and batch statistics after them, on the devices.
        """
        assert self.validator is not None
        begun = time.monotonic()
        result = self.validator.validate(variables)
        self.record(step, result, time.monotonic() - begun)

    def record(self, step: int, result: validation.Validation, seconds: float) -> None:
        """Records a validation, and gives its score to the checkpoint of the step."""
        self._report.validation(step, result, seconds)
        self._checkpoints.add_score(step, result.mean)

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
