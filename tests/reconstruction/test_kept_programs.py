"""Programs that are loaded without being traced."""

import os
import subprocess
import sys
import types

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras.data import rig
from jaxsoftras.reconstruction import kept_programs

ARGUMENTS = ({"a": jax.ShapeDtypeStruct((3,), jnp.float32)}, np.int32(2))
VALUES = ({"a": jnp.arange(3.0)}, np.int32(2))


@pytest.fixture(autouse=True)
def sources():
    """Files are looked for anew in each test."""
    kept_programs._find_sources.cache_clear()
    yield
    kept_programs._find_sources.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for programs of the CPU, which are not kept otherwise."""
    monkeypatch.setattr(kept_programs, "_PACKAGES", (flax,))
    monkeypatch.setattr(kept_programs, "_find_folder", lambda: tmp_path / "programs")
    return tmp_path / "programs"


class Traced:
    """A function that counts how often it is traced."""

    def __init__(self):
        self.count = 0

    def __call__(self, values, factor):
        self.count += 1
        return {"b": values["a"] * factor}

    def compile(self, *, key="one", arguments=ARGUMENTS):
        devices = jax.devices()[:1]
        program = jax.jit(lambda *x: self(*x))
        return kept_programs.compile(program, arguments, {"b": 0}, devices, key)


def check(program):
    np.testing.assert_array_equal(program(*VALUES)["b"], [0, 2, 4])


def test_is_traced_once(folder):
    first, second = Traced(), Traced()
    check(first.compile())
    check(second.compile())
    assert (first.count, second.count) == (1, 0)
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda keep: {"key": "two"},
        lambda keep: {"key": None},
        lambda keep: {"arguments": ({"a": jnp.zeros(3, jnp.int32)}, np.int32(2))},
        lambda keep: {"arguments": ({"a": jnp.zeros((3, 1))}, np.int32(2))},
        lambda keep: {"arguments": ({"a": jnp.zeros(3)}, 2)},
        lambda keep: keep.setenv("XLA_FLAGS", "--xla_gpu_autotune_level=0"),
        lambda keep: keep.setattr(kept_programs, "_PACKAGES", (jax,)),
        lambda keep: keep.setattr(sys, "path", []),
        lambda keep: keep.setattr(sys, "version", "4"),
    ],
)
def test_of_another_kind_is_traced(folder, monkeypatch, change):
    """By configuration, arguments, options, files and versions."""
    Traced().compile()
    kept_programs._find_sources.cache_clear()
    other = Traced()
    other.compile(**(change(monkeypatch) or {}))
    assert other.count == 1


def test_options_of_jax_are_part_of_it(folder):
    Traced().compile()
    other = Traced()
    before = jax.config.values["jax_default_matmul_precision"]
    jax.config.update("jax_default_matmul_precision", "highest")
    try:
        other.compile()
    finally:
        jax.config.update("jax_default_matmul_precision", before)
    assert other.count == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:40] + b"?" + content[41:],
    ],
)
def test_a_damaged_file_is_replaced(folder, damage):
    Traced().compile()
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    for count in (1, 0):
        program = Traced()
        program.compile()
        assert program.count == count


def test_a_folder_that_cannot_be_written_to(folder):
    folder.write_text("no folder")
    program = Traced()
    with pytest.warns(UserWarning, match="is not kept for the next start: "):
        check(program.compile())


def test_what_is_static_in_arguments_is_part_of_it():
    """As the orbit of a data set is."""

    def name(elevation):
        views = rig.OrbitViews(np.arange(3), rig.Orbit(elevation=elevation))
        return kept_programs._identify([views], jax.devices()[:1], "")

    assert name(30.0) == name(30.0) != name(np.nextafter(30.0, 31.0))


def test_nothing_is_kept_while_source_files_change(folder, tmp_path, monkeypatch):
    """Since the functions may be those of the files before."""
    package = tmp_path / "package"
    package.mkdir()
    source = package / "__init__.py"
    source.write_text("")
    module = types.SimpleNamespace(__file__=str(source))
    monkeypatch.setattr(kept_programs, "_PACKAGES", (module,))
    for age, kept in ((-5, 0), (5, 0), (100, 1)):
        kept_programs._find_sources.cache_clear()
        changed = kept_programs._IMPORTED - age
        os.utime(source, (changed, changed))
        Traced().compile()
        assert folder.is_dir() == bool(kept)


@pytest.mark.parametrize("cache", [None, "gs://bucket/cache", "/tmp/cache"])
def test_nothing_is_kept_by_default_on_a_cpu(cache):
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", cache)
    try:
        assert kept_programs._find_folder() is None
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


NAME = """
import jax
from jaxsoftras import config
from jaxsoftras.reconstruction import kept_programs, training
settings = config.Config()
experiment = training.Experiment(settings, training.device_mesh(64))
like = jax.eval_shape(experiment.init, 0)
print(kept_programs._identify(like, jax.devices(), repr(settings)))
"""


@pytest.mark.slow  # two processes, which import everything
def test_a_later_process_finds_the_same_name():
    names = {
        subprocess.run(
            [sys.executable, "-c", NAME], check=True, capture_output=True, text=True
        ).stdout.strip()
        for _ in range(2)
    }
    assert len(names) == 1 and len(names.pop()) == 64
