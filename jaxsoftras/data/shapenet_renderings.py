"""The ShapeNet renderings of Neural Mesh Renderer, from folders of PNG files.

The folders are those of Differentiable Volumetric Rendering::

    SYNSET/softras_train.lst, _val.lst, _test.lst   IDs, one a line
    SYNSET/ID/image/0000.png to 0023.png            64 x 64, over white
    SYNSET/ID/mask/0000.png to 0023.png             black is background
    SYNSET/ID/cameras.npz                           see `shapenet_cameras`

With the image I and the mask A of a pixel, 0 to 255, the colour times coverage is ``I -
(255 - A)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras.data import description, shapenet_texts
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.prepared_builder import Content, Part, ShapesBuilder
from jaxsoftras.data.shapenet_cameras import order_views
from jaxsoftras.data.shapenet_softras import CAMERA, FRAME, IMAGE_SIZE, NUM_VIEWS
from jaxsoftras.data.split import SPLITS
from jaxsoftras.meshfile import imagefile

_WHITE = 250  # of 255, at least, is half of the background


class ShapenetRenderings(ShapesBuilder):
    """The objects of folders of PNG files, without voxels.

    Attributes:
        left_out: objects that cannot be used and why, as far as they have been read.
    """

    CITATION = shapenet_texts.RENDERINGS_CITATION
    LICENSE = shapenet_texts.LICENSE
    HOMEPAGE = "https://github.com/autonomousvision/differentiable_volumetric_rendering"
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Download {shapenet_texts.RENDERINGS_URL} (33 GB), unpack it (millions of "
        "small files), and name its folder NMR_Dataset with --images."
    )

    def __init__(self, *, images: str | Path, **kwargs: Any):
        """Reads the lists of objects.

        Args:
            images: folder of the synsets.
            **kwargs: as of `ShapesBuilder`.

        Raises:
            FileNotFoundError: there are no lists.
            ValueError: a list that names something else than objects, or one twice.
        """
        self._root = Path(images)
        self._objects = _read_lists(self._root)
        if not self._objects:
            raise FileNotFoundError(
                f"{images} has no lists SYNSET/softras_train.lst. "
                f"{self.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            )
        self.left_out: list[tuple[str, str]] = []
        super().__init__(NUM_VIEWS, IMAGE_SIZE, **kwargs)

    def _open(self) -> Content:
        keys = {key for _, key in self._objects}
        described = {
            "format": description.FORMAT,
            "version": description.VERSION,
            "categories": {key: CATEGORIES.get(key, key) for key in sorted(keys)},
            "camera": CAMERA,
            "frame": FRAME,
            "image_size": IMAGE_SIZE,
            "voxels": False,
            "objects": {key: {} for key in keys},
            "made_by": {
                "program": "jaxsoftras data shapenet renderings",
                "source": shapenet_texts.RENDERINGS_URL,
                "license": shapenet_texts.LICENSE,
                "left_out": self.left_out,
            },
        }
        parts = {}
        for (split, key), names in self._objects.items():
            kept = described["objects"][key][split] = []
            folder = self._root / key
            parts[split, key] = Part(
                len(names),
                lambda folder=folder, names=names, kept=kept: self._read(
                    folder, names, kept
                ),
            )
        return Content(parts, described)

    def _read(
        self, folder: Path, names: list[str], kept: list[dict[str, str]]
    ) -> Iterator[tuple[np.ndarray, None]]:
        """Reads the objects of a part; lists those that can be used."""
        for name in names:
            try:
                views = read_object(folder / name)
            except (ValueError, OSError) as error:
                text = str(error).replace(f"{folder / name}/", "").rstrip(".")
                self.left_out.append((f"{folder.name}/{name}", text))
                continue
            kept.append({"name": name})
            yield views, None
        if not kept:
            place, reason = self.left_out[-1]
            raise ValueError(
                f"None of {len(names)} objects of {folder} can be used; {place}: "
                f"{reason}."
            )


def read_object(folder: Path) -> np.ndarray:
    """Reads the pictures of an object.

    Args:
        folder: its folder.

    Returns:
        ``[24, 4, 64, 64]`` uint8 in the order of the rig: colours times coverage, and
        coverage.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or is not as the module says.
    """
    order = order_views(folder / "cameras.npz", NUM_VIEWS, IMAGE_SIZE)
    return np.stack([_read_picture(folder, f"{number:04d}.png") for number in order])


def _read_picture(folder: Path, name: str) -> np.ndarray:
    colors, mask = (
        _read_png(folder / kind / name).transpose(2, 0, 1) for kind in ("image", "mask")
    )
    coverage = mask[:1]
    if (mask != coverage).any():
        raise ValueError(f"mask/{name} is not grey")
    if not coverage.any():
        raise ValueError(f"mask/{name} is empty")
    if coverage.max() < 255:  # as in the archive of npz files
        coverage = np.round(coverage * (255 / coverage.max())).astype(int)
    background = colors[:, coverage[0] == 0]
    if 2 * np.count_nonzero(background < _WHITE) > background.size:
        raise ValueError(f"image/{name} has a background that is not white")
    return np.concatenate([np.maximum(colors - (255 - coverage), 0), coverage]).astype(
        np.uint8
    )


def _read_png(path: Path) -> np.ndarray:
    """Reads an image as ``[64, 64, 3]`` integers from 0 to 255."""
    image = imagefile.read(path)
    if image.shape != (IMAGE_SIZE, IMAGE_SIZE, 3):
        height, width, channels = image.shape
        more = " with transparency" if channels == 4 else ""
        raise ValueError(
            f"{path} has {width} x {height} pixels{more}, not {IMAGE_SIZE} x "
            f"{IMAGE_SIZE} without"
        )
    return np.round(image * 255).astype(int)


def _read_lists(root: Path) -> dict[tuple[str, str], list[str]]:
    """Reads the IDs of all objects by split and synset."""
    found: dict[tuple[str, str], list[str]] = {}
    for split in SPLITS:
        for path in sorted(root.glob(f"*/softras_{split}.lst")):
            key = path.parent.name
            if not re.fullmatch(r"\d{8}", key):
                raise ValueError(f"{path} does not lie in the folder of a synset.")
            names = path.read_text(encoding="ascii", errors="replace").split()
            for name in names:
                if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
                    raise ValueError(f"{path} names {name!r}, which is no ID.")
            listed = [
                name for (_, k), each in found.items() if k == key for name in each
            ]
            if len({*names, *listed}) < len(names) + len(listed):
                raise ValueError(
                    f"{path} names an object twice, or one of another list."
                )
            if names:
                found[split, key] = names
    return found
