import pytest

from tests.support import kill_and_resume, small_run


@pytest.mark.slow
def test_killed_runs_resume_bit_for_bit(cabinets, tmp_path):
    settings = [*small_run.SMALL, f"data.root={cabinets}", "optim.steps=20"]
    settings += ["log.checkpoint_every=3", "log.images_every=1000"]
    settings += ["log.validate_every=3", "log.keep_checkpoints=1"]
    words = ["--config", str(small_run.CONFIG), "--set", *settings]
    result = kill_and_resume.check_kills(tmp_path, words, kills=3)
    assert sum(result.kills_by_phase.values()) == 3
