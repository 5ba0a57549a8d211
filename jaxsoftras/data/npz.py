"""Data sets in the npz files of Soft Rasterizer and Neural Mesh Renderer.

For each category and split, a folder holds ``{key}_{split}_images.npz`` with one array
``[n, views, 4, S, S]`` uint8, and ``{key}_{split}_voxels.npz`` with one array ``[n, 32,
32, 32]`` bool, or another cube. The voxels of the training set are optional. Keys are
the 13 synsets, unless a `jaxsoftras.data.description` beside the files says otherwise;
it may also say that there are no voxels, or that each picture has a camera of its own
(`jaxsoftras.data.camera_files`).
"""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import DTypeLike

from jaxsoftras.data import damage
from jaxsoftras.data.camera_files import open_cameras
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.description import FILE, Description, read
from jaxsoftras.data.rig import SOFTRAS_RIG, Orbit
from jaxsoftras.data.split import ALL_SPLITS, Split, check_split_name, select_categories


def open_npz(
    root: str | Path,
    split: str,
    categories: Sequence[str] | None = None,
    orbit: Orbit = SOFTRAS_RIG,
) -> Split:
    """Opens one split of a folder of npz files.

    Images are read into memory now: about 12 GB for the training set of the original
    data. For data that do not fit, see `jaxsoftras.data.prepared`. Voxels are read on
    first use.

    Args:
        root: folder of the files.
        split: ``"train"``, ``"val"`` or ``"test"``.
        categories: keys or names; if None, all 13 categories, or those of the
            description that have objects in the split.
        orbit: cameras of a data set whose description states none.

    Raises:
        FileNotFoundError: the folder or the file of a category is missing.
        ValueError: an unknown split or category; a file that is damaged or holds an
            array of another shape or type; files that do not fit their description.
    """
    check_split_name(split)
    root = Path(root)
    about = read(root)
    names = about.categories if about else None
    available = _list_keys(root, split, about)
    part = f"{{}}_{split}_images.npz"
    chosen = select_categories(categories, available, part, root, names)
    stores = _open_categories(root, split, chosen, about)
    opened = _join(root, split, stores, about, orbit)
    with ThreadPoolExecutor() as pool:  # zlib releases the interpreter lock
        list(pool.map(lambda store: store.all_images, stores.values()))
    return opened


def inspect_npz(root: str | Path) -> dict[str, dict[str, NpzCategory]]:
    """Checks the headers of all files of a folder; their data are read on first use.

    Args:
        root: folder of the files.

    Returns:
        The stores of all splits and categories found: by split name, then by key.

    Raises:
        FileNotFoundError: no files; or test or validation images without voxels.
        ValueError: a file that is damaged or holds an array of another shape or type;
            files that do not fit their description.
    """
    root = Path(root)
    about = read(root)
    found = {
        split: _open_categories(root, split, available, about)
        for split in ALL_SPLITS
        if (available := _list_keys(root, split, about))
    }
    if not found:
        raise FileNotFoundError(
            f"{root} has no files named SYNSET_SPLIT_images.npz, and no {FILE} that "
            "names others."
        )
    return found


def open_unread(root: str | Path) -> dict[str, Split]:
    """Opens all splits with all their categories; images are read on first use.

    Args:
        root: folder of the files.

    Raises:
        FileNotFoundError, ValueError: as `inspect_npz`, and for cameras.
    """
    root, about = Path(root), read(root)
    return {
        split: _join(root, split, stores, about, SOFTRAS_RIG)
        for split, stores in inspect_npz(root).items()
    }


def _join(
    root: Path,
    split: str,
    stores: Mapping[str, NpzCategory],
    about: Description | None,
    orbit: Orbit,
) -> Split:
    shapes = {
        key: (store.num_objects, store.num_views, store.image_size)
        for key, store in stores.items()
    }
    cameras = open_cameras(root, split, shapes, about, orbit)
    return Split(split, stores, about.categories if about else CATEGORIES, cameras)


