import re

import pytest
import rich.console

from jaxsoftras import config
from jaxsoftras.reconstruction import bench
from tests.support import small_run


@pytest.fixture
def words(cabinets):
    settings = "--set", *small_run.SMALL, f"data.root={cabinets}"
    return "--config", str(small_run.CONFIG), *settings


def test_times_what_a_run_does(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    code = bench.main([*words, "--devices", "2", "--steps", "2", "--turns", "2"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    (row,) = re.findall(r"^as it is +(\d+) +(\d+) +([\d.]+) ", printed.out, re.M)
    assert row[:2] == ("2", "8") and float(row[2]) > 0


def test_rows_of_configurations_and_devices():
    rows = bench.make_rows(
        config.Config(), ["optim.ema=0.9,optim.batch_size=2"], [1, 4]
    )
    assert [(row.devices, row.settings.optim.batch_size) for row in rows] == [
        *((1, 64), (4, 256), (1, 2), (4, 8))
    ]
    assert [row.settings.optim.ema for row in rows] == [0, 0, 0.9, 0.9]


def test_ratios_are_those_of_objects_a_second(capsys):
    rows = bench.make_rows(config.Config(), [], [1, 2])
    timings = [bench.Timing(1.0, [2.0, 2.0, 9.0], 0.5), bench.Timing(1.0, [2.5], 0.5)]
    console = rich.console.Console(width=80)
    console.print(bench.make_table(rows, timings, "times"))
    *_, one, two = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert one[3:] == "1 64 2.000 9.000 500.0 1.000 1.0 0.5000".split()
    assert two[3:] == "2 128 2.500 2.500 400.0 1.600 1.0 0.5000".split()


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


@pytest.mark.slow  # the next one starts a program too
def test_times_the_start(words, capsys):
    assert bench.main([*words, "--starts", "1"]) == 0
    (seconds,) = re.findall(r"start 1: ([\d.]+) s", capsys.readouterr().out)
    assert float(seconds) > 0


def test_says_why_a_start_failed(words, capsys):
    code = bench.main([*words, "optim.steps=0", "--starts", "1"])
    assert code == 2
    assert "optim.steps" in small_run.error_line(capsys)
