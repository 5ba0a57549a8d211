"""Scores of a network, one for each object, input view and column: ``scores.npz``.

docs/evaluation.md says what each column and each array of the file means.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxsoftras.data import damage
from jaxsoftras.reconstruction.run_folder import RunError

FILE = "scores.npz"
FORMAT = 1
_ROUNDING = 1e-5  # of sums over the pixels of an image in single precision


class Column(NamedTuple):
    """A kind of score.

    Attributes:
        label: heading in tables.
        better: which scores are the better ones.
        always: whether every view has one, so that NaN is a result; otherwise NaN says
            that there is none.
        listed: whether tables have it.
        unit: whether scores are from 0 to 1.
    """

    label: str
    better: Literal["higher", "lower"]
    always: bool = False
    listed: bool = True
    unit: bool = False


COLOR_BASELINES = {"mean_color": "mean colour", "nearest_pixel": "nearest pixel"}
"""Labels of the colours that those of a model are compared with, by name."""
COLOR_COLUMNS = {
    "psnr": Column("PSNR", "higher"),
    "object_psnr": Column("object PSNR", "higher"),
    "shared_psnr": Column("shared PSNR", "higher"),
    "ssim": Column("SSIM", "higher"),
    "shared_ssim": Column("shared SSIM", "higher"),
}
"""Columns of colours; those of a baseline have its name behind."""
COLUMNS = {
    "iou": Column("mean IoU", "higher", unit=True),
    "thin_iou": Column("thin IoU", "higher", unit=True),
    "silhouette_iou": Column("silhouette IoU", "higher", unit=True),
    "chamfer": Column("chamfer", "lower"),
    "f_score": Column("F-score", "higher", unit=True),
    **COLOR_COLUMNS,
    **{
        f"{name}_{baseline}": column._replace(
            label=f"{column.label}, {text}", listed=False
        )
        for baseline, text in COLOR_BASELINES.items()
        for name, column in COLOR_COLUMNS.items()
    },
    "loss": Column("mean loss", "lower", always=True),
}
"""The columns by name, in the order of the tables."""
LISTED = {name: column for name, column in COLUMNS.items() if column.listed}
"""Those that tables have."""

_TEXTS = ("split", "checkpoint", "data")
_PER_OBJECT = ("category", "category_name", "name", "views")
_NUMBERS = {"step": int, "points": int, "threshold": float}


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """Scores of O objects from up to V input views each.

    Attributes:
        split: name of the split.
        step: step of the checkpoint.
        category: ``[O]`` key of each object's category; a category is contiguous.
        category_name: ``[O]`` its name.
        name: ``[O]`` name of each object in its category.
        views: ``[O]`` number of views.
        azimuth: ``[O, V]`` azimuth of the camera of each view, degrees from 0 to 360.
        columns: ``[O, V]`` float32 by name of the column, all of `COLUMNS`; NaN where
            there is no score.
        checkpoint: checksum of the checkpoint; empty if it has none.
        data: checksum of the data set.
        points: points drawn from each surface; 0 if none were compared.
        threshold: of the F-score, units of the model frame.
    """

    split: str
    step: int
    category: np.ndarray
    category_name: np.ndarray
    name: np.ndarray
    views: np.ndarray
    azimuth: np.ndarray
    columns: dict[str, np.ndarray]
    checkpoint: str = ""
    data: str = ""
    points: int = 0
    threshold: float = 0.0

    @property
    def seen(self) -> np.ndarray:
        """Views that there are, ``[O, V]`` bool."""
        return np.arange(self.azimuth.shape[1]) < self.views[:, None]

    @property
    def categories(self) -> dict[str, str]:
        """Names of the categories by key, in order."""
        pairs = zip(self.category.tolist(), self.category_name.tolist(), strict=True)
        return dict(pairs)

    def object_means(
        self, column: str, views: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Means over the input views of the objects that have a score.

        Args:
            column: name of the column.
            views: ``[O, V]`` bool, the views that count; None: all.

        Returns:
            ``[n]`` float64 by key of the category, of those that have any.
        """
        values = self.columns[column].astype(float)
        counts = self.seen if views is None else self.seen & views
        if not COLUMNS[column].always:
            counts = counts & ~np.isnan(values)
        total = np.sum(values, axis=1, where=counts)
        number = counts.sum(1)
        means = total / np.maximum(number, 1)
        found = {
            key: means[(self.category == key) & (number > 0)] for key in self.categories
        }
        return {key: array for key, array in found.items() if len(array)}


