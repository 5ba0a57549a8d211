"""Orbax without its log and its threads' tracebacks."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator

_READS_IN_FLIGHT = 0.5  # how long they may take to end after one has failed, seconds
_lock = threading.Lock()
_within = 0  # scopes of all threads
_before = (logging.NOTSET, sys.unraisablehook)


@contextlib.contextmanager
def orbax() -> Iterator[None]:
    """Silences Orbax within a scope, except for the errors that it raises.

    Its warnings go to the logger of absl. When one of many reads fails, Orbax closes
    its event loop, and each read still in flight then fails in a thread, which Python
    reports through `sys.unraisablehook`.
    """
    _enter()
    try:
        yield
    except Exception:
        time.sleep(_READS_IN_FLIGHT)
        raise
    finally:
        _leave()


def _enter() -> None:
    global _within, _before
    with _lock:
        _within += 1
        if _within == 1:
            logger = logging.getLogger("absl")
            _before = logger.level, sys.unraisablehook
            logger.setLevel(logging.ERROR)
            sys.unraisablehook = _report


def _leave() -> None:
    global _within
    with _lock:
        _within -= 1
        if _within == 0:
            level, sys.unraisablehook = _before
            logging.getLogger("absl").setLevel(level)


def _report(unraisable: sys.UnraisableHookArgs) -> None:
    if str(unraisable.exc_value) != "Event loop is closed":
        _before[1](unraisable)
