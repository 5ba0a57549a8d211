"""Programs on a terminal: progress bars, one-line error messages, exit codes."""

from __future__ import annotations

import contextlib
import io
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rich.progress

Progress = Callable[[int, int], None]
"""``progress(done, total)``; a total of 0 means that it is unknown."""


class ProgramError(RuntimeError):
    """An error that ends a program; the message says why and what to do."""


REPORTED = (ProgramError, ValueError, OSError, ModuleNotFoundError)
"""Errors whose messages are written for the user. Others are bugs and keep their
traceback."""


def run(
    name: str, command: Callable[[], object], *, interrupted: str = "interrupted."
) -> int:
    """Runs a command and reports errors in one line on stderr.

    Args:
        name: program name, which begins the line.
        command: the work to do.
        interrupted: message after Ctrl-C.

    Returns:
        The exit code: the command's own if it returns an int, or else 0; 2 after an
        error; 130 after Ctrl-C.
    """
    _print_any_name()
    try:
        with _warnings_in_one_line(name):
            result = command()
    except REPORTED as error:
        print(f"{name}: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: {interrupted}", file=sys.stderr)
        return 130
    return result if isinstance(result, int) else 0


def one_line(text: object) -> str:
    r"""Writes line breaks, which a file name may have, as ``\n``.

    Args:
        text: a message, or an error.

    Example:
        >>> terminal.one_line("runs/a\nb")
        'runs/a\\nb'
    """
    return str(text).replace("\r", "\\r").replace("\n", "\\n")


def _print_any_name() -> None:
    """Lets names be printed that the encoding of the terminal does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not where a caller replaced it
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _warnings_in_one_line(name: str) -> Iterator[None]:
    """Prints the project's warnings as a program prints its errors, within a scope."""

    def show(message, category, filename, lineno, file=None, line=None):
        if category is UserWarning and file is None:
            print(f"{name}: {one_line(message)}", file=sys.stderr)
        else:
            original(message, category, filename, lineno, file, line)

    original, warnings.showwarning = warnings.showwarning, show
    try:
        yield
    finally:
        warnings.showwarning = original


def bar_columns(*details: str) -> tuple[rich.progress.ProgressColumn, ...]:
    """Columns of a progress bar, in the style that all programs share.

    Args:
        details: further columns between the count and the remaining time, such as
            ``"{task.fields[rate]}"``.
    """
    import rich.progress  # only programs need it

    return (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        *(rich.progress.TextColumn(detail) for detail in details),
        rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
    )


@contextlib.contextmanager
def progress_bar(title: str, unit: str = "") -> Iterator[Progress]:
    """Shows a progress bar with count and remaining time on stderr.

    Where stderr is not a terminal, prints one line when the first item is done.

    Args:
        title: label of the bar.
        unit: what is counted, to show how many are done in a second; empty to show no
            rate. Items that were done before the first call do not count.

    Yields:
        The function that moves the bar.
    """
    import rich.console  # only programs need it
    import rich.progress

    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(
        *bar_columns(*(["{task.fields[rate]}"] if unit else [])),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(title, total=None, visible=False, rate="")
        begun: tuple[int, float] | None = None

        def progress(done: int, total: int) -> None:
            nonlocal begun
            if begun is None:
                begun = done, time.monotonic()
                if not console.is_terminal:
                    console.print(
                        f"{title}: {total or 'unknown'} in all", highlight=False
                    )
            elapsed = max(time.monotonic() - begun[1], 1e-3)
            rate = f"{(done - begun[0]) / elapsed:.1f} {unit}/s"
            bar.update(
                task, completed=done, total=total or None, visible=True, rate=rate
            )

        yield progress
