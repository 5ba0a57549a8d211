"""Tables of the study and of ablations in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from study_runs import DATA_SETS, ENCODERS, SEEDS, Run, Study, read_run

from jaxsoftras import terminal
from jaxsoftras.reconstruction import comparison, evaluation_scores
from jaxsoftras.reconstruction.comparison import Candidate, Row

_COLUMNS = {"loss": "mean loss", "iou": "mean IoU"}
_NONE = "–"

Table = dict[str, Any]
"""See `jaxsoftras.reconstruction.comparison.compare`."""


def describe_study(study: Study) -> str:
    """Tables of means and of differences between encoders, and notes.

    Args:
        study: the runs. Those of a data set are compared object by object.

    Raises:
        RunError: runs of one data set were evaluated on different objects.
    """
    found = {name: _list_rows(study, name) for name in DATA_SETS}
    found = {name: rows for name, rows in found.items() if rows}
    tables = {
        name: comparison.compare(rows, list(_COLUMNS)) for name, rows in found.items()
    }
    notes = [*study.notes]
    for data_set, rows in found.items():
        notes += _check_settings(data_set, rows)
    notes += _list_notes(tables)
    notes.append("Over seeds: Welch's t-test of the means of the runs.")
    sections = [_tabulate_means(tables, column) for column in _COLUMNS]
    return _join([*sections, _tabulate_differences(tables, found)], notes)


def _list_rows(study: Study, data_set: str) -> list[Row]:
    found = {encoder: study.select(data_set, encoder) for encoder in ENCODERS}
    return [Row(name, tuple(members)) for name, members in found.items() if members]


def _list_notes(tables: Mapping[str, Table]) -> Iterator[str]:
    """Notes on the tables, with the data set's name unless they are on all of them."""
    for data_set, table in tables.items():
        for note in table["notes"]:
            shared = all(note in other["notes"] for other in tables.values())
            yield note if shared else f"{data_set}: {note}"


def _check_settings(data_set: str, rows: Sequence[Row]) -> Iterator[str]:
    """Notes that runs differ in more than encoder and seed."""
    groups = comparison.group_by_seed([run for row in rows for run in row.candidates])
    names = [group.name for group in groups]
    if len(groups) > 1 and names != [row.name for row in rows]:
        yield (
            f"The runs of {data_set} differ in more than encoder and seed: "
            f"{'; '.join(names)}."
        )


def _tabulate_means(tables: Mapping[str, Table], column: str) -> str:
    return _make_table(
        [_COLUMNS[column], "published", *DATA_SETS],
        (
            [
                encoder,
                f"{getattr(published, column):.6f}",
                *(
                    _format_mean(tables.get(name), encoder, column)
                    for name in DATA_SETS
                ),
            ]
            for encoder, published in ENCODERS.items()
        ),
    )


def _tabulate_differences(
    tables: Mapping[str, Table], found: Mapping[str, Sequence[Row]]
) -> str:
    return _make_table(
        ["data set", "difference", *_COLUMNS.values()],
        (
            [
                data_set,
                f"{row.name} − {first.name}",
                *(
                    _format_difference(cells[name]) + _test_seeds(first, row, name)
                    if name in cells
                    else _NONE
                    for name in _COLUMNS
                ),
            ]
            for data_set, (first, *others) in found.items()
            for row, cells in zip(
                others,
                (each["columns"] for each in tables[data_set]["rows"][1:]),
                strict=True,
            )
        ),
    )


def _test_seeds(first: Row, other: Row, column: str) -> str:
    """Whether rows differ by more than their runs; empty where that is not known."""
    means = [
        [
            evaluation_scores.mean(run.scores.object_means(column))
            for run in row.candidates
        ]
        for row in (first, other)
    ]
    values = [np.array(each, float) for each in means]  # None becomes NaN
    if min(map(len, values)) < 2 or not np.all(np.isfinite(np.concatenate(values))):
        return ""
    if not sum(map(np.ptp, values)) > 0:
        return ""  # equal to the last bit
    _, p = scipy.stats.ttest_ind(*values, equal_var=False)
    return f", over seeds p = {p:.3f}"


def describe_ablation(specifications: Sequence[str], split: str) -> str:
    """Table of an ablation, and notes.

    Args:
        specifications: ``LABEL=RUN,RUN`` each; the runs of a row differ in their seed.
            A label ends at the first equals sign; names of runs have no commas. Rows
            are compared with the first.
        split: name of the split.

    Raises:
        ValueError: a specification that is none, or a label or run that comes twice.
        ProgramError: no run of the first row can be read.
        RunError: the runs were evaluated on different objects.
    """
    rows, notes = _read_rows(specifications, split)
    first = next(iter(rows))
    if not rows[first]:
        raise terminal.ProgramError(
            f"The row {first}, which the others are compared with, has no run that can "
            f"be read. {' '.join(notes)}"
        )
    table = comparison.compare(
        [
            Row(label, tuple(run.candidate for run in members))
            for label, members in rows.items()
            if members
        ],
        ["iou"],
    )
    for label, members in rows.items():
        notes += _check_row(label, [run.candidate for run in members])
    parts = {run.history.part: None for members in rows.values() for run in members}
    parts.pop("", None)
    if len(parts) > 1:
        notes.append(f"Validations are of different parts: {'; '.join(parts)}.")
    cells = {row["name"]: row["columns"].get("iou") for row in table["rows"]}
    text = _make_table(
        ["", "runs", "val IoU", f"{split} IoU", "difference"],
        (
            [
                label,
                str(len(members)),
                _format(_mean([run.val_iou for run in members])),
                _format_cell(cells.get(label)),
                _format_difference(cells.get(label)),
            ]
            for label, members in rows.items()
        ),
    )
    return _join([text], [*notes, *table["notes"]])


