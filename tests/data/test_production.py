"""Options of data sets that a seed makes, and the number of their processes."""

from __future__ import annotations

import pytest

from jaxsoftras import cores
from jaxsoftras.data import production


@pytest.mark.parametrize(
    ("wanted", "objects", "expected"),
    [
        (None, 10_000, 4),  # one for each core
        (None, 70, 2),  # few objects do not repay more
        (None, 3, 0),
        (9, 10_000, 9),
        (9, 3, 3),
        (1, 3, 1),
    ],
)
def test_processes_are_no_more_than_repay_their_start(
    wanted, objects, expected, monkeypatch
):
    monkeypatch.setattr(cores, "count_cores", lambda: 4)
    assert production.choose_processes(wanted, objects) == expected


@pytest.mark.parametrize(
    ("seed", "image_size", "message"),
    [
        (-1, 64, "^The seed must not be negative, as -1 is.$"),
        (0, 0, "^The image size must be from 1 to 8192, not 0.$"),
        (0, 9000, "^The image size must be from 1 to 8192, not 9000.$"),
    ],
)
def test_refusals_name_what_is_wrong_alone(seed, image_size, message):
    with pytest.raises(ValueError, match=message):
        production.check_options(seed, image_size, "numpy")
