"""Draws loss and IoU of a run by step: ``python docs/images/curves.py RUN``."""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

WINDOW = 1000  # steps over which the loss is averaged
LOSS, SCORE = "#b35c1e", "#2f6f9f"


def read(path: Path) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """Reads silhouette losses and validation IoUs, each with its step."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    losses = [(line["step"], line["silhouette"]) for line in lines if "loss" in line]
    scores = [(line["step"], line["val_iou"]) for line in lines if "val_iou" in line]
    return losses, scores


def main() -> None:
    """Draws the curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("--out", type=Path, default=Path("docs/images/long_run.png"))
    options = parser.parse_args()
    pairs = read(options.run / "metrics.jsonl")
    losses, scores = (np.array(each, float) for each in pairs)  # null becomes NaN
    windows = losses[:, 0] // WINDOW
    means = [losses[windows == window].mean(axis=0) for window in np.unique(windows)]
    plt.rcParams["font.size"] = 9
    figure, left = plt.subplots(figsize=(7, 2.8), layout="constrained")
    left.plot(*np.array(means).T, color=LOSS, linewidth=1)
    left.set_xlabel("step")
    left.set_ylabel(f"silhouette loss, mean of {WINDOW:,} steps", color=LOSS)
    left.set_ylim(0, 0.4)
    right = left.twinx()
    right.plot(*scores.T, color=SCORE, linewidth=1.5)
    right.set_ylabel("validation IoU", color=SCORE)
    right.set_ylim(0.3, 0.5)
    for axes in (left, right):
        axes.spines[["top"]].set_visible(False)
    figure.savefig(options.out, dpi=120)


if __name__ == "__main__":
    main()
