"""Figures of the study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from study_runs import DATA_SETS, ENCODERS, Run, Study

from jaxsoftras.reconstruction import evaluation_scores

COLORS = {"baseline": "#2f6f9f", "resnet": "#b35c1e", "attention": "#5b7f2b"}
"""Colours of the encoders, which differ in lightness as well."""
_POINTS = 60  # of a curve of the loss, each the mean of the reports before it
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

    Args:
        study: the runs.
        split: name of the split.
    """
    places = np.arange(len(DATA_SETS) + 1)
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 3), layout="constrained")
        for number, (encoder, published) in enumerate(ENCODERS.items()):
            color, shift = COLORS[encoder], 0.22 * (number - 1)
            axes.plot(shift, published.iou, "D", color=color, markerfacecolor="none")
            for place, data_set in zip(places[1:], DATA_SETS, strict=True):
                candidates = study.select(data_set, encoder)
                means = [c.scores.object_means("iou") for c in candidates]
                values = [
                    v for v in map(evaluation_scores.mean, means) if v is not None
                ]
                x = place + shift
                axes.plot([x] * len(values), values, "o", color=color, alpha=0.7)
                if values:
                    mean = np.mean(values)
                    axes.plot([x - 0.09, x + 0.09], [mean, mean], color=color)
            axes.plot([], [], "o", color=color, label=encoder)
        axes.set_xticks(places, ["published", *DATA_SETS])
        axes.set_ylabel(f"mean IoU, {split}")
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper center", ncols=len(ENCODERS), frameon=False)
    return figure


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
            sharey="row",
            layout="constrained",
        )
        for column, data_set in enumerate(shown):
            upper, lower = grid[:, column]
            upper.set_title(data_set, fontsize=9)
            lower.set_xlabel("step")
            for key, run in study.runs.items():
                if key[0] == data_set:
                    _draw_run(upper, lower, run, COLORS[key[1]])
        grid[0, 0].set_ylabel("training loss")
        grid[1, 0].set_ylabel("validation IoU")
        handles = [Line2D([], [], color=COLORS[name]) for name in ENCODERS]
        figure.legend(
            handles,
            list(ENCODERS),
            loc="outside upper center",
            ncols=len(ENCODERS),
            frameon=False,
        )
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
