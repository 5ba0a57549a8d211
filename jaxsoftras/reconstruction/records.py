"""Files that a run adds to as it goes: ``metrics.jsonl``, and events for TensorBoard.

Both are written by the caller's own thread, without buffers: an error of the disk is
raised where it happens, and what was written survives the end of the process.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from tensorboardX import summary
from tensorboardX.crc32c import crc32c
from tensorboardX.proto import event_pb2

from jaxsoftras import atomic

_pb: Any = event_pb2  # its classes are made when it is imported


class MetricsFile:
    """``metrics.jsonl``: one JSON object per line and report."""

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
        if kept != lines:
            with atomic.file(path) as partial:
                partial.write_bytes(b"".join(kept))
        self._file = path.open("ab", buffering=0)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a line: the step, the values, and the time in seconds since 1970."""
        line = {"step": step, **values, "time": round(time.time(), 3)}
        _write(self._file, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _read_step(line: bytes) -> float:
    """Reads the step of a line; infinite if it is not a complete one."""
    try:
        return json.loads(line)["step"] if line.endswith(b"\n") else float("inf")
    except (ValueError, TypeError, KeyError):
        return float("inf")


class EventFile:
    """An event file of TensorBoard.

    Each event is a TFRecord: its length, the length's checksum, the event, its checksum
    (https://www.tensorflow.org/tutorials/load_data/tfrecord).
    """

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
        self._add(_pb.Event(file_version="brain.Event:2"))
        log = _pb.SessionLog(status=_pb.SessionLog.START)
        self._add(_pb.Event(step=start + 1, session_log=log))

    def add_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds numbers by name."""
        for name, value in values.items():
            content = summary.scalar(name, value)
            self._add(_pb.Event(step=step, summary=content))

    def add_image(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Adds an image ``[H, W, 3]`` uint8."""
        content = summary.image(name, pixels, dataformats="HWC")
        self._add(_pb.Event(step=step, summary=content))

    def _add(self, event: Any) -> None:
        event.wall_time = time.time()
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        _write(self._file, length + _checksum(length) + data + _checksum(data))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _checksum(data: bytes) -> bytes:
    """CRC-32C of data, rotated and shifted as TFRecords have it."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _write(file: IO[bytes], data: bytes) -> None:
    """Writes all of the data; a full disk takes a part of it before it fails."""
    with atomic.naming(file.name):
        while data:
            data = data[file.write(data) :]
