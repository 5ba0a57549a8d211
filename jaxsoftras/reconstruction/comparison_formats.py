"""Comparisons of runs as a table for people, or for other programs."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from typing import Any

import rich.markup
import rich.table

from jaxsoftras import strict_json, terminal
from jaxsoftras.reconstruction.evaluation_scores import COLUMNS

_WIDTH = 200  # of a file

Table = dict[str, Any]
"""See `jaxsoftras.reconstruction.comparison.compare`."""


def _number(value: float | None, sign: bool = False) -> str:
    if value is None:
        return "none"
    return f"{value:+.4f}" if sign else f"{value:.4f}"


def _brackets(interval: list[float] | None, sign: bool = False) -> str:
    if interval is None:
        return ""
    return f" [{', '.join(_number(bound, sign) for bound in interval)}]"


def _format_mean(cell: dict[str, Any]) -> str:
    spread = "" if cell["spread"] is None else f" ± {_number(cell['spread'])}"
    return _number(cell["mean"]) + spread + _brackets(cell["interval"])


def _format_difference(cell: dict[str, Any]) -> str:
    if cell["difference"] is None:
        return ""
    text = _number(cell["difference"], True)
    text += _brackets(cell["difference_interval"], True)
    if cell["p"] is None:
        return text
    return text + (", p < 0.001" if cell["p"] < 0.001 else f", p = {cell['p']:.3f}")


def _list_cells(table: Table) -> tuple[list[str], list[list[str]]]:
    """Headings, and the texts of all rows; differences have columns of their own."""
    several = len(table["rows"]) > 1
    headings = ["run", "runs"]
    for column in table["columns"]:
        headings += [COLUMNS[column].label, *(["difference"] if several else [])]
    rows = []
    for row in table["rows"]:
        texts = [row["name"], str(len(row["runs"]))]
        for column in table["columns"]:
            cell = row["columns"][column]
            texts.append(_format_mean(cell))
            if several:
                texts.append(_format_difference(cell))
        rows.append(texts)
    return headings, rows


def _title(table: Table) -> str:
    return (
        f"{table['split']}, {table['objects']:,} objects in {table['categories']} "
        "categories"
    )


def _stack(cell: dict[str, Any]) -> str:
    """The mean, and the difference below it if there is one."""
    texts = [_format_mean(cell), _format_difference(cell)]
    return rich.markup.escape("\n".join(filter(None, texts)))


def format_table(table: Table) -> str:
    """Formats a comparison for a terminal of any width, in which lines wrap.

    Differences lie below the means.
    """
    grid = rich.table.Table(title=_title(table), show_lines=True)
    grid.add_column("run", overflow="fold")
    grid.add_column("runs", justify="right")
    for column in table["columns"]:
        grid.add_column(COLUMNS[column].label, justify="right", overflow="fold")
    for row in table["rows"]:
        cells = [row["columns"][column] for column in table["columns"]]
        name = rich.markup.escape(terminal.printable(row["name"]))
        grid.add_row(name, str(len(row["runs"])), *map(_stack, cells))
    text = io.StringIO()
    width = shutil.get_terminal_size((_WIDTH, 0)).columns
    terminal.make_console(file=text, width=width).print(grid)
    notes = map(terminal.printable, table["notes"])
    return text.getvalue() + "".join(f"{note}\n" for note in notes)


def format_markdown(table: Table) -> str:
    """Formats a comparison as a table of GitHub's Markdown."""
    headings, rows = _list_cells(table)

    def line(texts: list[str]) -> str:
        escaped = (terminal.printable(text).replace("|", r"\|") for text in texts)
        return f"| {' | '.join(escaped)} |"

    ruler = "|---|" + "---:|" * (len(headings) - 1)
    lines = [line(headings), ruler, *map(line, rows), "", f"{_title(table)}."]
    lines += map(terminal.printable, table["notes"])
    return "\n".join(lines) + "\n"


_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "±": r"$\pm$",
        "<": "$<$",
    }
)


def format_latex(table: Table) -> str:
    """Formats a comparison as a ``tabular`` with the rules of booktabs."""
    headings, rows = _list_cells(table)

    def line(texts: list[str]) -> str:
        escaped = (terminal.printable(text).translate(_LATEX) for text in texts)
        return " & ".join(escaped) + r" \\"

    lines = [
        *(f"% {terminal.printable(n)}" for n in (_title(table), *table["notes"])),
        rf"\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}",
        r"\toprule",
        line(headings),
        r"\midrule",
        *map(line, rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def format_json(table: Table) -> str:
    """Formats everything that is known of a comparison as JSON.

    Numbers that are not finite are null.
    """
    return strict_json.dumps(table, indent=2) + "\n"


def format_csv(table: Table) -> str:
    """Formats a comparison with a line for each row, and numbers in full."""
    parts = ("mean", "spread", "interval", "difference", "difference_interval", "p")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    headings = ["name", "runs", "steps"]
    for column in table["columns"]:
        for part in parts:
            ends = ("_low", "_high") if part.endswith("interval") else ("",)
            headings += [f"{column}_{part}{end}" for end in ends]
    writer.writerow(headings)
    for row in table["rows"]:
        words: list[Any] = [
            row["name"],
            ";".join(each["run"] for each in row["runs"]),
            ";".join(str(each["step"]) for each in row["runs"]),
        ]
        for column in table["columns"]:
            for part in parts:
                value = row["columns"][column][part]
                if part.endswith("interval"):
                    words += value or ["", ""]
                else:
                    words.append("" if value is None else value)
        writer.writerow(words)
    return text.getvalue()


FORMATS: dict[str, Callable[[Table], str]] = {
    "table": format_table,
    "markdown": format_markdown,
    "latex": format_latex,
    "json": format_json,
    "csv": format_csv,
}
"""Functions that format a comparison, by name."""
