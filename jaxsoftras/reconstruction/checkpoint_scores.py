"""Scores of checkpoints, by which the best one is known.

A score is a file ``score.json`` in the folder of its checkpoint, with a checksum of its
own: the validation may end after the checkpoint is sealed. So a score is removed and
set aside with its checkpoint, and there is no list that could contradict the folders.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jaxsoftras import atomic
from jaxsoftras.reconstruction import checkpoint_files

_FILE = "score.json"


def write(checkpoint: Path, score: float) -> None:
    """Writes a score into the folder of a checkpoint."""
    content: dict[str, Any] = {"score": score}
    content["blake2b"] = checkpoint_files.checksum_of(content)
    with atomic.file(checkpoint / _FILE) as partial:
        partial.write_text(json.dumps(content) + "\n", encoding="ascii")


def find(folder: Path, step: int) -> float | None:
    """Reads the score of a checkpoint; None if it has none, or a damaged one."""
    try:
        return _read(folder / str(step))
    except ValueError:
        return None


def rank(folder: Path, steps: Iterable[int]) -> list[int]:
    """Sorts the steps that have scores, the best one last; of equal ones, the first."""
    scores = {step: find(folder, step) for step in steps}
    ranks = {step: (x, -step) for step, x in scores.items() if x is not None}
    return sorted(ranks, key=lambda step: ranks[step])


def warn_of_damage(folder: Path) -> None:
    """Names the checkpoints whose scores are damaged."""
    for step in checkpoint_files.list_steps(folder):
        try:
            _read(folder / str(step))
        except ValueError:
            warnings.warn(
                f"The score of the checkpoint {folder / str(step)} is damaged, and "
                "does not count.",
                stacklevel=3,
            )


def _read(checkpoint: Path) -> float | None:
    try:
        return float(checkpoint_files.read_checked(checkpoint / _FILE)["score"])
    except FileNotFoundError:
        return None
