"""Comparison of runs by their scores of the same objects.

A row is a run, or several runs that differ in their seed alone. Each row is compared
with the first one, object by object.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsoftras import config
from jaxsoftras.reconstruction import evaluation_scores, optimization, resampling
from jaxsoftras.reconstruction.evaluation_scores import COLUMNS, LISTED, Scores
from jaxsoftras.reconstruction.run_folder import RunError

# Fields in which runs of one configuration may differ.
_INCIDENTAL = ("seed", "log.", "devices.", "data.root", "data.feeding")
# What a column depends on, beside the network.
_SETTINGS = {"chamfer": ("points",), "f_score": ("points", "threshold")}


class Candidate(NamedTuple):
    """A checkpoint that is compared.

    Attributes:
        name: the run, as the user wrote it.
        settings: configuration of the run.
        scores: its scores.
        note: what the reader must know of them, a sentence; or nothing.
        folder: run folder, without symbolic links; None if it is not known.
    """

    name: str
    settings: config.Config
    scores: Scores
    note: str = ""
    folder: Path | None = None


class Row(NamedTuple):
    """One or more candidates that count as one.

    Attributes:
        name: label of the row.
        candidates: of one configuration, with different seeds.
    """

    name: str
    candidates: tuple[Candidate, ...]


def group_by_seed(candidates: Sequence[Candidate]) -> list[Row]:
    """Joins runs of one configuration, in the order of their first ones.

    Rows are named by the fields of the configuration in which they differ, by the value
    alone if it is a single field.

    Raises:
        RunError: two runs of one configuration have the same seed.
    """
    groups: dict[tuple[tuple[str, Any], ...], list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(_essence(candidate.settings), []).append(candidate)
    for members in groups.values():
        seeds: dict[int, str] = {}
        for member in members:
            other = seeds.setdefault(member.settings.seed, member.name)
            if other is not member.name:
                raise RunError(
                    f"{other} and {member.name} have the same configuration and seed: "
                    "name one of them, or leave out --group-seeds."
                )
    fields = [dict(key) for key in groups]
    paths = {path: None for values in fields for path in values}
    missing = object()
    differ = [
        path
        for path in paths
        if len({repr(values.get(path, missing)) for values in fields}) > 1
    ]
    names = [
        str(values.get(differ[0]))
        if len(differ) == 1
        else ", ".join(f"{path}={values[path]}" for path in differ if path in values)
        for values in fields
    ]
    return [
        Row(name or "all runs", tuple(members))
        for name, members in zip(names, groups.values(), strict=True)
    ]


def _essence(settings: config.Config) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (path, value)
        for path, value in config.flat(settings).items()
        if not path.startswith(_INCIDENTAL)
        and not (path.startswith("data.sources.") and path.endswith(".root"))
    )


def compare(
    rows: Sequence[Row], columns: Sequence[str] | None = None
) -> dict[str, Any]:
    """Compares rows with the first of them.

    Args:
        rows: the rows; their names differ.
        columns: names of columns, in this order; None for all that have a number.

    Returns:
        The table, as docs/evaluation.md describes it.

    Raises:
        RunError: the scores are of different objects.
    """
    everyone = [candidate for row in rows for candidate in row.candidates]
    for other in everyone[1:]:
        _check_same_objects(everyone[0], other)
    left_out = dict(_list_incomparable(everyone))
    means = {
        column: [
            _join([c.scores.object_means(column) for c in row.candidates])
            for row in rows
        ]
        for column in columns or LISTED
        if column not in left_out
    }
    if columns is None:
        means = {column: each for column, each in means.items() if any(each)}
    first = everyone[0].scores
    return {
        "split": first.split,
        "objects": len(first.name),
        "categories": len(first.categories),
        "columns": list(means),
        "bootstrap": {
            "level": resampling.LEVEL,
            "resamples": resampling.RESAMPLES,
            "seed": resampling.SEED,
        },
        "rows": [
            {
                "name": row.name,
                "runs": [_describe(candidate) for candidate in row.candidates],
                "columns": {
                    column: _summarize(row, column, each[number], each[0], number > 0)
                    for column, each in means.items()
                },
            }
            for number, row in enumerate(rows)
        ],
        "notes": [
            *(
                reason
                for column, reason in left_out.items()
                if columns is None or column in columns
            ),
            *_list_notes(rows),
        ],
    }


def _describe(candidate: Candidate) -> dict[str, Any]:
    scores, seed = candidate.scores, candidate.settings.seed
    return {"run": candidate.name, "step": scores.step, "seed": seed}


def _join(runs: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Means over runs of the scores of each object, which all runs or none have."""
    return {key: np.mean([run[key] for run in runs], axis=0) for key in runs[0]}


