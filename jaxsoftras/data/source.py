"""Opens a data set without the caller caring how it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from jaxsoftras.data.npz import inspect_npz, open_npz
from jaxsoftras.data.split import Split

Source = Literal["npz", "prepared"]


def open_split(
    source: Source,
    root: str | Path,
    split: str,
    categories: Sequence[str] | None = None,
) -> Split:
    """Opens one split of a data set.

    Args:
        source: ``"npz"``, the files of the original work, held in memory; or
            ``"prepared"``, what ``python -m jaxsoftras.data prepare`` writes, read from
            disk piece by piece.
        root: folder of the data set.
        split: ``"train"``, ``"val"`` or ``"test"``.
        categories: synsets or names; all 13 categories if None.

    Raises:
        FileNotFoundError: the folder, the split or a category is missing.
        ValueError: an unknown source, split or category; damaged files.
        ModuleNotFoundError: a prepared data set, but no tensorflow-datasets.
    """
    if source == "npz":
        return open_npz(root, split, categories)
    if source == "prepared":
        from jaxsoftras.data.prepared import open_prepared  # needs tensorflow-datasets

        return open_prepared(root, split, categories)
    raise ValueError(
        f"Unknown data source {source!r}: choose one of {', '.join(get_args(Source))}."
    )


def describe(root: str | Path) -> tuple[Source, dict[str, Split]]:
    """Finds out what a folder holds, without reading any pictures.

    Args:
        root: folder of a data set.

    Returns:
        How it is stored, and its splits by name, each with the categories there are.

    Raises:
        FileNotFoundError: not a data set.
        ValueError: damaged files.
    """
    root = Path(root)
    if root.is_dir() and any(root.glob("*_images.npz")):
        return "npz", {name: Split(name, s) for name, s in inspect_npz(root).items()}
    if not any(root.glob("*/*/dataset_info.json")):
        raise FileNotFoundError(
            f"{root} holds neither npz files nor a prepared data set."
        )
    from jaxsoftras.data.prepared import inspect_prepared  # needs tensorflow-datasets

    return "prepared", {
        name: Split(name, s) for name, s in inspect_prepared(root).items()
    }
