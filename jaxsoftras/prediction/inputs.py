"""Pictures to read, and names of the results."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from jaxsoftras import terminal
from jaxsoftras.prediction import masks

# Of pictures, besides those of masks. Whether Pillow reads them is asked of the files:
# a picture that it does not read is left out by name.
_SUFFIXES = {
    *masks.SUFFIXES,
    *(".apng", ".jfif", ".jpe", ".jp2", ".j2k", ".avif", ".heic", ".heif", ".jxl"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".dds", ".ico", ".psd", ".svg", ".exr"),
    *(".hdr", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"),
}
_LONGEST_NAME = 180  # bytes; file systems take 255, suffixes of temporary files with it


def list_pictures(paths: Iterable[Path]) -> list[Path]:
    """Lists pictures: files as they are, and the pictures in folders by their names.

    Hidden files, those of other suffixes, and masks ``NAME_mask.png`` in a folder are
    passed over. A picture that is named twice counts once.

    Raises:
        ProgramError: a folder without a picture.
    """
    found: dict[str, Path] = {}
    for path in paths:
        inside = _list_folder(path) if path.is_dir() else [path]
        for picture in inside:
            # of links in a circle, Path.resolve raises an error
            found.setdefault(os.path.realpath(picture), picture)
    return list(found.values())


def _list_folder(folder: Path) -> list[Path]:
    pictures = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _SUFFIXES
        and not path.name.startswith(".")
        and not path.stem.endswith(masks.BESIDE)
    ]
    if not pictures:
        raise terminal.ProgramError(
            f"{folder} holds no picture, which ends in one of "
            f"{', '.join(masks.SUFFIXES)}."
        )
    return pictures


def name_outputs(pictures: Sequence[Path]) -> list[str]:
    """Names results after pictures: ``a`` for ``a.png``, and ``a-2`` for another one.

    No two names differ in nothing but the case of their letters.
    """
    names: list[str] = []
    taken: set[str] = set()
    for picture in pictures:
        stem = _shorten(picture.stem.lstrip(".")) or "picture"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _shorten(name: str) -> str:
    while len(os.fsencode(name)) > _LONGEST_NAME:
        name = name[:-1]
    return name


def check_out(out: Path, named: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Raises ProgramError if results would lie among pictures, or replace them.

    Args:
        out: folder of the results.
        named: files and folders that are read.
        outputs: files that are to be written.
    """
    read = {os.path.realpath(path) for path in named}
    if out.exists() and not out.is_dir():
        raise terminal.ProgramError(f"{out} is not a folder; choose another --out.")
    if os.path.realpath(out) in read:
        raise terminal.ProgramError(
            f"{out} is a folder of pictures or masks; choose another --out."
        )
    for path in outputs:
        if os.path.realpath(path) in read:
            raise terminal.ProgramError(
                f"{path} would be replaced, which is read; choose another --out."
            )
