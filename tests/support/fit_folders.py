"""Small folders of fits, as ``jaxsoftras fit --config`` leaves them, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import jaxsoftras

CHAIR, TABLE = "03001627", "04379243"
BALL = jaxsoftras.icosphere(1)
VERTICES, FACES = np.asarray(BALL.vertices), np.asarray(BALL.faces)
"""Of the template: 42 vertices on the unit sphere, 80 faces."""


def make_ellipsoids(count: int, seed: int = 0) -> np.ndarray:
    """Vertices ``[count, 42, 3]`` float32 of ellipsoids in the unit box."""
    sides = np.random.default_rng(seed).uniform(0.2, 0.5, (count, 1, 3))
    return (sides * VERTICES).astype(np.float32)


def write_fit(folder: Path, key: str, number: int, vertices, **changes) -> Path:
    """Writes the fit of an object of the split train; None leaves an array out."""
    arrays = {
        "vertices": vertices,
        "iou": np.float32(0.6),
        "view_iou": np.full(4, 0.8, np.float32),
        "fitted": np.ones(4, bool),
        "loss": np.float32(0.1),
        "data": np.asarray("checksum"),
    } | changes
    folder = folder / "fits" / "train"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}_{number:05}.npz"
    np.savez(path, **{name: a for name, a in arrays.items() if a is not None})
    return path


def write_fits(folder: Path) -> Path:
    """Writes six chairs and two tables, complete."""
    for key, count in {CHAIR: 6, TABLE: 2}.items():
        for number, vertices in enumerate(make_ellipsoids(count, int(key))):
            write_fit(folder, key, number, vertices)
    (folder / "eval" / "train").mkdir(parents=True)
    return folder
