"""The page about a search for hyperparameters: figures of plotly in one HTML file.

A trial is a dictionary as `jaxsoftras.reconstruction.tuning.results` has it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import plotly.io
import plotly.subplots

from jaxsoftras import terminal
from jaxsoftras.report import examples

Trial = Mapping[str, Any]

_BLUE, _GRAY, _RED = "#3b7dd8", "#8b8f94", "#c0392b"
_COLUMNS = 3  # of the fields' charts
_ROW = 280  # pixels
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body {{ font-family: sans-serif; max-width: 70rem; margin: 2rem auto }}</style>
</head>
<body>
<h1>{title}</h1>
<p>{summary}</p>
{figures}
</body>
</html>
"""


def make_page(title: str, results: Mapping[str, Any]) -> str:
    """Makes the page, which refers to no other file.

    Args:
        title: heading.
        results: the results of the search.
    """
    trials, space = results["trials"], results["space"]
    label = f"validation {examples.MEASURES[results['measure']]}"
    figures = [
        ("Trials", draw_history(trials, label)),
        ("Validations", draw_courses(trials, label)),
        ("Fields", draw_fields(trials, space, label)),
    ]
    if results["importance"]:
        figures.append(("Importance", draw_importance(results["importance"])))
    parts = []
    for number, (heading, figure) in enumerate(figures):
        drawn = plotly.io.to_html(figure, full_html=False, include_plotlyjs=not number)
        parts.append(f"<h2>{heading}</h2>\n{drawn}")
    summary = f"{len(trials)} trials of {results['steps']} steps. {results['part']}"
    return _PAGE.format(
        title=_escape(title), summary=_escape(summary), figures="\n".join(parts)
    )


def draw_history(trials: Sequence[Trial], label: str) -> go.Figure:
    """Scores by the number of the trial, and the best score so far."""
    figure = go.Figure()
    for state, style in _markers().items():
        chosen = _choose(trials, state)
        figure.add_scatter(
            x=[trial["number"] for trial in chosen],
            y=[trial["score"] for trial in chosen],
            mode="markers",
            name=state,
            marker=style,
            text=[_hover(trial) for trial in chosen],
        )
    best, numbers, scores = -math.inf, [], []
    for trial in _choose(trials, "complete"):
        best = max(best, trial["score"])
        numbers.append(trial["number"])
        scores.append(best)
    figure.add_scatter(
        x=numbers, y=scores, mode="lines", name="best so far", line={"shape": "hv"}
    )
    for trial in trials:
        if trial["state"] == "failed":
            figure.add_vline(trial["number"], line={"color": _RED, "dash": "dot"})
    return _arrange(figure, "trial (dotted: failed)", label)


def draw_courses(trials: Sequence[Trial], label: str) -> go.Figure:
    """Scores of each trial by its steps; those that ended early are grey."""
    figure = go.Figure()
    for state in ("pruned", "complete"):  # the latter above
        for trial in _choose(trials, state):
            steps, scores = zip(*trial["course"], strict=True)
            figure.add_scatter(
                x=steps,
                y=scores,
                mode="lines+markers",
                name=f"trial {trial['number']} ({state})",
                line={"color": _GRAY if state == "pruned" else _BLUE, "width": 1},
                text=_hover(trial),
                showlegend=False,
            )
    return _arrange(figure, "step (grey: pruned)", label)


def draw_fields(
    trials: Sequence[Trial], space: Mapping[str, str], label: str
) -> go.Figure:
    """Scores by the value of each field, side by side.

    Args:
        trials: the trials.
        space: texts of the ranges, by field; those that end in ``:log`` are drawn so.
        label: name of the score.
    """
    rows = -(-len(space) // _COLUMNS)
    figure = plotly.subplots.make_subplots(
        rows, min(_COLUMNS, len(space)), subplot_titles=[*map(_escape, space)]
    )
    for number, (path, text) in enumerate(space.items()):
        row, column = number // _COLUMNS + 1, number % _COLUMNS + 1
        for state, style in _markers().items():
            chosen = [trial for trial in _choose(trials, state) if trial["values"]]
            figure.add_scatter(
                x=[_escape(trial["values"][path]) for trial in chosen],
                y=[trial["score"] for trial in chosen],
                mode="markers",
                name=state,
                marker=style,
                text=[_hover(trial) for trial in chosen],
                showlegend=not number,
                row=row,
                col=column,
            )
        kind = "category" if "|" in text else "log" if text.endswith(":log") else None
        figure.update_xaxes(type=kind, row=row, col=column)
    figure.update_yaxes(title={"text": label}, col=1)
    figure.update_layout(template="plotly_white", height=_ROW * rows + 80)
    return figure


def draw_importance(importance: Mapping[str, float]) -> go.Figure:
    """Importance of the fields as bars, the largest at the top."""
    fields = [*importance][::-1]
    figure = go.Figure(
        go.Bar(
            x=[importance[path] for path in fields],
            y=[*map(_escape, fields)],
            orientation="h",
            marker={"color": _BLUE},
        )
    )
    return _arrange(figure, "importance (PED-ANOVA), in parts of 1", "")


def _markers() -> dict[str, dict[str, Any]]:
    """Markers by state; those of pruned trials lie below."""
    return {
        "pruned": {"color": _GRAY, "symbol": "x", "size": 7},
        "complete": {"color": _BLUE, "symbol": "circle", "size": 8},
    }


def _choose(trials: Sequence[Trial], state: str) -> list[Trial]:
    return [
        trial
        for trial in trials
        if trial["state"] == state and trial["score"] is not None
    ]


def _hover(trial: Trial) -> str:
    values = (f"{path}={value}" for path, value in trial["values"].items())
    return "<br>".join(map(_escape, (f"trial {trial['number']}", *values)))


def _arrange(figure: go.Figure, x: str, y: str) -> go.Figure:
    figure.update_layout(template="plotly_white", height=420)
    figure.update_xaxes(title={"text": x})
    figure.update_yaxes(title={"text": y}, automargin=True)
    return figure


def _escape(value: object) -> Any:
    """Makes a text one that HTML can hold; numbers stay."""
    return html.escape(terminal.printable(value)) if isinstance(value, str) else value
