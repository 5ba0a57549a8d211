"""Data sets in the npz files of Soft Rasterizer and Neural Mesh Renderer.

For each category and split, a folder holds ``{synset}_{split}_images.npz`` with one
array ``[n, views, 4, S, S]`` uint8, and ``{synset}_{split}_voxels.npz`` with one array
``[n, 32, 32, 32]`` bool. The voxels of the training set are optional.
"""

from __future__ import annotations

import contextlib
import errno
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import DTypeLike

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.split import ALL_SPLITS, Split, check_split_name, select_categories

# Errors of zipfile and numpy for damaged files; RuntimeError: an encrypted member.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
)


def open_npz(
    root: str | Path, split: str, categories: Sequence[str] | None = None
) -> Split:
    """Opens one split of a folder of npz files.

    Images are read into memory now: about 12 GB for the training set of the original
    data. For data that do not fit, see `jaxsoftras.data.prepared`. Voxels are read on
    first use.

    Args:
        root: folder of the files.
        split: ``"train"``, ``"val"`` or ``"test"``.
        categories: synsets or names; all 13 categories if None.

    Raises:
        FileNotFoundError: the folder or the file of a category is missing.
        ValueError: an unknown split or category; a file that is damaged or holds an
            array of another shape or type.
    """
    check_split_name(split)
    root = Path(root)
    available = _list_synsets(root, split)
    part = f"{{}}_{split}_images.npz"
    chosen = select_categories(categories, available, part, root)
    stores = {synset: NpzCategory(root, split, synset) for synset in chosen}
    opened = Split(split, stores)
    with ThreadPoolExecutor() as pool:  # zlib releases the interpreter lock
        list(pool.map(lambda store: store.all_images, stores.values()))
    return opened


def inspect_npz(root: str | Path) -> dict[str, dict[str, NpzCategory]]:
    """Checks the headers of all files of a folder; their data are read on first use.

    Args:
        root: folder of the files.

    Returns:
        The stores of all splits and categories found: by split name, then by synset.

    Raises:
        FileNotFoundError: no files; or test or validation images without voxels.
        ValueError: a file that is damaged or holds an array of another shape or type.
    """
    root = Path(root)
    found = {
        split: {synset: NpzCategory(root, split, synset) for synset in available}
        for split in ALL_SPLITS
        if (available := _list_synsets(root, split))
    }
    if not found:
        raise FileNotFoundError(f"{root} has no files named SYNSET_SPLIT_images.npz.")
    return found


class NpzCategory:
    """A `CategoryStore` on two npz files; their data are read on first use.

    Attributes:
        num_objects: number of objects.
        num_views: images of each object.
        image_size: width and height of the images, pixels.
        has_voxels: whether there is a file of voxels.
    """

    def __init__(self, root: Path, split: str, category: str):
        """Checks the headers of the two files.

        Args:
            root: folder of the files.
            split: ``"train"``, ``"val"`` or ``"test"``.
            category: synset.

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
        self.has_voxels = split != "train" or self._voxels_path.exists()
        if self.has_voxels and self._voxels_file.shape[0] != self.num_objects:
            raise ValueError(
                f"{self._voxels_path} holds {self._voxels_file.shape[0]} objects but "
                f"{self._images_file.path.name} holds {self.num_objects}."
            )

    @cached_property
    def _voxels_file(self) -> _ArrayFile:
        return _inspect(self._voxels_path, np.bool_, (None, 32, 32, 32))

    @cached_property
    def all_images(self) -> np.ndarray:
        """Images of all objects, ``[n, views, 4, S, S]`` uint8."""
        return self._images_file.load()

    @cached_property
    def all_voxels(self) -> np.ndarray:
        """Voxels of all objects, ``[n, 32, 32, 32]`` bool."""
        return self._voxels_file.load()

    def images(self, objects: np.ndarray, views: np.ndarray) -> np.ndarray:
        """Returns the images ``[N, 4, S, S]`` uint8 of ``[N]`` objects and views."""
        return self.all_images[objects, views]

    def voxels(self, objects: np.ndarray) -> np.ndarray:
        """Returns the voxels ``[N, 32, 32, 32]`` bool of ``[N]`` objects."""
        return self.all_voxels[objects]


@dataclass(frozen=True)
class _ArrayFile:
    """An npz file with a single array, whose header has been checked."""

    path: Path
    member: str
    shape: tuple[int, ...]

    def load(self) -> np.ndarray:
        """Reads the array.

        Raises:
            ValueError: a damaged file.
        """
        with (
            _explain_damage(self.path),
            zipfile.ZipFile(self.path) as archive,
            archive.open(self.member) as member,
        ):
            return np.lib.format.read_array(member, allow_pickle=False)


def _list_synsets(root: Path, split: str) -> list[str]:
    """Lists the categories whose images a folder holds."""
    if not root.is_dir():
        raise FileNotFoundError(
            f"There is no folder {root}: name the folder of the data set (data.root in "
            "a configuration), or fetch one with python -m jaxsoftras.data download."
        )
    return [s for s in CATEGORIES if (root / f"{s}_{split}_images.npz").is_file()]


def _inspect(
    path: Path, dtype: DTypeLike, expected: tuple[int | None, ...]
) -> _ArrayFile:
    """Checks the type and shape of the only array of an npz file.

    Args:
        path: the file.
        dtype: expected type.
        expected: expected shape; None stands for any length.
    """
    with _explain_damage(path), zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if len(members) == 1:
            with archive.open(members[0]) as member:
                shape, found = _read_header(member)
    if len(members) != 1:
        raise ValueError(f"{path} holds {len(members)} arrays; one was expected.")
    fits = len(shape) == len(expected) and all(
        want in (None, have) for want, have in zip(expected, shape, strict=True)
    )
    if found != dtype or not fits:
        layout = ", ".join("*" if want is None else str(want) for want in expected)
        raise ValueError(
            f"{path} holds {found} {list(shape)}, not {np.dtype(dtype)} [{layout}]."
        )
    if 0 in shape:
        raise ValueError(f"{path} is empty: its array has shape {list(shape)}.")
    return _ArrayFile(path, members[0], shape)


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Reads the shape and type of an npy file."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    return shape, dtype


@contextlib.contextmanager
def _explain_damage(path: Path) -> Iterator[None]:
    """Turns the many errors of a missing or damaged file into two."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}.") from None
    except (*_DAMAGE, OSError) as error:
        # zipfile takes an offset from the file and may seek to a negative one
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise ValueError(
            f"{path} is damaged or not an npz file ({error}); fetch it again."
        ) from error
