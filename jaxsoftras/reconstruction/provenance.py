"""Provenance of a run: ``environment.jsonl``, with one line for each start."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

import jaxsoftras
from jaxsoftras import atomic

FILE = "environment.jsonl"
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def list_versions() -> dict[str, str]:
    """Versions of this package, of Python, and of the packages that a run uses."""
    return {
        "jaxsoftras": jaxsoftras.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def find_time() -> str:
    """The present time with its zone, such as ``"2026-11-27T10:03:26+00:00"``."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def describe_machine() -> dict[str, Any]:
    """Devices, operating system, and versions of the packages."""
    devices = jax.devices()
    return {
        "devices": f"{len(devices)} {devices[0].device_kind}",
        "platform": platform.platform(),
        "versions": list_versions(),
    }


def record_start(
    workdir: Path, *, step: int, seed: int, overrides: Sequence[str]
) -> None:
    """Appends a line about this process to the run folder.

    Args:
        workdir: the run folder.
        step: number of steps taken before.
        seed: seed of the run.
        overrides: assignments of ``--set``.
    """
    entry = {
        "time": find_time(),
        "step": step,
        "seed": seed,
        "command": sys.argv,
        "set": list(overrides),
        "folder": _find_folder(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        **describe_machine(),
    }
    path = workdir / FILE
    with atomic.naming(path):
        torn = path.is_file() and path.read_bytes()[-1:] not in (b"", b"\n")
        with path.open("a", encoding="ascii") as file:
            file.write("\n" * torn + json.dumps(entry) + "\n")


def _find_folder() -> str | None:
    """Folder that the program was started in, unless it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return None


def read_starts(workdir: Path) -> list[dict[str, Any]]:
    """Entries of all starts of a run, the later ones last."""
    return list(_read(workdir))


def read_overrides(workdir: Path) -> list[str]:
    """Assignments of ``--set`` in all starts of a run, the later ones last."""
    return [text for entry in _read(workdir) for text in entry.get("set", ())]


def _read(workdir: Path) -> Iterator[dict[str, Any]]:
    path = workdir / FILE
    with atomic.naming(path):
        lines = path.read_bytes().splitlines() if path.is_file() else []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:  # the process was killed while it wrote the line
            continue
        if isinstance(entry, dict):
            yield entry
