"""Compiled programs that the next process loads, without tracing them again.

JAX's own cache knows a program by its operations, which are known only when it has been
traced and lowered: seconds for a training step. Here, a program is known by everything
that its operations follow from, so that a file of it may be read at once:

- the sizes and times of all source files of this package, JAX, Flax and Optax, and the
  versions of all packages that are installed;
- the devices, the versions of their driver and of XLA's client, and the options of JAX
  and XLA;
- the structure, shapes, dtypes and shardings of arguments, structure and shardings of
  results;
- the configuration, the compiler options, and the stride of the steps, which depends on
  the step that a run goes on from.

Whatever differs, another file is read or written, and a damaged one is written anew. A
process whose source files were changed while it may have imported them neither reads
nor writes any. What cannot be seen are functions and constants of modules that a
program replaces while it runs. Programs lie beside those of
`jaxsoftras.compilation_cache`, where that is on. Those of CPUs are not kept, since XLA
cannot write a program for a CPU that it has read from its own cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flax
import jax
import jaxlib
import optax
from jax.experimental import serialize_executable

import jaxsoftras
from jaxsoftras import atomic

_PACKAGES = (jaxsoftras, jax, jaxlib, flax, optax)
_VARIABLES = (
    *("CUBLAS", "CUDA", "CUDNN", "FLAX", "JAX", "LIBTPU", "MOSAIC", "NCCL", "NVIDIA"),
    *("PJRT", "TF_", "TPU", "TRITON", "XLA"),
)
_DRIVER = Path("/proc/driver/nvidia/version")


def _find_start() -> float:
    """Time at which this process began, seconds of the epoch; 0 if it is unknown."""
    try:
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        ticks = int(fields[19])  # from the start of the machine
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.0
    return time.time() - max(age, 0)


_STARTED = _find_start()
"""Nothing was imported before: JAX may have been long before this module is."""
_AGE = 60.0
"""Seconds by which the clocks of the machine and of its disks may differ."""


class _Sources(NamedTuple):
    """Source files and libraries that make programs.

    Attributes:
        files: their paths, sizes and times.
        changed: time of the latest change, seconds of the epoch; infinite if a package
            has no files, as within an archive.
    """

    files: list[str]
    changed: float


def compile(
    program: Any,
    arguments: Sequence[Any],
    results: Any,
    devices: Sequence[Any],
    key: str | None,
) -> Callable[..., Any]:
    """Compiles a program, or loads what an earlier process has compiled.

    Args:
        program: result of `jax.jit`.
        arguments: its arguments, or their shapes, dtypes and shardings.
        results: a pytree with the structure of its results, and their shardings where
            its leaves have some.
        devices: the devices that it is for, in the order of their mesh.
        key: what its operations follow from beside the arguments and the source, as
            text: its name and the configuration. None keeps nothing.

    Returns:
        The program for such arguments, by position.
    """
    folder = _find_folder()
    if folder is None or key is None:
        return program.lower(*arguments).compile()
    sources = _find_sources()
    if sources.changed > _STARTED - _AGE:
        return program.lower(*arguments).compile()
    _register_kernels()
    name = _identify(sources, arguments, results, devices, key)
    path = folder / f"{name}.program"
    trees = jax.tree.structure((tuple(arguments), {})), jax.tree.structure(results)
    if (kept := _load(path, *trees, devices)) is not None:
        return kept
    compiled = program.lower(*arguments).compile()
    if _find_sources() == sources:  # some are imported when they are needed
        _save(path, compiled)
    return compiled


def _find_folder() -> Path | None:
    """Folder for programs; None where they are not kept."""
    cache = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    # processes that did not all find a file would wait for each other
    alone = jax.process_count() == 1 and jax.default_backend() != "cpu"
    on = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    if not cache or "://" in cache or not alone or not on:
        return None
    return Path(cache, "programs")


def _identify(
    sources: _Sources,
    arguments: Sequence[Any],
    results: Any,
    devices: Sequence[Any],
    key: str,
) -> str:
    """Makes a file's name of all that a program follows from; see the module."""
    leaves, tree = jax.tree.flatten(tuple(arguments))
    found, structure = jax.tree.flatten(results)
    facts = [
        sys.version,
        *sources.files,
        *_list_distributions(),
        *sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith(_VARIABLES)),
        *sorted(f"{k}={v}" for k, v in jax.config.values.items()),
        str(jax.sharding.get_abstract_mesh()),
        *(f"{d.id} {d.device_kind} {d.client.platform_version}" for d in devices),
        _describe_driver(),
        str(tree),
        *map(_describe, leaves),
        str(structure),
        *(str(getattr(leaf, "sharding", None)) for leaf in found),
        key,
    ]
    return hashlib.sha256("\0".join(facts).encode("utf-8", "replace")).hexdigest()


