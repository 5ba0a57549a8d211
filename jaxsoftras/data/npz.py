"""Data sets in the npz files of Soft Rasterizer and Neural Mesh Renderer.

For each category and split, a folder holds ``{synset}_{split}_images.npz`` with one
array ``[n, views, 4, S, S]`` uint8, and ``{synset}_{split}_voxels.npz`` with one array
``[n, 32, 32, 32]`` bool. The training set may come without voxels.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import DTypeLike

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.split import SPLITS, Split, check_split_name, select_categories

# All that zipfile and numpy raise on damaged files; RuntimeError: an encrypted member.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
)


def open_npz(
    root: str | Path, split: str, categories: Sequence[str] | None = None
) -> Split:
    """Opens one split of a folder of npz files.

    Compressed images are read into memory now (about 12 GB for the training set of the
    original data), uncompressed ones are mapped. Voxels are read on first use.

    Args:
        root: folder of the files.
        split: ``"train"``, ``"val"`` or ``"test"``.
        categories: synsets or names; all 13 categories if None.

    Raises:
        FileNotFoundError: the folder or the file of a category is missing.
        ValueError: an unknown split or category; a file that is damaged, or that holds
            something other than what it should.
    """
    check_split_name(split)
    root = Path(root)
    available = _available(root, split)
    part = f"{{}}_{split}_images.npz"
    chosen = select_categories(categories, available, part, root)
    stores = {synset: NpzCategory(root, split, synset) for synset in chosen}
    opened = Split(split, stores)
    with ThreadPoolExecutor() as pool:  # zlib lets other threads run
        list(pool.map(lambda store: store.all_images, stores.values()))
    return opened


def inspect_npz(root: str | Path) -> dict[str, dict[str, NpzCategory]]:
    """Checks the headers of all files of a folder; their data are read on first use.

    Args:
        root: folder of the files.

    Returns:
        The categories of each split that there is: split names to synsets to stores.

    Raises:
        FileNotFoundError: no files; or test or validation images without voxels.
        ValueError: a file that is damaged or holds something other than it should.
    """
    root = Path(root)
    found = {
        split: {synset: NpzCategory(root, split, synset) for synset in available}
        for split in SPLITS
        if (available := _available(root, split))
    }
    if not found:
        raise FileNotFoundError(f"{root} has no files named SYNSET_SPLIT_images.npz.")
    return found


class NpzCategory:
    """A `CategoryStore` on two npz files; their data are read on first use."""

    def __init__(self, root: Path, split: str, category: str):
        """Checks the headers of the two files."""
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
        # Only an evaluation needs voxels.
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
        """``[n, views, 4, S, S]`` uint8."""
        return self._images_file.load()

    @cached_property
    def all_voxels(self) -> np.ndarray:
        """``[n, 32, 32, 32]`` bool."""
        return self._voxels_file.load()

    def images(self, objects: np.ndarray, views: np.ndarray) -> np.ndarray:
        """``[N]`` object and ``[N]`` view numbers to ``[N, 4, S, S]`` uint8."""
        return np.asarray(self.all_images[objects, views])

    def voxels(self, objects: np.ndarray) -> np.ndarray:
        """``[N]`` object numbers to ``[N, 32, 32, 32]`` bool."""
        return np.asarray(self.all_voxels[objects])


@dataclass(frozen=True)
class _ArrayFile:
    """The only array of an npz file: its header has been read, its data have not."""

    path: Path
    member: str
    shape: tuple[int, ...]

    def load(self) -> np.ndarray:
        """Maps the array into memory, or reads it if it is compressed.

        Raises:
            ValueError: a damaged file.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                info = archive.getinfo(self.member)
                with archive.open(info) as member:
                    if info.compress_type != zipfile.ZIP_STORED:
                        return np.lib.format.read_array(member, allow_pickle=False)
                    shape, fortran_order, dtype = _read_header(member)
                    header_size = member.tell()
            with self.path.open("rb") as file:
                # Only the local header tells how long its own name and extra field are.
                file.seek(info.header_offset + 26)
                start = (
                    info.header_offset + 30 + sum(struct.unpack("<HH", file.read(4)))
                )
            order = "F" if fortran_order else "C"
            return np.memmap(
                self.path, dtype, "r", start + header_size, shape, order=order
            )
        except _DAMAGE as error:
            raise _damaged(self.path, error) from error


def _available(root: Path, split: str) -> list[str]:
    """Synsets of the categories whose images a folder holds."""
    if not root.is_dir():
        raise FileNotFoundError(
            f"There is no folder {root}: name that of the data set (data.root in a "
            "configuration), or fetch one with python -m jaxsoftras.data download."
        )
    return [s for s in CATEGORIES if (root / f"{s}_{split}_images.npz").is_file()]


def _inspect(
    path: Path, dtype: DTypeLike, expected: tuple[int | None, ...]
) -> _ArrayFile:
    """Checks type and shape (None: any length) of the only array of an npz file."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            if len(members) == 1:
                with archive.open(members[0]) as member:
                    shape, _, found = _read_header(member)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}.") from None
    except _DAMAGE as error:
        raise _damaged(path, error) from error
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


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran order, and type of an npy file."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(member)
    return np.lib.format.read_array_header_2_0(member)


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path} is damaged or not an npz file ({error}); fetch it again."
    )
