"""The thread that does the work of a viewer, one request after another."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jaxsoftras import terminal

Action = Callable[[], None]


class Worker:
    """Runs requests, and looks for changes in between.

    Of several requests of one kind, only the newest is run: a slider that is dragged
    asks for more than can be shown.
    """

    def __init__(self, report: Callable[[str], None], seconds: float):
        """Makes a worker, which `run` starts.

        Args:
            report: shows an error that the user can do something about.
            seconds: time between two looks for changes.
        """
        self._report, self._seconds = report, seconds
        self._wanted: dict[str, Action] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._failure: BaseException | None = None

    def request(self, kind: str, action: Action) -> None:
        """Asks for something to be done; from any thread, without waiting.

        Args:
            kind: requests of this kind that were not begun are dropped.
            action: the work.
        """
        with self._changed:
            self._wanted.pop(kind, None)
            self._wanted[kind] = action
            self._changed.notify()

    def run(self, begin: Action, look: Action) -> None:
        """Works in a thread until `stop`, while the main thread waits for signals.

        Args:
            begin: done first; an error ends the work, and is raised here.
            look: looks for changes; errors of it and of requests are reported, and
                bugs raised here.
        """
        thread = threading.Thread(
            target=self._work, args=(begin, look), name="viewer", daemon=True
        )
        thread.start()
        while thread.is_alive():
            thread.join(0.2)  # without a limit, no signal is handled on Windows
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ends the work after the request at hand."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _work(self, begin: Action, look: Action) -> None:
        try:
            begin()
            while not self._stopped:
                action = self._next() or look
                if not self._stopped:
                    self._do(action)
        except Exception as error:
            self._failure = error

    def _do(self, action: Action) -> None:
        try:
            action()
        except Exception as error:
            sentence = terminal.explain(error)
            if sentence is None:
                raise
            self._report(sentence)

    def _next(self) -> Action | None:
        """Waits for a request; None if it is time to look, or to stop."""
        with self._changed:
            if not self._wanted and not self._stopped:
                self._changed.wait(self._seconds)
            if not self._wanted or self._stopped:
                return None
            return self._wanted.pop(next(iter(self._wanted)))
