"""Trials that processes share: who takes which, and what a killed one leaves."""

import errno
import itertools
import json
import math
import multiprocessing
import warnings
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from jaxsoftras import config, locks
from jaxsoftras.reconstruction.run_folder import RunError
from jaxsoftras.reconstruction.tuning import journal, sampler, search
from jaxsoftras.reconstruction.tuning import space as spaces
from jaxsoftras.reconstruction.tuning.trial import Outcome
from jaxsoftras.reconstruction.validation import Validation

REALS = ["optim.learning_rate=1e-4..1e-2:log", "loss.laplacian=0..0.1"]
FINITE = ["augment.mirror=true|false", "model.palette_size=4..12:step=4"]


def make_search(folder, texts=REALS, seed=0, steps=100, prune=True) -> search.Search:
    space = spaces.read(texts, config.Config())
    return search.Search(folder, space, seed, steps, prune=prune)


def finish(found: search.Search, trial: search.Trial, score: float, step=100) -> bool:
    """Reports a score and ends the trial; returns whether it was to be pruned."""
    pruned = found.report(trial, step, score)
    scores = Validation("iou", score, {}, "1 of 1 objects")
    found.finish(trial, Outcome(step, scores, pruned, 0.1, 0.2))
    return pruned


def take(found: search.Search, limit: int = 99) -> search.Trial:
    trial = found.ask(limit)
    assert trial is not None
    return trial


def laplacian(trial: search.Trial) -> float:
    return float(trial.point["loss.laplacian"])


def states(found: search.Search) -> list[str]:
    return [trial.state.name for trial in found.list_trials()]


class TestSampling:
    def test_points_depend_on_seed_and_number_alone(self, tmp_path):
        def draw(name: str, seed: int) -> list[dict]:
            (tmp_path / name).mkdir()
            found = make_search(tmp_path / name, seed=seed)
            points = []
            with found.join():
                for _ in range(10):  # the last ones by the estimators
                    trial = take(found)
                    points.append(dict(trial.point))
                    finish(found, trial, laplacian(trial))
            return points

        first, again, other = draw("a", 3), draw("b", 3), draw("c", 4)
        assert first == again and first[0] != other[0]

    def test_processes_of_one_seed_never_take_equal_points(self, tmp_path):
        one, two = make_search(tmp_path), make_search(tmp_path)
        with one.join(), two.join():
            trials = [take(each) for _ in range(6) for each in (one, two)]
        assert len({tuple(trial.point.values()) for trial in trials}) == 12
        assert [trial.number for trial in trials] == list(range(12))

    def test_a_finite_space_ends_when_all_of_it_is_tried(self, tmp_path):
        found, points = make_search(tmp_path, FINITE), []
        with found.join():
            while (trial := found.ask(99)) is not None:
                points.append(tuple(trial.point.values()))
                finish(found, trial, 0.5)
        assert sorted(points) == sorted(
            itertools.product(("True", "False"), (4, 8, 12))
        )

    def test_all_values_lie_in_the_space(self, tmp_path):
        texts = ["optim.beta1=0.5..0.9:step=0.1", "optim.warmup_steps=1..64:log"]
        found = make_search(tmp_path, texts)
        with found.join():
            for _ in range(20):
                trial = take(found)
                beta, warmup = trial.point.values()
                assert isinstance(beta, float) and isinstance(warmup, int)
                assert math.isclose(round(beta * 10), beta * 10)
                assert 0.5 <= beta <= 0.9 and 1 <= warmup <= 64
                finish(found, trial, 0.5)

    def test_the_limit_is_that_of_the_whole_search(self, tmp_path):
        one, two = make_search(tmp_path), make_search(tmp_path)
        with one.join(), two.join():
            first = take(one, 2)
            take(two, 2)
            assert one.ask(2) is None and two.ask(2) is None
            one.fail(first, "no luck")
            assert one.ask(2) is None  # it counts
            take(two, 3)


