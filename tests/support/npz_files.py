"""Small npz files in the format of the original data, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from jaxsoftras import config

COUNTS = {"02691156": 5, "03001627": 2, "04379243": 3}  # airplane, chair, table
VIEWS, SIDE = 6, 8


def write_category(
    folder: Path,
    synset: str,
    split: str,
    *,
    images: np.ndarray | None = None,
    voxels: np.ndarray | None = None,
    save: Callable[..., None] = np.savez_compressed,
) -> None:
    """Writes one category of one split: random arrays unless given."""
    rng = np.random.default_rng([int(synset), len(split)])
    count = COUNTS[synset]
    if images is None:
        images = rng.integers(0, 256, (count, VIEWS, 4, SIDE, SIDE), np.uint8)
    if voxels is None:
        voxels = rng.random((count, 32, 32, 32)) < 0.5
    save(folder / f"{synset}_{split}_images.npz", images)
    save(folder / f"{synset}_{split}_voxels.npz", voxels)


def write_folder(folder: Path) -> Path:
    """Writes three categories in three splits."""
    folder.mkdir()
    for split in ("train", "val", "test"):
        for synset in COUNTS:
            write_category(folder, synset, split)
    return folder


def read_category(
    folder: Path, synset: str, split: str
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the images and voxels of one category of one split."""
    with (
        np.load(folder / f"{synset}_{split}_images.npz") as images,
        np.load(folder / f"{synset}_{split}_voxels.npz") as voxels,
    ):
        return images["arr_0"], voxels["arr_0"]


def configure(
    root: Path, *categories: str, source: Literal["npz", "prepared", "embedded"] = "npz"
) -> config.Data:
    """Settings of a data set on files of this module; all categories if none given."""
    return config.Data(source=source, root=str(root), categories=categories)
