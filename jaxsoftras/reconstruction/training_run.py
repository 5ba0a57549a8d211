"""A complete training run, and its command line."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax

from jaxsoftras import config, data, terminal
from jaxsoftras.reconstruction import (
    feeding,
    gallery,
    monitor,
    run_folder,
    runs,
    training,
)


def train(
    settings: config.Config,
    workdir: Path,
    *,
    overrides: Sequence[str] = (),
    quiet: bool = False,
) -> training.TrainState:
    """Trains, or resumes training, until the configured number of steps.

    Args:
        settings: configuration of the run.
        workdir: the run folder; made if it does not exist.
        overrides: assignments that are part of the settings, kept in the run folder;
            see `run_folder.choose_config`.
        quiet: whether to print nothing.

    Returns:
        The final state.

    Raises:
        ConfigError, RunError, DivergedError, ValueError, OSError: the message says in
            one sentence what is wrong.
    """
    steps, log = settings.optim.steps, settings.log
    with (
        run_folder.claim(workdir),
        runs.Checkpoints(workdir, log.keep_checkpoints) as checkpoints,
    ):
        settings = run_folder.check(workdir, settings)
        devices = training.device_mesh(settings.optim.batch_size)
        split = data.open_training_set(settings.data)
        training.check_image_size(settings, split)
        experiment = training.Experiment(settings, devices)
        start = checkpoints.newest() or 0
        state = experiment.init(settings.seed)
        if start:
            like = runs.abstract(state, experiment.replicated)
            state = checkpoints.restore(like, start)
        elif settings.init_from:
            variables, source = runs.load_initial(settings)
            variables = jax.device_put(variables, experiment.replicated)
            state = state._replace(variables=variables)
            settings = dataclasses.replace(settings, init_from=source)
        run_folder.record(workdir, settings, start, overrides)
        feed = feeding.make_feed(experiment, split, start)
        with monitor.Monitor(
            workdir, start=start, steps=steps, every=log.metrics_every, quiet=quiet
        ) as report:
            report.message(
                f"{workdir}: step {start} to {steps}, batches of "
                f"{settings.optim.batch_size} on {jax.device_count()} "
                f"{jax.devices()[0].device_kind}, {feed.description}"
            )
            for step in range(start + 1, steps + 1):
                checkpoints.check()
                state, metrics = feed.take_step(state)
                report.record(step, metrics)
                if step % log.images_every == 0 or step == steps:
                    batch = data.sample_pairs(
                        split,
                        settings.optim.batch_size,
                        seed=settings.seed,
                        step=step - 1,
                    )
                    batch = jax.device_put(batch, experiment.sharded)
                    views = gallery.training_views(experiment, state, batch)
                    report.image("train/views", views, step)
                if step % log.checkpoint_every == 0 or step == steps:
                    report.check()
                    checkpoints.save(step, state)
    return state


def main(arguments: list[str] | None = None, *, prog: str = "train.py") -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Train a network that turns one image into a 3D mesh, from images "
        "alone. The same command again resumes from the last checkpoint.",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="configuration file, such as configs/real13.py (default: that of the run "
        "in --workdir, which is resumed)",
    )
    parser.add_argument(
        "--workdir",
        type=Path,
        metavar="FOLDER",
        help="run folder (default: runs/ and the name of the configuration)",
    )
    parser.add_argument(
        "--init-from",
        metavar="RUN[:STEP]",
        help="run folder whose network a new run begins with, at step 0 and with a "
        "fresh optimiser",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE",
        help="override fields, such as optim.learning_rate=3e-4",
    )
    options = parser.parse_args(arguments)
    if not options.config and not options.workdir:
        parser.error("--config, or --workdir of a run to resume, is needed")
    overrides = options.set
    if options.init_from:
        overrides = [
            *overrides,
            f"init_from={str(Path(options.init_from).absolute())!r}",
        ]

    def command() -> None:
        workdir = options.workdir or Path("runs") / Path(options.config).stem
        settings = run_folder.choose_config(workdir, options.config, overrides)
        train(settings, workdir, overrides=overrides)

    return terminal.run(
        prog, command, interrupted="stopped; the same command resumes the run."
    )
