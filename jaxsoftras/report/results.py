"""The files of an evaluated run that a report is made from."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxsoftras import config, terminal, written_files
from jaxsoftras.report import examples, history

METRICS, ENVIRONMENT = "metrics.json", "environment.json"
_ROUNDING = 1e-5  # of means in single precision, by which they may be out of range


class Row(NamedTuple):
    """Scores of a category, or the means of all; see `evaluation_summary.summarize`.

    Attributes:
        key: key of the category.
        name: its name.
        objects: number of objects.
        iou: mean IoU of voxels, 0 to 1, or None.
        silhouette_iou: mean IoU of silhouettes in other views, 0 to 1, or None.
        loss: mean training loss, or None where it is not finite.
        single_views: number of objects with a single view.
    """

    key: str
    name: str
    objects: int
    iou: float | None
    silhouette_iou: float | None
    loss: float | None
    single_views: int


class Results(NamedTuple):
    """An evaluation of a run.

    Attributes:
        workdir: the run folder.
        split: name of the split.
        step: number of training steps of the checkpoint.
        rows: the categories.
        mean: unweighted means of the categories.
        history: course of the training.
        config: configuration of the run.
        environment: contents of ``environment.json``, or None.
        examples: reconstructions, or None.
        notes: what is missing, in full sentences.
    """

    workdir: Path
    split: str
    step: int
    rows: list[Row]
    mean: Row
    history: history.History
    config: config.Config
    environment: Mapping[str, Any] | None
    examples: examples.Examples | None
    notes: list[str]


def folder_of(workdir: Path, split: str) -> Path:
    """Folder of the results of a split."""
    return workdir / "eval" / split


def read(workdir: Path, split: str) -> Results:
    """Reads the results of an evaluation.

    Args:
        workdir: the run folder.
        split: name of the split.

    Raises:
        ProgramError: no such run or evaluation, or damaged results.
        ConfigError: a damaged configuration, or the name of one in place of a folder.
        OSError: a file cannot be read.
    """
    folder = folder_of(workdir, split)
    # that of a run, or else of a model file, beside its results
    places = [workdir / "config.json", folder / "config.json"]
    settings = next((path for path in places if path.is_file()), None)
    if settings is None:
        config.refuse_name(workdir)
        raise terminal.ProgramError(
            f"{workdir} is not a run folder: it holds no config.json."
        )
    if not (folder / METRICS).is_file():
        raise terminal.ProgramError(
            f"{workdir} holds no evaluation of the split {split!r}; make one with "
            f"jaxsoftras eval --workdir {shlex.quote(str(workdir))} --split {split}."
        )
    metrics = _read_object(folder / METRICS)
    step, rows, mean = _read_scores(folder / METRICS, metrics)
    course = history.read(workdir / history.FILE)
    environment, shown = _read_examples(folder)
    found = Results(
        workdir=workdir,
        split=split,
        step=step,
        rows=rows,
        mean=mean,
        history=course,
        config=config.read(settings),
        environment=environment,
        examples=shown,
        notes=[],
    )
    if shown is not None:
        keys = {row.key for row in rows}
        if unknown := set(shown.categories.tolist()) - keys:
            raise _mixed(folder, f"{examples.FILE} has a category {min(unknown)!r}")
    found.notes.extend(_list_notes(found))
    return found


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is not an object")
    return content


def _read_scores(path: Path, metrics: dict[str, Any]) -> tuple[int, list[Row], Row]:
    """Checks the numbers of ``metrics.json``."""

    def score(values: Any, name: str, most: float = sys.float_info.max) -> float | None:
        value = values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _damaged(path, f"{name} is {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if not -_ROUNDING <= value <= most + _ROUNDING:
            raise _damaged(path, f"{name} is {value!r}")
        return float(min(max(value, 0), most))

    def count(values: Any, name: str) -> int:
        value = values.get(name, 0)
        if type(value) is not int or value < 0:
            raise _damaged(path, f"{name} is {value!r}")
        return value

    def row(key: str, values: Any, prefix: str = "") -> Row:
        if not isinstance(values, dict):
            raise _damaged(path, f"{key!r} is {values!r}")
        return Row(
            key=key,
            name=str(values.get("name", key)),
            objects=count(values, "objects"),
            iou=score(values, f"{prefix}iou", 1),
            silhouette_iou=score(values, f"{prefix}silhouette_iou", 1),
            loss=score(values, f"{prefix}loss"),
            single_views=count(values, "single_views"),
        )

    categories = metrics.get("per_category")
    if not isinstance(categories, dict) or not categories:
        raise _damaged(path, "it has no per_category")
    rows = [row(key, values) for key, values in categories.items()]
    total = {
        "objects": sum(row.objects for row in rows),
        "single_views": sum(row.single_views for row in rows),
    }
    mean = row("", {**metrics, **total, "name": "Mean"}, "mean_")
    return count(metrics, "step"), rows, mean


def _read_examples(
    folder: Path,
) -> tuple[dict[str, Any] | None, examples.Examples | None]:
    """Reads what belongs to the metrics of an evaluation."""
    environment = shown = None
    if (folder / ENVIRONMENT).exists():
        environment = _read_object(folder / ENVIRONMENT)
        if environment.get("metrics") != written_files.digest(folder / METRICS):
            raise _mixed(folder, f"{METRICS} is not that of {ENVIRONMENT}")
        if (folder / examples.FILE).exists():
            shown = examples.load(folder / examples.FILE)
    return environment, shown


def _list_notes(found: Results) -> list[str]:
    notes = []
    if found.environment is None or found.examples is None:
        notes.append(
            f"The evaluation left no {examples.FILE}, or no {ENVIRONMENT}: objects, "
            "command and versions are not shown; evaluate the run again."
        )
    if without := [row.name for row in found.rows if row.iou is None]:
        notes.append(f"No voxels, hence no IoU of voxels: {', '.join(without)}.")
    if found.mean.single_views:
        notes.append(
            f"Objects with a single view, and none to compare silhouettes in: "
            f"{found.mean.single_views}."
        )
    if not (found.workdir / "config.json").is_file():
        notes.append("No curves of the training: a model file holds none.")
        return notes
    course = found.history
    if not len(course.training.steps):
        notes.append(f"No curves of the training: {history.FILE} has no reports.")
    if course.unread:
        notes.append(
            f"Lines of {history.FILE} that could not be read and are left out: "
            f"{course.unread}."
        )
    if not course.measure:
        notes.append("Nothing was validated during the training.")
    return notes


def _damaged(path: Path, reason: str) -> terminal.ProgramError:
    return terminal.ProgramError(
        f"{path} is damaged ({reason}): evaluate the run again."
    )


def _mixed(folder: Path, reason: str) -> terminal.ProgramError:
    return terminal.ProgramError(
        f"The files in {folder} are of two evaluations ({reason}): evaluate the run "
        "again."
    )
