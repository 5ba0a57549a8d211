"""The course of a training: reports and validations of ``metrics.jsonl``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FILE = "metrics.jsonl"
_POINTS = 600  # of a curve, more than pixels can show


class Curves(NamedTuple):
    """Numbers over the steps, NaN where one is missing.

    Attributes:
        steps: ``[n]`` numbers of steps taken, increasing.
        values: ``[n]`` float64 by name.
    """

    steps: np.ndarray
    values: dict[str, np.ndarray]


class History(NamedTuple):
    """Course of a training, as ``metrics.jsonl`` records it.

    Attributes:
        training: loss, its terms, learning rate and so on, by their names in the file.
        measure: ``"iou"`` or ``"silhouette_iou"`` of the validations; empty if there
            are none.
        validation: mean of the validations, under the name ``"mean"``.
        categories: scores by category, of the same steps.
        part: what was validated, such as ``"35 of 35 objects, 4 of 24 views"``.
        unread: number of lines that could not be read.
    """

    training: Curves
    measure: str
    validation: Curves
    categories: dict[str, np.ndarray]
    part: str
    unread: int


def read(path: Path) -> History:
    """Reads the file; an absent one has no lines.

    Of several lines about one step the last counts.

    Raises:
        OSError: it cannot be read.
    """
    reports: dict[int, Mapping[str, Any]] = {}
    validations: dict[int, Mapping[str, Any]] = {}
    unread, measure = 0, ""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        entry = _parse(line)
        if entry is None:
            unread += bool(line.strip())
            continue
        found = [m for m in ("iou", "silhouette_iou") if f"val_{m}" in entry]
        if found:
            if found[0] != measure:  # of other data: the two cannot be compared
                validations.clear()
            measure = found[0]
            validations[int(entry["step"])] = entry
        else:
            reports[int(entry["step"])] = entry
    name = f"val_{measure}"
    rows = [validations[step] for step in sorted(validations)]
    per_category = [_mapping(row.get(f"{name}_per_category")) for row in rows]
    return History(
        training=_gather(reports),
        measure=measure,
        validation=Curves(
            np.array(sorted(validations), np.int64),
            {"mean": np.array([_number(row[name]) for row in rows])},
        ),
        categories=_columns(per_category),
        part=str(rows[-1].get("val_part", "")) if rows else "",
        unread=unread,
    )


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    step = _number(entry.get("step")) if isinstance(entry, dict) else math.nan
    return entry if 0 <= step < 2**53 else None


def _number(value: Any) -> float:
    """Converts what JSON has for a number; NaN if it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(value) if math.isfinite(value) else math.nan
    except OverflowError:
        return math.nan


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _columns(rows: Iterable[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        name: np.array([_number(row.get(name)) for row in rows], float)
        for name in names
    }


def _gather(reports: Mapping[int, Mapping[str, Any]]) -> Curves:
    steps = sorted(reports)
    columns = _columns(reports[step] for step in steps)
    for name in ("step", "time"):
        columns.pop(name, None)
    return Curves(np.array(steps, np.int64), columns)


def thin(curves: Curves) -> tuple[Curves, int]:
    """Averages neighbouring points, so that a curve has 600 at most.

    Returns:
        The curves, each point at the last step of those that it is the mean of; and the
        largest number of points in a mean.
    """
    count = len(curves.steps)
    group = -(-count // _POINTS)
    if group <= 1:
        return curves, 1
    starts = np.arange(0, count, group)
    ends = np.minimum(starts + group, count)

    def mean(values: np.ndarray) -> np.ndarray:
        known = np.isfinite(values)
        total = np.add.reduceat(np.where(known, values, 0), starts)
        number = np.add.reduceat(known.astype(int), starts)
        return np.where(number > 0, total / np.maximum(number, 1), np.nan)

    values = {name: mean(column) for name, column in curves.values.items()}
    return Curves(curves.steps[ends - 1], values), group
