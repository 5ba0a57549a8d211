"""Finds the meshes of a folder with one sub-folder a category, and their splits."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from jaxsoftras.data.categories import name_keys
from jaxsoftras.data.description import check_distinct, check_name
from jaxsoftras.data.split import ALL_SPLITS, SPLITS, STYLE
from jaxsoftras.meshfile.formats import FORMATS


@dataclass(frozen=True)
class Found:
    """A mesh file.

    Attributes:
        key: key of its category, the name of the sub-folder.
        split: ``"train"``, ``"val"``, ``"test"`` or ``"style"``.
        name: its path in the folder of the category (or of the split) without suffix.
        file: its path in the folder of all meshes, with slashes.
    """

    key: str
    split: str
    name: str
    file: str


@dataclass
class Discovery:
    """The content of a folder of meshes.

    Attributes:
        objects: all mesh files, in the order of the data set.
        names: names of the categories by key.
        left_out: what no object comes from, and why.
    """

    objects: list[Found] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def discover(root: Path, fractions: Sequence[float]) -> Discovery:
    """Finds all mesh files, at any depth within the categories.

    Names that begin with a dot are passed over. Where a category has folders named
    train, val or test, they are its splits; elsewhere a hash of the name chooses, so
    that an object stays in its split whatever else is added or removed. A folder named
    style is the split of this name in either case.

    Args:
        root: folder with one sub-folder for each category.
        fractions: shares of train, val and test, which add up to 1.

    Raises:
        FileNotFoundError: no folder, or no mesh file in a sub-folder.
        ValueError: shares that are negative or do not add up to 1, a sub-folder whose
            name cannot be that of a category, or two whose names are too much alike.
    """
    check_fractions(fractions)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    found = Discovery()
    for entry in sorted(root.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            _search_category(entry, fractions, found)
        elif _is_mesh(entry):
            found.left_out.append((entry.name, "it lies in no category's sub-folder"))
    if not found.objects:
        raise FileNotFoundError(
            f"{root} has no mesh files ({', '.join(FORMATS)}) in a sub-folder; it "
            "needs one sub-folder for each category."
        )
    used = {found.key for found in found.objects}
    check_distinct(sorted(used), root)
    found.names = name_keys(sorted(used))
    return found


def check_fractions(fractions: Sequence[float]) -> None:
    """Raises ValueError unless these are shares of train, val and test."""
    if (
        len(fractions) != len(SPLITS)
        or min(fractions) < 0
        or not abs(sum(fractions) - 1) <= 1e-6  # finds NaN, too
    ):
        raise ValueError(
            "The shares of train, val and test must be three numbers that add up to 1, "
            f"not {' '.join(map(str, fractions))}."
        )


def choose_split(name: str, fractions: Sequence[float]) -> str:
    """Chooses the split of an object by a hash of its name.

    Args:
        name: name of the object.
        fractions: shares of train, val and test.
    """
    # the same letters may be written in two ways, by file systems too
    letters = unicodedata.normalize("NFC", name).encode("utf-8", "surrogateescape")
    place = int.from_bytes(hashlib.sha256(letters).digest()[:8], "big") / 2**64
    train, val, _ = fractions
    if place < train:
        return "train"
    return "val" if place < train + val else "test"


def read_metadata(path: Path) -> dict[str, dict[str, Any]]:
    """Reads a file that says more of the objects: their licences, authors, names.

    Args:
        path: JSON, a list of ``{"file": ..., "license": ..., ...}``; a file is named by
            its path in the folder of meshes.

    Returns:
        The entries by file, without numbers and lists.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a list.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
        texts = [
            {name: value for name, value in entry.items() if isinstance(value, str)}
            for entry in entries
        ]
        return {entry["file"]: entry for entry in texts}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError(
            f'{path} must be a JSON list of {{"file": ..., "license": ..., ...}}.'
        ) from None


def _search_category(
    folder: Path, fractions: Sequence[float], found: Discovery
) -> None:
    key = folder.name
    check_name(key, folder.parent)
    given = {split for split in ALL_SPLITS if (folder / split).is_dir()}
    hashed = given <= {STYLE}
    before = len(found.objects)
    for path in _walk(folder, found):
        inner = PurePosixPath(path.relative_to(folder).as_posix())
        file = f"{key}/{inner}"
        if path.exists() and not path.is_file():  # a pipe would be waited for
            found.left_out.append((file, "it is not a regular file"))
            continue
        try:
            file.encode()
        except UnicodeEncodeError:
            found.left_out.append((ascii(file), "its name is not text in UTF-8"))
            continue
        if (split := inner.parts[0]) in given:
            name = str(inner.relative_to(split).with_suffix(""))
        elif hashed:
            name = str(inner.with_suffix(""))
            split = choose_split(name, fractions)
        else:
            found.left_out.append((file, "it lies in no folder of a split"))
            continue
        found.objects.append(Found(key, split, name, file))
    if len(found.objects) == before:
        found.left_out.append((f"{key}/", "the folder has no mesh files to build from"))


def _walk(folder: Path, found: Discovery) -> Iterator[Path]:
    """Mesh files in a folder and those below it, in order; links are followed once."""

    def leave_out(error: OSError) -> None:
        file = Path(error.filename).relative_to(folder.parent).as_posix()
        found.left_out.append((f"{file}/", error.strerror or str(error)))

    visited = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=leave_out):
        real = os.path.realpath(place)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and _is_mesh(Path(name)):
                yield Path(place, name)


def _is_mesh(path: Path) -> bool:
    return path.suffix.lower().removeprefix(".") in FORMATS
