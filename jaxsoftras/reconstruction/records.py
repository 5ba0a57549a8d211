"""Files that a run adds to as it goes: ``metrics.jsonl``, and events for TensorBoard.

Both are written by the caller's own thread, without buffers: an error of the disk is
raised where it happens, and what was written survives the end of the process.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from jaxsoftras import atomic, strict_json
from jaxsoftras.reconstruction import event_format

PART = "val_part"
"""Name that the line of a validation has, and no other."""


class MetricsFile:
    """``metrics.jsonl``: one JSON object per line and report.

    Attributes:
        validated: steps of the validations that it holds.
    """

    def __init__(self, path: Path, start: int):
        """Opens the file for more lines.

        Lines of steps beyond ``start``, which a resumed run takes again, are removed,
        and so is a last line that was not completed.

        Args:
            path: the file; made if it does not exist.
            start: number of steps taken so far.

        Raises:
            OSError: the file cannot be read or written.
        """
        with atomic.naming(path):
            content = path.read_bytes() if path.exists() else b""
        lines = content.splitlines(keepends=True)
        kept = [line for line in lines if _read_step(line) <= start]
        entries = map(json.loads, kept)
        self.validated = {entry["step"] for entry in entries if PART in entry}
        if kept != lines:
            with atomic.file(path) as partial:
                partial.write_bytes(b"".join(kept))
        self._file = path.open("ab", buffering=0)

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Adds a line: the step, the values, and the time in seconds since 1970.

        Numbers that are not finite are null.
        """
        line = {"step": step, **values, "time": round(time.time(), 3)}
        _write(self._file, strict_json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _read_step(line: bytes) -> float:
    """Reads the step of a line; infinite if it is not a complete one."""
    try:
        step = json.loads(line)["step"] if line.endswith(b"\n") else None
    except (ValueError, TypeError, KeyError, RecursionError):
        step = None
    return step if isinstance(step, (int, float)) else math.inf


class EventFile:
    """An event file of TensorBoard; see `jaxsoftras.reconstruction.event_format`."""

    _numbers = itertools.count()  # of the files of this process

    def __init__(self, folder: Path, start: int):
        """Makes a new file.

        TensorBoard no longer shows events of steps beyond ``start`` that other files of
        the folder hold.

        Args:
            folder: folder of the file; made if it does not exist.
            start: number of steps taken so far.

        Raises:
            OSError: the file cannot be written.
        """
        folder.mkdir(exist_ok=True)
        place = f"{socket.gethostname()}.{os.getpid()}.{next(self._numbers)}"
        path = folder / f"events.out.tfevents.{int(time.time()):010d}.{place}"
        self._file = path.open("xb", buffering=0)
        self.add(event_format.make_record(event_format.encode_version()))
        self.add(event_format.make_record(event_format.encode_start(start + 1)))

    def add_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds numbers by name."""
        for name, value in values.items():
            event = event_format.encode_scalar(step, name, value)
            self.add(event_format.make_record(event))

    def add(self, record: bytes) -> None:
        """Adds an event; see `event_format.make_record`."""
        _write(self._file, record)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _write(file: IO[bytes], data: bytes) -> None:
    """Writes all of the data; a full disk takes a part of it before it fails."""
    with atomic.naming(file.name):
        while data:
            data = data[file.write(data) :]
