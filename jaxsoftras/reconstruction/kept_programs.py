"""Compiled programs that the next process loads, without tracing them again.

JAX's own cache knows a program by its operations, which are known only when it has been
traced and lowered: seconds for a training step. Here, a program is known by everything
that its operations follow from, so that a file of it may be read at once:

- the sizes and times of all source files of this package, JAX, Flax and Optax, and the
  versions of all packages that are installed;
- the devices, with their driver's version, and the options of JAX and XLA;
- the arguments' structure, shapes, dtypes and shardings;
- the configuration.

Whatever differs, another file is read or written, and a damaged one is written anew:
results never depend on it. A process whose source files were changed while it may have
imported them keeps nothing. Programs lie beside those of
`jaxsoftras.compilation_cache`, where that is on. Those of CPUs are not kept, since XLA
cannot write a program for a CPU that it has read from its own cache.
"""

from __future__ import annotations

import functools
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
_VARIABLES = ("CUDA", "CUDNN", "JAX", "LIBTPU", "NCCL", "NVIDIA", "TF_", "TPU", "XLA")
_IMPORTED = time.time()
_AGE = 60.0
"""Seconds before that in which all imports have happened, if clocks are good."""


class _Sources(NamedTuple):
    """Source files and libraries that make programs.

    Attributes:
        files: their paths, sizes and times.
        changed: time of the latest change, seconds of the epoch.
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
        results: a pytree with the structure of its results.
        devices: the devices that it is for, in the order of their mesh.
        key: what its operations follow from beside the arguments and the source, as
            text: its name and the configuration. None keeps nothing.

    Returns:
        The program for such arguments, by position.
    """
    folder = _find_folder()
    if folder is None or key is None or _find_sources().changed > _IMPORTED - _AGE:
        return program.lower(*arguments).compile()
    path = folder / f"{_identify(arguments, devices, key)}.program"
    trees = jax.tree.structure((tuple(arguments), {})), jax.tree.structure(results)
    if (kept := _load(path, *trees, devices)) is not None:
        return kept
    compiled = program.lower(*arguments).compile()
    _save(path, compiled)
    return compiled


def _find_folder() -> Path | None:
    """Folder for programs; None where they are not kept."""
    cache = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    # processes that did not all find a file would wait for each other
    alone = jax.process_count() == 1 and jax.default_backend() != "cpu"
    if not cache or "://" in cache or not alone:
        return None
    return Path(cache, "programs")


def _identify(arguments: Sequence[Any], devices: Sequence[Any], key: str) -> str:
    """Makes a file's name of all that a program follows from; see the module."""
    leaves, tree = jax.tree.flatten(tuple(arguments))
    facts = [
        sys.version,
        *_find_sources().files,
        *_list_distributions(),
        *sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith(_VARIABLES)),
        *sorted(f"{k}={v}" for k, v in jax.config.values.items()),
        *(f"{d.id} {d.device_kind} {d.client.platform_version}" for d in devices),
        str(tree),
        *map(_describe, leaves),
        key,
    ]
    return hashlib.sha256("\0".join(facts).encode("utf-8", "replace")).hexdigest()


@functools.cache
def _find_sources() -> _Sources:
    """Finds the source files and libraries of `_PACKAGES`."""
    files, changed = [], 0.0
    for package in _PACKAGES:
        for folder, folders, names in os.walk(os.path.dirname(str(package.__file__))):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".py", ".so", ".dll", ".dylib")):
                    path = os.path.join(folder, name)
                    about = os.stat(path)
                    files.append(f"{path} {about.st_size} {about.st_mtime_ns}")
                    changed = max(changed, about.st_mtime)
    return _Sources(files, changed)


def _list_distributions() -> Iterator[str]:
    """Names and versions of the installed packages, as of their folders."""
    for folder in sys.path:
        if os.path.isdir(folder):
            names = os.listdir(folder)
            yield from sorted(name for name in names if name.endswith(".dist-info"))


def _describe(leaf: Any) -> str:
    """Describes an array, or a shape in its place."""
    kind = leaf if isinstance(leaf, jax.ShapeDtypeStruct) else jax.typeof(leaf)
    sharding = getattr(leaf, "sharding", None)
    return f"{kind.shape} {kind.dtype} {kind.weak_type} {sharding}"


def _load(
    path: Path,
    arguments: Any,
    results: Any,
    devices: Sequence[Any],
) -> Callable[..., Any] | None:
    """Loads a kept program; None where there is none, or no sound one."""
    try:
        _register_kernels()
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
    """Imports what tells XLA how Pallas kernels are called, as tracing would."""
    if jax.default_backend() == "gpu":
        importlib.import_module("jax.experimental.pallas.triton")
        importlib.import_module("jax.experimental.mosaic.gpu")


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
