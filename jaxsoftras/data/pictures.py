"""Makes a data set of a user's pictures: ``python -m jaxsoftras.data pictures``.

Each picture is cropped to a square around its object, and its camera with it. Nothing
that is broken ends the work: it is left out, and the report says so.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras import atomic
from jaxsoftras.data import (
    camera_files,
    carving,
    description,
    picture_cameras,
    picture_crops,
    picture_files,
)
from jaxsoftras.data.camera_files import CameraArrays
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.picture_cameras import Calibration
from jaxsoftras.data.picture_files import PictureObject
from jaxsoftras.data.split import SPLITS
from jaxsoftras.data.writing import pair_names
from jaxsoftras.terminal import Progress

_PROGRAM = "jaxsoftras data pictures"
_CARVED = 256  # pixels along a side of the silhouettes that are carved

_NORMALIZED = (
    "The axes are those of the given cameras. The bounding box of the visual hull of "
    "each object's silhouettes is centred, and its longest side is 1."
)
_KEPT = "World space is that of the given cameras, unchanged."


@dataclass(frozen=True)
class Options:
    """How pictures are taken over.

    Attributes:
        size: width and height of the images, pixels.
        keep_frame: whether the world space of the cameras is kept. Otherwise each
            object is moved and scaled into the unit box.
    """

    size: int = 64
    keep_frame: bool = False


@dataclass
class Taken:
    """An object of the data set.

    Attributes:
        source: where it was found.
        images: ``[4, S, S]`` uint8 each.
        cameras: pinhole cameras of the images.
        files: names of the pictures, relative to the object's folder.
    """

    source: PictureObject
    images: list[np.ndarray] = field(default_factory=list)
    cameras: list[Calibration] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What was taken over, and what was not.

    Attributes:
        objects: the objects of the data set.
        left_out: path and reason of what is not in it.
        notes: path and note of pictures and objects that deserve a look.
    """

    objects: list[Taken] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


def import_pictures(
    images: str | Path,
    out: str | Path,
    options: Options = Options(),
    *,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    progress: Progress | None = None,
) -> Report:
    """Makes a data set of a folder of pictures with masks and cameras.

    docs/pictures.md states the layout of the folder. A data set that an earlier call
    left in ``out`` is replaced, unless no picture can be used.

    Args:
        images: folder with a sub-folder for each category, and in it one for each
            object.
        out: folder of the data set.
        options: how pictures are taken over.
        fractions: shares of train, val and test, where no folders of these names say
            which object belongs to which.
        progress: called with the numbers of objects done and to do.

    Returns:
        What was taken over and what was left out; without an object, nothing was
        written.

    Raises:
        FileNotFoundError: there are no pictures.
        FileExistsError: ``out`` holds something else.
        ValueError: an argument is out of range.

    Example:
        >>> import json, pathlib, tempfile
        >>> import numpy as np
        >>> from PIL import Image
        >>> from jaxsoftras.data import pictures
        >>> folder = tempfile.TemporaryDirectory()
        >>> ball = pathlib.Path(folder.name, "in", "balls", "train", "a")
        >>> ball.mkdir(parents=True)
        >>> x, y = np.meshgrid(*[np.linspace(-1, 1, 40)] * 2)
        >>> mask = Image.fromarray(np.uint8(255 * (x**2 + y**2 < 0.3)))
        >>> cameras = {}
        >>> for k in range(4):
        ...     Image.merge("LA", [mask, mask]).save(ball / f"{k}.png")
        ...     view = {"distance": 3, "elevation": 0, "azimuth": 90 * k, "fov": 30}
        ...     cameras[f"{k}.png"] = view
        >>> text = json.dumps({"pictures": cameras})
        >>> size = (ball / "cameras.json").write_text(text)
        >>> out = pathlib.Path(folder.name, "out")
        >>> report = pictures.import_pictures(ball.parents[2], out)
        >>> len(report.objects), report.left_out
        (1, [])
        >>> folder.cleanup()
    """
    root, out = Path(images).resolve(), Path(out).resolve()
    if options.size < 8:
        raise ValueError(f"Images need at least 8 pixels a side, not {options.size}.")
    if out == root or root in out.parents:
        raise ValueError(
            f"The data set must not lie among the pictures: {out} is within {root}."
        )
    _check_folder(out)
    found = picture_files.discover(root, fractions)
    report = Report(left_out=found.left_out)
    shared, used = _read_shared(root, report), set()
    for number, source in enumerate(found.objects):
        if taken := _take_object(root, source, shared, used, options, report):
            report.objects.append(taken)
        if progress:
            progress(number + 1, len(found.objects))
    _report_unused(shared, used, "", report)
    if report.objects:
        _write(out, report, options, fractions)
    return report


