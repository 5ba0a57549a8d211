"""Configurations that are part of the package, by name."""

from __future__ import annotations

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
