"""Results of a search as a table for people, or for other programs."""

from __future__ import annotations

import csv
import io
import shutil
from typing import Any

import rich.markup
import rich.table

from jaxsoftras import strict_json, terminal
from jaxsoftras.reconstruction.tuning import results as found
from jaxsoftras.reconstruction.tuning.results import Results

_WIDTH = 200  # of a file
_SHOWN = 20  # trials, on a terminal


def label(measure: str) -> str:
    """Name of a measure: ``IoU`` or ``silhouette IoU``."""
    return measure.replace("_", " ").replace("iou", "IoU")


def format_value(value: float | int | str) -> str:
    """Formats the value of a field, numbers with 4 digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def shorten(paths: list[str]) -> dict[str, str]:
    """Short names of fields: the last part of their path, where it is the only one."""
    ends = [path.rpartition(".")[2] for path in paths]
    return {
        path: end if ends.count(end) == 1 else path
        for path, end in zip(paths, ends, strict=True)
    }


def format_table(results: Results) -> str:
    """Formats the best trials for a terminal of any width, in which lines wrap."""
    rows = found.rank(results)
    paths = list(results["space"])
    grid = rich.table.Table(title=describe(results))
    for heading in _list_headings(results):
        grid.add_column(heading, justify="right", overflow="fold")
    for row in rows[:_SHOWN]:
        texts = _list_texts(row, paths)
        grid.add_row(*map(rich.markup.escape, map(terminal.printable, texts)))
    text = io.StringIO()
    width = shutil.get_terminal_size((_WIDTH, 0)).columns
    terminal.make_console(file=text, width=width).print(grid)
    lines = [text.getvalue().rstrip("\n"), *_list_notes(results)]
    if len(rows) > _SHOWN:
        lines.insert(1, f"The best {_SHOWN} of {len(rows)} trials; the files have all.")
    return "\n".join(lines) + "\n"


def format_markdown(results: Results) -> str:
    """Formats all trials as a table of GitHub's Markdown."""

    def line(texts: list[str]) -> str:
        escaped = (terminal.printable(text).replace("|", r"\|") for text in texts)
        return f"| {' | '.join(escaped)} |"

    paths, headings = list(results["space"]), _list_headings(results)
    rows = [line(_list_texts(row, paths)) for row in found.rank(results)]
    ruler = "|" + "---:|" * len(headings)
    lines = [line(headings), ruler, *rows, "", f"{describe(results)}."]
    return "\n".join([*lines, *(f"\n{note}" for note in _list_notes(results))]) + "\n"


def format_csv(results: Results) -> str:
    """Formats all trials, by number, with numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ["number", "state", "score", "step", "seconds"]
    writer.writerow([*names, *results["space"], "reason"])
    for row in results["trials"]:
        values = [row["values"].get(path) for path in results["space"]]
        writer.writerow([*(row[name] for name in names), *values, row["reason"]])
    return text.getvalue()


def format_json(results: Results) -> str:
    """Formats everything that is known as JSON."""
    return strict_json.dumps(results, indent=2) + "\n"


FORMATS = {
    "results.md": format_markdown,
    "results.csv": format_csv,
    "results.json": format_json,
}
"""Functions that format results, by the name of the file."""


def describe(results: Results) -> str:
    """Says what was searched, in a phrase."""
    states = [row["state"] for row in results["trials"]]
    counts = ", ".join(
        f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states))
    )
    measured = f" on {results['part']}" if results["part"] else ""
    return (
        f"{len(states)} trials of {results['steps']} steps ({counts or 'none'}); "
        f"best validation {label(results['measure'])}{measured}"
    )


def _list_headings(results: Results) -> list[str]:
    fields = shorten(list(results["space"])).values()
    return ["trial", "state", label(results["measure"]), "step", "s", *fields]


def _list_texts(row: dict[str, Any], paths: list[str]) -> list[str]:
    return [
        str(row["number"]),
        row["state"],
        "" if row["score"] is None else f"{row['score']:.4f}",
        "" if row["step"] is None else str(row["step"]),
        "" if row["seconds"] is None else f"{row['seconds']:.1f}",
        *(format_value(row["values"].get(path, "")) for path in paths),
    ]


def _list_notes(results: Results) -> list[str]:
    """Reasons of failures, and the importance of fields."""
    notes = [
        terminal.printable(f"Trial {row['number']} failed: {row['reason']}")
        for row in results["trials"]
        if row["reason"]
    ]
    if results["importance"]:
        parts = (f"{path} {part:.2f}" for path, part in results["importance"].items())
        complete = sum(row["state"] == "complete" for row in results["trials"])
        notes.append(
            "Importance (PED-ANOVA, for the best tenth of "
            f"{complete} complete trials): {', '.join(parts)}."
        )
    return notes
