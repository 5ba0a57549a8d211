"""The runs of the study, as docs/images/study.py reads them."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsoftras import config, terminal
from jaxsoftras.reconstruction import evaluation_run, evaluation_scores, run_folder
from jaxsoftras.reconstruction.comparison import Candidate
from jaxsoftras.report import history


class Published(NamedTuple):
    """Published results of an encoder."""

    loss: float
    iou: float


DATA_SETS = ("real13", "embedded", "mixed")
ENCODERS = {
    "baseline": Published(0.204286, 0.546209),
    "resnet": Published(0.209622, 0.540347),
    "attention": Published(0.205251, 0.538869),
}
SEEDS = (0, 1, 2)
_NAME = re.compile(
    rf"({'|'.join(DATA_SETS)})-({'|'.join(ENCODERS)})-(0|[1-9]\d*)", re.ASCII
)

Key = tuple[str, str, int]
"""Data set, encoder and seed of a run."""


class Run(NamedTuple):
    """An evaluated run.

    Attributes:
        candidate: its configuration and its scores of a split.
        history: course of the training.
    """

    candidate: Candidate
    history: history.History

    @property
    def val_iou(self) -> float | None:
        """IoU of the validation at the step that was evaluated; None without one."""
        steps, values = self.history.validation
        chosen = values["mean"][steps == self.candidate.scores.step]
        if self.history.measure != "iou" or not len(chosen):
            return None
        return float(chosen[0])


@dataclasses.dataclass
class Study:
    """Runs in the order of their keys, and notes on those that are not among them."""

    runs: dict[Key, Run]
    notes: list[str]

    def select(self, data_set: str, encoder: str) -> list[Candidate]:
        """Runs of an encoder on a data set, by seed."""
        keys = (key for key in self.runs if key[:2] == (data_set, encoder))
        return [self.runs[key].candidate for key in keys]


def read_run(folder: Path, split: str, name: str) -> Run:
    """Reads configuration, scores and history of a run.

    Args:
        folder: the run folder.
        split: name of the split.
        name: what tables and messages call the run.

    Raises:
        ConfigError, RunError, ValueError, OSError: one of the files is missing or
            damaged.
    """
    settings = run_folder.read_config(folder)
    path = folder / evaluation_run.FOLDER / split / evaluation_scores.FILE
    if not path.is_file():
        raise run_folder.RunError(f"it has no {path}: evaluate it by eval.py")
    scores = evaluation_scores.load(path)
    course = history.read(folder / history.FILE)
    return Run(Candidate(name, settings, scores), course)


def read_study(folder: Path, split: str) -> Study:
    """Reads the runs ``DATA-ENCODER-SEED`` of a folder.

    Runs that are missing or cannot be read are named in the notes.

    Args:
        folder: the study.
        split: name of the split.

    Raises:
        ProgramError: there is no such folder, or no run in it that can be read.
    """
    if not folder.is_dir():
        raise terminal.ProgramError(
            f"{folder} is not a folder: name the one that holds the runs of the study."
        )
    study, found = Study({}, []), {}
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        if match := _NAME.fullmatch(path.name):
            found[match[1], match[2], int(match[3])] = path
        else:
            study.notes.append(f"Not of the study by its name: {path.name}.")
    missing = []
    for key in _list_keys(found):
        name = "-".join(map(str, key))
        if key not in found:
            missing.append(name)
            continue
        try:
            run = _check(read_run(found[key], split, name), key)
            study.notes += _check_history(run)
            study.runs[key] = run
        except terminal.REPORTED as error:
            study.notes.append(f"Left out: {name} ({str(error).rstrip('.')}).")
    if missing:
        study.notes.append(f"Missing: {', '.join(missing)}.")
    if not study.runs:
        raise terminal.ProgramError(
            f"{folder} holds no evaluated run with a name such as real13-resnet-0. "
            f"{' '.join(study.notes)}"
        )
    return study


def _list_keys(found: dict[Key, Path]) -> list[Key]:
    """Keys of all runs that are there or expected, in the order of the tables."""
    expected = itertools.product(DATA_SETS, ENCODERS, SEEDS)
    encoders = list(ENCODERS)
    return sorted(
        {*expected, *found},
        key=lambda key: (DATA_SETS.index(key[0]), encoders.index(key[1]), key[2]),
    )


def _check_history(run: Run) -> Iterator[str]:
    """Notes on what the curves of a run lack."""
    course, name = run.history, run.candidate.name
    if course.unread:
        yield f"Unreadable lines in the {history.FILE} of {name}: {course.unread}."
    if not np.any(np.isfinite(course.training.values.get("loss", np.array([])))):
        yield f"No curve of the loss: {name}, whose {history.FILE} has none."
    if course.measure != "iou":
        yield f"No curve of IoU: {name}, whose {history.FILE} has no validation by it."


def _check(run: Run, key: Key) -> Run:
    """Raises ValueError for a run that is another one than its folder says."""
    settings = run.candidate.settings
    data_set = _name_data_set(settings.data)
    if (data_set, settings.model.encoder, settings.seed) != key:
        raise ValueError(
            f"its configuration has the data set {data_set}, the encoder "
            f"{settings.model.encoder} and the seed {settings.seed}"
        )
    return run


def _name_data_set(data: config.Data) -> str:
    """Which of the data sets a configuration has, by the kind of its sources."""
    if data.sources:
        return "mixed"
    return "embedded" if data.source == "embedded" else "real13"
