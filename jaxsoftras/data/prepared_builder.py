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

import abc
import contextlib
import io
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from jaxsoftras import atomic, extras
from jaxsoftras.data import camera_files, description
from jaxsoftras.data.npz import NpzCategory, inspect_npz
from jaxsoftras.data.tfds_packages import tfds
from jaxsoftras.terminal import Progress

GRID = (32, 32, 32)
"""Shape of the voxels of an object."""


NAMES = (
    "multi_view_shapes",
    "shapenet_softras",
    "shapenet_renderings",
    "shapenet_core",
)
"""Names of the builders of prepared data sets."""

Bar = Callable[[str], contextlib.AbstractContextManager[Progress]]
"""Shows a progress bar of a title while its context lasts, as
`jaxsoftras.terminal.progress_bar` does."""


def no_bar(title: str) -> contextlib.AbstractContextManager[Progress]:
    """Shows nothing."""
    return contextlib.nullcontext(lambda done, total: None)


class Part(NamedTuple):
    """The objects of one category and split, to be written.

    Attributes:
        count: number of objects; there may be fewer if some turn out to be broken.
        read: reads images ``[views, 4, S, S]`` uint8 and voxels ``[32, 32, 32]`` bool,
            or None, of one object after another.
    """

    count: int
    read: Callable[[], Iterable[tuple[np.ndarray, np.ndarray | None]]]


class Content(NamedTuple):
    """All that a builder is to write.

    Attributes:
        parts: the objects by split and key of the category.
        description: content of ``dataset.json``, or None.
    """

    parts: Mapping[tuple[str, str], Part]
    description: dict[str, Any] | None


class ShapesBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Objects by category: images from all around, and voxels.

    The metadata are ``num_views``, ``image_size`` and ``description``, the content of
    ``dataset.json`` or None; the TFDS splits are called ``train_02691156`` and so on.

    Attributes:
        CITATION: BibTeX of the works to cite.
        LICENSE: the terms under which the data may be used.
        HOMEPAGE: where the data come from.
        resources: what is to be released when the data set is written.
    """

    VERSION = tfds.core.Version("1.0.0")
    CITATION: ClassVar[str | None] = None
    LICENSE: ClassVar[str | None] = None
    HOMEPAGE: ClassVar[str | None] = None
    # TFDS uses the path to look for checksums of downloads, and for that imports a
    # package that it does not depend on (importlib_resources; TFDS 4.9.10).
    code_path = None

    def __init__(
        self, num_views: int, image_size: int, bar: Bar = no_bar, **kwargs: Any
    ):
        """Sets what all objects have in common.

        Args:
            num_views: images of each object.
            image_size: width and height of the images, pixels.
            bar: shows the progress of each step.
            **kwargs: passed on to TFDS.
        """
        self._num_views = num_views
        self._metadata = tfds.core.MetadataDict(
            num_views=num_views, image_size=image_size, description=None
        )
        self._bar = bar
        self._done, self._total = 0, 0
        self.resources = contextlib.ExitStack()
        super().__init__(**kwargs)

    @abc.abstractmethod
    def _open(self) -> Content:
        """Finds the objects, and checks what can be checked quickly."""

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Writes the data set; see TFDS."""
        with self.resources:
            super().download_and_prepare(**kwargs)

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
            metadata=self._metadata,
            disable_shuffling=True,
            citation=self.CITATION,
            license=self.LICENSE,
            homepage=self.HOMEPAGE,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        content = self._open()
        self._metadata["description"] = content.description
        self._total = sum(part.count for part in content.parts.values())
        self._progress = self.resources.enter_context(self._bar("Converting"))
        return {
            part_name(*key): self._generate_examples(part)
            for key, part in content.parts.items()
        }

    def _generate_examples(self, part: Part) -> Iterator[tuple[int, dict]]:
        for number, (views, voxels) in enumerate(part.read()):
            code = b""
            if voxels is not None:
                code = zlib.compress(np.packbits(voxels).tobytes())
            codes = [zlib.compress(view.tobytes()) for view in views]
            yield number, {"views": codes, "voxels": code}
            self._done += 1
            self._progress(self._done, self._total)


BuilderT = TypeVar("BuilderT", bound=ShapesBuilder)


