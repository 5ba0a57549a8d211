"""Programs on a terminal: progress bars, one-line error messages, exit codes."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from jaxsoftras import extras, interruption

if TYPE_CHECKING:
    import rich.console
    import rich.progress
    import rich.table

Progress = Callable[[int, int], None]
"""``progress(done, total)``; a total of 0 means that it is unknown."""


class ProgramError(RuntimeError):
    """An error that ends a program; the message says why and what to do."""


REPORTED = (ProgramError, ValueError, OSError, ModuleNotFoundError)
"""Errors whose messages are written for the user; see also `explain`. Others are bugs
and keep their traceback."""


def run(
    name: str,
    command: Callable[[], object],
    *,
    interrupted: str = "interrupted.",
    stop: interruption.Stop | None = None,
) -> int:
    """Runs a command and reports errors in one line on stderr.

    Signals are handled while it runs; see `interruption.Stop`.

    Args:
        name: program name, which begins the line.
        command: the work to do.
        interrupted: message after a signal.
        stop: receives the signals, if the command wants to see them.

    Returns:
        The exit code: the command's own if it returns an int, or else 0; 2 after an
        error; 128 and the signal's number after a signal, hence 130 after Ctrl-C and
        143 after SIGTERM.
    """
    _print_any_name()
    try:
        with (
            (stop or interruption.Stop()).handle(name),
            _warnings_in_printable(name),
            _quiet_background(),
        ):
            result = command()
            if sys.stdout:
                sys.stdout.flush()  # an error of writing is reported with the others
    except KeyboardInterrupt as error:
        complain(f"{name}: {printable(error) or interrupted}")
        return 128 + getattr(error, "number", 2)
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        complain(f"{name}: {printable(sentence)}")
        return 2
    return result if isinstance(result, int) else 0


def complain(text: str) -> None:
    """Prints a line on stderr, if anybody reads it."""
    with contextlib.suppress(OSError, ValueError):  # a closed one
        print(text, file=sys.stderr, flush=True)


def discard_output() -> None:
    """Discards stdout from now on, with what it holds: nobody reads it any more."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


_ADVICE = {
    errno.EACCES: "you may not read or write it: change its permissions",
    errno.EPERM: "you may not change it: change its permissions",
    errno.EROFS: "it can be read only: choose a folder that can be written",
    errno.EIO: "the disk or its connection fails: check it, and start again",
    errno.ENAMETOOLONG: "that is too long for a name: choose a shorter one",
    errno.ENOTDIR: "a file has the name of a folder there: choose another",
    errno.EEXIST: "something else has that name: move it away",
    errno.EISDIR: "a folder has the name of a file there: move it away",
    errno.EMFILE: "too many files are open at a time: raise the limit of ulimit -n",
    errno.EFBIG: "the file would be larger than is allowed: raise that limit",
    errno.ELOOP: "its symbolic links lead in a circle: mend them",
    errno.ESTALE: "its network folder has gone: mount it again",
}


def explain(error: Exception) -> str | None:
    """Explains an error to the user in one sentence; returns None if it is a bug."""
    text = str(error)
    if isinstance(error, BrokenPipeError):
        return "the program that read this one's output has ended."
    where = getattr(error, "filename", None)
    if _disk_is_full(error):
        return (
            f"the disk is full{f' at {where}' if where else ''}: free some space, and "
            "start again."
        )
    if isinstance(error, OSError) and error.errno in _ADVICE:
        advice = f"{_ADVICE[error.errno]} ({error.strerror})."
        return f"{os.fsdecode(where)}: {advice}" if where else advice
    if isinstance(error, MemoryError):
        return f"memory does not suffice ({text or 'out of memory'})."
    if isinstance(error, REPORTED):
        return text
    if isinstance(error, RuntimeError) and text.startswith("Symlink loop"):
        return f"{text}: mend the links."  # of pathlib, before Python 3.13
    # JAX's errors, by their names: few programs need JAX
    if out_of_device_memory(error):
        return f"the memory of a device does not suffice ({text.splitlines()[0]})."
    return None