def _read_shared(root: Path, report: Report) -> dict[str, Any]:
    """Reads the camera file of the whole folder, if there is one."""
    path = root / picture_cameras.FILE
    try:
        return picture_cameras.read_entries(path) if path.is_file() else {}
    except (ValueError, OSError) as error:
        report.left_out.append((path.name, str(error)))
        return {}


def _report_unused(
    entries: Mapping[str, Any], used: set[str], prefix: str, report: Report
) -> None:
    for name in entries:
        if name not in used:
            report.left_out.append((prefix + name, "a camera without a picture"))


def _take_object(
    root: Path,
    source: PictureObject,
    shared: Mapping[str, Any],
    used: set[str],
    options: Options,
    report: Report,
) -> Taken | None:
    """Takes over the pictures of an object, if there are any."""
    label = f"{source.key}/{source.name}"
    try:
        entries = picture_files.read_cameras(source.folder)
    except (ValueError, OSError) as error:
        report.left_out.append((label, str(error)))
        return None
    base, known = (root, shared) if entries is None else (source.folder, entries)
    own_used = used if entries is None else set()
    taken, silhouettes = Taken(source), []
    for path in source.pictures:
        place = path.relative_to(source.folder).as_posix()
        names = picture_files.names_in(base, path)
        name = next((name for name in names if name in known), None)
        if name is None:
            report.left_out.append((f"{label}/{place}", "there is no camera for it"))
            continue
        own_used.add(name)
        try:
            silhouette, touches = _take_picture(path, known[name], taken, options)
        except (ValueError, OSError) as error:
            report.left_out.append((f"{label}/{place}", str(error)))
            continue
        silhouettes.append(silhouette)
        if touches:
            report.notes.append(
                (f"{label}/{place}", "the object is cut off by the border")
            )
    if entries is not None:
        _report_unused(entries, own_used, f"{label}/", report)
    if not taken.images:
        report.left_out.append((label, "no picture of it can be used"))
        return None
    try:
        _place(taken, silhouettes, options, report)
    except ValueError as error:
        report.left_out.append((label, str(error)))
        return None
    if len(taken.images) == 1:
        report.notes.append((label, "it has a single picture"))
    return taken


def _take_picture(
    path: Path, entry: Any, taken: Taken, options: Options
) -> tuple[carving.Silhouette, bool]:
    """Adds a picture to its object; returns its silhouette, and whether it is cut."""
    image = picture_files.read_picture(path, taken.source.folder)
    height, width = image.shape[:2]
    calibration = picture_cameras.parse(entry, (width, height))
    touches = picture_crops.touches_border(image)
    # a fifth channel says where there is a picture
    image = np.pad(image, ((0, 0), (0, 0), (0, 1)), constant_values=1)
    picture = picture_crops.rectify(image, calibration)
    square = picture_crops.find_square(picture.image)
    small = picture_crops.crop(picture, square, options.size)
    large = picture_crops.crop(picture, square, _CARVED)
    known = large.image[..., 4] > 0.99 if touches else None
    pixels = np.floor(small.image[..., :4].clip(0, 1) * 255 + 0.5).astype(np.uint8)
    taken.images.append(pixels.transpose(2, 0, 1))
    pinhole = calibration._replace(intrinsics=small.intrinsics, distortion=None)
    taken.cameras.append(pinhole)
    taken.files.append(path.relative_to(taken.source.folder).as_posix())
    silhouette = carving.Silhouette(
        large.image[..., 3] >= 0.5,
        known,
        large.intrinsics,
        calibration.rotation,
        calibration.translation,
    )
    return silhouette, touches


def _place(
    taken: Taken,
    silhouettes: Sequence[carving.Silhouette],
    options: Options,
    report: Report,
) -> None:
    """Moves the cameras into the frame of the object's unit box, and checks it."""
    middle, longest = np.zeros(3), 1.0
    if not options.keep_frame:
        low, high = carving.find_box(silhouettes)
        middle, longest = (low + high) / 2, float(np.max(high - low))
    outside = []
    for number, (file, silhouette) in enumerate(
        zip(taken.files, silhouettes, strict=True)
    ):
        camera = taken.cameras[number]
        # p = longest p' + middle, and q / longest is seen in the same place
        moved = (camera.rotation @ middle + camera.translation) / longest
        taken.cameras[number] = camera._replace(translation=moved)
        if _leaves_unit_box(silhouette._replace(translation=moved)):
            outside.append(file)
    if outside:
        why = (
            "without --keep-frame it would be moved into it"
            if options.keep_frame
            else "its cameras or masks are inexact, and its visual hull too small"
        )
        note = (
            "the object leaves the unit box, [-0.5, 0.5] on each axis, in "
            f"{len(outside)} pictures, such as {outside[0]}: {why}"
        )
        report.notes.append((f"{taken.source.key}/{taken.source.name}", note))


