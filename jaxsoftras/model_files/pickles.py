"""An interpreter of the few pickle opcodes that hold a PyTorch state dict.

Nothing is imported and nothing of the file is called. Of the names a pickle may refer
to, `OrderedDict`, tensors, parameters and the types of storages have a meaning here;
any other ends the reading.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterable
from typing import IO, Any, NamedTuple

_MARK = object()
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_REBUILDERS = {"_rebuild_tensor", "_rebuild_tensor_v2"}
_PUSHES = {
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG"),
    *("LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MOST_OPCODES = 10**6


class Name(NamedTuple):
    """A global name, which is not looked up."""

    module: str
    name: str


class StorageRef(NamedTuple):
    """A reference to numbers that lie elsewhere in the file.

    Attributes:
        dtype: their type, as numpy names it.
        key: name of the storage.
        size: how many numbers it has.
    """

    dtype: str
    key: str
    size: int


class Tensor(NamedTuple):
    """A view of a storage.

    Attributes:
        storage: the numbers.
        offset: place of the first one.
        shape: sizes of the axes.
        strides: steps along the axes, in numbers.
    """

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(file: IO[bytes]) -> Any:
    """Reads one pickle from the current place of a file, up to its last opcode.

    Returns:
        Dicts, lists, tuples, numbers and text, with `Tensor` for tensors.

    Raises:
        ValueError: the pickle is damaged, or refers to code; the message is a phrase
            meant to follow the name of the file.
    """
    machine, opcodes = _Machine(), pickletools.genops(file)
    for _ in range(_MOST_OPCODES):
        try:
            opcode, argument, _ = next(opcodes)
        except (StopIteration, ValueError) as error:
            raise ValueError("is damaged: a pickle in it breaks off") from error
        try:
            if opcode.name == "STOP":
                return machine.pop()
            machine.execute(opcode.name, argument)
        except (IndexError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("is damaged: its opcodes do not fit together") from error
    raise ValueError(f"has more than {_MOST_OPCODES:,} opcodes")


class _Machine:
    """A stack and a memo."""

    def __init__(self):
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        """Takes the last value; raises IndexError if there is none."""
        value = self._stack.pop()
        if value is _MARK:
            raise IndexError
        return value

    def execute(self, name: str, argument: Any) -> None:
        """Executes one opcode."""
        if name in _PUSHES:
            self._stack.append(_CONSTANTS.get(name, argument))
        elif name in ("PROTO", "FRAME"):
            pass
        elif name == "MARK":
            self._stack.append(_MARK)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif name == "POP":
            self._stack.pop()
        elif not self._make(name) and not self._fill(name):
            self._refer(name, argument)

    def _make(self, name: str) -> bool:
        """Executes an opcode that makes a container."""
        if name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            empty: dict = {"EMPTY_DICT": {}, "EMPTY_LIST": [], "EMPTY_TUPLE": ()}
            self._stack.append(empty[name])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            items = [self.pop() for _ in range(int(name[-1]))]
            self._stack.append(tuple(reversed(items)))
        elif name == "TUPLE":
            self._stack.append(tuple(self._pop_to_mark()))
        elif name == "LIST":
            self._stack.append(self._pop_to_mark())
        elif name == "DICT":
            self._stack.append(_as_dict(self._pop_to_mark()))
        else:
            return False
        return True

    def _fill(self, name: str) -> bool:
        """Executes an opcode that puts values into a container."""
        if name in ("SETITEM", "SETITEMS"):
            several = name == "SETITEMS"
            items = self._pop_to_mark() if several else [self.pop(), self.pop()][::-1]
            _expect(self._stack[-1], dict).update(_as_dict(items))
        elif name in ("APPEND", "APPENDS"):
            items = self._pop_to_mark() if name == "APPENDS" else [self.pop()]
            _expect(self._stack[-1], list).extend(items)
        else:
            return False
        return True

    def _refer(self, name: str, argument: Any) -> None:
        """Executes an opcode that refers to a name or a storage."""
        if name == "GLOBAL":
            self._stack.append(_check_name(*argument.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            last = self.pop()
            self._stack.append(_check_name(self.pop(), last))
        elif name == "BINPERSID":
            self._stack.append(_make_storage(self.pop()))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments = _expect(self.pop(), tuple)
            self._stack.append(_construct(_expect(self.pop(), Name), arguments))
        elif name == "BUILD":  # attributes of an OrderedDict: versions of its modules
            self.pop()
            _expect(self._stack[-1], dict)
        else:
            raise ValueError(f"has the opcode {name}, which no state dict needs")

    def _pop_to_mark(self) -> list[Any]:
        items = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value


def _as_dict(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise IndexError
    return _pair(zip(items[::2], items[1::2], strict=True))


def _pair(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    pairs = list(pairs)
    # the hash of nested tuples would recurse without a limit
    if any(type(key) not in (str, int) for key, _ in pairs):
        raise TypeError
    return dict(pairs)


def _check_name(module: Any, name: Any) -> Name:
    """Returns a name that a state dict may refer to."""
    found = Name(_expect(module, str), _expect(name, str))
    known = (
        found == Name("collections", "OrderedDict")
        or (module == "torch._utils" and name in {*_REBUILDERS, "_rebuild_parameter"})
        or (module == "torch" and name in _STORAGES)
    )
    if not known:
        raise ValueError(
            f"refers to {ascii(f'{module}.{name}')[1:-1]}, which may be code, and is "
            "not read"
        )
    return found


def _make_storage(reference: Any) -> StorageRef:
    """Interprets ``("storage", type, key, device, size, ...)``."""
    if len(_expect(reference, tuple)) not in (5, 6) or reference[5:] not in (
        (),
        (None,),
    ):
        raise TypeError
    word, kind, key, _, size = reference[:5]
    if word != "storage" or _expect(kind, Name).module != "torch":
        raise TypeError
    return StorageRef(_STORAGES[kind.name], _expect(key, str), _check_count(size))


def _construct(name: Name, arguments: tuple) -> Any:
    """Interprets a call of one of the known names."""
    if name.name == "OrderedDict":
        return _pair(map(tuple, _expect(arguments[0], list))) if arguments else {}
    if name.name == "_rebuild_parameter":
        return _expect(arguments[0], Tensor)
    if name.name not in _REBUILDERS:
        raise TypeError
    storage, offset, shape, strides = arguments[:4]
    shape = tuple(_check_count(size) for size in _expect(shape, tuple))
    strides = tuple(_check_count(step) for step in _expect(strides, tuple))
    if len(shape) != len(strides):
        raise TypeError
    return Tensor(_expect(storage, StorageRef), _check_count(offset), shape, strides)


def _check_count(number: Any) -> int:
    if type(number) is not int or not 0 <= number < 2**40:
        raise TypeError
    return number
