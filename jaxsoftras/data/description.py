"""Description of a data set, ``dataset.json`` beside its npz files.

It says what the files cannot: the names of the categories, the camera of the images,
the axes, and the name and licence of every object. SoftRas's own data sets have none;
they hold the 13 categories of `jaxsoftras.data.categories`.

::

    {"format": "jaxsoftras data set", "version": 1,
     "categories": {"mug": "mug", "03001627": "chair"},
     "camera": {"kind": "orbit", "distance": 2.732, "elevation": 30.0,
                "azimuth_step": -15.0, "half_fov": 15.0, "views": 24,
                "handedness": "left"},
     "frame": "...", "image_size": 64,
     "objects": {"mug": {"train": [{"name": "a", "file": "mug/a.obj"}]}, ...},
     "made_by": {...}}

``"camera": {"kind": "per picture"}`` refers to `jaxsoftras.data.camera_files`;
``"voxels": false`` says that no voxels belong to the data set.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxsoftras import atomic
from jaxsoftras.data.split import ALL_SPLITS

_NO_SIGNS = r"/\\\0" + (r'<>:"|?*' if os.name == "nt" else "")
_LONGEST_NAME = 200  # bytes of a category

FILE = "dataset.json"
"""Name of the file."""

FORMAT = "jaxsoftras data set"
VERSION = 1


@dataclass(frozen=True)
class Description:
    """Content of ``dataset.json``, which `parse` checks.

    Attributes:
        categories: names of the categories by key.
        objects: by key and split, what is known of each object, in stored order:
            ``"name"`` and more, such as ``"file"`` and ``"license"``.
        content: everything in the file.
    """

    categories: dict[str, str]
    objects: dict[str, dict[str, list[dict[str, Any]]]]
    content: dict[str, Any]

    def count(self, key: str, split: str) -> int:
        """Counts the objects of a category in a split."""
        return len(self.objects.get(key, {}).get(split, ()))


def read(root: str | Path) -> Description | None:
    """Reads the description of the data set in a folder.

    Args:
        root: folder of the data set.

    Returns:
        The description; None if there is no such file.

    Raises:
        ValueError: the file is damaged, or of another format or version.
    """
    path = Path(root) / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8 ({error}).") from None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}).") from None
    return parse(content, path)


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Writes the description of a data set into its folder.

    Args:
        folder: existing folder.
        content: see the module; JSON must be able to hold it.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")


def parse(content: Any, where: str | Path) -> Description:
    """Checks the content of a ``dataset.json``.

    Args:
        content: the parsed JSON.
        where: where it comes from, for error messages.

    Raises:
        ValueError: it is not a description, or of another version.
    """
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise ValueError(
            f'{where} does not describe a data set: its "format" must be "{FORMAT}".'
        )
    if content.get("version") != VERSION:
        raise ValueError(
            f"{where} has version {content.get('version')!r}; this version of "
            f"jaxsoftras reads {VERSION}."
        )
    categories, objects = content.get("categories"), content.get("objects")
    if not isinstance(categories, Mapping) or not categories:
        raise ValueError(f'{where} lacks "categories", names by key.')
    for word in [*categories, *categories.values()]:
        check_name(word, where)
    if len(set(categories.values())) < len(categories):
        raise ValueError(f"{where} has two categories of one name.")
    if not isinstance(objects, Mapping) or not all(
        _lists_objects(key, splits, categories) for key, splits in objects.items()
    ):
        raise ValueError(
            f'{where} lacks "objects": by category and split '
            f'({", ".join(ALL_SPLITS)}), a list of {{"name": ...}}.'
        )
    return Description(
        dict(categories),
        {key: dict(splits) for key, splits in objects.items()},
        dict(content),
    )


def check_replaceable(
    root: Path,
    program: str,
    name_files: Callable[[str, str], Iterable[str]],
    *,
    kind: str,
    others: Iterable[str] = (),
) -> None:
    """Checks that a folder holds nothing but a data set that a program made.

    Args:
        root: the folder; it may be missing.
        program: the program, as ``made_by`` of the description names it.
        name_files: names the files of a category, by key, and a split.
        kind: a phrase for such data sets, for the message.
        others: further names that may be there.

    Raises:
        FileExistsError: the folder holds something else, or is none.
    """
    if not root.exists():
        return
    if not root.is_dir():
        raise FileExistsError(f"{root} is not a folder.")
    try:
        about = read(root)
    except ValueError:
        about = None
    ours = set(others)
    made_by = about.content.get("made_by") if about else None
    if about and isinstance(made_by, Mapping) and made_by.get("program") == program:
        ours.add(FILE)
        for key, splits in about.objects.items():
            for split in splits:
                ours.update(name_files(key, split))
    if foreign := sorted(atomic.list_names(root) - ours):
        raise FileExistsError(
            f"{root} holds other files than those of a data set {kind}, such as "
            f"{foreign[0]}: choose another folder."
        )


def check_name(word: Any, where: str | Path) -> None:
    """Raises ValueError unless files can be named after a category.

    A key or a name with a slash would lead to another folder. File systems take names
    of 255 bytes, which the split and the kind of a file are part of.
    """
    if not isinstance(word, str) or not re.fullmatch(
        rf"[^.{_NO_SIGNS}][^{_NO_SIGNS}]*", word
    ):
        raise ValueError(
            f"{where} has a category {word!r}; keys and names are words without "
            'slashes (on Windows, without any of <>:"|?*) that do not begin with a '
            "dot."
        )
    if len(os.fsencode(word)) > _LONGEST_NAME:
        raise ValueError(
            f"{where} has a category of {len(os.fsencode(word))} bytes, {word[:20]!r}"
            f"...; files can be named after {_LONGEST_NAME}: shorten it."
        )


def check_distinct(keys: Iterable[str], where: str | Path) -> None:
    """Raises ValueError if keys differ in nothing but the case of their letters.

    Some file systems would take the file of one for that of another.
    """
    folded: dict[str, str] = {}
    for key in keys:
        other = folded.setdefault(key.casefold(), key)
        if other != key:
            raise ValueError(
                f"{where} has the categories {other!r} and {key!r}, whose files some "
                "computers cannot tell apart: rename or join them."
            )


def _lists_objects(key: Any, splits: Any, categories: Mapping[str, str]) -> bool:
    return (
        key in categories
        and isinstance(splits, Mapping)
        and set(splits) <= set(ALL_SPLITS)
        and all(
            isinstance(objects, list)
            and all(
                isinstance(item, Mapping) and isinstance(item.get("name"), str)
                for item in objects
            )
            for objects in splits.values()
        )
    )