def _leaves_unit_box(silhouette: carving.Silhouette) -> bool:
    """Tells whether a silhouette reaches beyond that of the unit box."""
    corners = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3), -1).reshape(-1, 3)
    seen = corners @ silhouette.rotation.T + silhouette.translation
    if np.any(seen[:, 2] <= 0):
        return bool(np.all(seen[:, 2] <= 0))
    pixels = seen @ silhouette.intrinsics.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    rows, columns = np.nonzero(silhouette.mask)
    spans = np.array([columns, rows]).T
    slack = 0.02 * len(silhouette.mask)
    below = spans.min(0) < pixels.min(0) - slack
    above = spans.max(0) > pixels.max(0) + slack
    return bool(np.any(below | above))


def _check_folder(out: Path) -> None:
    """Raises FileExistsError unless a folder may be replaced by the data set."""
    if not out.exists():
        return
    if not out.is_dir():
        raise FileExistsError(f"{out} is not a folder.")
    try:
        about = description.read(out)
    except ValueError:
        about = None
    ours = set()
    made_by = about.content.get("made_by") if about else None
    if about and isinstance(made_by, Mapping) and made_by.get("program") == _PROGRAM:
        ours = {description.FILE}
        for key, splits in about.objects.items():
            for split in splits:
                ours |= {pair_names(key, split)[0], camera_files.file_name(key, split)}
    if others := sorted({path.name for path in out.iterdir()} - ours):
        raise FileExistsError(
            f"{out} holds other files than those of a data set of pictures, such as "
            f"{others[0]}: choose another folder."
        )


def _write(
    out: Path, report: Report, options: Options, fractions: Sequence[float]
) -> None:
    groups: dict[str, dict[str, list[Taken]]] = {}
    for taken in report.objects:
        splits = groups.setdefault(taken.source.key, {})
        splits.setdefault(taken.source.split, []).append(taken)
    most = max(len(taken.images) for taken in report.objects)
    entries = {
        key: {
            split: [
                {"name": taken.source.name, "pictures": taken.files}
                for taken in splits[split]
            ]
            for split in SPLITS
            if split in splits
        }
        for key, splits in groups.items()
    }
    # a synset is shown as what it means, unless a folder has that name
    names = {key: CATEGORIES.get(key, key) for key in groups}
    names = {key: key if name in groups else name for key, name in names.items()}
    described = {
        "format": description.FORMAT,
        "version": description.VERSION,
        "categories": names,
        "camera": camera_files.PER_PICTURE,
        "voxels": False,
        "frame": (_KEPT if options.keep_frame else _NORMALIZED)
        + " Images: red, green and blue multiplied by coverage, and coverage.",
        "image_size": options.size,
        "objects": entries,
        "made_by": {
            "program": _PROGRAM,
            **dataclasses.asdict(options),
            "splits": list(fractions),
            "left_out": [list(row) for row in report.left_out],
            "notes": [list(row) for row in report.notes],
        },
    }
    with atomic.folder(out) as folder:
        for key, splits in groups.items():
            for split, members in splits.items():
                _write_files(folder, key, split, members, most)
        text = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
        (folder / description.FILE).write_text(text, encoding="utf-8")


def _write_files(
    folder: Path, key: str, split: str, members: Sequence[Taken], most: int
) -> None:
    """Writes images and cameras, filled up to the same number for every object."""
    counts = np.array([len(taken.images) for taken in members])
    # empty images cost nothing in a compressed file
    images = np.zeros((len(members), most, *members[0].images[0].shape), np.uint8)
    for row, taken in zip(images, members, strict=True):
        row[: len(taken.images)] = taken.images
    np.savez_compressed(folder / pair_names(key, split)[0], images)

    def stack(part: str) -> np.ndarray:
        rows = [[getattr(c, part) for c in taken.cameras] for taken in members]
        return np.stack([row + row[-1:] * (most - len(row)) for row in rows])

    parts = [stack(part) for part in ("intrinsics", "rotation", "translation")]
    arrays = CameraArrays(counts.astype(np.int64), *parts)
    camera_files.write_cameras(folder / camera_files.file_name(key, split), arrays)