def _summarize(
    row: Row,
    column: str,
    strata: dict[str, np.ndarray],
    base: dict[str, np.ndarray],
    compared: bool,
) -> dict[str, Any]:
    """One cell: the mean, its spread over runs, and the difference to the base."""
    each = [
        evaluation_scores.mean(candidate.scores.object_means(column))
        for candidate in row.candidates
    ]
    values = [value for value in each if value is not None]
    with np.errstate(invalid="ignore"):  # of losses that are not finite
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    cell = {
        "mean": evaluation_scores.mean(strata),
        "spread": spread,
        "interval": _as_list(resampling.intervals(strata)[0]),
        "difference": None,
        "difference_interval": None,
        "p": None,
    }
    if compared and strata:
        differences = {key: strata[key] - base[key] for key in strata}
        cell["difference"] = evaluation_scores.mean(differences)
        bounds, _ = resampling.intervals(differences)
        cell["difference_interval"] = _as_list(bounds)
        cell["p"] = resampling.sign_flip_test(differences)
    return cell


def _as_list(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _check_same_objects(first: Candidate, other: Candidate) -> None:
    """Raises RunError unless two runs were evaluated on the same objects and views."""
    here, there = first.scores, other.scores
    same = here.split == there.split and here.data == there.data
    for name in ("category", "name", "views"):
        same = same and np.array_equal(getattr(here, name), getattr(there, name))
    if not same:
        raise RunError(
            f"{first.name} and {other.name} cannot be compared: one was evaluated on "
            f"{_name_objects(here)}, the other on {_name_objects(there)}"
            f"{_hint(here, there)}; evaluate both on the same data."
        )


def _name_objects(scores: Scores) -> str:
    return (
        f"the {scores.split} split of {len(scores.name)} objects in "
        f"{len(scores.categories)} categories"
    )


def _hint(here: Scores, there: Scores) -> str:
    return (
        " with other images or names"
        if _name_objects(here) == _name_objects(there)
        else ""
    )


def _list_incomparable(
    candidates: Sequence[Candidate],
) -> Iterator[tuple[str, str]]:
    """Columns that do not mean the same in all runs, with the reasons."""
    losses = [_loss_settings(candidate) for candidate in candidates]
    if differ := _find_different(losses):
        yield (
            "loss",
            f"The losses are not comparable and left out: the runs differ in {differ}.",
        )
    for column in LISTED:
        label = COLUMNS[column].label
        gaps = {np.isnan(c.scores.columns[column]).tobytes() for c in candidates}
        if len(gaps) > 1 and not COLUMNS[column].always:
            yield (
                column,
                f"{label} is left out, for not all runs have it of the same objects: "
                "evaluate them again with the same options.",
            )
        elif differ := _find_different(
            [
                {name: getattr(c.scores, name) for name in _SETTINGS.get(column, ())}
                for c in candidates
            ]
        ):
            yield (
                column,
                f"{label} is left out, for the evaluations differ in {differ}.",
            )


def _loss_settings(candidate: Candidate) -> dict[str, Any]:
    settings = candidate.settings
    sigma = float(np.asarray(optimization.sigma(settings)(candidate.scores.step)))
    return {
        **{f"loss.{k}": v for k, v in dataclasses.asdict(settings.loss).items()},
        "render.dist_eps": settings.render.dist_eps,
        "sigma": float(f"{sigma:.6g}"),
    }


def _find_different(settings: Sequence[Mapping[str, Any]]) -> str:
    """Names fields in which settings differ, with their values; empty if none."""
    return ", ".join(
        f"{name} ({' and '.join(map(str, values))})"
        for name in settings[0]
        if len(values := list(dict.fromkeys(each[name] for each in settings))) > 1
    )


def _list_repeated(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Sentences on candidates that are one checkpoint, by different names."""
    for number, candidate in enumerate(candidates):
        for other in candidates[:number]:
            if _is_same_checkpoint(candidate, other):
                yield (
                    f"{other.name} and {candidate.name} are the same checkpoint, of "
                    f"step {candidate.scores.step:,}: their scores are of one network."
                )
                break


def _is_same_checkpoint(first: Candidate, other: Candidate) -> bool:
    here, there = first.scores, other.scores
    if here.checkpoint and there.checkpoint:
        return here.checkpoint == there.checkpoint
    same_folder = first.folder is not None and first.folder == other.folder
    return same_folder and here.step == there.step


def _list_notes(rows: Sequence[Row]) -> Iterator[str]:
    yield from _list_repeated([each for row in rows for each in row.candidates])
    for row in rows:
        yield from (candidate.note for candidate in row.candidates if candidate.note)
        steps = sorted({candidate.scores.step for candidate in row.candidates})
        if len(steps) > 1:
            listed = ", ".join(f"{step:,}" for step in steps)
            yield f"The runs of {row.name} are of different steps: {listed}."
    if any(len(row.candidates) > 1 for row in rows):
        yield "±: standard deviation over seeds."
    if len(rows) > 1:
        yield (
            f"Differences are to {rows[0].name}; p: sign flips of the differences of "
            "the objects, paired."
        )
    if len(rows) > 1 and any(len(row.candidates) == 1 for row in rows):
        yield (
            "Of a single run, nothing is known of what another seed would have given."
        )
    yield (
        f"In brackets: {resampling.LEVEL:.0%} intervals, "
        f"{resampling.RESAMPLES:,} bootstrap resamples of the objects of each category."
    )
