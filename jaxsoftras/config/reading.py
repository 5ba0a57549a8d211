"""Configurations from files, dictionaries and the command line, and back."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import json
import os
import re
import runpy
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from jaxsoftras import atomic
from jaxsoftras.config import named
from jaxsoftras.config.fields import RESUMABLE, Config
from jaxsoftras.config.ranges import ConfigError

T = TypeVar("T")
# sizes of numbers that are neither 0 nor infinite on the devices
_SMALLEST, _LARGEST = (float(x) for x in (np.finfo("f4").tiny, np.finfo("f4").max))


def _describe(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return "one of " + ", ".join(repr(c) for c in typing.get_args(annotation))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " or ".join(_describe(a) for a in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        return f"a tuple of {_describe(typing.get_args(annotation)[0])}"
    if dataclasses.is_dataclass(annotation):
        return f"groups of {', '.join(typing.get_type_hints(annotation))}"
    if annotation is float:
        return f"a float (0, or {_SMALLEST:.2g} to {_LARGEST:.2g} in size)"
    if annotation is str:
        return "a str that can be a name"
    return "None" if annotation is type(None) else annotation.__name__


def _convert(value: Any, annotation: Any) -> Any:
    """Converts a plain value to a field's type, or raises TypeError."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        if value in arguments and not isinstance(value, bool):
            return value
    elif origin in (typing.Union, types.UnionType):
        for option in arguments:
            try:
                return _convert(value, option)
            except TypeError:
                pass
    elif origin is tuple:
        if isinstance(value, (list, tuple)):
            return tuple(_convert(item, arguments[0]) for item in value)
    elif dataclasses.is_dataclass(annotation):
        if isinstance(value, Mapping):
            return from_dict(typing.cast(type, annotation), value)
    elif annotation is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if value == 0 or _SMALLEST <= abs(value) <= _LARGEST:
                return float(value)
    elif annotation is str:
        if isinstance(value, str) and _names_a_path(value):
            return value
    elif type(value) is annotation:
        return value
    elif annotation is type(None) and value is None:
        return None
    raise TypeError


