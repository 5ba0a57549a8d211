"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def _beside(path: Path, purpose: str) -> Path:
    """A hidden name in the same folder, hence on the same file system."""
    return path.with_name(f".{path.name}.{purpose}-{os.getpid()}{path.suffix}")


@contextlib.contextmanager
def file(path: str | Path) -> Iterator[Path]:
    """Writes a file to the side and renames it when the block ends without an error.

    Readers see the old file or the new one, never a part; after an error the old file,
    if any, is as it was.

    Args:
        path: the file to write; its folder is made if needed.

    Yields:
        The path to write to. It has the suffix of ``path``, from which some writers
        take the format.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path, "partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def folder(path: str | Path) -> Iterator[Path]:
    """Fills a folder to the side and renames it when the block ends without an error.

    A folder that is there already is removed only after the new one is in its place.

    Args:
        path: the folder to make.

    Yields:
        An empty folder to fill.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path, "partial")
    try:
        partial.mkdir()
        yield partial
        _put_in_place(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(complete: Path, path: Path) -> None:
    if not path.exists():
        os.replace(complete, path)
        return
    replaced = _beside(path, "replaced")
    os.replace(path, replaced)
    try:
        os.replace(complete, path)
    except OSError:
        os.replace(replaced, path)
        raise
    shutil.rmtree(replaced)
