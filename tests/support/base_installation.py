"""What works where no package of an extra is installed, as JSON on stdout.

Run as a program: ``python -m tests.support.base_installation [CALL ...]``, the names of
calls of `tests.support.public_calls`; all of them by default.
"""

from __future__ import annotations

import importlib
import importlib.abc
import json
import pkgutil
import sys

BLOCKED = {
    "PIL",
    "array_record",
    "flatbuffers",
    "flax",
    "grain",
    "jinja2",
    "mapbox_earcut",
    "optax",
    "optuna",
    "orbax",
    "plotly",
    "rich",
    "safetensors",
    "tensorflow_datasets",
    "torch",
    "trimesh",
    "viser",
    "websockets",
}


class Blocker(importlib.abc.MetaPathFinder):
    """Finds no optional package."""

    def find_spec(self, fullname, path=None, target=None):
        """Raises the error of an import statement for an absent package."""
        if fullname.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def _refusals(names: list[str]) -> dict[str, str]:
    """Calls public functions; the types of errors by the names of the calls."""
    from tests.support.public_calls import CALLS

    found = {}
    for name in names or CALLS:
        try:
            CALLS[name].function(CALLS[name].argument)
        except Exception as error:
            found[name] = type(error).__name__
    return found


def _imports() -> dict[str, str]:
    """Imports all modules of the package; the types of errors by module."""
    import jaxsoftras

    found = {}
    names = pkgutil.walk_packages(jaxsoftras.__path__, "jaxsoftras.", lambda _: None)
    for module in names:
        try:
            importlib.import_module(module.name)
        except Exception as error:
            found[module.name] = type(error).__name__
    return found


def main() -> None:
    """Prints the refusals of calls and imports."""
    sys.meta_path.insert(0, Blocker())
    calls = _refusals(sys.argv[1:])
    print(json.dumps({"calls": calls, "imports": _imports()}))


if __name__ == "__main__":
    main()
