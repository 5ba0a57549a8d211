"""A complete search for hyperparameters, and its command line."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import jax

from jaxsoftras import (
    atomic,
    command_line,
    compilation_cache,
    config,
    extras,
    interruption,
    report,
    terminal,
)
from jaxsoftras.reconstruction import accelerators, optimization, validation
from jaxsoftras.reconstruction.tuning import display
from jaxsoftras.reconstruction.tuning import plan as plans
from jaxsoftras.reconstruction.tuning import space as spaces

if TYPE_CHECKING:
    from jaxsoftras.reconstruction.tuning import programs, search
    from jaxsoftras.reconstruction.tuning.results import Results

BEST = "best.py"
TRIALS = 40


def tune(
    plan: plans.Plan,
    workdir: Path,
    *,
    trials: int = TRIALS,
    seed: int = 0,
    prune: bool = True,
    quiet: bool = False,
    stop: interruption.Stop | None = None,
) -> Results:
    """Takes part in a search until it has a number of trials.

    Any number of processes may do so at the same time, and later ones go on.

    Args:
        plan: what is tried; see `plan.choose`.
        workdir: folder of the search; made if it does not exist.
        trials: number of trials of the whole search.
        seed: seed of the choice of points, the same or another in each process.
        prune: whether trials end early that do worse than the median.
        quiet: whether to print nothing.
        stop: receives signals, of which the first one ends the trial at hand; another
            process, or a later one, repeats it.

    Returns:
        The results, which the folder has as files; see `results.collect`.

    Raises:
        MissingExtraError: optuna is not installed.
        ConfigError, RunError, ValueError, OSError: the message says in one sentence
            what is wrong.
        ProgramError: all trials fail.
        Interrupted: ``stop`` received a signal.
    """
    extras.require("search for hyperparameters", "optuna")
    from jaxsoftras.reconstruction.tuning import journal, programs, search

    stop = stop or interruption.Stop()
    found = programs.Programs(plan.settings)  # before anything is written
    workdir.mkdir(parents=True, exist_ok=True)
    with journal.Lock(workdir / ".lock").hold():
        plans.record(workdir, plan)
    shared = search.Search(workdir, plan.read_space(), seed, plan.steps, prune=prune)
    with shared.join(), display.Display(plan, trials, quiet=quiet) as shown:
        shown.message(
            f"{workdir}: {trials} trials of {plan.steps} steps on "
            f"{jax.device_count()} {jax.devices()[0].device_kind}"
        )
        if constants := programs.list_constants(plan.settings, plan.read_space()):
            shown.message(
                f"{', '.join(constants)}: trials of different values share no program, "
                "so that each compiles its own; a few choices, A|B, are quicker."
            )
        while (trial := _ask(shared, trials, stop)) is not None:
            shown.begin(trial, shared.list_trials())
            _take(trial, plan, shared, found, shown, stop)
            if shared.is_hopeless():
                break
    with journal.Lock(workdir / ".lock").hold():  # no process writes older results
        results = _write(plan, workdir, shared)
        drawn = _draw(workdir, results)
    if not quiet:
        _conclude(workdir, results, drawn)
    if results["best"] is None and not _is_under_way(results):
        raise terminal.ProgramError(
            f"No trial is complete: {workdir / 'results.md'} says why."
        )
    return results


def _ask(
    shared: search.Search, trials: int, stop: interruption.Stop
) -> search.Trial | None:
    """Takes a trial, or ends the program by a signal that came meanwhile."""
    with stop.defer():
        trial = shared.ask(trials)
        if stop.number is None:
            return trial
        if trial is not None:
            shared.put_back(trial)
    raise _interrupted(stop)


def _take(
    trial: search.Trial,
    plan: plans.Plan,
    shared: search.Search,
    found: programs.Programs,
    shown: display.Display,
    stop: interruption.Stop,
) -> None:
    """Trains and validates for a trial, and ends it."""
    from jaxsoftras.reconstruction.tuning import trial as trials

    def report(step: int, scores: validation.Validation) -> bool:
        return shared.report(trial, step, scores.mean)

    try:
        settings = spaces.apply(plan.settings, trial.point)
        settings = spaces.shorten(settings, plan.steps)
        outcome = trials.run(settings, found, report, shown.step, stop)
    except (config.ConfigError, trials.TrialError) as error:
        with stop.defer():
            shared.fail(trial, str(error))
        shown.fail(trial, str(error))
        return
    except interruption.Interrupted:
        outcome = None
    with stop.defer():
        if outcome is None:
            shared.put_back(trial)
        else:
            shared.finish(trial, outcome)
    if outcome is None or stop.number is not None:
        raise _interrupted(stop)
    shown.finish(trial, outcome)


def _interrupted(stop: interruption.Stop) -> interruption.Interrupted:
    assert stop.number is not None
    return interruption.Interrupted(
        stop.number,
        f"stopped by {interruption.name(stop.number)}; a trial that was under way is "
        "left to be repeated, and the same command goes on.",
    )


def _is_under_way(results: Results) -> bool:
    return any(row["state"] in ("running", "waiting") for row in results["trials"])


def _write(plan: plans.Plan, workdir: Path, shared: search.Search) -> Results:
    """Writes the files of the results."""
    from jaxsoftras.reconstruction.tuning import formats
    from jaxsoftras.reconstruction.tuning import results as collected

    results = collected.collect(shared, plan.texts, plan.steps)
    texts = {name: make(results) for name, make in formats.FORMATS.items()}
    if results["best"] is not None:
        texts[BEST] = collected.write_config(plan.settings, results)
    with atomic.files([workdir / name for name in texts]) as partials:
        for partial, text in zip(partials, texts.values(), strict=True):
            # names of files, in reasons of failures, may have signs that are not UTF-8
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    return results


def _draw(workdir: Path, results: Results) -> str:
    """Writes the report, and says where it is, or why there is none."""
    title = f"Search {workdir.resolve().name or workdir}"
    try:
        return f"Report: {report.write_search(workdir, title, results)}"
    except extras.MissingExtraError as error:
        return str(error)


def _conclude(workdir: Path, results: Results, drawn: str) -> None:
    """Prints the results, and how to train the best network in full."""
    from jaxsoftras.reconstruction.tuning import formats
    from jaxsoftras.reconstruction.tuning import results as collected

    lines = [formats.format_table(results).rstrip("\n"), terminal.printable(drawn)]
    if _is_under_way(results):
        lines.append("Other processes are under way; the last one writes all results.")
    best = collected.find_best(results)
    if best is not None:
        words = ["jaxsoftras", "train", "--config", str(workdir / BEST)]
        words += ["--workdir", str(workdir / "best")]
        lines += [
            f"Best: trial {best['number']}, {best['score']:.4f}. Train it in full:",
            f"    {terminal.printable(shlex.join(words))}",
        ]
    print("\n".join(lines))


def main(arguments: list[str] | None = None, *, prog: str = "jaxsoftras tune") -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = _make_parser(prog)
    options = parser.parse_args(arguments)
    workdir = command_line.require_workdir(parser, options)
    if options.seed < 0:
        parser.error("--seed must not be negative")
    stop = interruption.Stop()

    def command() -> None:
        extras.require("search for hyperparameters", "optuna")
        plan = plans.choose(
            workdir, options.config, options.set, options.search, options.steps
        )
        accelerators.find_devices()
        compilation_cache.follow(options)
        optimization.check_end(spaces.shorten(plan.settings, plan.steps))
        tune(
            plan,
            workdir,
            trials=options.trials,
            seed=options.seed,
            prune=options.prune,
            stop=stop,
        )

    return terminal.run(
        prog,
        command,
        interrupted="stopped before a trial; the same command goes on.",
        stop=stop,
    )


def _make_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Search for the fields of a configuration that reconstruct best: "
        "the highest mean IoU on the validation split, of any validation of a trial. "
        "The same command in several processes shares one search; again, it goes on.",
    )
    command_line.add_workdir(parser, "folder of the search, such as runs/tune")
    parser.add_argument(
        "--config",
        metavar="NAME",
        help=f"configuration: {', '.join(config.list_names())}, or the path of a file "
        "(default: that of the search in RUN)",
    )
    parser.add_argument(
        "--trials",
        type=command_line.positive,
        default=TRIALS,
        metavar="N",
        help="trials of the whole search, of all processes (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=command_line.positive,
        metavar="N",
        help="steps of a trial; schedules are shortened alike (default: optim.steps)",
    )
    parser.add_argument(
        "--search",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUES",
        help="fields to search, as 'optim.learning_rate=1e-4..1e-3:log', "
        "'model.palette_size=4..32:step=4', 'model.hidden=(1024,1024)|(512,512)' "
        "(default: learning rate and sigma from a quarter to four times the "
        "configuration's, laplacian and flatten from a fifth to five times, "
        "model.hidden or half of it, augment.mirror)",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE",
        help="override fields of all trials, such as log.validate_every=500",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of the choice of trials; processes may share it (default: 0)",
    )
    parser.add_argument(
        "--no-pruning",
        action="store_false",
        dest="prune",
        help="complete trials that do worse than the median at the same step, too",
    )
    compilation_cache.add_argument(parser)
    return parser
