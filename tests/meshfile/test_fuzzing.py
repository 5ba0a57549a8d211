"""Damaged files of every format: a mesh, or one sentence."""

import pytest

from tests.support import fuzzing


@pytest.mark.parametrize("kind", fuzzing.SEEDS)
def test_seeds_are_valid(kind, tmp_path):
    for files in fuzzing.SEEDS[kind]():
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        outcome, message = fuzzing.judge(tmp_path / f"a.{kind}")
        assert outcome == "mesh", message
        for path in tmp_path.iterdir():
            path.unlink()


@pytest.mark.parametrize("kind", fuzzing.SEEDS)
def test_damaged_files(kind):
    outcomes = fuzzing.fuzz(kind, 300)
    assert outcomes["WRONG"] == 0  # the output names the inputs
    meshes = outcomes["mesh"] + outcomes["mesh with a warning"]
    assert min(meshes, outcomes["refused"]) > 20


def test_wrong_outcomes_are_found(tmp_path, monkeypatch):
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0\nf 1 1 1\n")
    for error in (KeyError("faces"), ValueError("two\nlines"), MemoryError()):

        def fail(_, error=error):
            raise error

        monkeypatch.setattr(fuzzing.jaxsoftras, "load_mesh", fail)
        assert fuzzing.judge(path)[0] == "WRONG"
