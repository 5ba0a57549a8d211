"""The door to all data sets, in whatever format they are stored."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal, NamedTuple

from jaxsoftras import config, terminal
from jaxsoftras.data import camera_files, description
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.mixture import Mixture
from jaxsoftras.data.npz import open_npz, open_unread
from jaxsoftras.data.rig import SOFTRAS_RIG, Orbit
from jaxsoftras.data.split import Split, check_split_name

Source = Literal["npz", "prepared"]
"""Storage formats: npz files, or a TFDS data set made from them."""


def open_split(settings: config.Data, split: str) -> Split:
    """Opens one split of the data set that a configuration names.

    ``settings.source`` decides how: ``"npz"`` reads the files of the original work into
    memory; ``"prepared"`` reads single objects from disk, out of the files written by
    ``python -m jaxsoftras.data prepare``; ``"embedded"`` makes npz files of procedural
    shapes first if they are absent, with a progress bar on stderr.

    Args:
        settings: source, folder and categories of the data set; of several sources,
            the first is opened.
        split: ``"train"``, ``"val"`` or ``"test"``.

    Raises:
        FileNotFoundError: the folder, the split or a category is missing.
        FileExistsError: the folder of an embedded data set holds something else.
        ValueError: an unknown source, split or category; damaged files.
        MissingExtraError: a prepared data set, but no tensorflow-datasets.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from jaxsoftras import config, data
        >>> folder = tempfile.TemporaryDirectory()
        >>> chairs = f"{folder.name}/03001627_val"
        >>> np.savez(f"{chairs}_images.npz", np.zeros((5, 24, 4, 64, 64), np.uint8))
        >>> np.savez(f"{chairs}_voxels.npz", np.zeros((5, 32, 32, 32), bool))
        >>> settings = config.Data(root=folder.name, categories=("chair",))
        >>> split = data.open_split(settings, "val")
        >>> split.count("03001627"), split.num_views, split.image_size
        (5, 24, 64)
        >>> split.images("03001627", np.array([0, 4]), np.array([2, 8])).shape
        (2, 4, 64, 64)
        >>> folder.cleanup()
    """
    check_split_name(split)  # before anything is made
    if settings.sources:
        return open_split(_each_source(settings)[0], split)
    categories = settings.categories or None
    orbit = Orbit(
        distance=settings.distance,
        elevation=settings.elevation,
        azimuth_step=settings.azimuth_step,
        half_fov=settings.half_fov,
    )
    match settings.source:
        case "npz":
            return open_npz(settings.root, split, categories, orbit)
        case "prepared":
            # imports tensorflow-datasets
            from jaxsoftras.data.prepared import open_prepared

            return open_prepared(settings.root, split, categories, orbit)
        case "embedded":
            _ensure_embedded(settings)
            return open_npz(settings.root, split, categories, orbit)
    raise ValueError(
        f"Unknown data source {settings.source!r}: choose one of npz, prepared, "
        "embedded."
    )


def open_training_set(settings: config.Data) -> Split | Mixture:
    """Opens the training split of the data set, or of all sources.

    Args:
        settings: as for `open_split`; ``settings.sources`` names several data sets.

    Raises:
        FileNotFoundError, FileExistsError, ValueError, MissingExtraError: as
            `open_split`; ValueError also where sources differ in image size.
    """
    if not settings.sources:
        return open_split(settings, "train")
    sources = _each_source(settings)
    # embedded shapes last: making them can take long, and others may be missing
    order = sorted(range(len(sources)), key=lambda k: sources[k].source == "embedded")
    opened = {k: open_split(sources[k], "train") for k in order}
    splits = [opened[k] for k in range(len(sources))]
    return Mixture(splits, [source.weight for source in settings.sources])


def _each_source(settings: config.Data) -> list[config.Data]:
    return [
        dataclasses.replace(
            settings,
            root=source.root,
            source=source.source,
            categories=source.categories or settings.categories,
            embedded_objects=source.embedded_objects,
            sources=(),
        )
        for source in settings.sources
    ]


class Contents(NamedTuple):
    """A data set whose images have not been read.

    Attributes:
        storage: its format.
        about: its description, if it has one.
        splits: the splits by name, each with all categories that it has.
    """

    storage: Source
    about: description.Description | None
    splits: dict[str, Split]


def describe(root: str | Path) -> Contents:
    """Detects the format and the splits of a data set without reading its images.

    Args:
        root: folder of the data set.

    Raises:
        FileNotFoundError: not a data set.
        ValueError: damaged files.
        MissingExtraError: a prepared data set, but no tensorflow-datasets.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    if (root / description.FILE).exists() or any(root.glob("*_images.npz")):
        return Contents("npz", description.read(root), open_unread(root))
    if not any(root.glob("*/*/dataset_info.json")):
        raise FileNotFoundError(
            f"{root} holds neither npz files nor a prepared data set."
        )
    from jaxsoftras.data.prepared import inspect_prepared  # imports tensorflow-datasets

    about, parts = inspect_prepared(root)
    names = about.categories if about else CATEGORIES
    orbit = camera_files.choose_orbit(about, SOFTRAS_RIG)
    splits = {name: Split(name, s, names, orbit) for name, s in parts.items()}
    return Contents("prepared", about, splits)


def _ensure_embedded(settings: config.Data) -> None:
    from jaxsoftras.shapes import dataset  # imports jax

    title = f"making the embedded data set in {settings.root}"
    with terminal.progress_bar(title) as progress:
        dataset.ensure_dataset(
            settings.root,
            objects_per_category=settings.embedded_objects,
            progress=progress,
        )
