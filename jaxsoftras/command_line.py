"""Types of command-line options, for `argparse`."""

from __future__ import annotations

import argparse


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
