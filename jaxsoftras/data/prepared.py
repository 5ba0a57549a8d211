"""Prepared data sets: a TFDS builder in ArrayRecord files, without TensorFlow.

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
import importlib.util
import io
import re
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras.data import camera_files, description
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.npz import inspect_npz
from jaxsoftras.data.rig import SOFTRAS_RIG, Orbit
from jaxsoftras.data.split import ALL_SPLITS, Split, check_split_name, select_categories
from jaxsoftras.terminal import Progress

try:
    import tensorflow_datasets as tfds
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"Prepared data sets need {error.name}: pip install tensorflow-datasets "
        "array-record, or use the npz files as they are.",
        name=error.name,
    ) from error
if importlib.util.find_spec("array_record") is None:
    raise ModuleNotFoundError(
        "Prepared data sets need array-record: pip install array-record, or use the "
        "npz files as they are.",
        name="array_record",
    )

_GRID = (32, 32, 32)


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
        self._counts = {}
        self._description = description.read(npz_root)
        if camera_files.is_per_picture(self._description):
            raise ValueError(
                f"{npz_root} has a camera for each picture, which prepared data sets "
                "do not hold: train on the npz files as they are."
            )
        sizes = set()
        self._stores = inspect_npz(npz_root)
        for split, stores in self._stores.items():
            for key, store in stores.items():
                if store.has_voxels:
                    store.check_voxels(_GRID)
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
        return {_part_name(*key): self._generate_examples(*key) for key in self._counts}

    def _generate_examples(self, split: str, key: str) -> Iterator[tuple[int, dict]]:
        for number, (images, grid) in enumerate(self._stores[split][key].stream()):
            code = b""
            if grid is not None:
                code = zlib.compress(np.packbits(grid).tobytes())
            views = [zlib.compress(view.tobytes()) for view in images]
            yield number, {"views": views, "voxels": code}
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
    folder = Path(data_dir) / MultiViewShapes.name
    versions = [info.parent.name for info in folder.glob("*/dataset_info.json")]
    if not versions:
        raise FileNotFoundError(
            f"{data_dir} is not a prepared data set: make one with python -m "
            "jaxsoftras.data prepare."
        )
    version = str(MultiViewShapes.VERSION)
    if version not in versions:
        raise ValueError(
            f"{data_dir} was prepared in format {', '.join(versions)}; this version of "
            f"jaxsoftras reads {version}: prepare it again."
        )
    try:
        builder = tfds.builder_from_directory(folder / version)
        metadata = builder.info.metadata or {}
        sizes = [int(metadata[key]) for key in ("num_views", "image_size")]
        content = metadata.get("description")
    except Exception as error:  # TFDS raises whatever its parsers happen to raise
        raise _damaged(folder / version, error) from error
    about = None
    if content is not None:
        about = description.parse(content, folder / version / "metadata.json")
    found = {}
    for split in ALL_SPLITS:
        for key in about.categories if about else CATEGORIES:
            if _part_name(split, key) in builder.info.splits:
                store = PreparedCategory(builder, _part_name(split, key), *sizes)
                if about and about.count(key, split) != store.num_objects:
                    raise _damaged(folder / version, "its metadata list other objects")
                found.setdefault(split, {})[key] = store
    return about, found


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
        self._source = builder.as_data_source(part)
        self.num_objects = len(self._source)
        self.num_views = num_views
        self.image_size = image_size

    @property
    def has_voxels(self) -> bool:
        """Whether there are voxels."""
        return bool(self.example(0)["voxels"])

    def example(self, number: int) -> dict[str, Any]:
        """Reads the compressed views and voxels of an object.

        Raises:
            ValueError: a damaged file.
        """
        try:
            return self._source[number]
        except Exception as error:  # see `inspect_prepared`
            raise _damaged(self._paths[0], error) from error

    def images(self, objects: np.ndarray, views: np.ndarray) -> np.ndarray:
        """Reads the images ``[N, 4, S, S]`` uint8 of ``[N]`` objects and views."""
        examples = {number: self.example(number) for number in set(objects.tolist())}
        images = np.empty((len(objects), 4 * self.image_size**2), np.uint8)
        for row, number, view in zip(
            images, objects.tolist(), views.tolist(), strict=True
        ):
            code = examples[number]["views"][view]
            row[:] = np.frombuffer(zlib.decompress(code), np.uint8)
        return images.reshape(-1, 4, self.image_size, self.image_size)

    def voxels(self, objects: np.ndarray) -> np.ndarray:
        """Reads the voxels ``[N, 32, 32, 32]`` bool of ``[N]`` objects."""
        grids = np.empty((len(objects), *_GRID), np.bool_)
        for grid, number in zip(grids, objects.tolist(), strict=True):
            code = self.example(number)["voxels"]
            if not code:
                raise FileNotFoundError(
                    "This training set was prepared without voxels."
                )
            bits = np.frombuffer(zlib.decompress(code), np.uint8)
            grid[:] = np.unpackbits(bits).reshape(_GRID)
        return grids

    def stream(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yields the images and voxels of one object after another; see `Split`."""
        views, has_voxels = np.arange(self.num_views), self.has_voxels
        for number in range(self.num_objects):
            images = self.images(np.full(self.num_views, number), views)
            voxels = self.voxels(np.array([number]))[0] if has_voxels else None
            yield images, voxels


def _damaged(path: Path, error: object) -> ValueError:
    return ValueError(f"{path} is damaged ({error}): prepare the data set again.")


def _part_name(split: str, key: str) -> str:
    """Names the TFDS split of a split and a category: in ASCII letters and digits.

    TFDS reads signs as operations on splits, and names files after them.
    """
    word = re.sub("[^0-9A-Za-z]", lambda sign: f"_{ord(sign[0]):x}_", key)
    return f"{split}_{word}"