def mean(strata: dict[str, np.ndarray]) -> float | None:
    """Mean over categories of the means over their objects; None without any."""
    if not strata:
        return None
    return float(np.mean([np.mean(values) for values in strata.values()]))


def write(scores: Scores, path: Path) -> None:
    """Writes ``scores.npz``; the same scores give the same bytes."""
    names = (*_TEXTS, *_PER_OBJECT, "azimuth", *_NUMBERS)
    arrays = {name: np.asarray(getattr(scores, name)) for name in names}
    arrays["format"] = np.asarray(FORMAT)
    arrays["columns"] = np.array(list(scores.columns))
    everything: dict[str, Any] = arrays | scores.columns
    np.savez_compressed(path, **everything)


def load(path: Path) -> Scores:
    """Reads ``scores.npz``.

    Columns that the file lacks, which an earlier version wrote, have no score.

    Raises:
        FileNotFoundError: there is no such file.
        RunError: it is of another version.
        ValueError: it is damaged.
    """
    with (
        damage.explain(path),
        path.open("rb") as opened,
        np.load(opened, allow_pickle=False) as file,
    ):
        arrays = {name: file[name] for name in file.files}
    if "format" in arrays and arrays["format"].tolist() != FORMAT:
        raise RunError(
            f"{path} has format {arrays['format']}, and this version of jaxsoftras "
            f"reads {FORMAT}: evaluate the run again."
        )
    with damage.explain(path):
        return _check(_from_arrays(arrays))


def _from_arrays(arrays: dict[str, np.ndarray]) -> Scores:
    shape = arrays["azimuth"].shape
    known = set(arrays["columns"].tolist())
    columns = {
        name: arrays[name] if name in known else np.full(shape, np.nan, np.float32)
        for name in COLUMNS
    }
    values: dict[str, Any] = {name: str(arrays[name]) for name in _TEXTS}
    values |= {name: kind(arrays[name]) for name, kind in _NUMBERS.items()}
    values |= {name: arrays[name] for name in _PER_OBJECT}
    return Scores(azimuth=arrays["azimuth"], columns=columns, **values)


def _check(scores: Scores) -> Scores:
    """Raises ValueError unless the arrays belong together and scores are in range."""
    shape = scores.azimuth.shape
    arrays = [getattr(scores, name) for name in _PER_OBJECT]
    if (
        len(shape) != 2
        or 0 in shape
        or any(array.shape != shape[:1] for array in arrays)
        or any(array.shape != shape for array in scores.columns.values())
        or any(array.dtype.kind != "f" for array in scores.columns.values())
        or any(array.dtype.kind != "U" for array in arrays[:3])
        or scores.views.dtype.kind not in "iu"
        or not np.all((scores.views > 0) & (scores.views <= shape[1]))
        or not math.isfinite(scores.threshold)
    ):
        raise ValueError("its arrays do not belong together")
    for name, column in COLUMNS.items():
        if column.unit and not within_unit(scores.columns[name][scores.seen]):
            raise ValueError(f"{name} is not from 0 to 1")
    return scores


def within_unit(scores: np.ndarray) -> bool:
    """Whether scores are from 0 to 1, but for rounding, or NaN where there is none."""
    inside = (scores >= 0) & (scores <= 1 + _ROUNDING)
    return bool(np.all(np.isnan(scores) | inside))
