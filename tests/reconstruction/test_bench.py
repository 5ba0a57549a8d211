import re

import pytest

from jaxsoftras.reconstruction import bench
from tests.support import small_run


@pytest.fixture
def words(cabinets):
    settings = "--set", *small_run.SMALL, f"data.root={cabinets}"
    return "--config", str(small_run.CONFIG), *settings


def test_rows_of_configurations_and_devices(words, capsys, monkeypatch):
    more = "--devices", "2", "--vary", "optim.batch_size=2"
    monkeypatch.setenv("COLUMNS", "120")
    code = bench.main([*words, *more, "--steps", "2", "--turns", "2"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    rows = re.findall(r"│\s+(\d+) │\s+(\d+) │\s+([\d.]+) ", printed.out)
    assert [row[:2] for row in rows] == [("2", "8"), ("2", "4")]
    assert all(float(row[2]) > 0 for row in rows)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--devices", "5"], "--devices must be from 1 to 4"),
        (["--vary", "optim.speed=9"], "optim.speed"),
    ],
)
def test_refuses(more, sentence, words, capsys):
    assert bench.main([*words, *more]) == 2
    assert sentence in small_run.error_line(capsys)


def test_times_the_start(words, capsys):
    assert bench.main([*words, "--starts", "1"]) == 0
    (seconds,) = re.findall(r"start 1: ([\d.]+) s", capsys.readouterr().out)
    assert float(seconds) > 0


def test_says_why_a_start_failed(words, capsys):
    code = bench.main([*words, "optim.steps=0", "--starts", "1"])
    assert code == 2
    assert "optim.steps" in small_run.error_line(capsys)
