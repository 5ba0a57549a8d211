"""Objects in the JSON of glTF files, with the types of their properties checked.

The messages of all errors are meant to follow the name of the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxsoftras.meshfile import text

_REQUIRED: Any = object()


def _shorten(value: Any) -> str:
    """Formats a JSON value for a message."""
    shown = json.dumps(value)
    return shown if len(shown) <= 40 else f"{shown[:36]} ..."


def show(name: str) -> str:
    """Shortens a string of the file to one printable line, for messages."""
    return text.show(name[:60].encode(errors="replace"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Item:
    """An object of the JSON and its place, such as ``materials[2]``, for messages.

    A default makes a property optional. All methods raise ValueError for a missing
    property without default and for one of the wrong type.

    Args:
        values: properties by name.
        place: where in the file the object stands.
    """

    def __init__(self, values: Any, place: str):
        """See the class."""
        if not isinstance(values, dict):
            raise ValueError(f"{place} should be an object, not {_shorten(values)}")
        self.values, self.place = values, place

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def _read(self, key: str, default: Any) -> Any:
        value = self.values.get(key, default)
        if value is _REQUIRED:
            raise ValueError(f"{self.place or 'it'} has no {key}")
        return value

    def _refuse(self, key: str, noun: str) -> ValueError:
        shown = _shorten(self.values[key])
        return ValueError(f"{self._at(key)} should be {noun}, not {shown}")

    def integer(self, key: str, default: int = _REQUIRED) -> int:
        """Reads an integer of at least 0."""
        value = self._read(key, default)
        if key in self and not (_is_number(value) and value >= 0 and value % 1 == 0):
            raise self._refuse(key, "an integer of at least 0")
        return int(value)

    def numbers(
        self, key: str, count: int | None, default: Sequence[float] = _REQUIRED
    ) -> np.ndarray:
        """Reads an array of finite numbers; float64, of any length for None."""
        values = self._read(key, default)
        if key in self:
            valid = isinstance(values, list) and all(map(_is_number, values))
            length = "" if count is None else f"{count} "
            if not valid or count not in (None, len(values)):
                raise self._refuse(key, f"an array of {length}numbers")
        array = np.array([_to_float(value) for value in values])
        if not np.all(np.isfinite(array)):
            raise self._refuse(key, "finite numbers")
        return array

    def number(self, key: str, default: float = _REQUIRED) -> float:
        """Reads a finite number."""
        value = self._read(key, default)
        if key in self and not (_is_number(value) and math.isfinite(_to_float(value))):
            raise self._refuse(key, "a finite number")
        return float(value)

    def text(self, key: str, default: str = _REQUIRED) -> str:
        """Reads a string."""
        value = self._read(key, default)
        if key in self and not isinstance(value, str):
            raise self._refuse(key, "a string")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """Reads true or false."""
        value = self._read(key, default)
        if not isinstance(value, bool):
            raise self._refuse(key, "true or false")
        return value

    def item(self, key: str) -> Item:
        """Reads an object; an empty one if it is missing."""
        return Item(self.values.get(key, {}), self._at(key))

    def items(self, key: str) -> list[Item]:
        """Reads an array of objects; an empty one if it is missing."""
        values = self.values.get(key, [])
        if not isinstance(values, list):
            raise self._refuse(key, "an array")
        return [Item(value, f"{self._at(key)}[{k}]") for k, value in enumerate(values)]

    def texts(self, key: str) -> list[str]:
        """Reads an array of strings; an empty one if it is missing."""
        values = self.values.get(key, [])
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise self._refuse(key, "an array of strings")
        return values

    def indices(self, key: str) -> list[int]:
        """Reads an array of integers of at least 0; an empty one if it is missing."""
        values = self.numbers(key, None, ())
        if np.any((values < 0) | (values % 1 != 0)):
            raise self._refuse(key, "an array of integers of at least 0")
        return [int(value) for value in values]

    def extension(self, name: str) -> Item | None:
        """Reads an extension of the object; None if it is missing."""
        extensions = self.item("extensions")
        return extensions.item(name) if name in extensions else None


def _to_float(value: float) -> float:
    """Converts a number of the JSON; integers of any size."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
