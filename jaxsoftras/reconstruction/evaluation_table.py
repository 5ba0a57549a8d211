"""The tables that an evaluation prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import rich.box
import rich.markup
import rich.table

from jaxsoftras.reconstruction.evaluation_scores import (
    COLOR_BASELINES,
    COLOR_COLUMNS,
    COLUMNS,
    LISTED,
)

By = Literal["category", "azimuth"]
CHOICES: tuple[By, ...] = get_args(By)


def format_score(number: float | None) -> str:
    """Formats a score with four digits after the point."""
    return "none" if number is None else f"{number:.4f}"


def list_columns(metrics: dict[str, Any]) -> list[str]:
    """Columns that anything has a number in, and those that are always shown.

    Those of colours have a table of their own, `make_color_table`.
    """
    return [
        name
        for name in LISTED
        if name not in COLOR_COLUMNS
        if name in ("iou", "silhouette_iou", "loss")
        or metrics[f"mean_{name}"] is not None
    ]


def make_table(metrics: dict[str, Any], by: By = "category") -> rich.table.Table:
    """Makes a table of the means by category, or by azimuth of the input view.

    Args:
        metrics: contents of ``metrics.json``.
        by: what a row is.
    """
    columns = list_columns(metrics)
    table = rich.table.Table(
        title=f"{metrics['split']}, step {metrics['step']:,}",
        box=rich.box.SIMPLE,
        padding=(0, 0, 0, 1),
    )
    # headings of several lines, so that a row fits into 80 columns
    table.add_column(by, overflow="fold")
    for heading in ("objects", *(COLUMNS[name].label for name in columns)):
        table.add_column(heading.replace(" ", "\n"), justify="right")
    rows = _list_rows(metrics, by)
    for label, row in rows:
        scores = (format_score(row[name]) for name in columns)
        table.add_row(label, str(row["objects"]), *scores)
    table.add_section()
    categories = metrics["per_category"].values()
    table.add_row(
        "mean",
        str(sum(row["objects"] for row in categories)),
        *(format_score(metrics[f"mean_{name}"]) for name in columns),
        style="bold",
    )
    for end, which in (("from", 0), ("to", 1)):
        table.add_row(
            f"{metrics['bootstrap']['level']:.0%} {end}",
            "",
            *(_format_bound(metrics["intervals"][name], which) for name in columns),
        )
    return table


def make_color_table(metrics: dict[str, Any]) -> rich.table.Table:
    """Makes a table of the colours of a network and of plain ones on the same meshes.

    Args:
        metrics: contents of ``metrics.json``, of a network with colours.
    """
    columns = {
        name: column
        for name, column in COLOR_COLUMNS.items()
        if metrics[f"mean_{name}"] is not None
    }
    table = rich.table.Table(
        title="colours in unseen views", box=rich.box.SIMPLE, padding=(0, 0, 0, 1)
    )
    table.add_column("colours of the meshes")
    for column in columns.values():
        table.add_column(column.label.replace(" ", "\n"), justify="right")
    rows = {"": "the network's"} | {
        f"_{name}": f"{label} of the input" for name, label in COLOR_BASELINES.items()
    }
    for ending, label in rows.items():
        scores = (format_score(metrics[f"mean_{name}{ending}"]) for name in columns)
        table.add_row(label, *scores)
    return table


def _format_bound(interval: tuple[float, float] | None, which: int) -> str:
    return "" if interval is None else format_score(interval[which])


def _list_rows(metrics: dict[str, Any], by: By) -> Iterator[tuple[str, dict[str, Any]]]:
    if by == "azimuth":
        for row in metrics["by_azimuth"]:
            yield f"{row['azimuth']:g}°", row
    else:
        for row in metrics["per_category"].values():
            yield rich.markup.escape(row["name"]), row
