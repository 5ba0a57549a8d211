"""Writes prepared data sets: a TFDS builder, without TensorFlow.

An object is one example: its views, compressed separately, and its voxels. Only the
requested views are decompressed: 2 and not 24 for a training pair.

Views are compressed by zlib, channel by channel: about as small as PNG (1.7 against 1.6
kB) and twice as fast to decode (42 against 84 microseconds). With one example for each
view, the two views of a pair would be read in 52 microseconds instead of 67, but there
would be 24 times as many examples.

Each pair of a split and a category is a TFDS split of its own. Examples and objects
then have the same numbers, and a TFDS split stays below the 1 GB above which TFDS needs
TensorFlow to sort examples: estimated from the size of a compressed view, the largest
one of the original data has 0.3 GB.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras.data import camera_files, description
from jaxsoftras.data.npz import NpzCategory, inspect_npz
from jaxsoftras.data.tfds_packages import tfds
from jaxsoftras.terminal import Progress

GRID = (32, 32, 32)
"""Shape of the voxels of an object."""


class MultiViewShapes(tfds.core.GeneratorBasedBuilder):
    """Objects by category: images from all around, and voxels.

    The metadata are ``num_views``, ``image_size`` and ``description``, the content of
    ``dataset.json`` or None; the TFDS splits are called ``train_02691156`` and so on.
    """

    VERSION = tfds.core.Version("1.0.0")
    # TFDS uses the path to look for checksums of downloads, and for that imports a
    # package that it does not depend on (importlib_resources; TFDS 4.9.10).
    code_path = None

    def __init__(
        self,
        *,
        npz_root: str | Path,
        progress: Progress | None = None,
        **kwargs: Any,
    ):
        """Checks the headers of the files.

        Args:
            npz_root: folder of the npz files to convert.
            progress: called with the numbers of objects converted and to convert.
            **kwargs: passed on to TFDS.
        """
        self._npz_root = Path(npz_root)
        self._counts = {}
        self._description = description.read(npz_root)
        if camera_files.is_per_picture(self._description):
            raise ValueError(
                f"{npz_root} has a camera for each picture, which prepared data sets "
                "do not hold: train on the npz files as they are."
            )
        sizes = set()
        for split, stores in inspect_npz(npz_root).items():
            for key, store in stores.items():
                if store.has_voxels:
                    store.check_voxels(GRID)
                self._counts[split, key] = store.num_objects
                sizes.add((store.num_views, store.image_size))
        if len(sizes) > 1:
            listed = ", ".join(f"{views} views of {side}" for views, side in sizes)
            raise ValueError(f"{npz_root} mixes sizes: {listed} pixels.")
        [(self._num_views, self._image_size)] = sizes
        self._progress = progress
        self._done = 0
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Objects as multi-view images and voxels. views: uint8 "
                "[4, image_size, image_size] (red, green, blue, coverage), compressed "
                "by zlib. voxels: [32, 32, 32] bits, axes (y, x, reversed z), packed "
                "and compressed by zlib; empty where there are none."
            ),
            features=features.FeaturesDict(
                {
                    "views": features.Sequence(
                        features.Scalar(np.object_), length=self._num_views
                    ),
                    "voxels": features.Scalar(np.object_),
                }
            ),
            metadata=tfds.core.MetadataDict(
                num_views=self._num_views,
                image_size=self._image_size,
                description=self._description and self._description.content,
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        return {part_name(*key): self._generate_examples(*key) for key in self._counts}

    def _generate_examples(self, split: str, key: str) -> Iterator[tuple[int, dict]]:
        # opened here and closed on return, so that one category is in memory at a time
        store = NpzCategory(self._npz_root, split, key)
        for number in range(store.num_objects):
            voxels = b""
            if store.has_voxels:
                voxels = zlib.compress(np.packbits(store.all_voxels[number]).tobytes())
            views = [zlib.compress(view.tobytes()) for view in store.all_images[number]]
            yield number, {"views": views, "voxels": voxels}
            self._done += 1
            if self._progress:
                self._progress(self._done, sum(self._counts.values()))


def prepare(
    npz_root: str | Path,
    data_dir: str | Path,
    *,
    progress: Progress | None = None,
) -> None:
    """Converts all npz files of a folder to a prepared data set.

    The data set appears complete or not at all: TFDS fills a temporary folder and
    renames it.

    Args:
        npz_root: folder of the npz files.
        data_dir: folder to put the data set in, made if needed.
        progress: called with the numbers of objects converted and to convert.

    Raises:
        FileExistsError: the folder has a prepared data set already.
        FileNotFoundError: no npz files, or voxels missing.
        ValueError: a damaged file; sizes that differ between files; a category too
            large to convert without TensorFlow.
    """
    folder = Path(data_dir) / MultiViewShapes.name / str(MultiViewShapes.VERSION)
    if folder.exists():
        raise FileExistsError(
            f"{folder} exists already: delete it to prepare the data set again."
        )
    # TFDS prints lines about downloads
    with (
        contextlib.redirect_stdout(io.StringIO()),
        tempfile.TemporaryDirectory() as temp,
    ):
        builder = MultiViewShapes(
            npz_root=npz_root,
            progress=progress,
            data_dir=data_dir,
            file_format="array_record",
        )
        tfds.disable_progress_bar()
        try:
            builder.download_and_prepare(
                download_dir=temp,
                download_config=tfds.download.DownloadConfig(try_download_gcs=False),
            )
        except ModuleNotFoundError as error:
            # nothing else on this path imports TensorFlow
            raise ValueError(
                "One category of one split exceeds the 1 GB that TFDS sorts without "
                "TensorFlow: install tensorflow for this conversion, or use the npz "
                "files as they are."
            ) from error
        finally:
            tfds.display_progress_bar(enable=True)


def part_name(split: str, key: str) -> str:
    """Names the TFDS split of a split and a category: in ASCII letters and digits.

    TFDS reads signs as operations on splits, and names files after them.
    """
    word = re.sub("[^0-9A-Za-z]", lambda sign: f"_{ord(sign[0]):x}_", key)
    return f"{split}_{word}"
