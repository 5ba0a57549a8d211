"""Evaluated runs without checkpoints, and docs/images/study.py, which reads them."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from jaxsoftras import config
from jaxsoftras.reconstruction import evaluation_scores
from tests.support.scores import make_scores

IMAGES = Path(__file__).parents[2] / "docs" / "images"


@contextlib.contextmanager
def import_program() -> Iterator[ModuleType]:
    """Imports ``study.py``, which finds its modules within the scope."""
    pytest.importorskip("matplotlib", reason="matplotlib draws the figures")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(IMAGES))
        yield importlib.import_module("study")


def make_run(folder, *settings, iou=0.3, val_iou=0.25, step=10, part="all", **fields):
    """Writes configuration, history and scores of 3 and 2 objects, views alike."""
    folder.mkdir(parents=True)
    values = config.override(config.Config(), settings)
    config.save(values, folder / "config.json")
    spread = np.arange(5)[:, None] / 100 + np.zeros((5, 4))
    scores = make_scores({"a": 3, "b": 2}, iou=iou + spread, loss=1 - iou - spread)
    scores = dataclasses.replace(scores, step=step, **fields)
    path = folder / "eval" / "test" / "scores.npz"
    path.parent.mkdir(parents=True)
    evaluation_scores.write(scores, path)
    lines = [{"step": k, "loss": 1 / (1 + k)} for k in range(1, step + 1)]
    lines += [
        {"step": k, "val_iou": value, "val_part": part}
        for k, value in ((step // 2, 0.1), (step, val_iou))
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text)


def run(program, monkeypatch, *words) -> int:
    """Runs the command line of `import_program`; returns the exit code."""
    arguments = [str(word) for word in ("study.py", *words)]
    monkeypatch.setattr(sys, "argv", arguments)
    return program.main()
