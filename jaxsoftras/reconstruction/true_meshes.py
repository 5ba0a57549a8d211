"""The meshes that the objects of a data set were made from, where they can be had.

Data sets hold images and voxels. Those of embedded shapes say how to make the shapes
again; those built from a folder of meshes name the file of each object. Before a mesh
is compared with anything, its voxels are compared with those of the data set.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras import config, data
from jaxsoftras.data import build_object, description, solids
from jaxsoftras.reconstruction.surface_scores import Surface
from jaxsoftras.shapes import dataset

_SAME = 0.99  # IoU of voxels; other machines round a few cells otherwise

Maker = Callable[[str, int], tuple[Surface, np.ndarray]]
"""``(category, number) -> (mesh, voxels)``."""


class NoMeshes(ValueError):
    """There are no true meshes; the message says why, and what to do."""


class TrueMeshes:
    """True meshes of the objects of a split.

    Attributes:
        problems: why an object has none, by its number in the split.
    """

    def __init__(
        self, split: data.Split, objects: Sequence[tuple[str, int]], make: Maker
    ):
        """Names the objects.

        Args:
            split: the objects.
            objects: category and number of each, in the order of the scores.
            make: makes or reads a mesh, and its voxels by the rule of the data set.
        """
        self._split, self._objects, self._make = split, objects, make
        self.problems: dict[int, str] = {}
        # loading records warnings, which threads would do in each other's name
        self._lock = threading.Lock()

    def load(self, number: int) -> Surface | None:
        """Loads the mesh of an object; None, and a problem, if it is not as it was."""
        try:
            with self._lock:
                return self._load(*self._objects[number])
        except Exception as error:  # parsers of broken files raise whatever they raise
            self.problems[number] = str(error).partition("\n")[0] or repr(error)
            return None

    def _load(self, category: str, number: int) -> Surface:
        mesh, made = self._make(category, number)
        if not self._split.has_voxels(category):
            return mesh
        stored = self._split.voxels(category, np.array([number]))[0]
        union = np.sum(made | stored) if made.shape == stored.shape else 0
        if not union or np.sum(made & stored) < _SAME * union:
            raise ValueError("its voxels are not those of the data set")
        return mesh


def read_description(
    source: config.Data | config.Source,
) -> description.Description | None:
    """Reads the description of a data set, if it has one."""
    if source.source != "prepared":
        return description.read(source.root)
    from jaxsoftras.data.prepared import inspect_prepared  # tensorflow-datasets

    return inspect_prepared(source.root)[0]


def find_meshes(
    source: config.Data | config.Source,
    split: data.Split,
    objects: Sequence[tuple[str, int]],
    folder: Path | None = None,
) -> TrueMeshes:
    """Finds the true meshes of a split.

    Args:
        source: storage and folder of the data set.
        split: the open split.
        objects: category and number of each object, in the order of the scores.
        folder: the meshes that the data set was built from.

    Raises:
        NoMeshes: there are none.
        ValueError: ``folder`` is not that of the data set.
    """
    shapes = None if source.source == "prepared" else dataset.open_shapes(source.root)
    if folder is None and shapes is not None:
        return TrueMeshes(split, objects, _make_from_shapes(split, shapes))
    make = _make_from_files(read_description(source), split, folder)
    recipe = Path(source.root) / dataset.DESCRIPTION
    if make is None and folder is None and recipe.is_file():
        raise NoMeshes(
            f"{recipe} is damaged or of another version, and its shapes cannot be made "
            "again"
        )
    if make is None and folder is None:
        raise NoMeshes("The data set holds no meshes to compare with")
    if make is None:
        raise ValueError(
            f"--meshes {folder}: the data set in {source.root} does not name the mesh "
            "files of its objects; leave the option out."
        )
    if folder is None:
        raise NoMeshes(
            "The data set was built from mesh files, which --meshes FOLDER would "
            "compare with"
        )
    found = TrueMeshes(split, objects, make)
    if found.load(0) is None:
        raise ValueError(
            f"--meshes {folder}: the first object cannot be compared "
            f"({found.problems[0].rstrip('.')}); name the folder that the data set was "
            "built from."
        )
    return found


def _make_from_shapes(split: data.Split, shapes: Callable[..., Any]) -> Maker:
    def make(category: str, number: int) -> tuple[Surface, np.ndarray]:
        shape = shapes(category, split.name, number)
        surface = Surface(shape.vertices.astype(np.float32), shape.faces)
        return surface, solids.voxelize(*surface)

    return make


def _make_from_files(
    about: description.Description | None, split: data.Split, folder: Path | None
) -> Maker | None:
    """Reads meshes from their files; None if the data set does not name them all."""
    made_by = about.content.get("made_by") if about else None
    if about is None or not isinstance(made_by, dict):
        return None
    files = {
        key: [
            item.get("file") for item in about.objects.get(key, {}).get(split.name, ())
        ]
        for key in split.categories
    }
    if not all(names and None not in names for names in files.values()):
        return None
    names = {field.name for field in dataclasses.fields(build_object.Options)}
    try:
        options = build_object.Options(
            **{name: made_by[name] for name in names & set(made_by)}
        )
    except (TypeError, ValueError):
        return None

    def make(category: str, number: int) -> tuple[Surface, np.ndarray]:
        assert folder is not None
        path = folder / str(files[category][number])
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        mesh, voxels, *_ = build_object.load_object(path, options)
        return Surface(np.asarray(mesh.vertices), np.asarray(mesh.faces)), voxels

    return make
