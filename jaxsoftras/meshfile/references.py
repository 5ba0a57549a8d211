"""Files that a mesh file names: materials, images, buffers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

_sought: ContextVar[set[Path] | None] = ContextVar("sought", default=None)


@contextlib.contextmanager
def watch() -> Iterator[set[Path]]:
    """Collects the files that readers look for within a scope, there or not.

    Yields:
        Their paths, which grow as the readers go on.
    """
    paths: set[Path] = set()
    token = _sought.set(paths)
    try:
        yield paths
    finally:
        _sought.reset(token)


def add(*paths: Path) -> None:
    """Tells who watches that files were looked for."""
    sought = _sought.get()
    if sought is not None:
        sought.update(paths)
