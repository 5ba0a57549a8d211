import threading

import numpy as np
import pytest

from jaxsoftras.reconstruction import checkpoint_files, checkpoint_scores
from jaxsoftras.reconstruction.checkpoints import Checkpoints
from jaxsoftras.reconstruction.run_folder import RunError


def save(workdir, scores, keep=1) -> list[int]:
    """Saves a checkpoint for each score; returns the steps that are left."""
    with Checkpoints(workdir, keep) as opened:
        for step, score in scores.items():
            opened.save(step, {"step": np.int32(step)})
            if score is not None:
                opened.add_score(step, score)
    return checkpoint_files.list_steps(workdir / "checkpoints")


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ([0.5, 0.3, 0.4], [1, 3]),
        ([0.3, 0.5, 0.4], [2, 3]),
        ([0.3, 0.4, 0.5], [3]),
        ([0.5, 0.5, 0.5], [1, 3]),  # the first of equal ones
        ([0.3, None, None], [1, 3]),
        ([None, None, None], [3]),
    ],
)
def test_the_best_is_kept_beside_the_newest(scores, kept, tmp_path):
    steps = dict(enumerate(scores, 1))
    assert save(tmp_path, steps) == kept
    with Checkpoints(tmp_path, read_only=True) as opened:
        assert opened.newest() == 3
        assert opened.best() == (kept[0] if any(scores) else None)


def test_a_resumed_run_knows_the_best_so_far(tmp_path):
    assert save(tmp_path, {1: 0.4, 2: 0.5, 3: 0.3}) == [2, 3]
    assert save(tmp_path, {4: 0.45, 5: 0.1}) == [2, 5]
    assert save(tmp_path, {6: 0.6}) == [6]


def test_a_score_that_is_known_before_the_checkpoint_is_written(tmp_path, monkeypatch):
    begin = threading.Event()
    write = Checkpoints._write
    monkeypatch.setattr(
        Checkpoints, "_write", lambda *args: (begin.wait(), write(*args))
    )
    with Checkpoints(tmp_path) as opened:
        opened.save(1, {"step": np.int32(1)})
        opened.add_score(1, 0.5)
        assert opened.score(1) is None
        begin.set()
        opened.wait()
        assert opened.score(1) == 0.5


def test_without_a_checkpoint_nothing_is_scored(tmp_path):
    with Checkpoints(tmp_path) as opened:
        opened.add_score(7, 0.5)
        opened.wait()
        assert opened.best() is None
    assert not list(tmp_path.iterdir())


class TestDamage:
    @pytest.fixture
    def workdir(self, tmp_path):
        assert save(tmp_path, {1: 0.4, 2: 0.5, 3: 0.3}, keep=3) == [1, 2, 3]
        return tmp_path

    def test_of_the_best_checkpoint(self, workdir):
        (workdir / "checkpoints" / "2" / "default" / "_METADATA").unlink()
        with Checkpoints(workdir, read_only=True) as opened:
            with pytest.warns(UserWarning, match="2 is damaged, and that of step 1"):
                assert opened.find("best") == 1
        with Checkpoints(workdir) as opened:
            with pytest.warns(UserWarning, match="is now damaged-2, and that of"):
                assert opened.best() == 1
            assert opened.best() == 1

    def test_of_the_only_checkpoint_with_a_score(self, workdir):
        for step in ("1", "3"):
            (workdir / "checkpoints" / step / "score.json").unlink()
        (workdir / "checkpoints" / "2" / "default" / "_METADATA").unlink()
        with Checkpoints(workdir) as opened:
            with pytest.warns(UserWarning, match="damaged-2, and no other one has a"):
                assert opened.best() is None
            assert opened.newest() == 3
            with pytest.raises(RunError, match=r"has a score; .*log\.validate_every"):
                opened.find("best")

    @pytest.mark.parametrize("content", [b"", b"[1]", b'{"score": 0.9}', b"\xff"])
    def test_of_a_score(self, content, workdir):
        (workdir / "checkpoints" / "2" / "score.json").write_bytes(content)
        with Checkpoints(workdir) as opened:
            assert opened.score(2) is None
            with pytest.warns(UserWarning, match="score of the checkpoint .*2 is dam"):
                assert opened.best() == 1


def test_a_disk_that_is_full(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint_scores, "write", fail)
    with pytest.raises(RunError, match="could not be written: the disk is full"):
        save(tmp_path, {1: 0.5})
    with Checkpoints(tmp_path) as opened:
        assert opened.newest() == 1