def _disk_is_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    # libraries of other languages raise other types
    return "No space left on device" in str(error)


def out_of_device_memory(error: Exception) -> bool:
    """Whether an array did not fit into a device's memory."""
    return type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError") and str(
        error
    ).startswith("RESOURCE_EXHAUSTED")


@contextlib.contextmanager
def _quiet_background() -> Iterator[None]:
    """Silences libraries and threads within a scope, except for bugs.

    The errors of threads are raised again by those who wait for their results. Orbax
    and TFDS raise what they log through absl.
    """
    logger, hook = logging.getLogger("absl"), threading.excepthook
    disabled, logger.disabled = logger.disabled, True

    def report(failure: threading.ExceptHookArgs) -> None:
        error = failure.exc_value
        if not isinstance(error, Exception) or explain(error) is None:
            hook(failure)

    threading.excepthook = report
    try:
        yield
    finally:
        logger.disabled = disabled
        threading.excepthook = hook


def leave(main: Callable[[], int]) -> NoReturn:
    """Runs a program and ends the process with its exit code.

    After an error the process ends whatever its threads still wait for.

    Args:
        main: the program.
    """
    try:
        code = main()
    except Exception:
        complain(traceback.format_exc().rstrip())
        code = 1
    if code:
        interruption.end_process(code)
    sys.exit(0)


def printable(text: object) -> str:
    r"""Writes control characters, which a file name may have, as escapes: in one line.

    Args:
        text: a message, a name, or an error.

    Example:
        >>> terminal.printable("runs/a\nb")
        'runs/a\\nb'
    """
    return "".join(
        sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(text)
    )


def _print_any_name() -> None:
    """Lets names be printed that the encoding of the terminal does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not where a caller replaced it
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _warnings_in_printable(name: str) -> Iterator[None]:
    """Prints the project's warnings as a program prints its errors, within a scope."""

    def show(message, category, filename, lineno, file=None, line=None):
        if category is UserWarning and file is None:
            complain(f"{name}: {printable(message)}")
        else:
            original(message, category, filename, lineno, file, line)

    original, warnings.showwarning = warnings.showwarning, show
    try:
        yield
    finally:
        warnings.showwarning = original


def make_console(**options: Any) -> rich.console.Console:
    """Makes a console of rich that raises BrokenPipeError and does not exit.

    Args:
        **options: those of `rich.console.Console`.

    Raises:
        MissingExtraError: rich is not installed.
    """
    _require_rich()
    import rich.console

    class Console(rich.console.Console):
        def on_broken_pipe(self) -> None:
            raise  # rich calls it while it handles the error

    return Console(**options)


def print_above(progress: rich.progress.Progress, text: str, instead: str) -> None:
    """Prints a line above a progress bar.

    A long program outlives whoever read its output: it then says so on stderr, once,
    and prints no more.

    Args:
        progress: the bar.
        text: the line.
        instead: where the reader finds what is no longer printed.
    """
    console = progress.console
    try:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
    except OSError as error:
        console.quiet = progress.disable = True
        discard_output()
        complain(f"Nobody reads the progress any more ({error.strerror}): {instead}.")


def make_table(*columns: str, **options: Any) -> rich.table.Table:
    """Makes a table of rich.

    Args:
        *columns: titles of the first columns.
        **options: those of `rich.table.Table`.

    Raises:
        MissingExtraError: rich is not installed.
    """
    _require_rich()
    import rich.table

    return rich.table.Table(*columns, **options)


def _require_rich() -> None:
    """Checks that rich is installed, which programs alone need, and import late."""
    extras.require("show progress and tables", "rich")


def bar_columns(*details: str) -> tuple[rich.progress.ProgressColumn, ...]:
    """Columns of a progress bar, in the style that all programs share.

    Args:
        details: further columns between the count and the remaining time, such as
            ``"{task.fields[rate]}"``.

    Raises:
        MissingExtraError: rich is not installed.
    """
    _require_rich()
    import rich.progress

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

    Raises:
        MissingExtraError: rich is not installed.
    """
    _require_rich()
    import rich.progress

    console = make_console(stderr=True)
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
