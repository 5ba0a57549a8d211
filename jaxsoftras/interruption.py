"""Signals that ask a program to stop: Ctrl-C, the end of a job, of a terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

SIGNALS = tuple(
    getattr(signal, name)
    for name in "SIGINT SIGTERM SIGHUP SIGUSR1 SIGUSR2 SIGBREAK".split()
    if hasattr(signal, name)
)
"""Signals that are handled. SLURM sends SIGTERM or SIGUSR1 before a job's time is up,
LSF SIGUSR2, providers SIGTERM before they take a machine back; SIGHUP and, on
Windows, SIGBREAK tell that a terminal closed."""

_AGAIN = 0.05  # seconds until an interruption that was lost is raised again


class Interrupted(KeyboardInterrupt):
    """A signal that ends the program.

    Attributes:
        number: the signal.
    """

    def __init__(self, number: int, message: str = ""):
        """Makes an interruption; without a message, the program's own is reported."""
        super().__init__(message)
        self.number = number


class Stop:
    """A wish to stop, which signals express.

    The first signal raises `Interrupted` in the main thread, or, while the program
    defers it, is noted in ``number``. A second one ends the process at once.

    Attributes:
        number: the signal that was received, or None.
    """

    def __init__(self):
        """Makes a wish that nobody has expressed."""
        self.number: int | None = None
        self._deferring = False
        self._name = ""

    @contextlib.contextmanager
    def handle(self, name: str, *, at_once: bool = False) -> Iterator[None]:
        """Handles the signals within a scope; elsewhere than in the main thread, none.

        A signal that the process was told to ignore, by ``nohup`` for example, stays
        ignored.

        Args:
            name: program name, which begins messages.
            at_once: whether even the first signal ends the process at once.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._name, self.number = name, None
        before = {
            number: signal.getsignal(number)
            for number in SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        receive = self._leave if at_once else self._receive
        hook, sys.unraisablehook = (
            sys.unraisablehook,
            self._raise_again(sys.unraisablehook),
        )
        for number in before:
            signal.signal(number, receive)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            sys.unraisablehook = hook

    @contextlib.contextmanager
    def defer(self) -> Iterator[None]:
        """Notes the first signal within a scope, for the program to look at."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.number is not None:
            self._leave(number, None)
        self.number = number
        if not self._deferring:
            raise Interrupted(number)

    def _leave(self, number: int, _: FrameType | None) -> NoReturn:
        # threads that still write are not waited for: whatever they write appears under
        # its name only when it is complete
        os.write(2, f"{self._name}: stopped at once by {name(number)}.\n".encode())
        end_process(128 + number)

    def _raise_again(
        self, hook: Callable[[sys.UnraisableHookArgs], object]
    ) -> Callable[[sys.UnraisableHookArgs], None]:
        """Wraps a hook: an interruption in a destructor or callback is not lost.

        Python reports what is raised there, by a signal handler that happens to run
        there for example, and goes on.
        """

        def report(unraisable: sys.UnraisableHookArgs) -> None:
            error = unraisable.exc_value
            if not isinstance(error, Interrupted):
                hook(unraisable)
                return
            self.number = None
            again = threading.Timer(_AGAIN, _send, (error.number,))
            again.daemon = True
            again.start()

        return report


def _send(number: int) -> None:
    """Sends this process a signal; its main thread handles it."""
    if os.name == "nt":  # where `os.kill` ends it
        signal.raise_signal(number)
    else:
        os.kill(os.getpid(), number)


def name(number: int) -> str:
    """Names a signal: ``SIGTERM``, or ``Ctrl-C``."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def end_process(code: int) -> NoReturn:
    """Ends the process without waiting for its threads.

    Args:
        code: its exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed by whoever read it
            if stream.isatty():
                stream.write("\x1b[?25h")  # a progress bar hides the cursor
            stream.flush()
    os._exit(code)
