"""Optional packages: the extra that installs each, and an error that names it.

``pip install jaxsoftras`` brings the renderer. Features that need further packages call
`require` before they import them.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import NamedTuple


class Package(NamedTuple):
    """An optional package.

    Attributes:
        name: its name on the package index.
        extra: the extra of jaxsoftras that installs it; None where users choose a build
            of the package for their machine themselves.
        on_windows: whether it can be installed on Windows.
    """

    name: str
    extra: str | None
    on_windows: bool = True


PACKAGES = {
    "PIL": Package("Pillow", "io"),
    "mapbox_earcut": Package("mapbox_earcut", "io"),
    "trimesh": Package("trimesh", "io"),
    "array_record": Package("array-record", "train", on_windows=False),
    "flatbuffers": Package("flatbuffers", "train"),
    "flax": Package("flax", "train"),
    "grain": Package("grain", "train"),
    "optax": Package("optax", "train"),
    "orbax.checkpoint": Package("orbax-checkpoint", "train"),
    "rich": Package("rich", "train"),
    "safetensors": Package("safetensors", "train"),
    "tensorflow_datasets": Package("tensorflow-datasets", "train", on_windows=False),
    "jinja2": Package("jinja2", "report"),
    "plotly": Package("plotly", "report"),
    "torch": Package("PyTorch", None),
    "optuna": Package("optuna", "tune"),
    "viser": Package("viser", "view"),
    "websockets": Package("websockets", "view"),
}
"""The optional packages by the module that is imported."""

_INCLUDED = {
    "train": ("io",),
    "tune": ("io", "report", "train"),
    "view": ("io",),
}
"""The extras that another one includes."""


class MissingExtraError(ModuleNotFoundError):
    """A package of an extra is not installed; the message says how to install it."""


def require(purpose: str, *modules: str) -> None:
    """Checks that optional packages are installed, without importing them.

    Args:
        purpose: what they are needed for, as a verb and its object: ``"read images"``.
        modules: keys of `PACKAGES`.

    Raises:
        MissingExtraError: one of them is not installed.

    Example:
        >>> from jaxsoftras import extras
        >>> extras.require("read images", "PIL")
    """
    missing = [module for module in modules if not _is_installed(module)]
    if not missing:
        return
    packages = [PACKAGES[module] for module in missing]
    *others, last = (package.name for package in packages)
    names = f"{', '.join(others)} and {last}" if others else last
    wanted = {package.extra for package in packages if package.extra}
    wanted -= {part for extra in wanted for part in _INCLUDED.get(extra, ())}
    extras = ",".join(sorted(wanted))
    source = f'"jaxsoftras[{extras}]"' if extras else " ".join(missing)
    message = f"Install {names} to {purpose}: pip install {source}."
    if sys.platform == "win32" and not all(each.on_windows for each in packages):
        message = f"Windows has no {names} to {purpose}; use Linux (WSL) or macOS."
    raise MissingExtraError(message, name=missing[0])


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not
        return False