class MultiViewShapes(ShapesBuilder):
    """The objects of a folder of npz files."""

    def __init__(self, *, npz_root: str | Path, **kwargs: Any):
        """Checks the headers of the files.

        Args:
            npz_root: folder of the npz files to convert.
            **kwargs: as of `ShapesBuilder`.
        """
        about = description.read(npz_root)
        if camera_files.is_per_picture(about):
            raise ValueError(
                f"{npz_root} has a camera for each picture, which prepared data sets "
                "do not hold: train on the npz files as they are."
            )
        found = inspect_npz(npz_root)
        self._content = Content(list_parts(found), about and about.content)
        stores = [store for stores in found.values() for store in stores.values()]
        sizes = {(store.num_views, store.image_size) for store in stores}
        if len(sizes) > 1:
            listed = ", ".join(f"{views} views of {side}" for views, side in sizes)
            raise ValueError(f"{npz_root} mixes sizes: {listed} pixels.")
        super().__init__(*sizes.pop(), **kwargs)

    def _open(self) -> Content:
        return self._content


def list_parts(
    found: Mapping[str, Mapping[str, NpzCategory]],
) -> dict[tuple[str, str], Part]:
    """Lists the objects of npz files.

    Args:
        found: the stores by split and key of the category.

    Returns:
        The objects by split and key of the category.

    Raises:
        ValueError: voxels of another resolution than 32.
    """
    parts = {}
    for split, stores in found.items():
        for key, store in stores.items():
            if store.has_voxels:
                store.check_voxels(GRID)
            parts[split, key] = Part(store.num_objects, store.examples)
    return parts


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

    def bar(title: str) -> contextlib.AbstractContextManager[Progress]:
        return contextlib.nullcontext(progress) if progress else no_bar(title)

    write(MultiViewShapes, data_dir, npz_root=npz_root, bar=bar)


def check_new(data_dir: str | Path) -> None:
    """Raises FileExistsError if a folder has a prepared data set."""
    for name in NAMES:
        folder = Path(data_dir) / name / str(ShapesBuilder.VERSION)
        if folder.exists():
            raise FileExistsError(
                f"{folder} exists already: delete it to prepare the data set again."
            )


def write(kind: type[BuilderT], data_dir: str | Path, **arguments: Any) -> BuilderT:
    """Writes a prepared data set, complete or not at all.

    Args:
        kind: the builder.
        data_dir: folder to put the data set in, made if needed.
        **arguments: those of the builder.

    Returns:
        The builder.

    Raises:
        FileExistsError: the folder has a prepared data set already.
        FileNotFoundError, ValueError: as the builder.
        OSError: a file cannot be written: a full disk, or a long name of a category.
    """
    check_new(data_dir)
    # TFDS prints lines about downloads
    with (
        _claim(Path(data_dir) / kind.name),
        contextlib.redirect_stdout(io.StringIO()),
        tempfile.TemporaryDirectory() as temp,
    ):
        builder = kind(data_dir=data_dir, file_format="array_record", **arguments)
        tfds.disable_progress_bar()
        try:
            builder.download_and_prepare(
                download_dir=temp,
                download_config=tfds.download.DownloadConfig(try_download_gcs=False),
            )
        except RuntimeError as error:
            if type(error) is not RuntimeError:  # the writer of ArrayRecord's files
                raise
            raise OSError(f"{data_dir} could not be written: {error}") from error
        except extras.MissingExtraError:
            raise
        except ModuleNotFoundError as error:
            # nothing else on this path imports TensorFlow
            raise ValueError(
                "One category of one split exceeds the 1 GB that TFDS sorts without "
                "TensorFlow: install tensorflow for this conversion, or use the npz "
                "files as they are."
            ) from error
        finally:
            tfds.display_progress_bar(enable=True)
    return builder


@contextlib.contextmanager
def _claim(folder: Path) -> Iterator[None]:
    """Removes what dead processes left of a data set, unless another one writes it."""
    made = not folder.parent.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = atomic.lock(folder)
    if lock is not None:
        for leftover in folder.glob("incomplete.*"):  # TFDS names them so
            shutil.rmtree(leftover, ignore_errors=True)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)
        with contextlib.suppress(OSError):
            folder.rmdir()  # empty if it failed
            if made:
                folder.parent.rmdir()


def part_name(split: str, key: str) -> str:
    """Names the TFDS split of a split and a category: in ASCII letters and digits.

    TFDS reads signs as operations on splits, and names files after them.
    """
    word = re.sub("[^0-9A-Za-z]", lambda sign: f"_{ord(sign[0]):x}_", key)
    return f"{split}_{word}"
