"""Views of one object: masks or pictures with cameras, cropped and brought together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxsoftras import camera, conventions, terminal
from jaxsoftras.data import carving, picture_files, picture_objects
from jaxsoftras.data.picture_cameras import Calibration
from jaxsoftras.fitting import silhouettes
from jaxsoftras.fitting.pairing import Parser
from jaxsoftras.meshfile import imagefile

_LEAST = 8  # pixels of an object's longer side
_COLORFUL = 16 / 255  # difference of channels from which on an image is no mask
_COARSE = 1e-3  # rounding of coordinates, in longest sides of the object
_BETWEEN, _BLURRED = (0.1, 0.9), 0.2  # share of grey pixels that no mask has

_CUT = "the border cuts the object off, and the mesh may end there"
"""Note on a picture."""


class View(NamedTuple):
    """A picture of the object, cropped to a square around it.

    Attributes:
        path: the file.
        image: ``[S, S, 4]`` float32: colours multiplied by coverage, and coverage.
        camera: of the square.
        silhouette: the same with more pixels, to be carved.
        colored: whether there are colours, or the mask alone.
        notes: what the user should know, as phrases after the file's name.
    """

    path: Path
    image: np.ndarray
    camera: Calibration
    silhouette: carving.Silhouette
    colored: bool
    notes: tuple[str, ...]


class Frame(NamedTuple):
    """Place and size of the unit box in the world of the cameras.

    Attributes:
        middle: ``[3]`` its middle.
        longest: length of its sides.
    """

    middle: np.ndarray
    longest: float

    def to_world(self, vertices: np.ndarray) -> np.ndarray:
        """Moves vertices ``[V, 3]`` from the unit box to the world of the cameras."""
        return (vertices * self.longest + self.middle).astype(np.float32)


def read_view(path: Path, parse: Parser, size: int) -> View:
    """Reads a mask, or a picture with its mask, and crops it.

    A picture has a mask beside it (see `picture_files.read_picture`) or transparency.
    Any other file is a mask itself: grey, black where there is no object, and of its
    brightest value where there is.

    Args:
        path: the file.
        parse: its camera.
        size: width and height of the crop, pixels.

    Raises:
        ProgramError: the file or its camera cannot be used; the message names it.
        OSError: it cannot be read.
    """
    try:
        image, colored = _read(path)
        height, width = image.shape[:2]
        mask = image[..., 3] >= 0.5
        if mask[[0, 0, -1, -1], [0, -1, 0, -1]].all():
            raise ValueError(
                "its four corners belong to the object; black is background, so invert "
                "the mask"
            )
        longer = max(int(mask.any(axis).sum()) for axis in (0, 1))
        if longer < _LEAST:
            raise ValueError(
                f"its object is {longer} pixels long, and must be {_LEAST} or more"
            )
        cropped = picture_objects.crop_object(image, parse((width, height)), size)
    except ValueError as error:
        raise terminal.ProgramError(f"{path} cannot be used: {error}.") from None
    notes = []
    if cropped.touches:
        notes.append(_CUT)
    if picture_files.is_turned(path):
        notes.append("its orientation tag is not applied: its camera must fit the rest")
    return View(
        path,
        cropped.image.clip(0, 1),
        cropped.camera,
        cropped.silhouette,
        colored,
        tuple(notes),
    )


def _read(path: Path) -> tuple[np.ndarray, bool]:
    """An image ``[H, W, 4]`` float32, and whether it has colours."""
    image = imagefile.decode(path)
    if image.shape[-1] == 4 or picture_files.find_mask(path, path.parent):
        image = picture_files.read_picture(path, path.parent)
        return image, bool(image[..., :3].max() > 0)
    if np.ptp(image, axis=-1).max() > _COLORFUL:
        raise ValueError(
            "it is neither a grey mask nor a picture with transparency or a mask "
            "beside it, NAME_mask.png or masks/NAME.png"
        )
    mask = image.max(-1)
    mask = mask / max(mask.max(), 1e-9)
    if not np.any(mask >= 0.5):
        raise ValueError("it is empty: no pixel is brighter than black")
    if np.all(mask >= 0.5):
        raise ValueError("it is full: no pixel is background")
    low, high = _BETWEEN
    if np.mean((mask > low) & (mask < high)) > _BLURRED:
        raise ValueError(
            "it is no mask: too many of its pixels are neither dark nor bright"
        )
    return np.repeat(mask[..., None], 4, axis=-1), False


def find_frame(views: Sequence[View], keep_frame: bool) -> Frame:
    """Finds the unit box around the object: that of its visual hull.

    Args:
        views: the pictures.
        keep_frame: whether the object is in the unit box of the world already.

    Raises:
        ProgramError: silhouettes and cameras do not tell where the object is, or it is
            too far from the origin of the world for its size.
    """
    if keep_frame:
        return Frame(np.zeros(3), 1.0)
    shapes = [view.silhouette for view in views]
    try:
        low, high = carving.find_box(shapes)
    except carving.DisagreementError as error:
        wrong = [views[number].path.name for number in carving.find_disagreeing(shapes)]
        advice = "check the cameras, their axes and the order of the pictures"
        if wrong:
            advice = (
                f"most of the others have one; check {', '.join(wrong[:5])}, or leave "
                f"{'them' if len(wrong) > 1 else 'it'} out"
            )
        raise terminal.ProgramError(
            f"No mesh can be fitted: {error}: {advice}."
        ) from None
    except ValueError as error:
        raise terminal.ProgramError(f"No mesh can be fitted: {error}.") from None
    if inside := carving.find_inside(shapes):
        cut = sum(_CUT in view.notes for view in views)
        doubt = f" (the border cuts the object off in {cut} of {len(views)}, which do "
        doubt += "not say where it ends: pictures of all of it may be the cure)"
        raise terminal.ProgramError(
            f"The camera of {views[inside[0]].path} lies within the object that the "
            f"others see{doubt if cut else ''}: correct it, or leave the picture out."
        )
    frame = Frame((low + high) / 2, float(np.max(high - low)))
    _check_digits(frame)
    return frame


def _check_digits(frame: Frame) -> None:
    """Raises ProgramError if float32 does not resolve the object in its world."""
    farthest = float(np.max(np.abs(frame.middle))) + frame.longest / 2
    if np.spacing(np.float32(farthest)) > _COARSE * frame.longest:
        raise terminal.ProgramError(
            f"No mesh can be written: the object, of size {frame.longest:.3g}, lies "
            f"{farthest:.3g} from the origin, where 32-bit numbers are too coarse for "
            "its vertices: move the origin of the cameras to the object."
        )


def make_cameras(views: Sequence[View], frame: Frame) -> camera.Camera:
    """Makes the cameras of N views, in the world in which the frame is the unit box.

    Raises:
        ProgramError: one of them does not see the middle of the box.
    """
    moved = [
        picture_objects.move_world(view.camera, frame.middle, frame.longest)
        for view in views
    ]
    made = conventions.from_opencv(
        np.stack([each.intrinsics for each in moved]),
        np.stack([each.rotation for each in moved]),
        np.stack([each.translation for each in moved]),
        views[0].image.shape[0],
    )
    for text, wrong in silhouettes.find_blind(made).items():
        if np.any(wrong):
            path = views[int(np.argmax(wrong))].path
            raise terminal.ProgramError(
                f"The camera of {path} {text}: correct it, or leave the picture out."
            )
    return jax.device_get(made)


def read_views(
    pictures: Sequence[Path],
    names: Sequence[str],
    cameras: Mapping[str, Parser],
    size: int,
) -> list[View]:
    """Reads pictures, each with the camera of a name; see `read_view`."""
    return [
        read_view(path, cameras[name], size)
        for path, name in zip(pictures, names, strict=True)
    ]
