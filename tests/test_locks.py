"""Locks, here and as on Windows; what the package needs of a system."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from jaxsoftras import locks

ROOT = Path(__file__).parents[1]
AS_ON_WINDOWS = """
    import errno, os, signal, sys, types
    import flax, jax, orbax.checkpoint, tensorboardX, trimesh  # take care of themselves

    sys.modules["fcntl"] = None
    for name in ("SIGHUP", "SIGUSR1", "SIGUSR2"):
        delattr(signal, name)
    held = set()

    def lock(descriptor, mode, count):
        key = os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR)
        if key in held:
            raise OSError(errno.EACCES, "Permission denied")
        held.add(key)

    sys.modules["msvcrt"] = types.SimpleNamespace(locking=lock, LK_NBLCK=2)
"""


def test_is_exclusive_and_ends_with_the_descriptor(tmp_path):
    with (tmp_path / "a").open("w") as first, (tmp_path / "a").open() as second:
        locks.acquire(first.fileno())
        with pytest.raises(BlockingIOError):
            locks.acquire(second.fileno())
        first.close()
        locks.acquire(second.fileno())


def run(program: str, folder: Path) -> list[str]:
    code = textwrap.dedent(AS_ON_WINDOWS) + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_programs_without_fcntl_and_some_signals(tmp_path):
    """A run folder is claimed once, a folder is written, and all modules import."""
    program = """
        import importlib, pathlib, pkgutil
        import jaxsoftras
        from jaxsoftras import atomic, extras, interruption
        from jaxsoftras.reconstruction import run_folder

        folder = pathlib.Path(sys.argv[1])
        with run_folder.claim(folder / "run"):
            try:
                with run_folder.claim(folder / "run"):
                    pass
            except run_folder.RunError as error:
                print("in use" in str(error))
        with atomic.folder(folder / "set") as partial:
            (partial / "a").touch()
        print(*interruption.SIGNALS)
        for module in pkgutil.walk_packages(jaxsoftras.__path__, "jaxsoftras."):
            if not module.name.endswith("__main__"):
                try:
                    importlib.import_module(module.name)
                except extras.MissingExtraError:  # PyTorch is in no extra
                    assert module.name == "jaxsoftras.torch"
    """
    assert run(program, tmp_path) == ["True", "2 15"]
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["a"]
