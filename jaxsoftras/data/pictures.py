"""Makes a data set of a user's pictures: ``python -m jaxsoftras.data pictures``.

Each picture is cropped to a square around its object, and its camera with it. Nothing
that is broken ends the work: it is left out, and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras.data import (
    carving,
    picture_cameras,
    picture_crops,
    picture_files,
)
from jaxsoftras.data.picture_files import PictureObject
from jaxsoftras.data.pictures_writing import (
    Options,
    Report,
    Taken,
    check_folder,
    write,
)
from jaxsoftras.terminal import Progress

_CARVED = 256  # pixels along a side of the silhouettes that are carved


def import_pictures(
    images: str | Path,
    out: str | Path,
    options: Options = Options(),  # noqa: B008
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
    check_folder(out)
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
        write(out, report, options, fractions)
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
