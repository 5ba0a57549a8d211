"""Curves of a training, as figures of plotly."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from jaxsoftras import config
from jaxsoftras.report import examples, history

# legible on white and on near-black, and told apart by the dash as well
_STYLES = (
    ("#3b7dd8", "solid"),
    ("#d2691e", "dash"),
    ("#2e9e6b", "dot"),
    ("#b5589b", "dashdot"),
    ("#8a7a2f", "longdash"),
    ("#7d6bd0", "longdashdot"),
    ("#5f8a99", "5px,2px,2px,2px"),
)
_GRAY = "#8b8f94"
_TABLE_ROWS = 10


class Chart(NamedTuple):
    """A chart, in words and numbers too.

    Attributes:
        name: identifier in the page.
        title: heading.
        meaning: what the numbers are, one or two sentences.
        summary: what the curves show, one sentence.
        figure: curves and layout.
        columns: names of the columns of the table.
        rows: some of the points, evenly chosen, as text.
    """

    name: str
    title: str
    meaning: str
    summary: str
    figure: go.Figure
    columns: list[str]
    rows: list[list[str]]


def draw(course: history.History, weights: config.Loss) -> list[Chart]:
    """Draws the loss, the validations, the learning rate and the speed.

    Args:
        course: the numbers; what it lacks has no chart.
        weights: weights of the terms of the loss.
    """
    return [
        *_draw_loss(course.training, weights),
        *_draw_validation(course),
        *_draw_single(
            course.training,
            "learning_rate",
            "Learning rate",
            "Step size of Adam, without unit.",
        ),
        *_draw_single(
            course.training,
            "steps_per_second",
            "Speed",
            "Training steps per second since the report before; the first one has the "
            "compilation in it.",
        ),
    ]


def _draw_loss(training: history.Curves, weights: config.Loss) -> Iterator[Chart]:
    factors = {"silhouette": 1.0, **dataclasses.asdict(weights)}
    lines = {}
    if "loss" in training.values:
        lines["loss"] = training.values["loss"]
    for name, factor in factors.items():
        if factor and name in training.values:
            lines[name.replace("_", " ")] = factor * training.values[name]
    if lines:
        yield _make_chart(
            "loss",
            "Loss and its terms",
            "Mean over a batch of training. The terms are weighted and add up to the "
            "loss; the silhouette term is 1 minus IoU.",
            history.Curves(training.steps, lines),
            log=True,
        )


def _draw_validation(course: history.History) -> Iterator[Chart]:
    if not course.measure:
        return
    means = course.validation.values["mean"]
    lines = {**course.categories, "mean": means}
    known = np.isfinite(means)
    best = course.validation.steps[np.nanargmax(means)] if known.any() else None
    yield _make_chart(
        "validation",
        "Validation",
        f"Mean {examples.MEASURES[course.measure]} on the validation split, from 0 to "
        f"1 ({course.part or 'extent unknown'}); thin lines are categories.",
        history.Curves(course.validation.steps, lines),
        main="mean",
        remark="" if best is None else f" The best one is at step {best:,}.",
    )


def _draw_single(
    training: history.Curves, name: str, title: str, meaning: str
) -> Iterator[Chart]:
    if name in training.values:
        lines = {title.lower(): training.values[name]}
        curves = history.Curves(training.steps, lines)
        yield _make_chart(name.replace("_", "-"), title, meaning, curves)


def _make_chart(
    name: str,
    title: str,
    meaning: str,
    curves: history.Curves,
    *,
    log: bool = False,
    main: str = "",
    remark: str = "",
) -> Chart:
    thinned, group = history.thin(curves)
    if group > 1:
        meaning += f" Each point is the mean of up to {group} reports."
    shown = [main] if main else list(curves.values)
    return Chart(
        name=name,
        title=title,
        meaning=meaning,
        summary=_summarize(curves, shown[0]) + remark,
        figure=_make_figure(thinned, log=log, main=main),
        columns=["step", *shown],
        rows=_choose_rows(curves, shown),
    )


def _summarize(curves: history.Curves, name: str) -> str:
    known = np.flatnonzero(np.isfinite(curves.values[name]))
    if not len(known):
        return f"{name}: no finite number."
    first, last = known[0], known[-1]
    values, steps = curves.values[name], curves.steps
    if first == last:
        return f"{name}: {values[last]:.4g} at step {steps[last]:,}."
    return (
        f"{name}: from {values[first]:.4g} at step {steps[first]:,} to "
        f"{values[last]:.4g} at step {steps[last]:,}."
    )


def _choose_rows(curves: history.Curves, shown: list[str]) -> list[list[str]]:
    count = len(curves.steps)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _TABLE_ROWS)).astype(int))
    return [
        [
            f"{curves.steps[k]:,}",
            *(_format(float(curves.values[name][k])) for name in shown),
        ]
        for k in chosen
    ]


def _format(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "none"


def _make_figure(curves: history.Curves, *, log: bool, main: str) -> go.Figure:
    figure = go.Figure()
    mode = "lines" if len(curves.steps) > 40 else "lines+markers"
    for number, (name, values) in enumerate(curves.values.items()):
        color, dash = _STYLES[number % len(_STYLES)]
        if main:  # the others are its background
            color, dash = (_STYLES[0][0] if name == main else _GRAY), "solid"
        if log:
            values = np.where(values > 0, values, np.nan)
        figure.add_scatter(
            x=curves.steps.astype(np.float64),
            y=values,
            mode=mode if name == (main or name) else "lines",
            name=html.escape(name),  # plotly reads tags in names
            line={
                "color": color,
                "dash": dash,
                "width": 1 if main and name != main else 2.5,
            },
            hovertemplate="%{y:.4g}",
        )
    figure.update_layout(
        template="none",
        autosize=True,
        margin={"l": 52, "r": 8, "t": 8, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "inherit", "size": 12},
        dragmode=False,  # a finger scrolls the page
        hovermode="x unified",
        showlegend=not main and len(curves.values) > 1,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"title": {"text": "step"}, "zeroline": False, "nticks": 6},
        yaxis={
            "type": "log" if log else "linear",
            "zeroline": False,
            "nticks": 6,
            "automargin": True,
        },
    )
    if log:
        figure.update_yaxes(exponentformat="power")
        if _count_decades(curves) > 1.5:
            figure.update_yaxes(dtick=1)
    else:
        figure.update_yaxes(rangemode="tozero", exponentformat="power")
    return figure


def _count_decades(curves: history.Curves) -> float:
    """Common logarithm of the ratio of the largest to the smallest positive number."""
    values = np.concatenate(list(curves.values.values()))
    values = values[values > 0]
    return float(np.ptp(np.log10(values))) if len(values) else 0.0