def _find_sources() -> _Sources:
    """Finds the source files and libraries of `_PACKAGES`; takes some 15 ms."""
    files, changed = [], 0.0
    for package in _PACKAGES:
        before = len(files)
        for path in _list_files(os.path.dirname(str(package.__file__))):
            # an editor's lock is a link to nowhere, which nobody can import
            with contextlib.suppress(OSError):
                about = os.stat(path)
                files.append(f"{path} {about.st_size} {about.st_mtime_ns}")
                # a file that is moved or copied here may keep its time of modification
                changed = max(changed, about.st_mtime, about.st_ctime)
        if len(files) == before:
            changed = float("inf")
    return _Sources(files, changed)


def _list_files(package: str) -> Iterator[str]:
    """Paths of the source files and libraries below a folder, in one order."""
    for folder, folders, names in os.walk(package):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".py", ".so", ".dll", ".dylib")):
                yield os.path.join(folder, name)


def _list_distributions() -> Iterator[str]:
    """Names and versions of the installed packages, as of their folders."""
    for folder in sys.path:
        names: list[str] = []
        with contextlib.suppress(OSError):  # Python finds nothing there, either
            names = os.listdir(folder)
        kinds = (".dist-info", ".egg-info")
        yield from sorted(name for name in names if name.endswith(kinds))


def _describe_driver() -> str:
    """Version of the driver of NVIDIA's devices, where Linux tells it."""
    with contextlib.suppress(OSError):
        return _DRIVER.read_text(errors="replace")
    return ""


def _describe(leaf: Any) -> str:
    """Describes an array, or a shape in its place."""
    kind = leaf if isinstance(leaf, jax.ShapeDtypeStruct) else jax.typeof(leaf)
    place = [getattr(leaf, name, None) for name in ("sharding", "committed")]
    return f"{kind.shape} {kind.dtype} {kind.weak_type} {place}"


def _load(
    path: Path,
    arguments: Any,
    results: Any,
    devices: Sequence[Any],
) -> Callable[..., Any] | None:
    """Loads a kept program; None where there is none, or no sound one."""
    try:
        content = path.read_bytes()
        digest, kept = content[:32], content[32:]
        if digest != hashlib.sha256(kept).digest():
            return None
        return serialize_executable.deserialize_and_load(
            kept, arguments, results, devices[0].client, devices
        )
    except Exception:  # whatever XLA says of it, it is compiled and written anew
        return None


def _register_kernels() -> None:
    """Imports what tells XLA how Pallas kernels are called, as tracing would.

    Environment variables are set by it, too, and so no longer change afterwards.
    """
    if jax.default_backend() == "gpu":
        for name in ("jax.experimental.pallas.triton", "jax.experimental.mosaic.gpu"):
            with contextlib.suppress(ImportError):  # no kernel is of a kind without it
                importlib.import_module(name)


def _save(path: Path, compiled: jax.stages.Compiled) -> None:
    """Keeps a program for the next process, if that can be."""
    try:
        kept, _, _ = serialize_executable.serialize(compiled)
        with atomic.file(path) as partial:
            partial.write_bytes(hashlib.sha256(kept).digest() + kept)
    except Exception as error:
        warnings.warn(
            f"The compiled program is not kept for the next start: {error}",
            stacklevel=3,
        )
