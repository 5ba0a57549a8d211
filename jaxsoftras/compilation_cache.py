"""The cache of compiled programs, which a second start does not compile again.

JAX keeps every program in it, by its operations and shapes, the device and the versions
of JAX and XLA. Nothing is ever removed: delete the folder when it has become too large.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import tempfile
from pathlib import Path

import jax

from jaxsoftras import terminal

_CPU_INFO = Path("/proc/cpuinfo")


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Adds ``--no-compilation-cache``, as ``options.compilation_cache``."""
    parser.add_argument(
        "--no-compilation-cache",
        action="store_false",
        dest="compilation_cache",
        help="compile anew, and keep nothing in the user's cache for the next start "
        "(JAX_COMPILATION_CACHE_DIR names another folder)",
    )


def follow(options: argparse.Namespace, *, quiet: bool = False) -> None:
    """Turns the cache on, or off for ``--no-compilation-cache``.

    Args:
        options: with the argument of `add_argument`.
        quiet: whether to say nothing.
    """
    if options.compilation_cache:
        enable(quiet=quiet)
    else:
        # JAX turns it on by itself where the environment names a folder
        jax.config.update("jax_compilation_cache_dir", None)


def enable(*, quiet: bool = False) -> Path | None:
    """Turns the cache on, for the programs of this package, and says where it is.

    Its folder is that of JAX_COMPILATION_CACHE_DIR or, if there is none, in
    XDG_CACHE_HOME or ``~/.cache``. Programs for a CPU are kept apart by its
    instruction set, since a home may be shared by different machines.

    Args:
        quiet: whether to say nothing.

    Returns:
        The folder; None where none can be written, so that nothing is kept.
    """
    say = (lambda _: None) if quiet else print
    named = getattr(jax.config, "jax_compilation_cache_dir", None)
    if named and "://" in named:  # a bucket, which JAX reaches
        say(f"compiled programs are kept in {terminal.printable(named)}")
        return Path(named)
    try:
        folder = Path(named) if named else _choose_folder()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError) as error:  # the latter of a user without a home
        jax.config.update("jax_compilation_cache_dir", None)
        say(
            "compiled programs are not kept, for there is no folder to write to: "
            f"{terminal.printable(error)}"
        )
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # a start has some 50 programs of less than JAX's least time, a second
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    say(f"compiled programs are kept in {terminal.printable(folder)}")
    return folder


def _choose_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base, "jaxsoftras", "compiled")
    if jax.default_backend() == "cpu":
        folder /= f"cpu-{_instruction_set()}"
    return folder


def _instruction_set() -> str:
    """A word for the instructions that the CPU has."""
    lines = _CPU_INFO.read_text().splitlines() if _CPU_INFO.exists() else []
    kinds = [line for line in lines if line.startswith(("flags", "Features"))][:1]
    text = " ".join([platform.machine(), platform.processor(), *kinds])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
