"""A complete training run, and its command line."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax

from jaxsoftras import compilation_cache, config, data, interruption, terminal
from jaxsoftras.data import agreement
from jaxsoftras.models import division
from jaxsoftras.reconstruction import (
    divergence,
    feeding,
    gallery,
    monitor,
    optimization,
    processes,
    run_folder,
    runs,
    shared_checkpoints,
    training,
)
from jaxsoftras.reconstruction.shared_checkpoints import SharedCheckpoints


def train(
    settings: config.Config,
    workdir: Path,
    *,
    overrides: Sequence[str] = (),
    quiet: bool = False,
    stop: interruption.Stop | None = None,
) -> training.TrainState:
    """Trains, or resumes training, until the configured number of steps.

    Args:
        settings: configuration of the run.
        workdir: the run folder; made if it does not exist.
        overrides: assignments that are part of the settings, kept in the run folder;
            see `run_folder.choose_config`.
        quiet: whether to print nothing.
        stop: receives signals. From the first step on, the first signal ends the run
            after the step at hand, with a checkpoint. If None, signals are none of
            the function's business.

    Returns:
        The final state.

    Raises:
        ConfigError, RunError, DivergedError, ValueError, OSError: the message says in
            one sentence what is wrong.
        Interrupted: ``stop`` received a signal; a checkpoint is written.
    """
    stop = stop or interruption.Stop()
    with contextlib.ExitStack() as scope:
        if processes.is_first():
            scope.enter_context(run_folder.claim(workdir))
        keep = settings.log.keep_checkpoints
        checkpoints = SharedCheckpoints(workdir, keep)
        scope.enter_context(checkpoints)
        settings = processes.on_first(lambda: run_folder.check(workdir, settings))
        devices = training.device_mesh(
            settings.optim.batch_size, model=settings.devices.model
        )
        split = processes.in_turn(lambda: data.open_training_set(settings.data))
        training.check_image_size(settings, split)
        optimization.check_end(settings)
        if checkpoints.latest() is None:
            processes.on_first(lambda: agreement.check_agreement(split))
        experiment = training.Experiment(settings, devices)
        division.check(experiment.placement, devices)
        try:
            state = _begin(settings, experiment, checkpoints, workdir, overrides)
            state, step = _run_steps(
                settings,
                state,
                experiment,
                split,
                checkpoints,
                workdir,
                stop,
                quiet=quiet,
            )
        except monitor.DivergedError as error:
            raise _explain_divergence(error, settings, split, workdir) from None
        except Exception as error:
            on_host = isinstance(error, MemoryError)
            if not on_host and not terminal.out_of_device_memory(error):
                raise
            reason = str(error).partition("\n")[0] or "none is left"
            raise terminal.ProgramError(
                f"Memory does not suffice ({reason}): lower optim.batch_size; "
                "data.feeding=host keeps the images off the devices, and "
                "data.source=prepared off the memory of the host."
            ) from None
    if stop.number is not None and step < settings.optim.steps:
        raise interruption.Interrupted(
            stop.number,
            f"stopped by {interruption.name(stop.number)} with a checkpoint at step "
            f"{step}; the same command resumes the run.",
        )
    return state


def _begin(
    settings: config.Config,
    experiment: training.Experiment,
    checkpoints: SharedCheckpoints,
    workdir: Path,
    overrides: Sequence[str],
) -> training.TrainState:
    """Makes or restores the state to go on from, and records the start."""
    start = checkpoints.newest() or 0
    state = experiment.init(settings.seed)
    if start:
        state = checkpoints.restore(runs.abstract(state), start)
    elif settings.init_from:
        variables, source = shared_checkpoints.load_initial(settings, state.variables)
        state = experiment.begin(variables)
        settings = dataclasses.replace(settings, init_from=source)
    if processes.is_first():
        run_folder.record(workdir, settings, start, overrides)
    return state


def _run_steps(
    settings: config.Config,
    state: training.TrainState,
    experiment: training.Experiment,
    split: data.Split | data.Mixture,
    checkpoints: SharedCheckpoints,
    workdir: Path,
    stop: interruption.Stop,
    *,
    quiet: bool,
) -> tuple[training.TrainState, int]:
    """Takes the steps that are left; returns the state and the number of steps."""
    steps, log = settings.optim.steps, settings.log
    start = int(state.step)
    feed = feeding.make_feed(experiment, split, start)
    step, vote = start, processes.Vote(stop)
    with (
        contextlib.ExitStack() as deferred,
        monitor.Monitor(
            workdir if processes.is_first() else None,
            start=start,
            steps=steps,
            every=log.metrics_every,
            quiet=quiet or not processes.is_first(),
        ) as report,
    ):
        report.message(
            f"{workdir}: step {start} to {steps}, batches of "
            f"{settings.optim.batch_size} on {jax.device_count()} "
            f"{jax.devices()[0].device_kind}, {feed.description}"
        )
        last = step >= steps
        while not last:
            state, metrics = feed.take_step(state)
            step += 1
            if step == start + 1:  # now it is compiled, and there is work to save
                deferred.enter_context(stop.defer())
            report.record(step, metrics)
            checkpoints.check()
            last = step == steps or vote.stops()
            if step % log.images_every == 0 or step == steps:
                batch = data.sample_pairs(
                    split, settings.optim.batch_size, seed=settings.seed, step=step - 1
                )
                batch = processes.place(batch, experiment.sharded)
                views = gallery.training_views(experiment, state, batch)
                report.image("train/views", views, step)
            if step % log.checkpoint_every == 0 or last:
                report.check()
                checkpoints.save(step, state)
    return state, step


def _explain_divergence(
    error: monitor.DivergedError,
    settings: config.Config,
    split: data.Split | data.Mixture,
    workdir: Path,
) -> monitor.DivergedError:
    """Writes out the batch that the error came from, and says what to do."""
    path = workdir / f"diverged_step_{error.step}.npz"

    def save() -> str:
        try:
            divergence.save_batch(path, settings, split, error.step)
        except OSError as failure:
            return f"its batch could not be written ({failure}): free some space"
        return f"its batch is in {path}: inspect it"

    batch = processes.on_first(save)
    return monitor.DivergedError(
        error.step,
        f"{error}; the last good checkpoint is kept, and {batch}, or start a new run "
        "with a lower optim.learning_rate.",
    )


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
    compilation_cache.add_argument(parser)
    processes.add_arguments(parser)
    options = parser.parse_args(arguments)
    if not options.config and not options.workdir:
        parser.error("--config, or --workdir of a run to resume, is needed")
    overrides = options.set
    if options.init_from:
        overrides = [
            *overrides,
            f"init_from={str(Path(options.init_from).absolute())!r}",
        ]

    stop = interruption.Stop()

    def command() -> None:
        workdir = options.workdir or Path("runs") / Path(options.config).stem
        with processes.join(options):
            settings = processes.on_first(
                lambda: run_folder.choose_config(workdir, options.config, overrides)
            )
            if options.compilation_cache:
                compilation_cache.enable(quiet=not processes.is_first())
            train(settings, workdir, overrides=overrides, stop=stop)

    return terminal.run(
        prog,
        command,
        interrupted="stopped before a step; the same command resumes the run.",
        stop=stop,
    )
