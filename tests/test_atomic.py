"""Files and folders written whole: what an error leaves, and what is left over."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxsoftras import atomic

ROOT = Path(__file__).parents[1]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail(*_, **__):
    raise OSError("no space left on device")


class TestFile:
    @pytest.mark.parametrize("old", [None, "old"])
    def test_appears_when_the_block_ends(self, tmp_path, old):
        path = tmp_path / "new" / "report.json"
        if old:
            path.parent.mkdir()
            path.write_text(old)
        with atomic.file(path) as partial:
            partial.write_text("new")
            assert partial.suffix == ".json" and partial.parent == path.parent
            assert (path.read_text() if path.exists() else None) == old
        assert path.read_text() == "new"
        assert names(path.parent) == ["report.json"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_error_keeps_the_old_file(self, tmp_path, error):
        path = tmp_path / "a.txt"
        path.write_text("old")
        with pytest.raises(error), atomic.file(path) as partial:
            partial.write_text("half")
            raise error
        assert path.read_text() == "old"
        assert names(tmp_path) == ["a.txt"]

    def test_failed_rename_keeps_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "a.txt"
        path.write_text("old")
        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="no space"), atomic.file(path) as partial:
            partial.write_text("new")
        assert path.read_text() == "old"
        assert names(tmp_path) == ["a.txt"]

    def test_two_writers_at_once_do_not_meet(self, tmp_path):
        path = tmp_path / "a.txt"
        with atomic.file(path) as first, atomic.file(path) as second:
            first.write_text("first")
            second.write_text("second")
        assert path.read_text() == "first"  # the last block to end
        assert names(tmp_path) == ["a.txt"]

    def test_permissions_are_kept(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text("old")
        path.chmod(0o640)
        with atomic.file(path) as partial:
            partial.write_text("new")
        assert path.stat().st_mode & 0o777 == 0o640

    def test_link_is_followed(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "a.txt")
        with atomic.file(tmp_path / "link.txt") as partial:
            partial.write_text("new")
        assert (tmp_path / "link.txt").is_symlink()
        assert (tmp_path / "real" / "a.txt").read_text() == "new"


class TestFiles:
    def write(self, folder: Path, content: str) -> None:
        paths = [folder / name for name in ("a.png", "a.mtl", "a.obj")]
        with atomic.files(paths) as partials:
            for partial in partials:
                partial.write_text(content)

    @pytest.mark.parametrize("there", [(), ("a.mtl",), ("a.png", "a.mtl", "a.obj")])
    @pytest.mark.parametrize("broken", [0, 1, 2])
    def test_failed_rename_takes_back_the_others(
        self, tmp_path, monkeypatch, there, broken
    ):
        for name in there:
            (tmp_path / name).write_text("old")
        replace, count = os.replace, iter(range(9))
        monkeypatch.setattr(
            os, "replace", lambda *a: (fail if next(count) == broken else replace)(*a)
        )
        with pytest.raises(OSError, match="no space"):
            self.write(tmp_path, "new")
        assert names(tmp_path) == sorted(there)
        assert all(path.read_text() == "old" for path in tmp_path.iterdir())

    def test_all_are_replaced(self, tmp_path):
        for content in ("old", "new"):
            self.write(tmp_path, content)
            assert names(tmp_path) == ["a.mtl", "a.obj", "a.png"]
            assert all(path.read_text() == content for path in tmp_path.iterdir())


class TestFolder:
    @pytest.fixture
    def path(self, tmp_path) -> Path:
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "old.txt").write_text("old")
        return tmp_path / "set"

    def test_is_replaced(self, path):
        with atomic.folder(path) as partial:
            (partial / "new.txt").write_text("new")
            assert names(path) == ["old.txt"]
        assert names(path) == ["new.txt"]
        assert names(path.parent) == ["set"]

    def test_link_is_followed(self, path):
        (path.parent / "link").symlink_to(path)
        with atomic.folder(path.parent / "link") as partial:
            (partial / "new.txt").write_text("new")
        assert names(path) == ["new.txt"]
        assert names(path.parent) == ["link", "set"]

    @pytest.mark.parametrize("name", ["set", "other"])
    def test_error_leaves_no_trace(self, path, name):
        with (
            pytest.raises(ValueError, match="half-way"),
            atomic.folder(path.parent / name) as partial,
        ):
            (partial / "new.txt").write_text("new")
            raise ValueError("half-way")
        assert names(path) == ["old.txt"]
        assert names(path.parent) == ["set"]

    def test_failed_rename_puts_the_old_folder_back(self, path, monkeypatch):
        replace = os.replace

        def fail_from_partial(source, destination):
            (fail if "partial" in Path(source).name else replace)(source, destination)

        monkeypatch.setattr(os, "replace", fail_from_partial)
        with pytest.raises(OSError, match="no space"), atomic.folder(path) as partial:
            (partial / "new.txt").write_text("new")
        assert names(path) == ["old.txt"]
        assert names(path.parent) == ["set"]

    def test_old_folder_that_cannot_be_deleted_is_named(self, path, monkeypatch):
        def fail_unless_quiet(path, ignore_errors=False):
            if not ignore_errors:
                fail()

        monkeypatch.setattr(shutil, "rmtree", fail_unless_quiet)
        with (
            pytest.warns(UserWarning, match=r"is complete, but .* left at .*replaced"),
            atomic.folder(path) as partial,
        ):
            (partial / "new.txt").write_text("new")
        assert names(path) == ["new.txt"]


KILLED = """
import os, sys
from jaxsoftras import atomic
with atomic.folder(sys.argv[1]) as partial:
    (partial / "half.txt").write_text("half")
    os.kill(os.getpid(), 9)
