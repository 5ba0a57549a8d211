"""Reads the state dicts that `torch.save` wrote, without PyTorch.

Two formats: a zip archive with ``NAME/data.pkl`` and a member for each storage, since
PyTorch 1.6; and before, several pickles one after the other, then the storages.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxsoftras.model_files import pickles
from jaxsoftras.model_files.pickles import StorageRef, Tensor

_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_MOST_PICKLE = 2**26  # bytes

Numbers = Callable[[StorageRef], np.ndarray]
"""Reads a storage, as a vector."""


def read(path: Path) -> tuple[Any, Callable[[Tensor], np.ndarray]]:
    """Reads what `torch.save` wrote.

    Args:
        path: the file.

    Returns:
        The object, with `pickles.Tensor` in place of tensors, and a function that reads
        the numbers of one.

    Raises:
        ValueError: neither format, damaged, or with references to code; the message is
            a phrase meant to follow the name of the file.
    """
    if zipfile.is_zipfile(path):
        content, numbers = _read_zip(path)
    else:
        content, numbers = _read_legacy(path)
    return content, lambda tensor: _view(tensor, numbers)


def _read_zip(path: Path) -> tuple[Any, Numbers]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                n for n in archive.namelist() if re.fullmatch(r"[^/]+/data\.pkl", n)
            ]
            if len(names) != 1:
                raise ValueError("is a zip archive that torch.save did not write")
            folder = names[0].partition("/")[0]
            if archive.getinfo(names[0]).file_size > _MOST_PICKLE:
                raise ValueError(f"has a pickle of more than {_MOST_PICKLE:,} bytes")
            order = f"{folder}/byteorder"
            if order in archive.namelist() and archive.read(order) != b"little":
                raise ValueError("was written by a big-endian machine, and is not read")
            with archive.open(names[0]) as file:
                content = pickles.read(file)
    except zipfile.BadZipFile as error:
        raise ValueError(f"is damaged ({error})") from error

    def read_storage(storage: StorageRef) -> np.ndarray:
        dtype = np.dtype(storage.dtype)
        try:
            with zipfile.ZipFile(path) as archive:
                member = archive.getinfo(f"{folder}/data/{storage.key}")
                if member.compress_type != zipfile.ZIP_STORED:  # it may be a bomb
                    raise ValueError("is compressed, as torch.save does not do")
                if member.file_size != storage.size * dtype.itemsize:
                    raise ValueError("is damaged: a storage has another size")
                return np.frombuffer(archive.read(member), dtype)
        except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise ValueError(f"is damaged ({error})") from error
        except KeyError as error:
            raise ValueError(f"lacks the storage {ascii(storage.key)}") from error

    return content, read_storage


def _read_legacy(path: Path) -> tuple[Any, Numbers]:
    with path.open("rb") as file:
        try:
            magic = pickles.read(file)
        except ValueError:
            magic = None
        if magic != _MAGIC:
            raise ValueError("is not a checkpoint of PyTorch that torch.save wrote")
        if pickles.read(file) != _LEGACY_PROTOCOL:
            raise ValueError("has an unknown version of PyTorch's older format")
        system = pickles.read(file)
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise ValueError("was written by a big-endian machine, and is not read")
        content = pickles.read(file)
        keys = pickles.read(file)
        places = _find_storages(file, keys, _list_storages(content))

    def read_storage(storage: StorageRef) -> np.ndarray:
        dtype = np.dtype(storage.dtype)
        with path.open("rb") as file:
            file.seek(places[storage.key])
            data = file.read(storage.size * dtype.itemsize)
        return np.frombuffer(data, dtype)

    return content, read_storage


def _list_storages(content: Any) -> dict[str, StorageRef]:
    """Lists the storages of all tensors in nested containers, by key."""
    found: dict[str, StorageRef] = {}
    waiting, seen = [content], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            if found.setdefault(value.storage.key, value.storage) != value.storage:
                raise ValueError("is damaged: two storages have one key")
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            seen.add(id(value))  # a container may hold itself
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return found


def _find_storages(
    file: IO[bytes], keys: Any, storages: Mapping[str, StorageRef]
) -> dict[str, int]:
    """Finds the places of storages, each after its size in 8 bytes."""
    if not isinstance(keys, list) or set(map(str, keys)) != set(storages):
        raise ValueError("is damaged: its list of storages is another")
    places = {}
    end = file.seek(0, 1)
    total = file.seek(0, 2)
    for key in map(str, keys):
        file.seek(end)
        if int.from_bytes(file.read(8), "little") != storages[key].size:
            raise ValueError("is damaged: a storage has another size")
        places[key] = end + 8
        end += 8 + storages[key].size * np.dtype(storages[key].dtype).itemsize
        if end > total:
            raise ValueError("is damaged: it ends too early")
    return places


def _view(tensor: Tensor, read_storage: Numbers) -> np.ndarray:
    """Reads a tensor as an array of its own."""
    count = math.prod(tensor.shape)
    size = tensor.storage.size
    steps = zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.offset + sum((length - 1) * step for length, step in steps)
    if count > size or (count and last >= size):
        raise ValueError("is damaged: a tensor reaches beyond its storage")
    numbers = read_storage(tensor.storage)
    if not count:
        return np.zeros(tensor.shape, numbers.dtype)
    itemsize = numbers.dtype.itemsize
    view = np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :],
        tensor.shape,
        [step * itemsize for step in tensor.strides],
        writeable=False,
    )
    return view.copy()
