import errno
import os
import shutil
import threading
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from jaxsoftras.reconstruction import checkpoint_files, checkpoints, loop
from jaxsoftras.reconstruction.checkpoints import Checkpoints
from jaxsoftras.reconstruction.run_folder import RunError
from tests.support.folders import read_files


class State(NamedTuple):
    step: Any
    variables: Any
    opt_state: Any


def make_state(step: int, size: int = 3) -> State:
    weights = jnp.arange(size * 4, dtype=jnp.float32).reshape(size, 4) + step
    half = jnp.asarray([1.5, 2.5], jnp.bfloat16)
    return State(jnp.int32(step), {"w": weights, "b": half}, (step * weights, ()))


def like(size: int = 3) -> State:
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return checkpoints.abstract(make_state(0, size), sharding)


def assert_same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run folder with checkpoints of steps 10 and 20."""
    workdir = tmp_path_factory.mktemp("saved")
    with Checkpoints(workdir) as opened:
        opened.save(10, make_state(10))
        opened.save(20, make_state(20))
    return workdir


@pytest.fixture
def copied(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "run")


FILES = [  # relative to a checkpoint
    "checkpoint.json",
    "default/_METADATA",
    "default/_CHECKPOINT_METADATA",
    "default/manifest.ocdbt",
    "default/d",
    "default/ocdbt.process_0/d",
]


def choose_file(checkpoint, name):
    path = checkpoint / name
    return min(path.iterdir()) if path.is_dir() else path


class TestRoundTrip:
    def test_keeps_the_newest(self, tmp_path):
        with Checkpoints(tmp_path, keep=2) as opened:
            for step in (1, 2, 10):
                opened.save(step, make_state(step))
        with Checkpoints(tmp_path) as opened:
            assert checkpoint_files.list_steps(tmp_path / "checkpoints") == [2, 10]
            assert opened.newest() == opened.latest() == 10
            assert_same(opened.restore(like()), make_state(10))
            assert_same(opened.restore(like(), 2), make_state(2))
        assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {
            "2",
            "10",
        }

    def test_saves_what_the_state_was(self, tmp_path, monkeypatch):
        """The next step reuses the memory of a state while it is written."""
        begin = threading.Event()
        write = Checkpoints._write
        monkeypatch.setattr(
            Checkpoints, "_write", lambda *args: (begin.wait(), write(*args))
        )
        advance = jax.jit(lambda x: jax.tree.map(lambda y: y + 1, x), donate_argnums=0)
        state = make_state(5)
        with Checkpoints(tmp_path) as opened:
            opened.save(5, loop.copy_state(state))
            jax.block_until_ready(advance(state))
            begin.set()
        with Checkpoints(tmp_path) as opened:
            assert_same(opened.restore(like()), make_state(5))

    def test_restores_to_other_devices(self, saved):
        devices = jax.make_mesh((len(jax.devices()),), ("data",))
        everywhere = jax.sharding.NamedSharding(devices, jax.sharding.PartitionSpec())
        wanted = checkpoints.abstract(make_state(0), everywhere)
        with Checkpoints(saved, read_only=True) as opened:
            state = opened.restore(wanted)
        assert_same(state, make_state(20))
        assert state.variables["w"].sharding == everywhere

    def test_one_field(self, saved):
        with Checkpoints(saved, read_only=True) as opened:
            variables = opened.restore_field("variables", like().variables, 10)
        assert_same(variables, make_state(10).variables)

    def test_nothing_is_written_without_a_save(self, tmp_path):
        with Checkpoints(tmp_path) as opened:
            assert opened.newest() is None
            with pytest.raises(RunError, match="There is no checkpoint in"):
                opened.find()
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "name",
        ["[1]", "*", "?", "100%41", "a b", "new\nline", "b\\x", "~", "ü字", "x" * 240]
        + ["\udcff"],
    )
    def test_any_name_of_the_folder(self, name, tmp_path):
        workdir = tmp_path / name
        with Checkpoints(workdir) as opened:
            opened.save(3, make_state(3))
        with Checkpoints(workdir, read_only=True) as opened:
            assert_same(opened.restore(like()), make_state(3))

    def test_through_a_link_and_a_relative_path(self, saved, tmp_path, monkeypatch):
        (tmp_path / "link[1]").symlink_to(saved)
        monkeypatch.chdir(tmp_path)
        workdir = type(saved)("link[1]/")
        with Checkpoints(workdir, read_only=True) as opened:
            assert_same(opened.restore(like()), make_state(20))


class TestDamage:
    @pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "missing"])
    @pytest.mark.parametrize("name", FILES)
    def test_falls_back_to_the_checkpoint_before(self, name, damage, copied):
        checkpoint = copied / "checkpoints" / "20"
        path = choose_file(checkpoint, name)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        damaged = {"flipped": content, "truncated": content[:-1], "empty": b""}
        path.unlink() if damage == "missing" else path.write_bytes(damaged[damage])
        before = read_files(copied)

        with Checkpoints(copied, read_only=True) as opened:
            with pytest.warns(UserWarning, match="20 is damaged, and that of step 10"):
                assert opened.newest() == 10
        assert read_files(copied) == before

        with Checkpoints(copied) as opened:
            with pytest.warns(UserWarning, match="is now damaged-20, .* step 10") as w:
                assert_same(opened.restore(like()), make_state(10))
            assert path.name in str(w[0].message) and "\n" not in str(w[0].message)
            opened.save(20, make_state(20))
        with Checkpoints(copied) as opened:
            assert_same(opened.restore(like()), make_state(20))
        assert (copied / "checkpoints" / "damaged-20").is_dir()

    def test_any_flipped_bit_of_the_manifest(self, copied):
        checkpoint = copied / "checkpoints" / "20"
        path = checkpoint / "checkpoint.json"
        content = path.read_bytes()
        for place in range(0, len(content), 7):
            flipped = bytearray(content)
            flipped[place] ^= 2
            path.write_bytes(flipped)
            assert checkpoint_files.find_damage(checkpoint), place

    def test_links_in_a_circle(self, copied):
        path = copied / "checkpoints" / "20" / "default" / "_METADATA"
        path.unlink()
        path.symlink_to(path.name)
        with Checkpoints(copied, read_only=True) as opened:
            with pytest.warns(UserWarning, match="20 is damaged"):
                assert opened.newest() == 10

    def test_a_renamed_one_is_not_taken_for_another_step(self, copied):
        folder = copied / "checkpoints"
        (folder / "20").rename(folder / "30")
        with Checkpoints(copied) as opened:
            with pytest.warns(UserWarning, match="it is the checkpoint of step 20"):
                assert opened.newest() == 10

    @pytest.mark.parametrize("name", ["020", "٢٠", "20 ", "-1"])
    def test_folders_of_other_names_are_none(self, name, copied):
        folder = copied / "checkpoints"
        (folder / "20").rename(folder / name)
        with Checkpoints(copied, read_only=True) as opened:
            assert opened.newest() == 10

    def test_damaged_twice(self, copied):
        for name in ("damaged-20", "damaged-20-2"):
            (copied / "checkpoints" / "20" / "checkpoint.json").write_bytes(b"")
            with Checkpoints(copied) as opened:
                with pytest.warns(UserWarning, match=f"is now {name}, "):
                    opened.newest()
                opened.save(20, make_state(20))

    @pytest.mark.parametrize("read_only", [True, False])
    def test_does_not_begin_again_when_all_are_damaged(self, read_only, copied):
        for step in ("10", "20"):
            (copied / "checkpoints" / step / "default" / "_METADATA").unlink()
        before = read_files(copied)
        with Checkpoints(copied, read_only=read_only) as opened:
            for find in (opened.newest, opened.find):
                with pytest.raises(RunError, match=r"damaged .* only: 10 \(.*20 \("):
                    find()
        assert read_files(copied) == before

    def test_does_not_begin_again_when_all_are_set_aside(self, copied):
        folder = copied / "checkpoints"
        shutil.rmtree(folder / "10")
        checkpoint_files.set_aside(folder / "20")
        with Checkpoints(copied) as opened:
            with pytest.raises(RunError, match="damaged checkpoints only: damaged-20"):
                opened.newest()

    def test_a_chosen_step_is_damaged(self, copied):
        (copied / "checkpoints" / "20" / "default" / "_METADATA").unlink()
        with Checkpoints(copied, read_only=True) as opened:
            assert opened.find(10) == 10
            with pytest.raises(RunError, match="20 is damaged: .*_METADATA is missing"):
                opened.find(20)

    def test_removed_while_it_is_read(self, copied, monkeypatch):
        """A training run keeps the newest, and removes what a reader looks at."""
        find = checkpoint_files.find_damage

        def remove_first(checkpoint):
            if checkpoint.name == "20":
                shutil.rmtree(checkpoint)
            return find(checkpoint)

        monkeypatch.setattr(checkpoint_files, "find_damage", remove_first)
        with Checkpoints(copied, read_only=True) as opened:
            assert opened.newest() == 10

    def test_unreadable_is_not_damaged(self, saved, monkeypatch):
        def refuse(_):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(checkpoint_files, "_checksum", refuse)
        with Checkpoints(saved, read_only=True) as opened:
            with pytest.raises(PermissionError):
                opened.newest()


class TestEarlierVersions:
    """Checkpoints by Orbax's own manager, which have no checksums."""

    @pytest.fixture
    def earlier(self, tmp_path):
        options = ocp.CheckpointManagerOptions(create=True)
        folder = (tmp_path / "run" / "checkpoints").absolute()
        handler = ocp.PyTreeCheckpointHandler()
        with ocp.CheckpointManager(
            folder, options=options, item_handlers=handler
        ) as manager:
            for step in (1, 2):
                manager.save(step, args=ocp.args.PyTreeSave(make_state(step)))
        return tmp_path / "run"

    def test_are_read_with_a_word(self, earlier):
        with Checkpoints(earlier) as opened:
            with pytest.warns(UserWarning, match="2 has no checksums") as warned:
                assert opened.newest() == 2
                state = opened.restore(like())
        assert len(warned) == 1
        assert_same(state, make_state(2))

    @pytest.mark.parametrize("name", ["_METADATA", "d"])
    def test_truncated(self, name, earlier):
        path = choose_file(earlier / "checkpoints" / "2" / "default", name)
        path.write_bytes(path.read_bytes()[:20])
        with Checkpoints(earlier) as opened:
            with pytest.warns(UserWarning) as warned:
                assert opened.newest() == 1
        texts = " ".join(str(warning.message) for warning in warned)
        assert "2 is damaged, is now damaged-2" in texts

    def test_leftovers_are_removed(self, earlier):
        folder = earlier / "checkpoints"
        for name in ("3.orbax-checkpoint-tmp-1", ".3.partial-0123abcd"):
            (folder / name).mkdir()
            (folder / name / "file").touch()
        (folder / ".notes").mkdir()
        with Checkpoints(earlier, read_only=True):
            assert len(list(folder.iterdir())) == 5
        with Checkpoints(earlier):
            assert {path.name for path in folder.iterdir()} == {"1", "2", ".notes"}


