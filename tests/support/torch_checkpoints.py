"""Writes files as `torch.save` does, in both of its formats, without PyTorch."""

from __future__ import annotations

import collections
import contextlib
import io
import pickle
import struct
import sys
import types
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "i8": "LongStorage"}
MAGIC = 0x1950A86A20F9469CFC6C


class Storage:
    """Numbers that tensors view."""

    def __init__(self, values: np.ndarray):
        self.values = np.ascontiguousarray(values)


class Tensor:
    """A tensor that owns its storage, or views a part of one."""

    def __init__(self, values: np.ndarray, storage: Storage | None = None, offset=0):
        self.values = values
        self.storage = storage or Storage(values)
        self.offset = offset
        itemsize = values.dtype.itemsize
        own = np.ascontiguousarray(values) if storage is None else values
        self.strides = tuple(step // itemsize for step in own.strides)


@contextlib.contextmanager
def _fake_torch() -> Iterator[types.ModuleType]:
    """Modules that pickle finds the names of PyTorch in, within a scope."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError("only its name is pickled")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    for name in _KINDS.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    torch._utils = utils  # type: ignore[attr-defined]
    kept = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield torch
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _pickle(content: Any) -> tuple[bytes, dict[str, np.ndarray]]:
    """The pickle of nested containers with tensors, and the storages by key."""
    storages: dict[str, np.ndarray] = {}
    keys: dict[int, str] = {}
    with _fake_torch() as torch:

        class Pickler(pickle.Pickler):
            def persistent_id(self, obj):
                if not isinstance(obj, Storage):
                    return None
                key = keys.setdefault(id(obj), str(len(keys)))
                storages[key] = obj.values
                kind = getattr(torch, _KINDS[obj.values.dtype.str[1:]])
                return "storage", kind, key, "cuda:0", obj.values.size

            def reducer_override(self, obj):
                if not isinstance(obj, Tensor):
                    return NotImplemented
                shape = obj.values.shape
                hooks = collections.OrderedDict()
                arguments = obj.storage, obj.offset, shape, obj.strides, False, hooks
                return torch._utils._rebuild_tensor_v2, arguments

        file = io.BytesIO()
        Pickler(file, 2).dump(content)
    return file.getvalue(), storages


def to_tensors(state: Mapping[str, np.ndarray]) -> collections.OrderedDict:
    return collections.OrderedDict((k, Tensor(v)) for k, v in state.items())


def write_zip(path: Path, content: Any) -> None:
    """Writes the format of PyTorch 1.6 and later."""
    data, storages = _pickle(content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        for key, values in storages.items():
            archive.writestr(f"archive/data/{key}", values.tobytes())
        archive.writestr("archive/version", "3\n")


def write_legacy(path: Path, content: Any) -> None:
    """Writes the format before PyTorch 1.6."""
    data, storages = _pickle(content)
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    # PyTorch stores each by its address, in any order
    keys = list(storages)[::-1]
    parts = [pickle.dumps(each, 2) for each in (MAGIC, 1001, system)]
    parts += [data, pickle.dumps(keys, 2)]
    for key in keys:
        parts += [struct.pack("<q", storages[key].size), storages[key].tobytes()]
    path.write_bytes(b"".join(parts))
