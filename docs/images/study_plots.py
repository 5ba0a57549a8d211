"""Figures of the study."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from study_runs import DATA_SETS, ENCODERS, Run, Study

from jaxsoftras.reconstruction import evaluation_scores

COLORS = {"baseline": "#2f6f9f", "resnet": "#b35c1e", "attention": "#5b7f2b"}
"""Colours of the encoders, which differ in lightness as well."""
_POINTS = 24  # of a curve of the loss, each the mean of the reports before it
_MARGIN = 0.58  # half the length of an axis, by the widest span of values
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # opaque, since pages are light or dark
    "figure.facecolor": "white",
    # the same figure gives the same bytes, and text stays text
    "svg.hashsalt": "study",
    "svg.fonttype": "none",
}


def draw_scores(study: Study, split: str) -> Figure:
    """IoU of each run as a dot, means over seeds as lines, published ones as diamonds.

    The axes of all data sets have the same length, each around its own values.

    Args:
        study: the runs.
        split: name of the split.
    """
    scores = {name: _list_scores(study, name) for name in DATA_SETS}
    published = [[each.iou] for each in ENCODERS.values()]
    columns = {"published": published, **scores}
    reach = _MARGIN * max(map(_span, columns.values()))
    with plt.rc_context(_STYLE):
        figure, panels = plt.subplots(
            1, len(columns), figsize=(7.2, 2.8), layout="constrained"
        )
        for axes, (name, values) in zip(panels, columns.items(), strict=True):
            axes.set_title(name, fontsize=9)
            axes.set_xticks([])
            axes.set_xlim(-0.6, len(ENCODERS) - 0.4)
            axes.grid(axis="y", color="0.9")
            axes.set_axisbelow(True)
            _draw_dots(axes, values, hollow=name == "published")
            known = list(itertools.chain(*values))
            if known:
                middle = (min(known) + max(known)) / 2
                axes.set_ylim(middle - reach, middle + reach)
        panels[0].set_ylabel(f"mean IoU, {split}")
        _add_legend(figure, marker="o", linestyle="none")
    return figure


def _list_scores(study: Study, data_set: str) -> list[list[float]]:
    """Mean IoU of each run by encoder; runs without a finite one are left out."""
    means = [
        [
            evaluation_scores.mean(run.scores.object_means("iou"))
            for run in study.select(data_set, encoder)
        ]
        for encoder in ENCODERS
    ]
    return [[x for x in each if x is not None and np.isfinite(x)] for each in means]


def _span(values: list[list[float]]) -> float:
    known = list(itertools.chain(*values))
    return max(known, default=0.0) - min(known, default=0.0)


def _draw_dots(axes: Axes, values: list[list[float]], *, hollow: bool) -> None:
    for place, (color, each) in enumerate(zip(COLORS.values(), values, strict=True)):
        if hollow:
            axes.plot(place, *each, "D", color=color, markerfacecolor="none")
            continue
        axes.plot([place] * len(each), each, "o", color=color, alpha=0.7)
        if each:
            axes.plot([place - 0.35, place + 0.35], [np.mean(each)] * 2, color=color)


def _add_legend(figure: Figure, **style: Any) -> None:
    figure.legend(
        [Line2D([], [], color=color, **style) for color in COLORS.values()],
        list(COLORS),
        loc="outside upper center",
        ncols=len(COLORS),
        frameon=False,
    )


def draw_curves(study: Study) -> Figure:
    """Loss of training and IoU of validation by step, a column for each data set.

    A thin line is a run.

    Args:
        study: the runs.
    """
    shown = [name for name in DATA_SETS if any(key[0] == name for key in study.runs)]
    with plt.rc_context(_STYLE):
        figure, grid = plt.subplots(
            2,
            len(shown),
            figsize=(1.2 + 2.3 * len(shown), 4),
            squeeze=False,
            sharex="col",
            layout="constrained",
        )
        for column, data_set in enumerate(shown):
            upper, lower = grid[:, column]
            upper.set_title(data_set, fontsize=9)
            upper.set_yscale("log")
            upper.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 6)))
            upper.yaxis.set_major_formatter(ScalarFormatter())
            upper.yaxis.set_minor_formatter(NullFormatter())
            lower.set_xlabel("step")
            for key, run in study.runs.items():
                if key[0] == data_set:
                    _draw_run(upper, lower, run, COLORS[key[1]])
        grid[0, 0].set_ylabel("training loss")
        grid[1, 0].set_ylabel("validation IoU")
        _add_legend(figure)
    return figure


def _draw_run(upper: Axes, lower: Axes, run: Run, color: str) -> None:
    steps, values = run.history.training
    if "loss" in values:
        upper.plot(*_average(steps, values["loss"]), color=color, linewidth=0.8)
    if run.history.measure == "iou":
        steps, values = run.history.validation
        lower.plot(steps, values["mean"], ".-", color=color, linewidth=0.8, ms=3)


def _average(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of equal parts of a curve, each at its last step."""
    known = np.isfinite(values)
    steps, values = steps[known], values[known]
    parts = np.array_split(np.arange(len(steps)), min(_POINTS, max(len(steps), 1)))
    parts = [part for part in parts if len(part)]
    last = np.array([part[-1] for part in parts], int)
    return steps[last], np.array([values[part].mean() for part in parts])


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as SVG without a date, and closes it."""
    with plt.rc_context(_STYLE):
        figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
