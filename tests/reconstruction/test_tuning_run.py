"""Whole searches by the command line: trials, failures, signals, what is written."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import rich.console

pytest.importorskip("optuna")

from jaxsoftras import config, interruption, terminal
from jaxsoftras.reconstruction.tuning import plan as plans
from jaxsoftras.reconstruction.tuning import programs, run, trial
from jaxsoftras.reconstruction.validation import Validation
from tests.reconstruction import test_tuning_programs
from tests.support import small_run

WORDS = ["log.validate_every=1", "optim.steps=4"]
RATES = "optim.learning_rate=1e-4..1e-2:log"
SPACE = [RATES, "loss.laplacian=1e-3..0.1:log"]


@pytest.fixture
def tune(cabinets, tmp_path):
    """Runs the command in one folder; returns the exit code."""

    def call(*words: str, new: bool = True, settings: tuple[str, ...] = ()) -> int:
        configured = ["--config", str(small_run.CONFIG)] if new else []
        assigned = [*small_run.SMALL, f"data.root={cabinets}", *WORDS, *settings]
        overrides = ["--set", *assigned] if new else []
        return run.main(
            [*configured, "--workdir", str(tmp_path / "s"), *words, *overrides]
        )

    return call


@pytest.fixture
def fake(monkeypatch):
    """Replaces training: trials score their learning rate, or do as they are told."""

    def train(settings, found, report, progress, stop):
        numbers.append(len(numbers))
        action = fake.actions.get(len(numbers) - 1)
        if action:
            action(stop)
        if stop.number is not None:
            return None
        score = settings.optim.learning_rate
        scores = Validation("iou", score, {}, "1 of 1 objects")
        pruned = report(settings.optim.steps, scores)
        return trial.Outcome(settings.optim.steps, scores, pruned, 0.0, 0.0)

    class Fake:
        actions = {}

    numbers, fake = [], Fake()
    monkeypatch.setattr(trial, "run", train)
    monkeypatch.setattr(programs, "Programs", lambda settings: None)
    return fake


def read(folder) -> dict:
    return json.loads((folder / "results.json").read_text())


def states(folder) -> list[str]:
    return [row["state"] for row in read(folder)["trials"]]


class TestSearch:
    def test_trains_writes_all_files_and_goes_on(self, tune, tmp_path, capfd):
        folder = tmp_path / "s"
        choices = "optim.learning_rate=1e-3|1e30"  # the latter diverges
        # the programs of test_tuning_programs
        words = (*test_tuning_programs.WORDS, *test_tuning_programs.NUMBERS)
        assert tune("--trials", "2", "--search", choices, settings=words) == 0
        output = capfd.readouterr()
        assert output.err == ""
        results = read(folder)
        by_rate = {
            row["values"]["optim.learning_rate"]: row for row in results["trials"]
        }
        good, bad = by_rate["1e-3"], by_rate["1e30"]
        assert good["state"] == "complete" and bad["state"] == "failed"
        assert "gave a loss of" in bad["reason"] and "Step " in bad["reason"]
        assert f"failed: {bad['reason']}" in output.out
        assert [step for step, _ in good["course"]] == [2, 4]
        assert good["score"] == max(score for _, score in good["course"])
        assert results["best"] == good["number"] and results["measure"] == "iou"
        assert results["part"] == "1 of 1 objects, 4 of 24 views"
        # the best configuration trains in full
        best = config.load(folder / "best.py")
        saved = plans.choose(folder, None, [], [], None)
        assert best == config.override(saved.settings, ["optim.learning_rate=1e-3"])
        line = f"jaxsoftras train --config {folder}/best.py --workdir {folder}/best"
        assert line in output.out
        assert (folder / "report.html").read_text().count("plotly") > 10
        # all of the space is tried
        assert tune("--trials", "9", new=False) == 0
        assert read(folder) == results

    def test_best_is_the_best_and_a_resumed_search_adds(self, tune, fake, tmp_path):
        folder = tmp_path / "s"
        assert tune("--trials", "3", "--search", *SPACE) == 0
        first = read(folder)
        assert tune("--trials", "5", "--seed", "4", new=False) == 0
        results = read(folder)
        assert results["trials"][:3] == first["trials"]
        rates = [row["values"]["optim.learning_rate"] for row in results["trials"]]
        assert len(set(rates)) == 5 and results["best"] == rates.index(max(rates))
        assert config.load(folder / "best.py").optim.learning_rate == max(rates)
        with (folder / "results.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [float(row["optim.learning_rate"]) for row in rows] == rates
        assert (
            f"| {results['best']} | complete |" in (folder / "results.md").read_text()
        )

    def test_blanks_in_the_space_change_nothing(self, tune, fake, tmp_path):
        space = ["optim.learning_rate = 1e-4 .. 1e-2 : log", " loss.laplacian =0|0.1"]
        assert tune("--trials", "2", "--search", *space) == 0
        results = read(tmp_path / "s")
        assert results["space"] == {
            "optim.learning_rate": "1e-4..1e-2:log",
            "loss.laplacian": "0|0.1",
        }
        with (tmp_path / "s" / "results.csv").open() as file:
            for row in csv.DictReader(file):
                assert row["optim.learning_rate"] and row["loss.laplacian"]
        assert (tmp_path / "s" / "report.html").is_file()

    def test_steps_shorten_trials_but_not_the_best_run(self, tune, fake, tmp_path):
        words = ("optim.steps=1000", "optim.decay_step=500", "log.validate_every=5")
        assert tune("--trials", "1", "--steps", "10", settings=words) == 0
        assert read(tmp_path / "s")["steps"] == 10
        best = config.load(tmp_path / "s" / "best.py")
        assert best.optim.steps == 1000 and best.optim.decay_step == 500


class TestFailures:
    def test_values_that_do_not_go_together_fail_alone(self, tune, fake, tmp_path):
        words = ("optim.decay_step=10",)
        choices = ["optim.decay_step=5|10", "optim.warmup_steps=0|7"]
        assert tune("--search", *choices, "--trials", "9", settings=words) == 0
        failed = [row for row in read(tmp_path / "s")["trials"] if row["reason"]]
        assert len(states(tmp_path / "s")) == 4 and len(failed) == 1
        assert "optim.warmup_steps must be from 0" in failed[0]["reason"]

    def test_a_name_in_a_reason_need_not_be_utf_8(self, tune, fake, tmp_path):
        def fail(_):
            raise trial.TrialError("There is no file \udcff.")

        fake.actions = {1: fail}
        assert tune("--search", *SPACE, "--trials", "2") == 0
        text = (tmp_path / "s" / "results.csv").read_text(encoding="utf-8")
        assert "no file \\udcff." in text
        assert read(tmp_path / "s")["trials"][1]["reason"].endswith("\udcff.")

    def test_a_search_of_failures_alone_ends(self, tune, fake, tmp_path, capfd):
        def diverge(_):
            raise trial.TrialError("Step 1 gave a loss of nan.")

        fake.actions = dict.fromkeys(range(99), diverge)
        assert tune("--search", *SPACE, "--trials", "40") == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert "No trial is complete" in line and "results.md says why" in line
        assert states(tmp_path / "s") == ["failed"] * 5
        assert "gave a loss of nan" in (tmp_path / "s" / "results.md").read_text()
        assert not (tmp_path / "s" / "best.py").exists()

    def test_a_bug_ends_the_program_and_the_trial_is_repeated(
        self, tune, fake, tmp_path
    ):
        fake.actions = {0: lambda _: 1 / 0}
        with pytest.raises(ZeroDivisionError):
            tune("--search", *SPACE, "--trials", "1")
        assert tune("--trials", "1", new=False) == 0
        assert states(tmp_path / "s") == ["complete"]

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            (("data.root=nowhere",), "nowhere"),
            (("model.image_size=32",), "model.image_size is 32"),
            (("data.categories=chair",), "chair"),
            (("log.validate_every=0",), "set log.validate_every"),
            (("optim.batch_size=3",), "does not divide evenly among 4 devices"),
        ],
    )
    def test_what_no_trial_can_do_is_refused_before_anything_is_written(
        self, tune, tmp_path, capfd, settings, message
    ):
        assert tune("--trials", "1", settings=settings) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert message in line
        assert not (tmp_path / "s").exists()

    @pytest.mark.parametrize(
        "words",
        [
            ["--trials", "0"],
            ["--trials", "x"],
            ["--steps", "-1"],
            ["--seed", "-1"],
            ["--search"],
        ],
    )
    def test_wrong_options_are_refused(self, tune, words, capfd):
        with pytest.raises(SystemExit) as caught:
            tune(*words)
        assert caught.value.code == 2


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_trial_is_left_to_be_repeated(self, tune, fake, tmp_path, capfd, number):
        points = []

        def interrupt(stop):
            with stop.defer():
                os.kill(os.getpid(), number)
                time.sleep(0.01)

        fake.actions = {1: interrupt}
        assert tune("--search", *SPACE, "--trials", "3") == 128 + number
        (line,) = capfd.readouterr().err.splitlines()
        assert f"stopped by {interruption.name(number)}" in line and "goes on" in line
        assert not (tmp_path / "s" / "results.json").exists()
        assert tune("--trials", "3", new=False) == 0
        rows = read(tmp_path / "s")["trials"]
        assert [row["state"] for row in rows] == ["complete"] * 3
        points = [tuple(row["values"].values()) for row in rows]
        assert len(set(points)) == 3
        assert not list((tmp_path / "s").glob(".worker-*"))

    def test_before_the_first_step(self, tune, fake, tmp_path):
        def interrupt(_):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)

        fake.actions = {0: interrupt}
        assert tune("--search", *SPACE, "--trials", "1") == 143
        assert tune("--trials", "1", new=False) == 0
        assert states(tmp_path / "s") == ["complete"]


def test_without_optuna_one_sentence_says_what_to_install(
    tune, tmp_path, monkeypatch, capfd
):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert tune() == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith(
        'Install optuna to search for hyperparameters: pip install "jaxsoftras[tune]".'
    )
    assert not (tmp_path / "s").exists()


def test_without_plotly_the_results_are_there(tune, fake, tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "plotly", None)
    assert tune("--search", *SPACE, "--trials", "1") == 0
    assert 'pip install "jaxsoftras[report]"' in capfd.readouterr().out
    assert states(tmp_path / "s") == ["complete"]
    assert not (tmp_path / "s" / "report.html").exists()


def test_a_search_whose_output_nobody_reads_goes_on(
    tune, fake, tmp_path, monkeypatch, capfd
):
    def refuse(*_, **__):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(rich.console.Console, "print", refuse)
    monkeypatch.setattr(terminal, "discard_output", lambda: None)
    monkeypatch.setattr(run, "_conclude", lambda *_: None)  # which prints
    assert tune("--search", *SPACE, "--trials", "2") == 0
    assert states(tmp_path / "s") == ["complete"] * 2
    lines = capfd.readouterr().err.splitlines()
    assert lines and all("Nobody reads the progress" in line for line in lines)


def test_a_folder_may_have_any_name(cabinets, fake, tmp_path, capfd):
    folder = tmp_path / "a b\n'é|<i>"
    words = [*small_run.SMALL, f"data.root={cabinets}", *WORDS]
    arguments = ["--config", str(small_run.CONFIG), "--workdir", str(folder)]
    assert run.main([*arguments, "--trials", "1", "--set", *words]) == 0
    assert states(folder) == ["complete"]
    assert "a b\\n" in capfd.readouterr().out
    assert "<i>" not in (folder / "report.html").read_text().partition("</title>")[0]


def test_a_full_disk_is_named(tune, fake, tmp_path, monkeypatch, capfd):
    def fill(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run, "_write", fill)
    assert tune("--search", *SPACE, "--trials", "1") == 2
    assert "the disk is full" in capfd.readouterr().err


@pytest.mark.slow
def test_killed_processes_leave_a_search_that_goes_on(cabinets, tmp_path):
    """One process is killed while it trains, and two others end the search."""
    assigned = [*small_run.SMALL, f"data.root={cabinets}", "log.validate_every=50"]
    command = [
        *(sys.executable, "-m", "jaxsoftras", "tune", "--config", "softras"),
        *("--workdir", str(tmp_path / "s"), "--trials", "4", "--search", *SPACE),
        *("--set", *assigned, "optim.steps=100"),
    ]

    def start() -> subprocess.Popen:
        return subprocess.Popen(command, cwd=small_run.ROOT, stdout=subprocess.DEVNULL)

    journal = tmp_path / "s" / "journal.log"
    victim = start()
    while not (journal.exists() and '"worker"' in journal.read_text()):
        assert victim.poll() is None
        time.sleep(0.1)
    victim.kill()
    victim.wait()
    others = [start(), start()]
    for other in others:
        assert other.wait() == 0
    results = read(tmp_path / "s")
    assert len(results["trials"]) == 4
    assert {row["state"] for row in results["trials"]} <= {"complete", "pruned"}
    points = {tuple(row["values"].values()) for row in results["trials"]}
    assert len(points) == 4
    assert results["part"] == "1 of 1 objects, 4 of 24 views"
