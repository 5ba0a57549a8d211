"""Comparison of several runs, and its command line."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from jaxsoftras import atomic, compilation_cache, config, data, terminal
from jaxsoftras.reconstruction import (
    ceiling_run,
    checkpoint_files,
    comparison,
    evaluation_run,
    evaluation_scores,
    evaluation_summary,
    evaluation_writing,
    run_folder,
)
from jaxsoftras.reconstruction.checkpoints import Checkpoints
from jaxsoftras.reconstruction.comparison import Candidate, Row
from jaxsoftras.reconstruction.comparison_formats import FORMATS
from jaxsoftras.reconstruction.evaluation_scores import LISTED, Scores
from jaxsoftras.reconstruction.evaluation_subject import (
    DEFAULT_SURFACES,
    Subject,
    find_checksum,
)

Step = int | Literal["best"] | None


def split_run(text: str) -> tuple[Path, Step]:
    """Splits ``RUN``, ``RUN:STEP`` or ``RUN:best`` into the run folder and the step.

    Raises:
        RunError: there is a folder of that name, and such a checkpoint in another.
    """
    if not Path(text).is_dir():
        return run_folder.split_source(text)
    run, _, step = text.rpartition(":")
    steps = checkpoint_files.list_steps(Path(run) / run_folder.CHECKPOINTS)
    if run and steps and step in ("best", *map(str, steps)):
        raise run_folder.RunError(
            f"{text} is a folder, and a checkpoint of {run} as well: write {text}/ for "
            f"the folder, or {run}/:{step} for the checkpoint."
        )
    return Path(text), None


def obtain(text: str, split: str, root: str | None = None) -> Candidate:
    """Finds the scores of a checkpoint in its run folder, or evaluates it.

    What is evaluated here is kept in ``eval/<split>/step-<step>/`` of the run folder.
    A folder of ``eval.py --model`` has the scores of one model file.

    Args:
        text: ``RUN``, ``RUN:STEP`` or ``RUN:best``.
        split: name of the split.
        root: folder of the data set, if it has moved.

    Raises:
        ConfigError, RunError, ValueError, OSError: as `evaluation_run.evaluate`.
    """
    workdir, wanted = split_run(text)
    folder = Path(os.path.realpath(workdir))
    if _is_of_model(workdir):
        settings, scores = _read_model(workdir, split)
        if wanted not in (None, scores.step):
            raise run_folder.RunError(
                f"{workdir} holds the results of a model file of step {scores.step}: "
                f"name it without :{wanted}."
            )
        return Candidate(text, settings, scores, folder=folder)
    settings = run_folder.read_config(workdir)
    step = _find_step(workdir, wanted, split)
    for scores in _saved(workdir, split, step):
        if scores.step == step and _is_of(scores, workdir):
            note = ceiling_run.describe_fits(workdir, scores)
            return Candidate(text, settings, scores, note and f"{text}: {note}", folder)
    overrides = evaluation_run.choose_data(root)
    subject = Subject(workdir, split, step, overrides)
    terminal.complain(f"{terminal.printable(text)}: step {step:,} has no scores yet.")
    scores, notes = evaluation_run.score(subject, DEFAULT_SURFACES)
    metrics = evaluation_summary.summarize(scores, [*subject.remarks, *notes])
    evaluation_writing.save(_folder(workdir, split) / f"step-{step}", metrics, scores)
    return Candidate(text, settings, scores, folder=folder)


def _is_of_model(workdir: Path) -> bool:
    """Whether a folder holds results of ``eval.py --model``, and no run."""
    if (workdir / run_folder.CONFIG).exists():
        return False
    return any(
        (_folder(workdir, s) / run_folder.CONFIG).is_file() for s in data.ALL_SPLITS
    )


def _read_model(workdir: Path, split: str) -> tuple[config.Config, Scores]:
    """Configuration and scores of a model file."""
    folder = _folder(workdir, split)
    paths = folder / run_folder.CONFIG, folder / evaluation_scores.FILE
    for path in paths:
        if not path.is_file():
            raise run_folder.RunError(
                f"{path} is not there: evaluate the model file again, by jaxsoftras "
                f"eval --model FILE --workdir {shlex.quote(str(workdir))} "
                f"--split {split}."
            )
    return config.read(paths[0]), evaluation_scores.load(paths[1])


def _folder(workdir: Path, split: str) -> Path:
    return workdir / evaluation_run.FOLDER / split


def _saved(workdir: Path, split: str, step: int | None = None) -> Iterator[Scores]:
    """Scores in a run folder: those of the last evaluation, and those of a step."""
    folder = _folder(workdir, split)
    folders = [folder] if step is None else [folder, folder / f"step-{step}"]
    for each in folders:
        if (path := each / evaluation_scores.FILE).exists():
            yield evaluation_scores.load(path)


def _is_of(scores: Scores, workdir: Path) -> bool:
    """Whether scores are of the checkpoint that is there, unless it is gone."""
    return find_checksum(workdir, scores.step) in ("", scores.checkpoint)


def _find_step(workdir: Path, wanted: Step, split: str) -> int:
    """Step of the checkpoint, or of the scores where no checkpoint is left."""
    if isinstance(wanted, int):
        return wanted
    with Checkpoints(workdir, read_only=True) as checkpoints:
        if wanted is None and checkpoints.latest() is None:
            for scores in _saved(workdir, split):
                return scores.step
        return checkpoints.find(wanted)


def compare(
    runs: Sequence[str],
    split: str,
    *,
    columns: Sequence[str] | None = None,
    group_seeds: bool = False,
    labels: Sequence[str] = (),
    base: str | None = None,
    root: str | None = None,
) -> dict[str, Any]:
    """Compares runs; see `comparison.compare`.

    Args:
        runs: ``RUN``, ``RUN:STEP`` or ``RUN:best`` each.
        split: name of the split.
        columns: names of columns; None for all that have a number.
        group_seeds: whether runs of one configuration are one row.
        labels: ``NAME=LABEL`` to label rows otherwise than by their names.
        base: name or label of the row that the others are compared with; the first
            if None.
        root: folder of the data set, if it has moved.

    Raises:
        ConfigError, RunError, ValueError, OSError: the message says in one sentence
            what is wrong.
    """
    _check_named_once(runs)
    candidates = [obtain(run, split, root) for run in runs]
    if group_seeds:
        rows = comparison.group_by_seed(candidates)
    else:
        rows = [Row(candidate.name, (candidate,)) for candidate in candidates]
    rows = _rename(rows, labels)
    if base is not None:
        names = [row.name for row in rows]
        _check_name(base, names, "--base")
        rows = [rows.pop(names.index(base)), *rows]
    return comparison.compare(rows, columns)


def _check_named_once(runs: Sequence[str]) -> None:
    first: dict[tuple[str, Step], str] = {}
    for run in runs:
        workdir, step = split_run(run)
        place = os.path.realpath(workdir), step
        if place in first:
            also = "" if first[place] == run else f", also as {first[place]}"
            raise ValueError(f"{run} is named twice{also}: leave one out.")
        first[place] = run


def _rename(rows: Sequence[Row], labels: Sequence[str]) -> list[Row]:
    names = [row.name for row in rows]
    known = dict(zip(names, names, strict=True))
    for text in labels:
        name, label = _split_label(text, names)
        known[name] = label
    if len(set(known.values())) < len(rows):
        raise ValueError("Two rows have the same label: choose others by --label.")
    return [row._replace(name=known[row.name]) for row in rows]


def _split_label(text: str, names: Sequence[str]) -> tuple[str, str]:
    """Splits ``NAME=LABEL``, either of which may have equals signs of its own.

    Raises:
        ValueError: no row, or more than one, has a name that the text begins with.
    """
    parts = text.split("=")
    pairs = [
        ("=".join(parts[:end]), "=".join(parts[end:])) for end in range(1, len(parts))
    ]
    pairs = [(name, label) for name, label in pairs if name and label]
    if not pairs:
        raise ValueError(f"--label {text}: write NAME=LABEL.")
    found = [pair for pair in pairs if pair[0] in names]
    if len(found) > 1:
        rows = " or of ".join(name for name, _ in found)
        raise ValueError(
            f"--label {text} may be of {rows}: name one of these runs by another path, "
            f"such as ./{found[0][0]}."
        )
    if not found:
        _check_name(pairs[-1][0], names, "--label")
    return found[0]


def _check_name(name: str, names: Sequence[str], option: str) -> None:
    if name not in names:
        raise ValueError(
            f"{option}: there is no row {name!r}; the rows are {', '.join(names)}."
        )


def write(text: str, out: Path | None) -> None:
    """Writes a formatted comparison to a file, or to stdout."""
    if out is None:
        sys.stdout.write(text)
        return
    with atomic.file(out) as partial:
        partial.write_text(text, encoding="utf-8")
    print(terminal.printable(f"Written to {out}."))


def main(arguments: list[str] | None = None, *, prog: str = "compare") -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Compare runs on the same objects, with intervals and paired "
        "tests. Scores are taken from eval/SPLIT/ of the run folders; a checkpoint "
        "that has none there is evaluated.",
    )
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN[:STEP|:best]",
        help="run folder, and the step of the checkpoint, or that of the best "
        "validation (default: the newest)",
    )
    parser.add_argument(
        "--workdir",
        nargs="+",
        action="extend",
        default=[],
        dest="more",
        metavar="RUN",
        help="further runs, as RUN",
    )
    parser.add_argument("--split", default="test", choices=data.ALL_SPLITS)
    parser.add_argument(
        "--columns",
        nargs="+",
        choices=LISTED,
        help="columns in this order (default: all that have a number)",
    )
    parser.add_argument(
        "--group-seeds",
        action="store_true",
        help="runs that differ in their seed alone are one row: mean and spread",
    )
    parser.add_argument(
        "--label",
        dest="labels",
        action="append",
        default=[],
        metavar="NAME=LABEL",
        help="label a row otherwise than by its name; may be given several times",
    )
    parser.add_argument(
        "--base",
        metavar="NAME",
        help="row that the others are compared with (default: the first)",
    )
    parser.add_argument("--format", default="table", choices=FORMATS)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="file to write (default: stdout)"
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="folder of the data set, if it has moved, for what must be evaluated",
    )
    compilation_cache.add_argument(parser)
    options = parser.parse_args(arguments)
    runs = [*options.runs, *options.more]
    if not runs:
        parser.error("a run folder is needed: name it first, or by --workdir")

    def command() -> None:
        compilation_cache.follow(options, quiet=True)
        table = compare(
            runs,
            options.split,
            columns=options.columns,
            group_seeds=options.group_seeds,
            labels=options.labels,
            base=options.base,
            root=options.data,
        )
        if options.format == "csv":  # which has no place for them
            for note in table["notes"]:
                terminal.complain(f"{prog}: {terminal.printable(note)}")
        write(FORMATS[options.format](table), options.out)

    return terminal.run(prog, command)
