"""A complete training run, and its command line."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax

from jaxsoftras import (
    command_line,
    compilation_cache,
    config,
    data,
    interruption,
    terminal,
)
from jaxsoftras.models import division
from jaxsoftras.reconstruction import (
    accelerators,
    coloring,
    divergence,
    feeding,
    loop,
    monitor,
    optimization,
    processes,
    profiling,
    run_folder,
    runs,
    shared_checkpoints,
    training,
    training_data,
)
from jaxsoftras.reconstruction.shared_checkpoints import SharedCheckpoints


def train(
    settings: config.Config,
    workdir: Path,
    *,
    overrides: Sequence[str] = (),
    quiet: bool = False,
    stop: interruption.Stop | None = None,
    profile: int = 0,
) -> training.TrainState:
    """Trains, or resumes training, until the configured number of steps.

    Args:
        settings: configuration of the run.
        workdir: the run folder; made if it does not exist.
        overrides: assignments that are part of the settings, kept in the run folder;
            see `run_folder.choose_config`.
        quiet: whether to print nothing.
        stop: receives signals. From the first step on, the first signal ends the run
            after the steps at hand, with a checkpoint. If None, signals are none of
            the function's business.
        profile: number of steps to trace after a warm-up; see
            `jaxsoftras.reconstruction.profiling`.

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
        devices = accelerators.device_mesh(
            settings.optim.batch_size, model=settings.devices.model
        )
        split = processes.in_turn(lambda: data.open_training_set(settings.data))
        training.check_image_size(settings, split)
        coloring.check_light(settings)
        optimization.check_end(settings)
        experiment = training.Experiment(settings, devices)
        division.check(experiment.placement, settings.devices.model)
        try:
            state, step = _take_steps(
                settings,
                experiment,
                split,
                checkpoints,
                workdir,
                overrides,
                stop,
                quiet=quiet,
                profile=profile,
            )
        except monitor.DivergedError as error:
            raise _explain_divergence(error, settings, split, workdir) from None
        except Exception as error:
            explained = _explain_memory(error)
            if explained is error:
                raise
            raise explained from error
    if stop.number is not None and step < settings.optim.steps:
        raise interruption.Interrupted(
            stop.number,
            f"stopped by {interruption.name(stop.number)} with a checkpoint at step "
            f"{step}; the same command resumes the run.",
        )
    return state


def _take_steps(
    settings: config.Config,
    experiment: training.Experiment,
    split: data.Split | data.Mixture,
    checkpoints: SharedCheckpoints,
    workdir: Path,
    overrides: Sequence[str],
    stop: interruption.Stop,
    *,
    quiet: bool,
    profile: int,
) -> tuple[training.TrainState, int]:
    """Takes the steps that are left; returns the state and the number of steps.

    The steps are compiled and the data set is checked in threads, while the state is
    made or restored.
    """
    start = checkpoints.newest() or 0
    like = jax.eval_shape(experiment.init, settings.seed)
    like = runs.abstract(like, experiment.placement)
    first = processes.is_first()
    feed = feeding.make_feed(experiment, split, start)
    with _threads() as beside:
        preparing = None
        if start < settings.optim.steps:
            preparing = beside.submit(feed.prepare, like)
        check = functools.partial(training_data.check, workdir, split, begun=start > 0)
        checking = beside.submit(check) if first else None
        state, settings = _begin(settings, experiment, checkpoints, like, start)
        described = processes.on_first(checking.result if checking else check)
        if first:
            run_folder.record(workdir, settings, start, overrides)
            training_data.save(workdir, described)
        with monitor.Monitor(
            workdir if first else None,
            start=start,
            steps=settings.optim.steps,
            every=settings.log.metrics_every,
            quiet=quiet or not first,
        ) as report:
            report.message(f"{workdir}: {_announce(settings, start, feed)}")
            if preparing:
                preparing.result()
            steps = loop.Loop(settings, experiment, split, feed, checkpoints, report)
            profiler = None
            if first and profile:
                profiler = profiling.Profiler(workdir, start, profile)
            return steps.run(state, start, stop, profiler)


