"""Camera files of several forms, and which of their cameras each picture has."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from jaxsoftras import terminal
from jaxsoftras.data import colmap, picture_cameras, transforms
from jaxsoftras.data.picture_cameras import Calibration, normalize
from jaxsoftras.prediction import masks

Parser = Callable[[tuple[int, int]], Calibration]
"""Makes a camera for a picture of a width and height, pixels.

Raises ValueError if it is none; the message is meant to follow the picture's name.
"""


def read_cameras(path: Path) -> dict[str, Parser]:
    """Reads the cameras of a file or folder, by the names that they have there.

    Args:
        path: ``cameras.json`` (see `jaxsoftras.data.picture_cameras`),
            ``transforms.json`` (see `jaxsoftras.data.transforms`), or the folder of
            one of them or of a COLMAP model in text form.

    Raises:
        ProgramError: there is no such file, or it cannot be read.
    """
    path = _find_file(path)
    try:
        found = _read_folder(path) if path.is_dir() else _read_file(path)
        if not found:
            raise ValueError("it names no camera")
        return found
    except ValueError as error:
        raise terminal.ProgramError(f"{path}: {error}.") from None
    except FileNotFoundError:
        raise terminal.ProgramError(
            f"There is no camera file {path}; docs/fitting.md states its form."
        ) from None


def _find_file(path: Path) -> Path:
    """The camera file in a folder; the path itself if it is none, or holds none."""
    inside = (path / name for name in (picture_cameras.FILE, transforms.FILE))
    return next((file for file in inside if file.is_file()), path)


def _read_folder(folder: Path) -> dict[str, Parser]:
    """Reads the COLMAP model in a folder."""
    model = colmap.find_model(folder)
    if model is None:
        raise ValueError(
            f"it holds neither {picture_cameras.FILE} nor {transforms.FILE}, nor a "
            f"COLMAP model ({' and '.join(colmap.FILES)})"
        )
    return _as_parsers(picture_cameras.parse, colmap.read_entries(model))


def _read_file(path: Path) -> dict[str, Parser]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON in UTF-8 ({error})") from None
    if isinstance(content, Mapping) and "frames" in content:
        return _as_parsers(transforms.parse, transforms.list_frames(content))
    if isinstance(content, Mapping) and "pictures" in content:
        return _as_parsers(picture_cameras.parse, picture_cameras.read_entries(path))
    raise ValueError(
        'it must be an object {"pictures": {NAME: CAMERA, ...}}, or one of "frames" as '
        "NeRF's data sets have it"
    )


def _as_parsers(parse: Callable, entries: Mapping) -> dict[str, Parser]:
    return {name: functools.partial(parse, entry) for name, entry in entries.items()}


def pair(pictures: Sequence[Path], names: Sequence[str]) -> list[str]:
    """Finds the camera of each picture by its name.

    Names are compared from their ends, folder by folder and without the suffixes of
    image files: of the cameras with the picture's own name, that which has most folders
    in common with its path. ``NAME_mask.png`` is a mask of the picture ``NAME`` where
    no camera has its full name.

    Args:
        pictures: the files.
        names: names of the cameras.

    Returns:
        A camera's name for each picture, no two the same.

    Raises:
        ProgramError: a picture has no camera, or two have the same, or one has several.
    """
    cameras = {name: _split(name) for name in names}
    owners: dict[str, Path] = {}
    missing = []
    for path in pictures:
        found = _find(path, cameras)
        if not found:
            missing.append(path.name)
            continue
        if len(found) > 1:
            raise terminal.ProgramError(
                f"{path} may have the camera {found[0]} or {found[1]}: name the "
                "pictures, or their folders, as the cameras."
            )
        (name,) = found
        if name in owners:
            raise terminal.ProgramError(
                f"{owners[name]} and {path} have the same camera, {name}: leave one "
                "out."
            )
        owners[name] = path
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise terminal.ProgramError(
            f"There is no camera for {', '.join(missing[:3])}{more}: leave the "
            f"pictures out, or name them as the cameras, such as {next(iter(names))}."
        )
    return list(owners)


def _find(path: Path, cameras: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names of the cameras that fit the path best."""
    full = _split(path.absolute().as_posix())
    for parts in (full, (*full[:-1], full[-1].removesuffix(masks.BESIDE))):
        common = {name: _count_common(parts, own) for name, own in cameras.items()}
        most = max(common.values(), default=0)
        if most:
            return [name for name, count in common.items() if count == most]
    return []


def _count_common(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """Number of equal parts of two paths, from their ends."""
    count = 0
    for a, b in zip(reversed(first), reversed(second), strict=False):
        if a != b:
            break
        count += 1
    return count


def _split(name: str) -> tuple[str, ...]:
    """Parts of a path, the last one without the suffixes of image files."""
    parts = PurePosixPath(normalize(name.replace("\\", "/"))).parts
    parts = [part for part in parts if part not in (".", "..", "/")] or [""]
    while (last := PurePosixPath(parts[-1])).suffix.lower() in masks.SUFFIXES:
        parts[-1] = last.stem
    return tuple(parts)