class TestRepetition:
    def test_a_trial_that_was_put_back_is_taken_next(self, tmp_path):
        one, two = make_search(tmp_path), make_search(tmp_path)
        with one.join():
            trial = take(one, 1)
            one.put_back(trial)
            assert states(one) == ["WAITING"]
        with two.join():
            again = take(two, 1)
            assert again.point == trial.point and again.number != trial.number
            finish(two, again, 0.5)
            assert states(two) == ["COMPLETE"] and two.ask(1) is None

    def test_trials_of_living_processes_are_let_alone(self, tmp_path):
        one, two = make_search(tmp_path), make_search(tmp_path)
        with one.join(), two.join():
            take(one, 1)
            assert two.ask(1) is None
            assert states(two) == ["RUNNING"]

    def test_the_lock_of_a_process_is_removed_once_it_is_free(
        self, tmp_path, monkeypatch
    ):
        held, remove = [], journal.Lock.remove

        def record(lock):
            held.append(lock.is_held())
            remove(lock)

        monkeypatch.setattr(journal.Lock, "remove", record)
        with make_search(tmp_path).join():
            (path,) = tmp_path.glob(".worker-*")
            assert journal.Lock(path).is_held()
        assert held == [False] and not path.exists()

    def test_a_killed_process_leaves_its_trial_to_be_repeated(self, tmp_path):
        one, two, three = (make_search(tmp_path) for _ in range(3))
        with one.join():
            trial = take(one, 1)
        with two.join(), three.join():
            again = take(two, 1)
            assert again.point == trial.point
            assert three.ask(1) is None  # once only
            finish(two, again, 0.5)
        assert not list(tmp_path.glob(".worker-*"))

    def test_a_trial_that_kills_its_process_each_time_is_given_up(self, tmp_path):
        for _ in range(3):
            found = make_search(tmp_path)
            with found.join():
                take(found, 1)
        found = make_search(tmp_path)
        with found.join():
            assert found.ask(1) is None
        assert states(found) == ["FAIL"]

    def test_being_put_back_is_no_failed_try(self, tmp_path):
        found = make_search(tmp_path)
        with found.join():
            for _ in range(5):
                trial = take(found, 1)
                found.put_back(trial)
            finish(found, take(found, 1), 0.5)
        assert states(found) == ["COMPLETE"]

    def test_a_process_killed_between_two_entries_repeats_a_trial_once(
        self, tmp_path, monkeypatch
    ):
        found = make_search(tmp_path)
        with found.join():
            trial = take(found, 1)
            with monkeypatch.context() as patch:
                patch.setattr(found._study, "tell", lambda *_, **__: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    found.put_back(trial)
        after = make_search(tmp_path)
        with after.join():
            again = take(after, 1)
            assert again.point == trial.point and after.ask(1) is None

    def test_a_process_killed_before_it_has_a_point_leaves_nothing(self, tmp_path):
        found = make_search(tmp_path)
        found._study.ask()
        assert states(found) == []
        with found.join():
            assert take(found, 1).number == 1


class TestPruning:
    def test_bad_trials_end_after_a_quarter_of_the_steps(self, tmp_path):
        found = make_search(tmp_path)
        with found.join():
            for _ in range(5):
                trial = take(found)
                for step in (10, 50):
                    assert not found.report(trial, step, 0.5)
                finish(found, trial, 0.5)
            good, bad = take(found), take(found)
            assert not found.report(bad, 10, 0.1)
            assert found.report(bad, 50, 0.2) and not found.report(good, 50, 0.6)

    def test_can_be_turned_off(self, tmp_path):
        found = make_search(tmp_path, prune=False)
        with found.join():
            for _ in range(5):
                finish(found, take(found), 0.5)
            assert not finish(found, take(found), 0.1)
        assert states(found) == ["COMPLETE"] * 6


class TestImportance:
    def test_the_field_that_matters_is_first(self, tmp_path):
        found = make_search(tmp_path)
        with found.join():
            laplacians = []
            for number in range(20):
                assert bool(found.rank_fields()) == (number >= 5)
                trial = take(found)
                laplacians.append(laplacian(trial))
                finish(found, trial, laplacians[-1])
        assert sum(laplacians[-8:]) > sum(laplacians[:8])  # learnt meanwhile
        ranks = found.rank_fields()
        assert next(iter(ranks)) == "loss.laplacian"
        assert math.isclose(sum(ranks.values()), 1)

    def test_is_unknown_where_all_scores_are_equal(self, tmp_path):
        found = make_search(tmp_path)
        with found.join():
            for _ in range(6):
                finish(found, take(found), 0.5)
        assert found.rank_fields() == {}


class TestJournal:
    @pytest.mark.parametrize("left", [b'{"op_code":', b"\0" * 100, b"["])
    def test_a_torn_line_is_removed(self, tmp_path, left):
        found = make_search(tmp_path)
        with found.join():
            finish(found, take(found), 0.5)
            path = tmp_path / search.FILE
            path.write_bytes(path.read_bytes() + left)
            finish(found, take(found), 0.4)
        assert states(make_search(tmp_path)) == ["COMPLETE", "COMPLETE"]
        for line in path.read_text().splitlines():
            json.loads(line)

    def test_the_lock_of_a_killed_writer_holds_nobody_up(self, tmp_path):
        found = make_search(tmp_path)
        (tmp_path / f".{search.FILE}.optuna.lock").touch()
        with found.join():
            take(found)  # optuna alone would wait for half a minute
        assert not (tmp_path / f".{search.FILE}.optuna.lock").exists()

    @pytest.mark.parametrize(
        "content",
        [
            b"x\n",
            b"{}\n",
            b"[]\n",
            b"\xff\n",
            b'{"op_code": 99, "worker_id": "x"}\n',
            b'{"op_code": "0", "worker_id": "x"}\n{"op_code": 4}\n',
            b'{"op_code": 4, "worker_id": "x"}\n',
            b"[" * 100_000 + b"\n",
        ],
    )
    def test_a_damaged_one_is_named(self, tmp_path, content):
        path = tmp_path / search.FILE
        path.write_bytes(content * 2)
        with pytest.raises(RunError, match="journal.log is damaged"):
            make_search(tmp_path)
        assert path.read_bytes() == content * 2

    def test_without_locks_there_is_a_warning(self, tmp_path, monkeypatch):
        def refuse(_):
            raise OSError(errno.ENOLCK, "No locks available")

        found = make_search(tmp_path)
        with found.join():
            take(found, 1)
        monkeypatch.setattr(locks, "acquire", refuse)
        with pytest.warns(UserWarning, match="has no locks.*one process alone"):
            other = make_search(tmp_path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with other.join():  # nobody knows whether the first one lives
                (tmp_path / ".worker-x.lock").touch()
                assert journal.Lock(tmp_path / ".worker-x.lock").is_held()


def _take_part(folder: str) -> None:
    found = make_search(Path(folder), prune=False)
    with found.join():
        while (trial := found.ask(24)) is not None:
            finish(found, trial, laplacian(trial))


@pytest.mark.slow
def test_processes_side_by_side_share_the_trials(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_take_part, args=(str(tmp_path),)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = make_search(tmp_path)
    assert states(found) == ["COMPLETE"] * 24
    assert len(sampler.list_tried(found._study, found._distributions)) == 24
