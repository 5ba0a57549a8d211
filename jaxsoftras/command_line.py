"""Arguments that several command lines share, for `argparse`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from jaxsoftras import config


def positive(text: str) -> int:
    """Reads a whole number of 1 or more.

    Args:
        text: the word of the command line.

    Raises:
        ArgumentTypeError: it is none.

    Example:
        >>> from jaxsoftras import command_line
        >>> command_line.positive("12")
        12
    """
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def file_unless_config(advice: str) -> Callable[[str], Path]:
    """Makes a type of files that refuses the names of configurations.

    Args:
        advice: what to write for a configuration, whose name replaces ``{}``.

    Example:
        >>> from jaxsoftras import command_line
        >>> read = command_line.file_unless_config("write --config {}")
        >>> read("mug.png").name
        'mug.png'
    """

    def read(text: str) -> Path:
        if config.is_name(text):
            raise argparse.ArgumentTypeError(
                f"{text} is a configuration: {advice.format(text)}"
            )
        return Path(text)

    return read


def add_workdir(parser: argparse.ArgumentParser, help: str) -> None:
    """Adds the run folder, as the first word ``RUN`` and as ``--workdir FOLDER``.

    Args:
        parser: the parser, which has no other positional argument.
        help: what the folder is.
    """
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help=help)
    parser.add_argument(
        "--workdir", type=Path, metavar="FOLDER", help="the same as RUN"
    )


def choose_workdir(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> Path | None:
    """Finds the folder that the options of `add_workdir` name.

    Args:
        parser: the parser, which ends the program if they name two.
        options: the parsed options.

    Returns:
        The folder; None if neither option was given.
    """
    run, workdir = options.run, options.workdir
    if run and workdir and run.absolute() != workdir.absolute():
        parser.error(f"{run} and --workdir {workdir} are two folders: name one")
    return run if workdir is None else workdir


def require_workdir(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> Path:
    """`choose_workdir`, which ends the program if the options name no folder."""
    workdir = choose_workdir(parser, options)
    if workdir is None:
        parser.error("a run folder is needed: name it first, or by --workdir")
    return workdir
