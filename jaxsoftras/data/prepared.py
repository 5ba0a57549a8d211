"""Reads prepared data sets: TFDS data sets in ArrayRecord files, without TensorFlow.

An object is one example: its views, compressed separately, and its voxels. Only the
requested views are decompressed: 2 and not 24 for a training pair.
`jaxsoftras.data.prepared_builder` writes them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsoftras.data import camera_files, description
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.prepared_builder import (
    GRID,
    NAMES,
    ShapesBuilder,
    part_name,
    prepare,
)
from jaxsoftras.data.rig import SOFTRAS_RIG, Orbit
from jaxsoftras.data.split import ALL_SPLITS, Split, check_split_name, select_categories
from jaxsoftras.data.tfds_packages import Proto, tfds

__all__ = ["PreparedCategory", "inspect_prepared", "open_prepared", "prepare"]


def open_prepared(
    data_dir: str | Path,
    split: str,
    categories: Sequence[str] | None = None,
    orbit: Orbit = SOFTRAS_RIG,
) -> Split:
    """Opens one split of a prepared data set; images are read on each request.

    Args:
        data_dir: folder given to `prepare`.
        split: ``"train"``, ``"val"`` or ``"test"``.
        categories: keys or names; if None, all 13 categories, or those of the data
            set's description that have objects in the split.
        orbit: cameras of a data set whose description states none.

    Raises:
        FileNotFoundError: not a prepared data set, or a part of it is missing.
        ValueError: an unknown split or category; another format version; a damaged
            file; a description that contradicts ``orbit``.
    """
    check_split_name(split)
    about, parts = inspect_prepared(data_dir)
    names = about.categories if about else None
    available = parts.get(split, {})
    chosen = select_categories(
        categories, list(available), f"part {split}_{{}}", Path(data_dir), names
    )
    for key in chosen:
        available[key].example(0)  # finds damaged files now
    stores = {key: available[key] for key in chosen}
    views = [store.num_views for store in stores.values()]
    cameras = camera_files.choose_orbit(about, orbit, views)
    return Split(split, stores, names or CATEGORIES, cameras)


def inspect_prepared(
    data_dir: str | Path,
) -> tuple[description.Description | None, dict[str, dict[str, PreparedCategory]]]:
    """Finds the parts of a prepared data set without reading its examples.

    Args:
        data_dir: folder given to `prepare`.

    Returns:
        The description, if the npz files had one; and the stores of all splits and
        categories found: by split name, then by key.

    Raises:
        FileNotFoundError: not a prepared data set, or a part of it is missing.
        ValueError: another format version, or a damaged file.
    """
    found = [
        path.parent
        for name in NAMES
        for path in (Path(data_dir) / name).glob("*/dataset_info.json")
    ]
    if not found:
        raise FileNotFoundError(
            f"{data_dir} is not a prepared data set: make one with python -m "
            "jaxsoftras.data prepare."
        )
    version = str(ShapesBuilder.VERSION)
    known = [folder for folder in found if folder.name == version]
    if not known:
        versions = ", ".join(folder.name for folder in found)
        raise ValueError(
            f"{data_dir} was prepared in format {versions}; this version of "
            f"jaxsoftras reads {version}: prepare it again."
        )
    if len(known) > 1:
        names = " and ".join(folder.parent.name for folder in known)
        raise ValueError(f"{data_dir} holds {names}: keep each in a folder of its own.")
    [folder] = known
    try:
        builder = tfds.builder_from_directory(folder)
        metadata = builder.info.metadata or {}
        sizes = [int(metadata[key]) for key in ("num_views", "image_size")]
        content = metadata.get("description")
    except Exception as error:  # TFDS raises whatever its parsers happen to raise
        raise _damaged(folder, error) from error
    about = None
    if content is not None:
        about = description.parse(content, folder / "metadata.json")
    found = {}
    for split in ALL_SPLITS:
        for key in about.categories if about else CATEGORIES:
            if part_name(split, key) in builder.info.splits:
                store = PreparedCategory(builder, part_name(split, key), *sizes)
                if (
                    about is not None
                    and key in about.objects  # an archive may name none
                    and about.count(key, split) != store.num_objects
                ):
                    raise _damaged(folder, "its metadata list other objects")
                found.setdefault(split, {})[key] = store
    return about, found


# Shape of packed voxels.
_BITS = (GRID[0] * GRID[1] * GRID[2] // 8,)


class Example(NamedTuple):
    """An object as it is stored: compressed views, and voxels or no bytes."""

    views: Sequence[bytes]
    voxels: bytes


class PreparedCategory:
    """A `CategoryStore` on one TFDS split of a prepared data set.

    Attributes:
        num_objects: number of objects.
        num_views: images of each object.
        image_size: width and height of the images, pixels.
    """

    def __init__(
        self,
        builder: Any,
        part: str,
        num_views: int,
        image_size: int,
    ):
        """Finds the files; they are opened on first use.

        Args:
            builder: TFDS builder of the prepared data set.
            part: name of the TFDS split.
            num_views: images of each object.
            image_size: width and height of the images, pixels.

        Raises:
            FileNotFoundError: a file is missing.
        """
        self._paths = builder.info.splits[part].filepaths
        for path in self._paths:
            if not path.exists():
                raise FileNotFoundError(f"The prepared data set lacks its file {path}.")
        # TFDS would make arrays of all views of an object: 100 microseconds
        raw = tfds.decode.DeserializeMethod.RAW_BYTES
        self._source = builder.as_data_source(part, deserialize_method=raw)
        self.num_objects = len(self._source)
        self.num_views = num_views
        self.image_size = image_size

    @property
    def has_voxels(self) -> bool:
        """Whether there are voxels."""
        return bool(self.example(0).voxels)

    def example(self, number: int) -> Example:
        """Reads the compressed views and voxels of an object.

        Raises:
            ValueError: a damaged file.
        """
        try:
            proto = Proto.FromString(self._source[number])
            feature = proto.features.feature
            [voxels] = feature["voxels"].bytes_list.value
            views = feature["views"].bytes_list.value
            if len(views) != self.num_views:
                raise ValueError(f"{len(views)} views, not {self.num_views}")
        except Exception as error:  # see `inspect_prepared`
            raise _damaged(self._paths[0], error) from error
        return Example(views, voxels)

    def images(self, number: int, views: Sequence[int]) -> Sequence[np.ndarray]:
        """Reads images of an object, each ``[4, S, S]`` uint8."""
        codes = self.example(number).views
        shape = (4, self.image_size, self.image_size)
        return [self._decompress(codes[view], shape) for view in views]

    def voxels(self, objects: np.ndarray) -> np.ndarray:
        """Reads the voxels ``[N, 32, 32, 32]`` bool of ``[N]`` objects."""
        grids = np.empty((len(objects), *GRID), np.bool_)
        for grid, number in zip(grids, objects.tolist(), strict=True):
            code = self.example(number).voxels
            if not code:
                raise FileNotFoundError(
                    "This training set was prepared without voxels."
                )
            grid[:] = np.unpackbits(self._decompress(code, _BITS)).reshape(GRID)
        return grids

    def _decompress(self, code: bytes, shape: tuple[int, ...]) -> np.ndarray:
        """Returns the array of uint8 that a code stands for.

        Raises:
            ValueError: it stands for something else.
        """
        try:
            return np.frombuffer(zlib.decompress(code), np.uint8).reshape(shape)
        except (zlib.error, ValueError) as error:
            raise _damaged(self._paths[0], error) from error

    def examples(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Reads the objects one after another; see `Split.examples`."""
        views, has_voxels = range(self.num_views), self.has_voxels
        for number in range(self.num_objects):
            images = np.stack(self.images(number, views))
            voxels = self.voxels(np.array([number]))[0] if has_voxels else None
            yield images, voxels


def _damaged(path: Path, error: object) -> ValueError:
    return ValueError(f"{path} is damaged ({error}): prepare the data set again.")
