"""Files to step through, which may change while they are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from jaxsoftras import terminal
from jaxsoftras.viewer.exhibits import Exhibit
from jaxsoftras.viewer.stepping import Stepper
from jaxsoftras.viewer.worker import Worker

if TYPE_CHECKING:
    from jaxsoftras.viewer.page import Page

Signature = tuple[int, ...] | None
"""Tells the contents of a file apart; None if there is no file."""

_ORDER = 10


def sign(path: Path) -> Signature:
    """Looks at a file without reading it."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class FileList:
    """Shows one of several files, again when it changes.

    All methods are for the thread of the worker, but for the first.
    """

    def __init__(
        self,
        page: Page,
        worker: Worker,
        label: str,
        paths: Iterable[Path],
        describe: Callable[[Path], Exhibit],
    ):
        """Makes the controls.

        Args:
            page: where to show it.
            worker: whose thread reads the files.
            label: what a file holds, in the singular.
            paths: the files.
            describe: reads a file.
        """
        self._page, self._label = page, label
        self._paths, self._describe = list(paths), describe
        self._number, self._alone = 0, False
        self._signature: Signature = None
        self._shown: Path | None = None
        self._stepper = Stepper(
            page.gui,
            label,
            lambda number: worker.request("show", lambda: self.show(number)),
            order=_ORDER,
        )

    def add(self, path: Path) -> None:
        """Adds a file and shows it."""
        if path not in self._paths:
            self._paths.append(path)
        self.show(self._paths.index(path))

    def begin(self) -> None:
        """Shows the first file; raises its error if it is the only one."""
        self._alone = len(self._paths) == 1
        self.show()
        self._alone = False

    def show(self, number: int | None = None) -> None:
        """Shows a file by its number, which runs in a circle; the same one if None."""
        if not self._paths:
            return
        if number is not None:
            self._number = number % len(self._paths)
        path = self._paths[self._number]
        self._stepper.set(self._number, len(self._paths))
        self._signature = sign(path)
        self._page.say(f"Reading {path.name} …")
        try:
            exhibit = self._describe(path)
        except Exception as error:
            self._report(path, error)
            return
        self._page.show(exhibit)
        self._shown = path
        self._page.say(
            f"{self._label} {self._number + 1} of {len(self._paths)}"
            if len(self._paths) > 1
            else str(path.parent)
        )

    def look(self) -> None:
        """Reads the file again if it has changed."""
        if self._paths and sign(self._paths[self._number]) != self._signature:
            self.show()

    def _report(self, path: Path, error: Exception) -> None:
        """Reports a file that cannot be shown; raises the error if it is a bug."""
        sentence = terminal.explain(error)
        if sentence is None or self._alone:
            raise error
        if self._shown == path:
            self._page.report(f"{sentence} What it held before is shown.")
            return
        self._shown = None
        self._page.show(Exhibit(path.name))
        self._page.report(sentence)
