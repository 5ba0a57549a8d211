"""Programs on a terminal: progress bars, one-line error messages, exit codes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Progress = Callable[[int, int], None]
"""``progress(done, total)``; a total of 0 stands for an unknown one."""


class ProgramError(RuntimeError):
    """Something a program cannot go on with; the message says why and what to do."""


REPORTED = (ProgramError, ValueError, OSError, ModuleNotFoundError)
"""Errors whose messages are written for the user; others are bugs and keep their
traceback."""


def run(
    name: str, command: Callable[[], object], *, interrupted: str = "interrupted."
) -> int:
    """Runs a command and reports what goes wrong in one line on stderr.

    Args:
        name: of the program, which begins that line.
        command: the work.
        interrupted: what to say after Ctrl-C.

    Returns:
        The exit code: 0 on success; 2 after an error; 130 after Ctrl-C.
    """
    try:
        command()
    except REPORTED as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: {interrupted}", file=sys.stderr)
        return 130
    return 0


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Shows a progress bar with count and remaining time on stderr.

    Where stderr is not a terminal, prints one line when the first item is done.

    Args:
        title: of the bar.

    Yields:
        The function that moves the bar.
    """
    import rich.console  # only programs need it
    import rich.progress

    console = rich.console.Console(stderr=True)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, visible=False)
        announced = False

        def progress(done: int, total: int) -> None:
            nonlocal announced
            if not announced and not console.is_terminal:
                console.print(f"{title}: {total or 'unknown'} in all", highlight=False)
            announced = True
            bar.update(task, completed=done, total=total or None, visible=True)

        yield progress