class TestOtherStates:
    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (like(size=5), r"opt_state.0 is float32\[3, 4\] there and float32\[5, 4\]"),
            (
                like()._replace(opt_state=()),
                r"opt_state.0 is float32\[3, 4\] there and absent here\.",
            ),
            (
                like()._replace(step=jax.ShapeDtypeStruct((), jnp.float32)),
                r"step is int32\[\] there and float32\[\] here\.",
            ),
        ],
    )
    def test_are_not_called_damaged(self, other, message, saved):
        before = read_files(saved)
        with Checkpoints(saved) as opened:
            with pytest.raises(RunError, match=message) as caught:
                opened.restore(other)
        assert "20 is sound but of another network" in str(caught.value)
        assert "damage" not in str(caught.value)
        assert read_files(saved) == before

    def test_other_versions_are_named(self, saved, monkeypatch):
        versions = {**checkpoints.provenance.list_versions(), "optax": "9.9"}
        optax = checkpoints.provenance.list_versions()["optax"]
        monkeypatch.setattr(checkpoints.provenance, "list_versions", lambda: versions)
        with Checkpoints(saved) as opened:
            with pytest.raises(RunError, match=rf"\(optax {optax} there, 9.9 here\)\."):
                opened.restore(like(size=5))


class TestWriteErrors:
    @pytest.fixture
    def full(self, monkeypatch):
        def fail(*_, **__):
            raise ValueError(f"RESOURCE_EXHAUSTED: x: {os.strerror(errno.ENOSPC)} [y]")

        monkeypatch.setattr(ocp.Checkpointer, "save", fail)

    def test_are_raised_at_the_next_check(self, copied, full):
        before = read_files(copied)
        with Checkpoints(copied) as opened:
            opened.check()
            opened.save(30, make_state(30))
            opened._thread.submit(lambda: None).result()  # after the write
            with pytest.raises(RunError) as caught:
                opened.check()
            opened.check()
        assert str(caught.value) == (
            f"The checkpoint {copied / 'checkpoints' / '30'} could not be written: the "
            "disk is full; those before it are intact."
        )
        assert read_files(copied) == before

    def test_are_raised_at_the_end(self, copied, full):
        with pytest.raises(RunError, match="disk is full"):
            with Checkpoints(copied) as opened:
                opened.save(30, make_state(30))

    def test_do_not_hide_the_error_of_the_run(self, copied, full):
        with pytest.warns(UserWarning, match="could not be written"):
            with pytest.raises(KeyboardInterrupt):
                with Checkpoints(copied) as opened:
                    opened.save(30, make_state(30))
                    raise KeyboardInterrupt

    def test_check_does_not_wait(self, tmp_path, monkeypatch):
        begin = threading.Event()
        monkeypatch.setattr(Checkpoints, "_write", lambda *_: begin.wait())
        with Checkpoints(tmp_path) as opened:
            opened.save(1, make_state(1))
            opened.check()
            begin.set()