def _read_rows(
    specifications: Sequence[str], split: str
) -> tuple[dict[str, list[Run]], list[str]]:
    """Runs by label, and notes on those that cannot be read."""
    rows: dict[str, list[Run]] = {}
    notes, places = [], set()
    for text in specifications:
        label, names = _split_row(text)
        if label in rows:
            raise ValueError(f"--ablation: two rows have the label {label}.")
        rows[label] = []
        for name in names:
            if (place := Path(name).resolve()) in places:
                raise ValueError(f"--ablation: {name} is named twice.")
            places.add(place)
            try:
                rows[label].append(read_run(Path(name), split, name))
            except terminal.REPORTED as error:
                notes.append(f"Left out: {name} ({str(error).rstrip('.')}).")
    return rows, notes


def _split_row(text: str) -> tuple[str, list[str]]:
    """Splits ``LABEL=RUN,RUN`` at the first equals sign, and at the commas.

    A path that begins with ``/``, ``./`` or ``../`` is one, with whatever signs.

    Raises:
        ValueError: a part is missing, or the label may have been meant to go on behind
            the first equals sign, or a name behind a comma.
    """
    label, equals, words = (part.strip() for part in text.partition("="))
    names = [name for name in map(str.strip, words.split(",")) if name]
    if not (equals and label and names):
        raise ValueError(f"--ablation {text}: write LABEL=RUN,RUN,RUN.")
    first, *more = names[0].split("=")
    shorter = ["=".join(more[start:]).strip() for start in range(len(more))]
    unclear = any(map(_is_folder, shorter)) or not _is_folder(names[0])
    if more and unclear and not names[0].startswith(("/", "./", "../")):
        raise ValueError(
            f"--ablation {text}: the label ends at the first equals sign, and the runs "
            f"begin with {names[0]}; write a label without one, such as "
            f"'{label} {first}', or ./{names[0]} for a run of that name."
        )
    if len(names) > 1 and _is_folder(words):
        raise ValueError(
            f"--ablation {text}: a comma separates runs, and {words} is one folder; "
            "name it by a symbolic link without commas."
        )
    return label, names


def _is_folder(name: str) -> bool:
    return bool(name) and Path(name).is_dir()


def _check_row(label: str, candidates: Sequence[Candidate]) -> Iterator[str]:
    """Notes that the runs of a row differ in more, or less, than their seed."""
    seeds = [candidate.settings.seed for candidate in candidates]
    if len(set(seeds)) < len(seeds):
        listed = ", ".join(map(str, seeds))
        yield f"± of {label} is not of different seeds: its runs have {listed}."
    else:
        groups = comparison.group_by_seed(candidates)
        if len(groups) > 1:
            names = "; ".join(group.name for group in groups)
            yield f"The runs of {label} differ in more than their seed: {names}."


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of numbers; None unless all are there."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _format(value: float | None, spread: float | None = None) -> str:
    if value is None:
        return _NONE
    return f"{value:.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def _format_cell(cell: Mapping[str, Any] | None) -> str:
    return _NONE if cell is None else _format(cell["mean"], cell["spread"])


def _format_mean(table: Table | None, name: str, column: str) -> str:
    """Mean and spread of a row, and the number of its runs unless it is the usual."""
    for row in table["rows"] if table else ():
        if row["name"] == name:
            count = len(row["runs"])
            runs = f" ({count} run{'s' if count > 1 else ''})"
            text = _format_cell(row["columns"].get(column))
            return text if count == len(SEEDS) else text + runs
    return _NONE


def _format_difference(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["difference"] is None:
        return _NONE
    text = f"{cell['difference']:+.4f}"
    if cell["difference_interval"]:
        text += " [{:+.4f}, {:+.4f}]".format(*cell["difference_interval"])
    if cell["p"] is not None:
        text += ", p < 0.001" if cell["p"] < 0.001 else f", p = {cell['p']:.3f}"
    return text


def _make_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(map(_escape, line))} |\n" for line in lines)


def _escape(cell: str) -> str:
    """Text of a label in a cell of Markdown."""
    return terminal.printable(cell).replace("|", "\\|")


def _join(sections: Sequence[str], notes: Sequence[str]) -> str:
    """Tables, and a list of the notes that differ."""
    lines = (f"* {terminal.printable(note)}\n" for note in dict.fromkeys(notes))
    return "\n".join([*sections, "".join(lines)])
