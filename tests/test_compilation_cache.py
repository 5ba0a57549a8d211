"""The cache of compiled programs."""

import argparse
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from jaxsoftras import compilation_cache

PROGRAM = """
import jax, jax.numpy as jnp
from jaxsoftras import compilation_cache
print(compilation_cache.enable(), flush=True)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
jax.jit(lambda x: jnp.sin(x) + 1)(jnp.ones(3))
print(hits.count("/jax/compilation_cache/cache_hits"))
"""


def run(**settings: str) -> tuple[Path, int]:
    """Runs `PROGRAM`: the folder, and how many programs came from it."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME")
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**environment, "JAX_PLATFORMS": "cpu", **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    said, folder, hits = done.stdout.splitlines()
    assert said == f"compiled programs are kept in {folder}"
    return Path(folder), int(hits)


def test_second_start_compiles_nothing(tmp_path):
    folder, hits = run(XDG_CACHE_HOME=str(tmp_path))
    assert folder.parent == tmp_path / "jaxsoftras" / "compiled" and hits == 0
    assert any(folder.iterdir())
    again, hits = run(XDG_CACHE_HOME=str(tmp_path))
    assert again == folder and hits > 0


@pytest.mark.slow
def test_folder_of_the_user(tmp_path):
    folder, _ = run(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "mine"))
    assert folder == tmp_path / "mine" and any(folder.iterdir())


def test_no_folder_to_write_to(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    updates = {}
    config = types.SimpleNamespace(update=updates.__setitem__)
    monkeypatch.setattr(compilation_cache.jax, "config", config)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert compilation_cache.enable() is None
    assert updates == {"jax_compilation_cache_dir": None}
    assert "are not kept, for there is no folder" in capsys.readouterr().out


@pytest.mark.parametrize("words, on", [([], True), (["--no-compilation-cache"], False)])
def test_option(monkeypatch, tmp_path, words, on):
    """It holds against a folder that the environment names, too."""
    parser = argparse.ArgumentParser()
    compilation_cache.add_argument(parser)
    named = {"jax_compilation_cache_dir": str(tmp_path)}
    config = types.SimpleNamespace(update=named.__setitem__, **named)
    monkeypatch.setattr(compilation_cache.jax, "config", config)
    compilation_cache.follow(parser.parse_args(words), quiet=True)
    assert named["jax_compilation_cache_dir"] == (str(tmp_path) if on else None)
    assert ("jax_persistent_cache_min_compile_time_secs" in named) == on
