"""Writes model files."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors.numpy

import jaxsoftras
from jaxsoftras import atomic, models, strict_json
from jaxsoftras.model_files import card, contents, exporting
from jaxsoftras.model_files.contents import ModelFileError

_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "safetensors")


def save(
    path: str | Path,
    trained: models.Trained,
    *,
    license: str,
    storage: contents.Storage = "float32",
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    origin: str = "",
) -> None:
    """Writes a trained network to a file, whole or not at all.

    Args:
        path: the file, whose name ends in ``.zip``; its folder is made if needed.
        trained: the network.
        license: licence of the parameters, an SPDX identifier or a phrase.
        storage: type of the stored parameters. ``float16`` halves the file and rounds
            each parameter to 11 bits.
        metrics: contents of ``metrics.json`` by split; see
            `jaxsoftras.reconstruction.evaluation`.
        origin: how the network was made, a paragraph of Markdown for the model card.

    Raises:
        ModelFileError: another suffix, a parameter that is not finite or too large for
            ``float16``.
        OSError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".zip":
        raise ModelFileError(f"A model file is a .zip archive: rename {path.name}.")
    arrays = _round(trained.variables, storage)
    about = {
        "format": contents.FORMAT,
        "version": contents.VERSION,
        "step": trained.step,
        "storage": storage,
        "inverted_colors": trained.inverted,
        "license": license,
        "versions": _list_versions(),
    }
    metrics = metrics or {}
    text = card.write(trained, arrays, about, metrics, origin)
    members = {
        contents.ABOUT: _to_json(about),
        contents.CONFIG: _to_json(dataclasses.asdict(trained.config)),
        **{f"{contents.METRICS}/{k}.json": _to_json(v) for k, v in metrics.items()},
        contents.CARD: text.encode(errors="backslashreplace"),
        contents.FUNCTION: exporting.serialize(trained, arrays),
        contents.ARRAYS: safetensors.numpy.save(arrays),
    }
    with atomic.file(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, data in members.items():
            # the digits of arrays are random, and do not get smaller
            stored = name == contents.ARRAYS
            archive.writestr(
                name, data, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            )


def _round(
    variables: models.Variables, storage: contents.Storage
) -> dict[str, np.ndarray]:
    """Arrays as they are stored."""
    arrays = {}
    for name, value in models.flatten(jax.device_get(variables)).items():
        array = np.ascontiguousarray(value, np.float32)
        if not np.all(np.isfinite(array)):
            raise ModelFileError(
                f"The network has numbers in {name} that are not finite, and is of no "
                "use to others: choose an earlier checkpoint."
            )
        if storage == "float16" and name.startswith("params."):
            if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
                raise ModelFileError(
                    f"The network has numbers in {name} that are too large for "
                    "float16: store it as float32."
                )
            array = array.astype(np.float16)
        arrays[name] = array
    return arrays


def _to_json(values: Any) -> bytes:
    return (strict_json.dumps(values, indent=2) + "\n").encode("ascii")


def _list_versions() -> dict[str, str]:
    return {
        "jaxsoftras": jaxsoftras.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }
