"""A complete training run, and its command line."""

from __future__ import annotations

import argparse
from pathlib import Path

import jax

from jaxsoftras import config, data, terminal
from jaxsoftras.reconstruction import feeding, gallery, monitor, runs, training


def train(
    settings: config.Config, workdir: Path, *, quiet: bool = False
) -> training.TrainState:
    """Trains, or resumes training, until the configured number of steps.

    Args:
        settings: configuration of the run.
        workdir: the run folder; made if it does not exist.
        quiet: whether to print nothing.

    Returns:
        The final state.

    Raises:
        ConfigError, RunError, DivergedError, ValueError, OSError: the message says in
            one sentence what is wrong.
    """
    devices = training.device_mesh(settings.optim.batch_size)
    split = data.open_training_set(settings.data)
    training.check_image_size(settings, split)
    experiment = training.Experiment(settings, devices)
    runs.open_run(workdir, settings)
    steps, log = settings.optim.steps, settings.log

    with runs.Checkpoints(workdir, log.keep_checkpoints) as checkpoints:
        start = checkpoints.latest() or 0
        state = experiment.init(settings.seed)
        if start:
            like = runs.abstract(state, experiment.replicated)
            state = checkpoints.restore(like)
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
        required=True,
        metavar="FILE",
        help="configuration file, such as configs/real13.py",
    )
    parser.add_argument(
        "--workdir",
        type=Path,
        metavar="FOLDER",
        help="run folder (default: runs/ and the name of the configuration)",
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

    def command() -> None:
        settings = config.load(options.config, options.set)
        train(settings, options.workdir or Path("runs") / Path(options.config).stem)

    return terminal.run(
        prog, command, interrupted="stopped; the same command resumes the run."
    )
