"""Answers to names of other libraries, and to near misses, in place of bare errors.

`foreign_names.TABLE` has the names that users of other libraries know. `answers` makes
classes and functions say ours when they are given one of those, or a name that is
nearly right; `answer_module` does so for a package, and knows the names of the others
by `places`.
"""

from __future__ import annotations

import difflib
import functools
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeVar

from jaxsoftras import places
from jaxsoftras.foreign_names import TABLE

T = TypeVar("T")

_ROOT = "jaxsoftras"
# functions with an argument that has fields of its own
_HOMES = {"render": ("settings", "Settings")}
# names of the arguments, or fields, of all that has been given to `answers`
_KNOWN: dict[str, tuple[str, ...]] = {}


@functools.cache
def _inverse(owner: str) -> dict[str, list[str]]:
    """Ours by names of others."""
    found: dict[str, list[str]] = {}
    for ours, others in TABLE.get(owner, {}).items():
        for other in others.split():
            found.setdefault(other, []).append(ours)
    return found


def _translate(owner: str, name: str) -> str | None:
    """Our name for one in the table, or for one that belongs into another argument."""
    for ours in _inverse(owner).get(name, ()):
        return ours
    for ours in _inverse("").get(name, ()):
        if ours in _KNOWN[owner] or ours.startswith("leave"):
            return ours
    if owner in _HOMES:
        argument, home = _HOMES[owner]
        ours = name if name in _KNOWN[home] else _translate(home, name)
        return f"{argument}={home}({ours}=...)" if ours in _KNOWN[home] else ours
    return None


def _answer(start: str, owner: str, name: str, known: Iterable[str]) -> str:
    """Completes an error message by our name."""
    ours = _translate(owner, name)
    if ours is not None:
        return f"{start}; {'' if ours.startswith('leave') else 'use '}{ours}."
    if close := difflib.get_close_matches(name, known, 1, 0.7):
        return f"{start}; did you mean {close[0]}?"
    return f"{start}; it has {', '.join(known)}."


def _check_keywords(owner: str, function: Callable) -> Callable:
    names = inspect.signature(function).parameters
    _KNOWN[owner] = tuple(name for name in names if name not in ("_cls", "self"))
    allowed = frozenset(_KNOWN[owner])

    @functools.wraps(function)
    def checked(*arguments, **options):
        if options and not options.keys() <= allowed:
            name = min(options.keys() - allowed)
            start = f"{owner}() has no argument {name!r}"
            raise TypeError(_answer(start, owner, name, _KNOWN[owner]))
        return function(*arguments, **options)

    return checked


class _Answering(type):
    """Class of classes that answer unknown names of their own, as their objects do."""

    def __getattr__(cls, name: str) -> Any:
        return vars(cls)["__getattr__"](cls, name)


def _check_attributes(owner: str, kind: Any) -> None:
    own = (name for name in vars(kind) if name[0] != "_")
    known = tuple(dict.fromkeys([*_KNOWN[owner], *own]))

    def missing(_: Any, name: str) -> NoReturn:
        start = f"{owner} has no attribute {name!r}"
        if name == "_replace":  # of named tuples, such as Mesh
            raise AttributeError(f"{start}; use dataclasses.replace(value, field=...).")
        if name.startswith("_"):  # of Python and JAX, which ask often
            raise AttributeError(start)
        raise AttributeError(_answer(start, owner, name, known))

    kind.__getattr__ = missing


def answers(target: T) -> T:
    """Decorates a class or a function to answer unknown names with ours.

    Signatures stay as they are, for type checkers and for ``help``. A call passes one
    more frame, which counts where it warns with a ``stacklevel``. The class of a named
    tuple answers, too: ``Mesh.from_file``.

    Args:
        target: a function, a dataclass, or a named tuple.
    """
    kind: Any = target
    if not isinstance(kind, type):
        return _check_keywords(kind.__name__, kind)  # pyright: ignore[reportReturnType]
    maker = "__init__"
    if issubclass(kind, tuple):  # made again, as a class cannot change its own class
        maker = "__new__"
        kind = _Answering(kind.__name__, kind.__bases__, dict(vars(kind)))
    setattr(kind, maker, _check_keywords(kind.__name__, getattr(kind, maker)))
    _check_attributes(kind.__name__, kind)
    return kind  # pyright: ignore[reportReturnType]


def _suggest(owner: str, name: str) -> str:
    """Name that a package, or another one, has in place of one; empty if not known."""
    if ours := _inverse(owner).get(name):
        return f"use {ours[0]}."
    elsewhere = _find_elsewhere(owner)
    if found := elsewhere.get(name):
        return f"it is {' or '.join(found[:3])}."
    own = vars(sys.modules[owner]).items()
    known = {n: f"did you mean {n}?" for n, value in own if not _is_hidden(n, value)}
    for other, ours in _inverse(owner).items():
        known.setdefault(other, f"use {ours[0]}.")
    if close := _find_near(name, known):
        return known[close]
    if close := difflib.get_close_matches(name, elsewhere, 1, 0.8):
        return f"did you mean {elsewhere[close[0]][0]}?"
    return ""


def _find_elsewhere(owner: str) -> dict[str, list[str]]:
    """Full names in jaxsoftras, and in the modules of it and of a package, by name."""
    found: dict[str, list[str]] = {}
    for package in dict.fromkeys([owner, _ROOT]):
        for name, modules in places.find_places(package).items():
            for module in modules:
                if module != owner:
                    found.setdefault(name, []).append(f"{module}.{name}")
    exported = vars(sys.modules[_ROOT]).items()
    return found | {n: [f"{_ROOT}.{n}"] for n, v in exported if not _is_hidden(n, v)}


def _is_hidden(name: str, value: Any) -> bool:
    """Whether a name of a package is private, a module, or of another library."""
    home = ""
    if isinstance(value, types.ModuleType):
        home = value.__name__ if hasattr(value, "__path__") else "a module"
    elif isinstance(value, (type, types.FunctionType)):
        home = value.__module__
    return name.startswith("_") or home.partition(".")[0] not in ("", _ROOT)


def _find_near(name: str, names: Iterable[str]) -> str | None:
    """The name that is spelt most alike, or else the shortest with the same words."""
    spelt: dict[str, str] = {}
    for other in names:
        spelt.setdefault(other.lower(), other)
    if close := difflib.get_close_matches(name.lower(), spelt, 1, 0.7):
        return spelt[close[0]]
    words = set(name.lower().split("_"))
    longer = [other for other in spelt if words <= set(other.split("_"))]
    return spelt[min(longer, key=len)] if longer and len(name) > 2 else None


def answer_module(owner: str) -> None:
    """Makes a package answer unknown names, those in an import statement included.

    Args:
        owner: name of the package, which calls this when its names are there.
    """

    def missing(name: str) -> NoReturn:
        start = f"{owner} has no {name!r}"
        if name.startswith("_") or not name.isidentifier():
            raise AttributeError(start)
        if importlib.util.find_spec(f"{owner}.{name}"):
            raise AttributeError(f"{start} yet; import {owner}.{name} first.")
        suggestion = _suggest(owner, name)
        if not suggestion:
            raise AttributeError(f"{start}.")
        # ``from package import name`` hides an AttributeError, and asks from here
        if sys._getframe(1).f_code.co_name == "_handle_fromlist":
            raise ImportError(f"{start}; {suggestion}")
        raise AttributeError(f"{start}; {suggestion}")

    vars(sys.modules[owner])["__getattr__"] = missing
