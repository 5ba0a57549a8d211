"""A complete training run, and its command line."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax

from jaxsoftras import compilation_cache, config, data, interruption, terminal
from jaxsoftras.reconstruction import (
    divergence,
    feeding,
    gallery,
    monitor,
    run_folder,
    runs,
    training,
    training_data,
)


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
    with (
        run_folder.claim(workdir),
        runs.Checkpoints(workdir, settings.log.keep_checkpoints) as checkpoints,
    ):
        settings = run_folder.check(workdir, settings)
        devices = training.device_mesh(settings.optim.batch_size)
        split = data.open_training_set(settings.data)
        training.check_image_size(settings, split)
        begun = checkpoints.latest() is not None
        training_data.check(workdir, split, begun=begun)
        experiment = training.Experiment(settings, devices)
        try:
            state = _begin(settings, experiment, checkpoints, workdir, overrides)
            training_data.save(workdir, split)
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
    checkpoints: runs.Checkpoints,
    workdir: Path,
    overrides: Sequence[str],
) -> training.TrainState:
    """Makes or restores the state to go on from, and records the start."""
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
    return state


def _run_steps(
    settings: config.Config,
    state: training.TrainState,
    experiment: training.Experiment,
    split: data.Split | data.Mixture,
    checkpoints: runs.Checkpoints,
    workdir: Path,
    stop: interruption.Stop,
    *,
    quiet: bool,
) -> tuple[training.TrainState, int]:
    """Takes the steps that are left; returns the state and the number of steps."""
    steps, log = settings.optim.steps, settings.log
    start = int(state.step)
    feed = feeding.make_feed(experiment, split, start)
    step = start
    with (
        contextlib.ExitStack() as deferred,
        monitor.Monitor(
            workdir, start=start, steps=steps, every=log.metrics_every, quiet=quiet
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
            # read once: a signal may come at any moment
            last = step == steps or stop.number is not None
            if step % log.images_every == 0 or step == steps:
                batch = data.sample_pairs(
                    split, settings.optim.batch_size, seed=settings.seed, step=step - 1
                )
                batch = jax.device_put(batch, experiment.sharded)
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
    try:
        divergence.save_batch(path, settings, split, error.step)
        batch = f"its batch is in {path}: inspect it"
    except OSError as failure:
        batch = f"its batch could not be written ({failure}): free some space"
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
        settings = run_folder.choose_config(workdir, options.config, overrides)
        training.find_devices()
        if options.compilation_cache:
            compilation_cache.enable()
        train(settings, workdir, overrides=overrides, stop=stop)

    return terminal.run(
        prog,
        command,
        interrupted="stopped before a step; the same command resumes the run.",
        stop=stop,
    )
