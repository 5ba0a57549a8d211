"""Where the public names of a package are, read from its source files.

Nothing is imported, for a sub-package may need packages that are not installed.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import pkgutil
from collections.abc import Iterator
from pathlib import Path

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@functools.cache
def find_places(package: str) -> dict[str, list[str]]:
    """Finds functions and classes in the modules and sub-packages of a package.

    Args:
        package: name of an imported package.

    Returns:
        Modules that define a name and sub-packages that export it, by name; without
        those that begin with an underscore.

    Example:
        >>> from jaxsoftras import places
        >>> places.find_places("jaxsoftras")["voxelize"]
        ['jaxsoftras.voxels']
    """
    spec = importlib.util.find_spec(package)
    folders = (spec and spec.submodule_search_locations) or []
    found: dict[str, list[str]] = {}
    for module in pkgutil.iter_modules(list(folders)):
        if not module.name.startswith("_"):
            for name in dict.fromkeys(_list_names(module)):
                found.setdefault(name, []).append(f"{package}.{module.name}")
    return found


def _list_names(module: pkgutil.ModuleInfo) -> Iterator[str]:
    """Public names of a module, and those that a sub-package takes from others."""
    file = f"{module.name}/__init__.py" if module.ispkg else f"{module.name}.py"
    try:
        folder = Path(getattr(module.module_finder, "path", ""))
        tree = ast.parse((folder / file).read_bytes())
    except (OSError, SyntaxError, ValueError):  # there need not be a source file
        return
    for node in tree.body:
        names = []
        if isinstance(node, _DEFINITIONS):
            names = [node.name]
        elif module.ispkg and isinstance(node, ast.ImportFrom):
            # names of a module, not modules
            if node.module and "." in node.module:
                names = [alias.asname or alias.name for alias in node.names]
        yield from (name for name in names if not name.startswith("_"))
