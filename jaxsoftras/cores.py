"""The cores of the machine."""

from __future__ import annotations

import os


def count_cores() -> int:
    """Counts the cores that this process may use; a cluster may lend some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
