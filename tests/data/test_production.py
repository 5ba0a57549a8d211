"""The number of processes that make the objects of a data set."""

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
