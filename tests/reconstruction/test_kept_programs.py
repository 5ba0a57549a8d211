"""Programs that are loaded without being traced."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import types

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras.data import rig
from jaxsoftras.reconstruction import kept_programs

ARGUMENTS = ({"a": jax.ShapeDtypeStruct((3,), jnp.float32)}, np.int32(2))
SHARDING = jax.sharding.SingleDeviceSharding(jax.devices()[0])
VALUES = ({"a": jnp.arange(3.0)}, np.int32(2))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for programs of the CPU, which are not kept otherwise."""
    monkeypatch.setattr(kept_programs, "_PACKAGES", (flax,))
    monkeypatch.setattr(kept_programs, "_STARTED", time.time() + 1000)
    monkeypatch.setattr(kept_programs, "_find_folder", lambda: tmp_path / "programs")
    return tmp_path / "programs"


@pytest.fixture
def source(folder, tmp_path, monkeypatch):
    """The file of a package, all that programs follow from."""
    path = tmp_path / "package" / "__init__.py"
    path.parent.mkdir()
    path.write_text("")
    module = types.SimpleNamespace(__file__=str(path))
    monkeypatch.setattr(kept_programs, "_PACKAGES", (module,))
    return path


class Traced:
    """A function that counts how often it is traced."""

    def __init__(self, beside=lambda: None):
        self.count = 0
        self.beside = beside

    def __call__(self, values, factor):
        self.count += 1
        self.beside()
        return {"b": values["a"] * factor}

    def compile(self, *, key="one", arguments=ARGUMENTS, results=0):
        devices = jax.devices()[:1]
        program = jax.jit(lambda *x: self(*x))
        return kept_programs.compile(program, arguments, {"b": results}, devices, key)


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
        lambda keep: {
            "results": jax.ShapeDtypeStruct((3,), jnp.float32, sharding=SHARDING)
        },
        lambda keep: keep.setenv("XLA_FLAGS", "--xla_gpu_autotune_level=0"),
        lambda keep: keep.setattr(kept_programs, "_PACKAGES", (jax,)),
        lambda keep: keep.setattr(sys, "path", []),
        lambda keep: keep.setattr(sys, "version", "4"),
    ],
)
def test_of_another_kind_is_traced(folder, monkeypatch, change):
    """By configuration, arguments, options, files and versions."""
    Traced().compile()
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
        lambda content: hashlib.sha256(b"no program").digest() + b"no program",
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
        sources = kept_programs._Sources([], 0)
        return kept_programs._identify(sources, [views], 0, jax.devices()[:1], "")

    assert name(30.0) == name(30.0) != name(np.nextafter(30.0, 31.0))


def test_committed_arguments_are_others():
    """For what is not committed to its device may be placed elsewhere."""
    here = jax.device_put(np.zeros(3), jax.devices()[0])
    assert kept_programs._describe(here) != kept_programs._describe(jnp.zeros(3))


@pytest.mark.parametrize("age, kept", [(-5, False), (5, False), (100, True)])
def test_nothing_is_kept_while_source_files_change(
    folder, source, monkeypatch, age, kept
):
    """Since the functions may be those of the files before."""
    changed = source.stat().st_mtime
    monkeypatch.setattr(kept_programs, "_STARTED", changed + age)
    Traced().compile()
    assert folder.is_dir() == kept


def test_a_file_that_was_copied_with_its_time_has_changed(folder, source, monkeypatch):
    monkeypatch.setattr(kept_programs, "_STARTED", time.time())
    os.utime(source, (1, 1))
    Traced().compile()
    assert not folder.exists()


def test_an_edit_between_two_programs_of_a_process_is_seen(folder, source):
    """As in a notebook, which has loaded the module again."""
    Traced().compile()
    source.write_text("1")
    other = Traced()
    other.compile()
    assert other.count == 1


def test_an_edit_while_a_program_is_traced_is_seen(folder, source):
    Traced(lambda: source.write_text("1")).compile()
    assert not folder.exists()


def test_a_package_without_files_keeps_nothing(folder, source):
    """As one within an archive."""
    source.unlink()
    Traced().compile()
    assert not folder.exists()


def test_files_and_folders_that_cannot_be_read_do_not_matter(
    folder, source, tmp_path, monkeypatch
):
    """An editor's lock is a link to nowhere."""
    (source.parent / ".#__init__.py").symlink_to("user@host.1:2")
    monkeypatch.setattr(sys, "path", ["", str(source), str(tmp_path / "none")])
    Traced().compile()
    program = Traced()
    program.compile()
    assert program.count == 0


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("ps"), reason="needs ps of Linux"
)
def test_the_start_of_the_process():
    words = ["ps", "-o", "etimes=", "-p", str(os.getpid())]
    age = int(subprocess.run(words, check=True, capture_output=True).stdout)
    assert time.time() - kept_programs._find_start() == pytest.approx(age, abs=3)


def test_nothing_is_kept_where_the_start_is_unknown(folder, monkeypatch):
    monkeypatch.delattr(time, "clock_gettime")
    monkeypatch.setattr(kept_programs, "_STARTED", kept_programs._find_start())
    Traced().compile()
    assert not folder.exists()


@pytest.mark.parametrize("cache", [None, "gs://bucket/cache", "cache"])
def test_nothing_is_kept_by_default_on_a_cpu(cache):
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", cache)
    try:
        assert kept_programs._find_folder() is None
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


@pytest.mark.parametrize("on", [True, False])
def test_nothing_is_kept_where_the_cache_is_off(monkeypatch, tmp_path, on):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    options = {
        "jax_compilation_cache_dir": str(tmp_path),
        "jax_enable_compilation_cache": on,
    }
    before = {name: jax.config.values[name] for name in options}
    for name, value in options.items():
        jax.config.update(name, value)
    try:
        found = kept_programs._find_folder()
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
    assert found == (tmp_path / "programs" if on else None)


NAME = """
import jax
from jaxsoftras import config
from jaxsoftras.reconstruction import accelerators, kept_programs, training
settings = config.Config()
experiment = training.Experiment(settings, accelerators.device_mesh(64))
like = jax.eval_shape(experiment.init, 0)
sources = kept_programs._find_sources()
words = like, like, jax.devices(), repr(settings)
print(kept_programs._identify(sources, *words))
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
