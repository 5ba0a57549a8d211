"""Cameras of ``transforms.json``, as NeRF's data sets and their successors have it.

::

    {"camera_angle_x": 0.69,
     "frames": [{"file_path": "./train/r_0", "transform_matrix": [[...], ...]}, ...]}

``transform_matrix`` is camera to world, with Blender's axes: x right, y up, looking
along -z. Instead of ``camera_angle_x``, the full horizontal field of view in radians,
there may be ``fl_x``, ``fl_y``, ``cx``, ``cy``, ``w`` and ``h`` in pixels, which are
counted from the corner of the top left one, and coefficients ``k1``, ``k2``, ``p1``,
``p2``, ``k3`` of the lens; for all frames, or in one for it alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxsoftras import conventions
from jaxsoftras.data.picture_cameras import Calibration

FILE = "transforms.json"

_FOCAL = {"fl_x", "fl_y", "camera_angle_x", "camera_angle_y"}
_LENS = ("k1", "k2", "p1", "p2", "k3")
_PINHOLES = {"", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"}
_ROUNDED = 1.0  # pixels by which a smaller image may differ from the exact ratio


def list_frames(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Lists frames by ``file_path``, with the fields that all share.

    Args:
        content: the file's content.

    Raises:
        ValueError: it has no frames, one without a path, or two of one path.
    """
    frames = content.get("frames")
    if not isinstance(frames, list) or not frames:
        raise ValueError('it must have a list "frames" that is not empty')
    shared = {name: value for name, value in content.items() if name != "frames"}
    without_focal = {n: v for n, v in shared.items() if n not in _FOCAL}
    found = {}
    for number, frame in enumerate(frames):
        name = frame.get("file_path") if isinstance(frame, Mapping) else None
        if not isinstance(name, str) or not name:
            raise ValueError(f"frame {number} has no file_path")
        if name in found:
            raise ValueError(f"it names {name} twice")
        # an angle of its own is not overruled by a focal length that others share
        own = "fl_x" in frame or "camera_angle_x" in frame
        found[name] = {**(without_focal if own else shared), **frame}
    return found


def parse(frame: Mapping[str, Any], size: tuple[int, int]) -> Calibration:
    """Makes a camera of a frame.

    Args:
        frame: a frame, with the fields that all share.
        size: width and height of the picture, pixels. If the file states another size,
            the camera is scaled.

    Raises:
        ValueError: the frame is no camera, or one of a picture of other proportions.
    """
    model = frame.get("camera_model", "")
    if not isinstance(model, str) or model not in _PINHOLES or frame.get("is_fisheye"):
        raise ValueError(
            f"its camera_model {model or 'fisheye'!r} is not among "
            f"{', '.join(sorted(_PINHOLES - {''}))}: undistort the pictures"
        )
    k = _find_intrinsics(frame, size)
    matrix = _find_matrix(frame)
    try:  # its checks are those of every camera
        made = conventions.from_blender(matrix, 36.0, (size[1], size[0]))
        _, rotation, translation, _ = conventions.to_opencv(made, (size[1], size[0]))
    except ValueError as error:
        raise ValueError(
            f"its transform_matrix is no pose: {error}".rstrip(".")
        ) from None
    lens = np.array([_number(frame, name, 0.0) for name in _LENS])
    if _number(frame, "k4", 0.0):
        raise ValueError("its lens has a coefficient k4: undistort the pictures")
    return Calibration(
        k,
        np.asarray(rotation, float),
        np.asarray(translation, float),
        lens if lens.any() else None,
    )


def _find_matrix(frame: Mapping[str, Any]) -> np.ndarray:
    """``transform_matrix`` as ``[4, 4]``; its last row may be left out."""
    try:
        matrix = np.array(frame.get("transform_matrix"), float)
    except (ValueError, TypeError):
        matrix = np.array(0.0)
    if matrix.shape == (3, 4):
        matrix = np.concatenate([matrix, [[0, 0, 0, 1]]])
    if matrix.shape != (4, 4):
        raise ValueError("its transform_matrix must consist of 4 x 4 numbers")
    return matrix


def _find_intrinsics(frame: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """K ``[3, 3]`` for a picture of a size, pixels counted from the first's centre."""
    width, height = (_number(frame, n, s) for n, s in zip("wh", size, strict=True))
    if width <= 0 or height <= 0:
        raise ValueError("w and h of its camera must be positive")
    scale = size[0] / width
    if abs(height * scale - size[1]) > _ROUNDED * max(scale, 1):
        raise ValueError(
            f"its camera is for {width:g} x {height:g} pixels, and it has {size[0]} x "
            f"{size[1]}"
        )
    if "fl_x" in frame:
        across = _number(frame, "fl_x")
        down = _number(frame, "fl_y", across)
    else:
        across = _from_angle(frame, "camera_angle_x", width)
        down = across
        if "camera_angle_y" in frame:
            down = _from_angle(frame, "camera_angle_y", height)
    if across <= 0 or down <= 0:
        raise ValueError("fl_x and fl_y of its camera must be positive")
    cx, cy = _number(frame, "cx", width / 2), _number(frame, "cy", height / 2)
    down_scale = size[1] / height
    return np.array(
        [
            [across * scale, 0, cx * scale - 0.5],
            [0, down * down_scale, cy * down_scale - 0.5],
            [0, 0, 1],
        ]
    )


def _from_angle(frame: Mapping[str, Any], name: str, length: float) -> float:
    """Focal length in pixels from a full field of view in radians."""
    if name not in frame:
        raise ValueError("its camera needs camera_angle_x or fl_x")
    angle = _number(frame, name)
    if not 0 < angle < math.pi:
        raise ValueError(f"{name} of its camera must lie between 0 and pi")
    return length / 2 / math.tan(angle / 2)


def _number(frame: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = frame.get(name, default)
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        number = math.inf
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(f"{name} of its camera must be a finite number")
    return number