"""


class TestLeftovers:
    def test_of_a_killed_process_are_removed(self, tmp_path):
        path = tmp_path / "set[1]"
        subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT)
        assert [name.split("-")[0] for name in names(tmp_path)] == [".set[1].partial"]
        with atomic.folder(path) as partial:
            (partial / "new.txt").write_text("new")
        assert names(tmp_path) == ["set[1]"]

    def test_of_living_writers_stay(self, tmp_path):
        with atomic.folder(tmp_path / "set") as first:
            (first / "a.txt").write_text("first")
            with atomic.folder(tmp_path / "set") as second:
                assert first.is_dir() and second.is_dir()
        assert names(tmp_path / "set") == ["a.txt"]
        assert names(tmp_path) == ["set"]

    @pytest.mark.parametrize("there", [True, False])
    def test_the_old_folder_is_put_back_where_none_took_its_place(
        self, tmp_path, there
    ):
        (tmp_path / ".set.replaced-0123").mkdir()
        (tmp_path / ".set.replaced-0123" / "old.txt").touch()
        if there:
            (tmp_path / "set").mkdir()
        atomic.remove_leftovers(tmp_path / "set")
        assert names(tmp_path) == ["set"]
        assert names(tmp_path / "set") == ([] if there else ["old.txt"])

    def test_new_folders_that_were_never_filled_are_removed(self, tmp_path):
        for name, age in (("old", 100), ("young", 0)):
            path = tmp_path / f".set.new-{name}"
            path.mkdir()
            then = time.time() - age
            os.utime(path, (then, then))
        atomic.remove_leftovers(tmp_path / "set")
        assert names(tmp_path) == [".set.new-young"]

    def test_nothing_is_left_where_the_first_renaming_fails(
        self, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(os, "rename", fail)
        with pytest.raises(OSError, match="no space"), atomic.folder(tmp_path / "set"):
            pass
        assert not names(tmp_path)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (OSError(errno.EIO, "Input/output error"), "report.json"),
        (OSError(errno.EIO, "Input/output error", "other"), "other"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset"), None),
    ],
)
def test_errors_of_the_disk_name_a_file(tmp_path, error, name):
    with pytest.raises(OSError) as caught, atomic.file(tmp_path / "report.json"):
        raise error
    found = caught.value.filename
    assert (found and Path(found).name) == name


class TestMountPoint:
    """A folder that cannot be renamed, nor another put in its place."""

    @pytest.fixture
    def path(self, tmp_path, monkeypatch) -> Path:
        path, replace = tmp_path / "mount", os.replace
        (path / "lost+found").mkdir(parents=True)

        def busy(source, destination):
            if path in (Path(source), Path(destination)):
                raise OSError(errno.EBUSY, "Device or resource busy")
            replace(source, destination)

        monkeypatch.setattr(os, "replace", busy)
        monkeypatch.setattr(Path, "is_mount", lambda self: self == path)
        return path

    def test_empty_one_is_filled_in_place(self, path, monkeypatch):
        moved, busy = [], os.replace
        monkeypatch.setattr(
            os, "replace", lambda a, b: (busy(a, b), moved.append(Path(b).name))
        )
        with atomic.folder(path, last="b.json") as partial:
            assert partial.parent == path
            for name in ("c.npz", "b.json", "a.npz"):
                (partial / name).touch()
        assert names(path) == ["a.npz", "b.json", "c.npz", "lost+found"]
        assert moved[-1] == "b.json" and names(path.parent) == ["mount"]

    def test_error_leaves_it_empty(self, path):
        with pytest.raises(ValueError, match="half"), atomic.folder(path) as partial:
            (partial / "a.npz").touch()
            raise ValueError("half-way")
        assert names(path) == ["lost+found"]

    def test_other_one_is_refused_before_the_work(self, path):
        (path / "old.txt").touch()
        with pytest.raises(OSError, match=r"choose a folder in it.*mount"):
            with atomic.folder(path):
                pytest.fail("the work began")
        assert names(path) == ["lost+found", "old.txt"]


@pytest.mark.parametrize("write", [atomic.file, atomic.folder])
class TestBadDestinations:
    def test_parent_that_is_a_file(self, tmp_path, write):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(OSError, match="file"), write(tmp_path / "file" / "a.txt"):
            pytest.fail("the work began")
        assert (tmp_path / "file").read_text() == "mine"

    def test_parent_without_write_permission(self, tmp_path, write, monkeypatch):
        def deny(self, *_, **__):
            raise PermissionError(13, "Permission denied", str(self))

        # chmod would not stop a superuser
        monkeypatch.setattr(Path, "touch", deny)
        with pytest.raises(PermissionError) as caught, write(tmp_path / "a.txt"):
            pytest.fail("the work began")
        assert caught.value.filename == str(tmp_path / "a.txt")
        assert not list(tmp_path.iterdir())

    def test_kind_of_the_destination(self, tmp_path, write):
        path = tmp_path / "taken"
        path.mkdir() if write is atomic.file else path.write_text("mine")
        with pytest.raises(OSError, match="has that name: .*taken"), write(path):
            pytest.fail("the work began")
        assert names(tmp_path) == ["taken"]
