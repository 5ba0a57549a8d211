"""Work beside the training, such as images to look at, in a thread of its own."""

from __future__ import annotations

import collections
import concurrent.futures
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_MOST = 4
"""Pieces of work that may wait, each with its copy of the network."""


class Background:
    """Does one piece of work after another, in one thread.

    Results and errors come to the caller's thread, by `check` and `wait`. Use as a
    context manager; after an error, it is left without waiting for the work under way.

    The work may compile and run programs on a single device. Those of several devices
    wait for each other, and all devices must be given them in one order.
    """

    def __init__(self):
        """Starts without work."""
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "background")
        self._pending: collections.deque[
            tuple[concurrent.futures.Future[Any], Callable[[Any], object]]
        ] = collections.deque()

    def submit(self, work: Callable[[], T], deliver: Callable[[T], object]) -> None:
        """Adds work; waits if much is left to do.

        Args:
            work: a function to call in the thread, of arrays that nobody donates.
            deliver: receives the result, in the thread of the caller.

        Raises:
            Exception: an error of earlier work.
        """
        while len(self._pending) >= _MOST:
            self._take()
        self._pending.append((self._thread.submit(work), deliver))

    def check(self) -> None:
        """Delivers the results that are there, without waiting.

        Raises:
            Exception: an error of the work.
        """
        while self._pending and self._pending[0][0].done():
            self._take()

    def wait(self) -> None:
        """Waits for all work, and delivers the results.

        Raises:
            Exception: an error of the work.
        """
        while self._pending:
            self._take()

    def _take(self) -> None:
        work, deliver = self._pending.popleft()
        deliver(work.result())

    def __enter__(self) -> Background:
        """Returns the work, of which there is none yet."""
        return self

    def __exit__(self, kind, *_) -> None:
        """Ends the thread; see the class."""
        self._thread.shutdown(wait=kind is None, cancel_futures=True)