def _names_a_path(text: str) -> bool:
    """Whether the file system may take a text for a name."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def from_dict(cls: type[T], values: Mapping[str, Any], path: str = "") -> T:
    """Makes a configuration dataclass from nested dictionaries.

    Args:
        cls: `Config` or one of its parts.
        values: field values; missing fields keep their defaults.
        path: prefix of the field names in messages, such as ``"optim."``.

    Returns:
        An instance of ``cls``.

    Raises:
        ConfigError: an unknown field, or a value of the wrong type or out of range.
    """
    hints = typing.get_type_hints(cls)
    fields = {}
    for name, value in values.items():
        where = f"{path}{name}"
        if name not in hints:
            raise _unknown(where, path.rstrip("."), hints)
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise ConfigError(
                    f"{where!r} is a group of fields; set one of them, such as "
                    f"{where}.{next(iter(typing.get_type_hints(hint)))}."
                )
            fields[name] = from_dict(typing.cast(type, hint), value, f"{where}.")
            continue
        try:
            fields[name] = _convert(value, hint)
        except TypeError:
            raise ConfigError(
                f"{where} must be {_describe(hint)}, not {value!r}."
            ) from None
    needed = [
        field.name
        for field in dataclasses.fields(typing.cast(Any, cls))
        if field.name not in fields
        and field.default is field.default_factory is dataclasses.MISSING
    ]
    if needed:
        raise ConfigError(f"{cls.__name__} needs {path}{needed[0]}.")
    return cls(**fields)


def flat(config: Config) -> dict[str, Any]:
    """All fields by their path, ``{"optim.steps": 250000, ...}``.

    Those of several sources are numbered: ``data.sources.0.root``.
    """
    return dict(_flatten(dataclasses.asdict(config), ""))


def _flatten(values: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        where = f"{path}{name}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{where}.")
        elif isinstance(value, tuple) and value and isinstance(value[0], Mapping):
            numbered = {str(number): item for number, item in enumerate(value)}
            yield from _flatten(numbered, f"{where}.")
        else:
            yield where, value


def find_type(path: str) -> Any:
    """Finds the annotated type of a field, such as ``float`` for ``"render.sigma"``.

    Args:
        path: path of the field; not that of a group, nor one within a source.

    Raises:
        ConfigError: there is no such field.
    """
    annotation: Any = Config
    group = ""
    for name in path.split("."):
        hints = typing.get_type_hints(annotation) if _is_group(annotation) else {}
        if name not in hints:
            raise _unknown(path, group, hints)
        annotation, group = hints[name], f"{group}.{name}".lstrip(".")
    if _is_group(annotation):
        raise ConfigError(f"{path!r} is a group of fields; name one of them.")
    return annotation


def _unknown(path: str, group: str, names: Iterable[str]) -> ConfigError:
    """An error that names similar fields, or those of the group that was asked."""
    start, names = f"There is no configuration field {path!r}", list(names)
    if not names:
        return ConfigError(f"{start}; {group} is one field, which is set as a whole.")
    # those of a source of data have no path of their own
    is_path = group or names == list(typing.get_type_hints(Config))
    fields = list(flat(Config())) if is_path else names
    last = path.rpartition(".")[2]
    similar = [field for field in fields if field.rpartition(".")[2] == last]
    if not similar and last:
        similar = difflib.get_close_matches(path, fields, 1, 0.8)
    if similar:
        return ConfigError(f"{start}; did you mean {' or '.join(similar)}?")
    return ConfigError(
        f"{start}; {group or 'the configuration'} has {', '.join(names)}."
    )


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and dataclasses.is_dataclass(annotation)


def override(config: Config, settings: str | Iterable[str]) -> Config:
    """Replaces fields, given by their path.

    Args:
        config: the configuration to change.
        settings: one or several assignments such as ``optim.learning_rate=3e-4``;
            values are Python literals. Strings need no quotes, and tuples of one no
            comma: ``data.categories=table``, ``data.categories=[table,chair]``.

    Returns:
        The changed configuration.

    Raises:
        ConfigError: a setting not of the form ``path=value``, an unknown field, or a
            wrong value.
    """
    values = dataclasses.asdict(config)
    for setting in (settings,) if isinstance(settings, str) else settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set takes path.to.field=value, not {setting!r}.")
        *groups, name = path.strip().split(".")
        parent, annotation = values, Config
        for number, group in enumerate(groups):
            hints = typing.get_type_hints(annotation)
            if not isinstance(parent.get(group), dict):
                above = ".".join(groups[: number + (group in hints)])
                names = [] if group in hints else hints
                raise _unknown(path.strip(), above, names)
            parent, annotation = parent[group], hints[group]
        annotation = typing.get_type_hints(annotation).get(name)
        parent[name] = _parse(text, annotation)
    return from_dict(Config, values)


def _parse(text: str, annotation: Any) -> Any:
    """Reads a value as it is typed on a command line; `_convert` checks it."""
    value = _evaluate(text)
    if annotation is str:
        return value if isinstance(value, str) else text
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is not tuple or dataclasses.is_dataclass(
        arguments[0]
    ):
        return value
    if isinstance(value, (tuple, list)) and arguments[0] is not str:
        return value
    if isinstance(value, (tuple, list)) and all(isinstance(v, str) for v in value):
        return value
    items = [item.strip() for item in text.strip(" []()").split(",")]
    return tuple(_parse(item, arguments[0]) for item in items if item)


def _evaluate(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def load(name_or_path: str | Path, settings: str | Iterable[str] = ()) -> Config:
    """Runs a configuration file and applies overrides.

    Args:
        name_or_path: a Python file with a function ``get_config() -> Config``, or the
            name of one in the package; see `named.locate`.
        settings: see `override`.

    Returns:
        The configuration.

    Raises:
        ConfigError: a missing file, a file that defines no configuration, or wrong
            settings.
    """
    path = named.locate(name_or_path)
    try:
        get_config = runpy.run_path(str(path)).get("get_config")
        config = get_config() if callable(get_config) else None
    except (ConfigError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit, too, would end the program silently
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise ConfigError(
            f"{path} is not a configuration file: running it raised {text}."
        ) from error
    if not isinstance(config, Config):
        raise ConfigError(
            f"{path} must define get_config() and return a jaxsoftras.config.Config."
        )
    # `override` goes through dictionaries, so it checks the types of the file's values
    return override(config, settings)


def save(config: Config, path: str | Path) -> None:
    """Writes a configuration as JSON to the disk, whole or not at all."""
    text = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
    with atomic.file(path) as partial, partial.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read(path: str | Path) -> Config:
    """Reads a configuration written by `save`.

    Raises:
        ConfigError: the file is damaged, or has unknown fields or wrong values.
    """
    try:
        with atomic.naming(path):
            values = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:  # not JSON, or not text
        raise ConfigError(f"{path} is damaged: {error}.") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is damaged: it holds no groups of fields.")
    try:
        return from_dict(Config, values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def conflicts(old: Config, new: Config) -> list[str]:
    """Changed fields whose values must not change when a run is resumed.

    Args:
        old: configuration of the existing run.
        new: configuration to resume it with.

    Returns:
        A phrase per field, such as ``model.latent: 512 there, 256 here``.
    """
    there, here = flat(old), flat(new)
    return [
        f"{name}: {there.get(name, 'nothing')!r} there, "
        f"{here.get(name, 'nothing')!r} here"
        for name in {**there, **here}
        if (name not in there or name not in here or there[name] != here[name])
        and re.sub(r"\.\d+\.", ".*.", name) not in RESUMABLE
    ]
