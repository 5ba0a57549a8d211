"""Follows the checkpoints of a run that may still be training, without a trace."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

from jaxsoftras import models
from jaxsoftras.reconstruction import checkpoint_files, checkpoints, run_folder, runs

_Signature = tuple[int, ...]


class Follower:
    """Loads a checkpoint of a run whenever there is another one.

    The folder is only read: no lock, no file, and no checkpoint is kept from being
    removed.
    """

    def __init__(self, workdir: Path, which: int | Literal["best"] | None):
        """Follows a run.

        Args:
            workdir: the run folder.
            which: step of the checkpoint, or ``"best"`` for that of the best
                validation; the newest if None.
        """
        self._workdir = workdir
        self._which: int | Literal["best"] | None = which
        self._seen: _Signature | None = ()  # of no checkpoint

    def poll(self) -> models.Trained | None:
        """Loads the checkpoint; None if there is none, or the same as before.

        One that is removed while it is read counts as none: the next call looks again.

        Raises:
            RunError: all checkpoints are damaged or of another network, or there is
                none of the step; once for each state of the folder.
            ConfigError: a damaged configuration.
        """
        found = self._find()
        if found == self._seen or (found is None and not isinstance(self._which, int)):
            return None
        try:
            trained = runs.load(self._workdir, self._which)
        except (run_folder.RunError, OSError):
            if self._find() == found:
                self._seen = found
                raise
            return None
        self._seen = found
        return trained

    def _find(self) -> _Signature | None:
        """Step and identity of the checkpoint to show, if there is one."""
        step = self._which
        if not isinstance(step, int):
            with checkpoints.Checkpoints(self._workdir, read_only=True) as found:
                step = found.latest() if step is None else found.peek_best()
        return None if step is None else self._sign(step)

    def _sign(self, step: int) -> _Signature | None:
        """Tells a checkpoint apart from another of the same step."""
        folder = self._workdir / run_folder.CHECKPOINTS / str(step)
        with contextlib.suppress(OSError):
            found = (folder / checkpoint_files.MANIFEST).stat()
            return step, found.st_ino, found.st_mtime_ns
        with contextlib.suppress(OSError):  # of an earlier version, without a manifest
            found = folder.stat()
            return step, found.st_ino, found.st_mtime_ns
        return None
