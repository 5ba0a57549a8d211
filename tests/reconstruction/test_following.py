import shutil
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from jaxsoftras.reconstruction import checkpoints, run_folder, runs
from jaxsoftras.reconstruction.following import Follower
from tests.support import small_run, viewed_runs
from tests.support.folders import read_files


class Loaded(NamedTuple):
    """A checkpoint that was found and verified, without its network."""

    step: int


def find(folder: Path, step) -> Loaded:
    with checkpoints.Checkpoints(folder, read_only=True) as found:
        return Loaded(found.find(step))


def save(folder: Path, step: int, *, keep: int = 3, score: float | None = None):
    with checkpoints.Checkpoints(folder, keep) as written:
        written.save(step, {"x": np.zeros(3)})
        if score is not None:
            written.add_score(step, score)


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """A run folder; making networks would take most of the time."""
    monkeypatch.setattr(runs, "load", find)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    return tmp_path / "run"


def poll(follower: Follower) -> int | None:
    trained = follower.poll()
    return None if trained is None else trained.step


def test_networks_are_loaded(tmp_path):
    workdir = viewed_runs.write_run(tmp_path / "run", tmp_path)
    viewed_runs.save_checkpoint(workdir, 100)
    trained = Follower(workdir, None).poll()
    assert trained is not None and trained.step == 100
    assert trained.network.faces.shape == (80, 3)


def test_new_checkpoints_are_taken_once_and_leave_no_trace(workdir):
    follower = Follower(workdir, None)
    assert poll(follower) is None
    for step in (100, 200):
        save(workdir, step)
        before = read_files(workdir)
        assert [poll(follower), poll(follower)] == [step, None]
        assert read_files(workdir) == before


def test_the_best_is_followed_by_its_score(workdir):
    follower = Follower(workdir, "best")
    save(workdir, 100)
    assert poll(follower) is None
    save(workdir, 200, score=0.4)
    assert poll(follower) == 200
    save(workdir, 300, score=0.3)
    assert poll(follower) is None
    save(workdir, 400, score=0.5)
    assert poll(follower) == 400


def test_one_step_is_loaded_once_or_refused(workdir):
    save(workdir, 100)
    follower = Follower(workdir, 100)
    assert poll(follower) == 100
    save(workdir, 200)
    assert poll(follower) is None
    with pytest.raises(run_folder.RunError, match="no checkpoint of step 7"):
        poll(Follower(workdir, 7))


def test_another_checkpoint_of_the_same_step_is_taken(workdir):
    save(workdir, 100)
    follower = Follower(workdir, None)
    assert poll(follower) == 100
    shutil.rmtree(workdir / "checkpoints")
    assert poll(follower) is None
    save(workdir, 100)
    assert poll(follower) == 100


def test_one_that_is_removed_while_it_is_read_is_passed_over(workdir, monkeypatch):
    save(workdir, 100)

    def remove_first(folder, step):
        shutil.rmtree(workdir / "checkpoints" / "100", ignore_errors=True)
        return find(folder, step)

    follower = Follower(workdir, None)
    monkeypatch.setattr(runs, "load", remove_first)
    assert poll(follower) is None
    save(workdir, 200)
    assert poll(follower) == 200


@pytest.mark.filterwarnings("ignore:The checkpoint .* is damaged")
@pytest.mark.parametrize("which", [None, "best", 100])
def test_a_damaged_one_is_reported_once(workdir, which):
    save(workdir, 100, score=0.1)
    (workdir / "checkpoints" / "100" / "checkpoint.json").write_text("{")
    follower = Follower(workdir, which)
    with pytest.raises(run_folder.RunError):
        poll(follower)
    assert poll(follower) is None


def test_before_a_damaged_one_the_sound_one_is_taken(workdir):
    save(workdir, 100)
    save(workdir, 200)
    (workdir / "checkpoints" / "200" / "checkpoint.json").write_text("{")
    follower = Follower(workdir, None)
    with pytest.warns(UserWarning, match="200 is damaged"):
        assert poll(follower) == 100
    assert poll(follower) is None


def test_a_training_that_writes_and_removes_is_not_disturbed(workdir):
    """Checkpoints appear and vanish as fast as they can while they are followed."""
    follower, seen = Follower(workdir, None), []
    writer = threading.Thread(
        target=lambda: [save(workdir, step, keep=1) for step in range(1, 6)]
    )
    with run_folder.claim(workdir):
        writer.start()
        while writer.is_alive():
            seen.append(poll(follower))
    seen.append(poll(follower))
    steps = [step for step in seen if step is not None]
    assert steps == sorted(steps) and steps[-1] == 5
    with checkpoints.Checkpoints(workdir, read_only=True) as found:
        assert found.newest() == 5


@pytest.mark.slow  # the test before follows what is written without a training
def test_two_viewers_follow_a_training(cabinets, tmp_path):
    workdir, seen, done = tmp_path / "run", ([], []), threading.Event()
    followers = Follower(workdir, None), Follower(workdir, None)

    def follow():
        while not done.is_set():
            for follower, steps in zip(followers, seen, strict=True):
                steps.append(poll(follower))

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        words = "optim.steps=6", "log.checkpoint_every=2"
        assert small_run.train(*words, workdir=workdir, root=cabinets) == 0
    finally:
        done.set()
        thread.join()
    for follower, steps in zip(followers, seen, strict=True):
        found = [step for step in [*steps, poll(follower)] if step is not None]
        assert found == sorted(set(found)) and found[-1] == 6