class NpzCategory:
    """A `CategoryStore` on two npz files; their data are read on first use.

    Attributes:
        num_objects: number of objects.
        num_views: images of each object.
        image_size: width and height of the images, pixels.
        has_voxels: whether there is a file of voxels.
    """

    def __init__(
        self, root: Path, split: str, category: str, *, needs_voxels: bool = True
    ):
        """Checks the headers of the two files.

        Args:
            root: folder of the files.
            split: ``"train"``, ``"val"`` or ``"test"``.
            category: key of the category.
            needs_voxels: whether voxels must be there, except for training.

        Raises:
            FileNotFoundError: the images, or the voxels of an evaluation split, are
                missing.
            ValueError: a file that is damaged or holds an array of another shape or
                type.
        """
        self._images_file = _inspect(
            root / f"{category}_{split}_images.npz",
            np.uint8,
            (None, None, 4, None, None),
        )
        self.num_objects, self.num_views, _, self.image_size, width = (
            self._images_file.shape
        )
        if width != self.image_size:
            raise ValueError(
                f"{self._images_file.path} holds images of {width} x {self.image_size} "
                "pixels; they must be square."
            )
        self._voxels_path = root / f"{category}_{split}_voxels.npz"
        # training needs no voxels
        required = needs_voxels and split != "train"
        self.has_voxels = required or self._voxels_path.exists()
        if self.has_voxels and self._voxels_file.shape[0] != self.num_objects:
            raise ValueError(
                f"{self._voxels_path} holds {self._voxels_file.shape[0]} objects but "
                f"{self._images_file.path.name} holds {self.num_objects}."
            )

    @cached_property
    def _voxels_file(self) -> _ArrayFile:
        file = _inspect(self._voxels_path, np.bool_, (None,) * 4)
        if len(set(file.shape[1:])) != 1:
            raise ValueError(
                f"{file.path} holds voxels {list(file.shape[1:])}; they must be cubes."
            )
        return file

    @cached_property
    def all_images(self) -> np.ndarray:
        """Images of all objects, ``[n, views, 4, S, S]`` uint8."""
        return np.ascontiguousarray(self._images_file.load())

    @cached_property
    def all_voxels(self) -> np.ndarray:
        """Voxels of all objects, ``[n, R, R, R]`` bool."""
        return self._voxels_file.load()

    def examples(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Reads the objects one after another, without all of them in memory.

        Yields:
            Images ``[views, 4, S, S]`` uint8, and voxels ``[R, R, R]`` bool or None.

        Raises:
            ValueError: a damaged file.
        """
        images = self._images_file.rows()
        if self.has_voxels:
            yield from zip(images, self._voxels_file.rows(), strict=True)
        else:
            yield from ((views, None) for views in images)

    def check_voxels(self, shape: tuple[int, int, int]) -> None:
        """Raises ValueError unless the voxels of an object have a shape."""
        if self._voxels_file.shape[1:] != shape:
            raise ValueError(
                f"{self._voxels_path} holds voxels {list(self._voxels_file.shape[1:])};"
                f" {list(shape)} are needed here."
            )

    def images(self, number: int, views: Sequence[int]) -> Sequence[np.ndarray]:
        """Returns images of an object, each ``[4, S, S]`` uint8, without copying."""
        images = self.all_images[number]
        return [images[view] for view in views]

    def voxels(self, objects: np.ndarray) -> np.ndarray:
        """Returns the voxels ``[N, R, R, R]`` bool of ``[N]`` objects."""
        return self.all_voxels[objects]


@dataclass(frozen=True)
class _ArrayFile:
    """An npz file with a single array, whose header has been checked."""

    path: Path
    member: str
    shape: tuple[int, ...]

    @contextlib.contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        with (
            damage.explain(self.path),
            zipfile.ZipFile(self.path) as archive,
            archive.open(self.member) as member,
        ):
            yield member

    def load(self) -> np.ndarray:
        """Reads the array.

        Raises:
            ValueError: a damaged file.
        """
        with self._open() as member:
            return np.lib.format.read_array(member, allow_pickle=False)

    def rows(self) -> Iterator[np.ndarray]:
        """Reads the array row by row, with one row in memory at a time.

        Raises:
            ValueError: a damaged file.
        """
        with self._open() as member:
            _, dtype, columns_first = _read_header(member)
            if columns_first:  # no row is in one place
                yield from self.load()
                return
            count, *shape = self.shape
            size = math.prod(shape) * dtype.itemsize
            for _ in range(count):
                data = member.read(size)
                if len(data) < size:
                    raise EOFError("it ends too early")
                yield np.frombuffer(data, dtype).reshape(shape)
            member.read(1)  # at the end, the checksum is compared


def _list_keys(root: Path, split: str, about: Description | None) -> list[str]:
    """Lists the categories that have objects in a split."""
    if not root.is_dir():
        raise FileNotFoundError(
            f"There is no folder {root}: name the folder of the data set (data.root in "
            "a configuration), or fetch one with jaxsoftras data download."
        )
    if about is not None:
        return [key for key in about.categories if about.count(key, split)]
    return [s for s in CATEGORIES if (root / f"{s}_{split}_images.npz").is_file()]


def _open_categories(
    root: Path, split: str, keys: Sequence[str], about: Description | None
) -> dict[str, NpzCategory]:
    """Opens the stores of a split and compares them with their description."""
    needs_voxels = about is None or about.content.get("voxels", True)
    stores = {
        key: NpzCategory(root, split, key, needs_voxels=needs_voxels) for key in keys
    }
    for key, store in stores.items():
        if about is not None and about.count(key, split) != store.num_objects:
            raise ValueError(
                f"{root / FILE} lists {about.count(key, split)} objects of {key!r} in "
                f"the {split} split, but {key}_{split}_images.npz holds "
                f"{store.num_objects}."
            )
    return stores


def _inspect(
    path: Path, dtype: DTypeLike, expected: tuple[int | None, ...]
) -> _ArrayFile:
    """Checks the type and shape of the only array of an npz file.

    Args:
        path: the file.
        dtype: expected type.
        expected: expected shape; None stands for any length.
    """
    with damage.explain(path), zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if len(members) == 1:
            with archive.open(members[0]) as member:
                shape, found, _ = _read_header(member)
                header = member.tell()
            size = archive.getinfo(members[0]).file_size
    if len(members) != 1:
        raise ValueError(f"{path} holds {len(members)} arrays; one was expected.")
    fits = len(shape) == len(expected) and all(
        want in (None, have) and have >= 0
        for want, have in zip(expected, shape, strict=True)
    )
    if found != dtype or not fits:
        layout = ", ".join("*" if want is None else str(want) for want in expected)
        raise ValueError(
            f"{path} holds {found} {list(shape)}, not {np.dtype(dtype)} [{layout}]."
        )
    if 0 in shape:
        raise ValueError(f"{path} is empty: its array has shape {list(shape)}.")
    if size != header + math.prod(shape) * found.itemsize:
        raise ValueError(
            f"{path} is damaged: its array {list(shape)} does not take {size} bytes; "
            "fetch it again."
        )
    return _ArrayFile(path, members[0], shape)


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Reads the shape and type of an npy file, and whether it is in Fortran order."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(member)
    else:
        shape, columns_first, dtype = np.lib.format.read_array_header_2_0(member)
    return shape, dtype, columns_first
