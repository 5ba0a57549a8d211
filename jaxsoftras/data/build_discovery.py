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

# suffixes of meshes and scenes that `load_mesh` does not read
_FOREIGN = frozenset(
    "3dm 3ds 3mf abc ac amf blend c4d ctm dae drc dxf fbx iges igs lwo ma max mb mesh "
    "ms3d msh skp step stp u3d usd usda usdc usdz vrml vtk vtp wrl x3d x3dv".split()
)
_UNREAD = "its format is not read: convert it to OBJ, glTF or PLY"
_LOOP = "the link leads to a folder that it lies in"


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

    def leave_out(self, file: str, reason: str) -> None:
        """Adds to what is left out; a name that is no text is escaped."""
        try:
            file.encode()
        except UnicodeEncodeError:
            file = ascii(file)
        self.left_out.append((file, reason))


def discover(root: Path, fractions: Sequence[float]) -> Discovery:
    """Finds all mesh files, at any depth within the categories.

    Names that begin with a dot are passed over. Where a category has folders named
    train, val or test, they are its splits; elsewhere a hash of the name chooses, so
    that an object stays in its split whatever else is added or removed. A folder named
    style is the split of this name in either case. Meshes of formats that are not read
    are left out with a reason, unless a mesh beside them has the same name, and so are
    links to folders that they lie in.

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
        if _leads_back(entry):
            found.leave_out(f"{entry.name}/", _LOOP)
        elif entry.is_dir():
            _search_category(entry, fractions, found)
        elif _is_mesh(entry) or _is_foreign(entry):
            found.leave_out(entry.name, "it lies in no category's sub-folder")
    unread = [file for file, reason in found.left_out if reason == _UNREAD]
    if unread and not found.objects:
        raise FileNotFoundError(
            f"{root} has no mesh files that are read ({', '.join(FORMATS)}) in a "
            f"sub-folder: convert others, such as {unread[0]}, to OBJ, glTF or PLY."
        )
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
            found.leave_out(file, "it is not a regular file")
            continue
        if _is_foreign(path):
            found.leave_out(file, _UNREAD)
            continue
        try:
            file.encode()
        except UnicodeEncodeError:
            found.leave_out(file, "its name is not text in UTF-8")
            continue
        if (split := inner.parts[0]) in given:
            name = str(inner.relative_to(split).with_suffix(""))
        elif hashed:
            name = str(inner.with_suffix(""))
            split = choose_split(name, fractions)
        else:
            found.leave_out(file, "it lies in no folder of a split")
            continue
        found.objects.append(Found(key, split, name, file))
    if len(found.objects) == before:
        found.leave_out(f"{key}/", "the folder has no mesh files to build from")


def _walk(folder: Path, found: Discovery) -> Iterator[Path]:
    """Mesh files in a folder and those below it, in order; links are followed once."""

    def leave_out(path: str | Path, reason: str) -> None:
        file = Path(path).relative_to(folder.parent).as_posix()
        found.leave_out(f"{file}/", reason)

    def explain(error: OSError) -> None:
        leave_out(error.filename, error.strerror or str(error))

    visited = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=explain):
        real = os.path.realpath(place)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        below = sorted(name for name in folders if not name.startswith("."))
        loops = [name for name in below if _leads_back(Path(place, name))]
        for name in loops:
            leave_out(Path(place, name), _LOOP)
        folders[:] = [name for name in below if name not in loops]
        paths = [Path(place, name) for name in sorted(files) if name[0] != "."]
        meshes = {path.stem for path in paths if _is_mesh(path)}
        for path in paths:
            # the same shape in another format, which its program has left there
            if _is_mesh(path) or (_is_foreign(path) and path.stem not in meshes):
                yield path


def _leads_back(path: Path) -> bool:
    """Whether a path is a link to a folder that it lies in, directly or by links."""
    if not os.path.islink(path):
        return False
    target = os.path.realpath(path)
    return any(
        Path(os.path.realpath(parent)).is_relative_to(target) for parent in path.parents
    )


def _is_mesh(path: Path) -> bool:
    return path.suffix.lower().removeprefix(".") in FORMATS


def _is_foreign(path: Path) -> bool:
    return path.suffix.lower().removeprefix(".") in _FOREIGN
