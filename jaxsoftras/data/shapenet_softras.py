"""The ShapeNet renderings of Soft Rasterizer, from their archive of npz files.

The archive holds ``{synset}_{split}_images.npz`` and ``_voxels.npz`` for 13 categories.
Its images were composited over white, and are stored as 255 minus that. With the colour
times coverage P and the coverage A of a pixel, the stored value is ``255 - (P + 255 -
A) = A - P``. The prepared data set holds P and A, as all data sets made here do: the
inversion is undone exactly, in integers.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras import atomic
from jaxsoftras.data import archives, description, download, shapenet_texts
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.npz import NpzCategory, inspect_npz
from jaxsoftras.data.prepared_builder import Content, Part, ShapesBuilder, list_parts
from jaxsoftras.data.rig import SOFTRAS_RIG
from jaxsoftras.data.split import SPLITS
from jaxsoftras.data.writing import pair_names

NUM_VIEWS, IMAGE_SIZE = 24, 64

CAMERA = {
    "kind": "orbit",
    "distance": SOFTRAS_RIG.distance,
    "elevation": SOFTRAS_RIG.elevation,
    "azimuth_step": SOFTRAS_RIG.azimuth_step,
    "half_fov": SOFTRAS_RIG.half_fov,
    "views": NUM_VIEWS,
    "handedness": SOFTRAS_RIG.handedness,
}
"""The camera of the renderings, as descriptions state it."""

FRAME = (
    "Model frame: +y up; x = -z, y = y and z = -x of ShapeNetCore v1, hence a mirror "
    "image; the left-handed cameras mirror it again, and the images show the object as "
    "it is. Images: red, green and blue multiplied by coverage, and coverage."
)
"""Conventions of the renderings, as descriptions state them."""

_MOST_BYTES = 4 * 10**9  # of a file; the largest array has 2.4 GB
_ROUNDING = 2  # by which a stored colour may exceed coverage, of 255


class ShapenetSoftras(ShapesBuilder):
    """The objects of the archive of Soft Rasterizer, colours as they were rendered."""

    CITATION = shapenet_texts.SOFTRAS_CITATION
    LICENSE = shapenet_texts.LICENSE
    HOMEPAGE = "https://github.com/ShichenLiu/SoftRas"
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Download {download.URL} (3 GB, MD5 {download.MD5}) and name the file with "
        "--archive, or leave --archive out to have it fetched."
    )

    def __init__(self, *, archive: str | Path, md5: str = download.MD5, **kwargs: Any):
        """Looks for the archive.

        Args:
            archive: the zip file.
            md5: its checksum.
            **kwargs: as of `ShapesBuilder`.

        Raises:
            FileNotFoundError: there is no such file.
        """
        self._archive, self._md5 = Path(archive), md5
        if not self._archive.is_file():
            raise FileNotFoundError(
                f"There is no file {archive}. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            )
        super().__init__(NUM_VIEWS, IMAGE_SIZE, **kwargs)

    def _open(self) -> Content:
        with self._bar("Checking") as progress:
            found = download.find_md5(self._archive, progress)
        if found != self._md5:
            raise ValueError(
                f"{self._archive} has the MD5 checksum {found}, not {self._md5}: it is "
                f"damaged or another file. {self.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            )
        # beside the result, where there must be room anyway
        scratch = atomic.workspace(Path(self.data_dir_root) / "unpacked")
        root = self.resources.enter_context(scratch) / download.FOLDER
        names = [
            name
            for key in CATEGORIES
            for split in SPLITS
            for name in pair_names(key, split)
        ]
        with self._bar("Unpacking") as progress:
            archives.unpack(
                self._archive,
                root,
                wanted="|".join(map(re.escape, names)),
                most=_MOST_BYTES,
                progress=progress,
            )
        with self._named(root):
            _check_pairs(root)
            stores = inspect_npz(root)
            for each in stores.values():
                for store in each.values():
                    _check_sizes(store, root)
            found = list_parts(stores)
        parts = {
            key: Part(
                part.count, lambda part=part, key=key: self._read(part, key, root)
            )
            for key, part in found.items()
        }
        return Content(parts, _describe({key for _, key in parts}))

    @contextlib.contextmanager
    def _named(self, root: Path) -> Iterator[None]:
        """Says of a broken file where it is in the archive, and not for now."""
        try:
            yield
        except ValueError as error:
            text = str(error).replace(str(root), f"{self._archive}: {root.name}")
            raise ValueError(text) from error

    def _read(
        self, part: Part, key: tuple[str, str], root: Path
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Reads the objects of a part in their own colours."""
        beyond = 0
        with self._named(root):
            for images, voxels in part.read():
                inverted, coverage = np.split(images, [3], -3)
                beyond += np.count_nonzero(inverted > coverage.astype(int) + _ROUNDING)
                yield restore_colors(images), voxels
        if beyond:
            warnings.warn(
                f"{beyond} colours of {'/'.join(key)} exceed coverage, which images "
                "that were composited over white and inverted never do; they are black "
                "now.",
                stacklevel=2,
            )


def restore_colors(stored: np.ndarray) -> np.ndarray:
    """Undoes the inversion of the stored images.

    Args:
        stored: ``[..., 4, S, S]`` uint8: coverage minus colours times coverage, and
            coverage.

    Returns:
        ``[..., 4, S, S]`` uint8: colours times coverage, and coverage.

    Example:
        >>> import numpy as np
        >>> from jaxsoftras.data import shapenet_softras
        >>> orange = np.array([255, 128, 0, 255], np.uint8)[:, None, None]
        >>> stored = np.array([0, 127, 255, 255], np.uint8)[:, None, None]
        >>> np.array_equal(shapenet_softras.restore_colors(stored), orange)
        True
    """
    inverted, coverage = np.split(stored, [3], -3)
    # what rounding made darker than black is black
    colors = coverage - np.minimum(inverted, coverage)
    return np.concatenate([colors, coverage], -3)


def _check_pairs(root: Path) -> None:
    """Raises ValueError where images have no voxels, or voxels no images."""
    for key in CATEGORIES:
        for split in SPLITS:
            pair = [root / name for name in pair_names(key, split)]
            missing = [path for path in pair if not path.exists()]
            if len(missing) == 1:
                [there] = set(pair) - set(missing)
                raise ValueError(f"{there} has no {missing[0].name} beside it.")


def _check_sizes(store: NpzCategory, root: Path) -> None:
    if (store.num_views, store.image_size) != (NUM_VIEWS, IMAGE_SIZE):
        raise ValueError(
            f"{root} holds {store.num_views} views of {store.image_size} pixels; "
            f"those of Soft Rasterizer are {NUM_VIEWS} of {IMAGE_SIZE}."
        )


def _describe(keys: set[str]) -> dict[str, Any]:
    return {
        "format": description.FORMAT,
        "version": description.VERSION,
        "categories": {key: CATEGORIES[key] for key in CATEGORIES if key in keys},
        "camera": CAMERA,
        "frame": FRAME,
        "image_size": IMAGE_SIZE,
        "objects": {},  # the archive names none
        "made_by": {
            "program": "jaxsoftras data shapenet softras",
            "source": download.URL,
            "license": shapenet_texts.LICENSE,
        },
    }
