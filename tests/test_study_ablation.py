"""Ablations of docs/images/study.py, from run folders without checkpoints."""

import pytest

from jaxsoftras.reconstruction import resampling
from tests.support.study_runs import import_program, make_run, run


@pytest.fixture(scope="module")
def program():
    with import_program() as module:
        yield module


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(resampling, "RESAMPLES", 200)


def test_rows_are_compared_with_the_first(program, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, iou in (("a0", 0.3), ("a1", 0.34), ("b0", 0.42)):
        make_run(tmp_path / name, f"seed={name[1]}", iou=iou, val_iou=iou - 0.1)
    words = "the |paper|=a0, a1", "mo\nre=b0,gone", "none=gone2"
    assert run(program, monkeypatch, "--ablation", *words) == 0
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert rows[2].startswith("| the \\|paper\\| | 2 | 0.2200 | 0.3425 ± 0.0283 | –")
    assert rows[3].startswith("| mo\\nre | 1 | 0.3200 | 0.4425 | +0.1000 [")
    assert rows[4] == "| none | 0 | – | – | – |"
    assert "Left out: gone (" in printed and "Left out: gone2 (" in printed


def test_runs_with_equals_signs(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("lr=1", "sweep/lr=1,seed=2", "sweep/lr=1", "2", "seed=3"):
        make_run(tmp_path / name)
    for text, expected in {
        "a=lr=1": ("a", ["lr=1"]),
        " a =sweep/lr=1, seed=3": ("a", ["sweep/lr=1", "seed=3"]),
        "a=./seed=2": ("a", ["./seed=2"]),
        f"a={tmp_path}/seed=2": ("a", [f"{tmp_path}/seed=2"]),
        "a=2,lr=1,gone=4": ("a", ["2", "lr=1", "gone=4"]),
    }.items():
        assert program.study_tables._split_row(text) == expected
    text = program.study_tables.describe_ablation(["a=lr=1", "b=./2"], "test")
    assert "| a | 1 | 0.2500 |" in text and "| b | 1 | 0.2500 |" in text


def test_validations_of_different_steps_or_parts(program, tmp_path):
    make_run(tmp_path / "a", part="all")
    make_run(tmp_path / "b", "seed=1", part="some")
    lines = (tmp_path / "b" / "metrics.jsonl").read_text().splitlines()
    (tmp_path / "b" / "metrics.jsonl").write_text("\n".join(lines[:-1]))
    words = [f"a={tmp_path / 'a'}", f"b={tmp_path / 'b'}"]
    text = program.study_tables.describe_ablation(words, "test")
    assert "| a | 1 | 0.2500 |" in text
    assert "| b | 1 | – |" in text  # validated at half of the steps alone
    assert "Validations are of different parts: all; some." in text


def test_rows_that_differ_in_other_things_than_seeds_are_noted(program, tmp_path):
    for name, *words in (
        ("a0", "seed=0"),
        ("a1", "seed=1", "optim.batch_size=32"),
        ("b0", "seed=5"),
        ("b1", "seed=5"),
    ):
        make_run(tmp_path / name, *words)
    rows = [f"{r}={tmp_path / f'{r}0'},{tmp_path / f'{r}1'}" for r in "ab"]
    text = program.study_tables.describe_ablation(rows, "test")
    assert "The runs of a differ in more than their seed: 64; 32." in text
    assert "± of b is not of different seeds: its runs have 5, 5." in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a"], "write LABEL=RUN,RUN,RUN"),
        (["=runs/a"], "write LABEL=RUN,RUN,RUN"),
        ([" =runs/a"], "write LABEL=RUN,RUN,RUN"),
        (["a=,"], "write LABEL=RUN,RUN,RUN"),
        (["a=x", " a =y"], "two rows have the label a"),
        (["a=x", "b=./x"], "x is named twice"),
        (["a=x", "b=y"], "The row a, which the others are compared with, has no"),
        (["lr=0.1=run"], "begin with 0.1=run; write a label without one, such as"),
        (["lr=0.1=gone"], "'lr 0.1', or ./0.1=gone for a run of that name"),
        (["a=lr=1=run,lr=1"], "begin with lr=1=run; write a label without one"),
        (["a= =run"], "begin with =run; write a label without one"),
        (["a=both=run"], "begin with both=run; write a label without one"),
        (["a=./both=gone"], "The row a, which the others are compared with, has no"),
        (["a=one,two"], "one,two is one folder; name it by a symbolic link"),
    ],
)
def test_refusals(words, message, program, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("run", "both=run", "one,two", "lr=1"):
        (tmp_path / name).mkdir()
    assert run(program, monkeypatch, "--ablation", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_an_ablation_has_no_figures(program, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(program, monkeypatch, "--ablation", "a=x", "--out", "there")
    assert "an ablation has none" in capsys.readouterr().err
