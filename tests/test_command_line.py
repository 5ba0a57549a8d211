"""Types of command-line options."""

import argparse

import pytest

from jaxsoftras import command_line


def test_positive():
    assert command_line.positive(" 12 ") == 12


@pytest.mark.parametrize(
    ("text", "reason"),
    [("0", "0 is not positive"), ("-3", "not positive"), ("1e3", "not a whole number")],
)
def test_refuses_other_words(text, reason):
    with pytest.raises(argparse.ArgumentTypeError, match=reason):
        command_line.positive(text)