def _announce(settings: config.Config, start: int, feed: feeding.Feed) -> str:
    """Says which steps are to be taken, and on what, after ``start`` steps."""
    steps = settings.optim.steps
    if start >= steps:
        return f"no steps are left after step {start}; optim.steps is {steps}"
    return (
        f"step {start} to {steps}, batches of {settings.optim.batch_size} on "
        f"{jax.device_count()} {jax.devices()[0].device_kind}, {feed.description}"
    )


@contextlib.contextmanager
def _threads() -> Iterator[concurrent.futures.Executor]:
    """Makes two threads that an error does not wait for."""
    threads = concurrent.futures.ThreadPoolExecutor(2, "start")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _begin(
    settings: config.Config,
    experiment: training.Experiment,
    checkpoints: SharedCheckpoints,
    like: training.TrainState,
    start: int,
) -> tuple[training.TrainState, config.Config]:
    """Makes or restores the state after ``start`` steps.

    Returns:
        The state, and the configuration with the step of ``init_from``.
    """
    if start:
        state = checkpoints.restore(like, start)
        checkpoints.best()  # if it is damaged, another one takes its place
    else:
        init = experiment.compile(experiment.init, (settings.seed,), like)
        state = init(settings.seed)
    if not start and settings.init_from:
        variables, source = shared_checkpoints.load_initial(settings, state.variables)
        state = experiment.begin(variables)
        settings = dataclasses.replace(settings, init_from=source)
    return state, settings


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
        f"{error}; checkpoints of earlier steps, if any, are kept, and {batch}, or "
        "start a new run with a lower optim.learning_rate.",
    )


def _explain_memory(error: Exception) -> Exception:
    """Says what to do about a lack of memory; returns other errors as they are."""
    on_host = isinstance(error, MemoryError)
    if not on_host and not terminal.out_of_device_memory(error):
        return error
    reason = str(error).partition("\n")[0] or "none is left"
    return terminal.ProgramError(
        f"Memory does not suffice ({reason}): lower optim.batch_size; "
        "data.feeding=host keeps the images off the devices, and "
        "data.source=prepared off the memory of the host."
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
    command_line.add_workdir(
        parser, "run folder (default: runs/ and the name of the configuration)"
    )
    parser.add_argument(
        "--config",
        metavar="NAME",
        help=f"configuration: {', '.join(config.list_names())}, or the path of a file "
        "(default: that of the run in RUN, which is resumed)",
    )
    parser.add_argument(
        "--init-from",
        metavar="RUN[:STEP|:best]",
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
    parser.add_argument(
        "--profile",
        type=int,
        nargs="?",
        const=50,
        default=0,
        metavar="STEPS",
        help="trace STEPS steps after a warm-up (default: 50), and print the largest "
        "kernels; both go to profile/ in the run folder",
    )
    compilation_cache.add_argument(parser)
    processes.add_arguments(parser)
    options = parser.parse_args(arguments)
    if options.profile < 0:
        parser.error("--profile needs a positive number of steps")
    chosen = command_line.choose_workdir(parser, options)
    if not options.config and not chosen:
        parser.error("--config, or --workdir of a run to resume, is needed")
    overrides = options.set
    if options.init_from:
        overrides = [
            *overrides,
            f"init_from={str(Path(options.init_from).absolute())!r}",
        ]

    stop = interruption.Stop()

    def command() -> None:
        workdir = chosen or Path("runs") / Path(options.config).stem
        with processes.join(options):
            settings = processes.on_first(
                lambda: run_folder.choose_config(workdir, options.config, overrides)
            )
            accelerators.find_devices()
            compilation_cache.follow(options, quiet=not processes.is_first())
            train(
                settings,
                workdir,
                overrides=overrides,
                stop=stop,
                profile=options.profile,
            )

    return terminal.run(
        prog,
        command,
        interrupted="stopped before a step; the same command resumes the run.",
        stop=stop,
    )
