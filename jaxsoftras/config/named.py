"""Configurations that are part of the package, by name."""

from __future__ import annotations

import os
from pathlib import Path

from jaxsoftras import configs
from jaxsoftras.config.ranges import ConfigError

_FOLDER = Path(configs.__path__[0])


def list_names() -> list[str]:
    """Lists the names of the configurations in the package, such as ``real13``.

    Example:
        >>> from jaxsoftras import config
        >>> "demo" in config.list_names()
        True
    """
    return sorted(path.stem for path in _FOLDER.glob("[!_]*.py"))


def is_name(word: str | Path) -> bool:
    """Whether a word, given in the place of a folder or a file, is a configuration.

    Args:
        word: a word of a command line. The name of a configuration, or a Python file,
            is one, unless there is a folder of that name.
    """
    text = str(word)
    known = text in list_names() or text.endswith(".py")
    return known and not os.path.isdir(text)  # False, too, for a name that is too long


def refuse_name(word: str | Path) -> None:
    """Refuses a configuration in the place of a run folder.

    Args:
        word: see `is_name`.

    Raises:
        ConfigError: it is a configuration; the message says what to name.
    """
    if is_name(word):
        raise ConfigError(
            f"{word} is a configuration, not a run folder: name the folder of a run "
            f"of it, such as runs/{Path(word).stem}."
        )


def locate(name_or_path: str | Path) -> Path:
    """Finds the file of a configuration.

    Args:
        name_or_path: a name of `list_names`, or the path of a file. The text ``demo``
            is the name; ``./demo`` and ``Path("demo")`` are paths.

    Raises:
        ConfigError: there is neither.
    """
    names = list_names()
    if isinstance(name_or_path, str) and name_or_path in names:
        return _FOLDER / f"{name_or_path}.py"
    if not Path(name_or_path).is_file():
        raise ConfigError(
            f"There is no configuration file {str(name_or_path)!r}; the configurations "
            f"known by name are {', '.join(names)}."
        )
    return Path(name_or_path)
