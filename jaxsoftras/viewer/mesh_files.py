"""Mesh files as exhibits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxsoftras import config, meshfile, summaries, terminal, topology
from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import formats
from jaxsoftras.viewer.exhibits import Exhibit, Solid, Up

_QUICK = 200_000  # faces whose edges are compared within a second


def check(paths: Sequence[Path]) -> None:
    """Checks names and existence of mesh files.

    Raises:
        ProgramError: there is no such file, or it has no name of a mesh file.
        ConfigError: the name of a configuration.
    """
    for path in paths:
        if path.is_dir():
            raise terminal.ProgramError(
                f"{path} is a folder: name its mesh files, or a run folder alone."
            )
        if not path.exists():
            config.refuse_name(path)
            raise terminal.ProgramError(f"There is no file {path}.")
        formats.identify_format(path)
        if not path.is_file():
            raise terminal.ProgramError(f"{path} is not a regular file.")


def describe(path: Path, up: Up) -> Exhibit:
    """Reads a mesh file.

    Args:
        path: the file.
        up: axis that points up.

    Raises:
        FileNotFoundError, ValueError, MissingExtraError: see `meshfile.load_mesh`.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mesh = meshfile.load_mesh(path)
    return Exhibit(
        title=path.name,
        solids=[Solid("", mesh)],
        facts=[*list_facts(mesh), ("File", f"{path.stat().st_size / 1e6:,.2f} MB")],
        notes=[str(warning.message) for warning in caught],
        up=up,
        towards=(0.6, 0.4, 1.0) if up == "+y" else (0.6, -1.0, 0.4),
    )


def list_facts(mesh: Mesh) -> list[tuple[str, str]]:
    """Names and values of what is known about one mesh."""
    used = np.unique(mesh.faces)
    vertices = np.asarray(mesh.vertices, float)[used]
    sides = vertices.max(axis=0) - vertices.min(axis=0)
    facts = [
        ("Vertices", f"{len(mesh.vertices):,}"),
        ("Faces", f"{len(mesh.faces):,}"),
        ("Size", " × ".join(f"{side:.4g}" for side in sides)),
        ("Colours", summaries.texture(mesh.texture)),
    ]
    if len(mesh.faces) <= _QUICK:
        closed = topology.is_watertight(mesh.faces)
        facts.append(("Watertight", "yes" if closed else "no"))
    return facts
