"""Masks of the objects in pictures: from files, opacity, a plain background, rembg.

A frame around the plain background (`jaxsoftras.prediction.frames`) is a part of it.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from jaxsoftras.meshfile import imagefile
from jaxsoftras.prediction import frames

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp")
"""Suffixes of the files that a folder of pictures or masks is searched for."""

BESIDE = "_mask"
"""End of the name of a mask that lies beside its picture, ``NAME_mask.png``."""

_TRANSPARENT = 0.01  # least part of a picture whose opacity is taken for a mask
_TOLERANCE = 16 / 255  # of a plain background, in each channel
_STEP = 12 / 255  # least change of a channel at the edge of an object
_SHARP = 0.5  # part of an object's outline that has such edges
_SAMPLES = 100_000  # pixels of the border, about, that a background is fitted to
_FITS = 3  # of a background, each to the pixels that suit the one before
_BORDER = 0.01  # width of the border, relative to the shorter side
_PLAIN = 0.9  # part of the border that a plain background covers
_ENCLOSED = 0.001  # least enclosed area of background, relative to the picture
_SPECK = 0.01  # size of a part that is dirt, relative to the largest
_FULL = 0.94  # part of its bounding box that a rectangle fills, and of a side
_LARGE = 0.15  # size of a rectangle that may be the inside of a frame
_EDGE = 0.02  # error of its sides, relative to the shorter side of the picture
_PANEL = 0.6  # size of a panel's bounding box, relative to the inside of a frame
_TRIES = 8  # frames that a picture is looked at with
_TRIFLE = 0.035  # least size of an object in a frame, relative to the inside


class Found(NamedTuple):
    """A mask.

    Attributes:
        mask: ``[H, W]`` float32 coverage, 0 to 1.
        origin: where it comes from, for the user.
        frame: the frame around the object that is left out, if there is one.
    """

    mask: np.ndarray
    origin: str
    frame: frames.Frame | None = None


def find(image: np.ndarray, path: Path, masks: Path | None) -> Found:
    """Finds the mask of a picture.

    With ``masks``, it is read from there. Otherwise it is, of the following, the first
    that there is: ``NAME_mask.png`` beside the picture; the picture's opacity, if a
    hundredth of it is transparent; all but a plain background, and a frame around that,
    see `find_object`; the answer of rembg, if that is installed.

    Args:
        image: ``[H, W, 3 or 4]`` float32 in [0, 1].
        path: file of the picture.
        masks: file of the mask, or folder of masks with the names of the pictures.

    Raises:
        ValueError: there is no mask, or it is unusable; the message is meant to follow
            the name of the picture.
    """
    if masks is not None:
        return Found(_read(_locate(path, masks), image.shape[:2]), "file")
    beside = path.with_name(f"{path.stem}{BESIDE}.png")
    if beside.is_file():
        return Found(_read(beside, image.shape[:2]), "file")
    if image.shape[-1] == 4 and np.mean(image[..., 3] < 0.5) >= _TRANSPARENT:
        return Found(image[..., 3], "opacity")
    found = find_object(image[..., :3])
    if found is not None:
        return found
    if importlib.util.find_spec("rembg"):
        return Found(_ask_rembg(image[..., :3]), "rembg")
    raise ValueError(
        "it has no mask: its background is neither transparent nor plain; give "
        "--mask FILE, cut the object out, or install rembg"
    )


def find_object(colors: np.ndarray) -> Found | None:
    """Cuts an object out of a plain background, within a frame if there is one.

    A frame is looked for where `cut_out` finds nothing, or all along a side of the
    picture, or an upright rectangle, which the inside of a frame is. It must surround
    this rectangle, or be wider on all four sides, as a mat is. Its inside must have a
    plain background, and an object on it.

    Args:
        colors: ``[H, W, 3]`` float32 in [0, 1].
    """
    whole = cut_out(colors)
    inside = whole if whole is not None and is_rectangle(whole) else None
    if whole is None or inside is not None or _fills_side(whole):
        for frame in itertools.islice(frames.list_frames(colors), _TRIES):
            if inside is None or _surrounds(frame, inside):
                mask = cut_out(colors, frame.covered)
                if mask is not None and _is_object(mask, frame):
                    return Found(mask.astype(np.float32), "background", frame)
    return None if whole is None else Found(whole.astype(np.float32), "background")


def is_rectangle(mask: np.ndarray) -> bool:
    """Whether a mask, its holes filled, is an upright rectangle of some size."""
    if not mask.any():
        return False
    filled = np.asarray(ndimage.binary_fill_holes(mask[_find_box(mask)]))
    return filled.size >= _LARGE * mask.size and float(np.mean(filled)) >= _FULL


def _find_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the bounding box of a mask that is not empty."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _fills_side(mask: np.ndarray) -> bool:
    """Whether a mask reaches a side of the picture all along it."""
    sides = mask[0], mask[-1], mask[:, 0], mask[:, -1]
    return max(float(np.mean(side)) for side in sides) >= _FULL


def _surrounds(frame: frames.Frame, mask: np.ndarray) -> bool:
    """Whether a frame ends where a rectangle begins, or within it on all four sides."""
    rows, columns = _find_box(mask)
    height, width = mask.shape
    margins = columns.start, rows.start, width - columns.stop, height - rows.stop
    beyond = np.subtract(frame.bands, margins)
    near = max(2, round(_EDGE * min(height, width)))
    return bool(np.all(np.abs(beyond) <= near) or np.all(beyond > near))


def _is_object(mask: np.ndarray, frame: frames.Frame) -> bool:
    """Whether a mask within a frame is neither a trifle nor a panel that fills it."""
    inside = np.count_nonzero(~frame.covered)
    if np.count_nonzero(mask) < max(_TRIFLE * inside, 1):
        return False
    box = mask[_find_box(mask)]
    return bool(np.mean(box) < _FULL or box.size < _PANEL * inside)


def cut_out(colors: np.ndarray, frame: np.ndarray | None = None) -> np.ndarray | None:
    """Cuts an object out of a plain background.

    The background is plain if it changes smoothly: a quadratic function of the place
    in each channel, from which nine tenths of the border, a hundredth of the shorter
    side wide, differ by at most 16 of 255 levels. Background are the pixels that
    differ as little and are connected with the border, and enclosed areas of them of
    at least a thousandth of the picture. Parts of the rest with less than a hundredth
    of the largest one's pixels are dirt. Half of the outline of what is left must be
    an edge, at which a channel changes by 12 levels within four hundredths of the
    shorter side: the middle of a vignette is no object.

    Args:
        colors: ``[H, W, 3]`` float32 in [0, 1].
        frame: ``[H, W]`` bool, pixels of a frame; the border is what lies next to them,
            and the rest of the picture's border. None without one.

    Returns:
        ``[H, W]`` bool, the object; None if the background is not plain.
    """
    height, width = colors.shape[:2]
    reach = max(1, round(_BORDER * min(height, width)))
    border = np.ones((height, width), bool)
    border[reach:-reach, reach:-reach] = False
    if frame is not None:
        near = ndimage.maximum_filter(frame, 2 * reach + 1)
        border = (border | near) & ~frame
        if not border.any():
            return None
    apart = np.zeros((height, width), np.float32)
    x, y = _measure(height, width)
    for channel, factors in enumerate(_fit_background(colors, border)):
        background = sum(map(np.multiply, factors, _list_terms(x, y)))
        np.maximum(apart, np.abs(colors[..., channel] - background), out=apart)
    if frame is not None:
        apart[frame] = 0
    similar = apart <= _TOLERANCE
    if np.mean(similar[border]) < _PLAIN:
        return None
    parts = _label(similar)
    background = np.bincount(parts.ravel()) >= _ENCLOSED * height * width
    background[np.unique(parts[border if frame is None else border | frame])] = True
    background[0] = False
    mask = _drop_specks(~background[parts])
    return mask if _has_edges(mask, apart, 2 * reach) else None


def _has_edges(mask: np.ndarray, apart: np.ndarray, reach: int) -> bool:
    """Whether colours change at once where a mask ends, as they do at an object.

    Args:
        mask: ``[H, W]`` bool.
        apart: ``[H, W]`` differences from the background.
        reach: distance within which they change, pixels.
    """
    outline = ndimage.binary_dilation(mask) & ~mask
    if not np.any(outline):
        return True
    inside = ndimage.maximum_filter(apart, 2 * reach + 1)[outline]
    outside = ndimage.minimum_filter(apart, 2 * reach + 1)[outline]
    return bool(np.mean(inside - outside >= _STEP) >= _SHARP)


def _measure(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Places ``[1, W]`` and ``[H, 1]`` of columns and rows, from -1 to 1."""
    x, y = (np.linspace(-1, 1, n, dtype=np.float32) for n in (width, height))
    return x[None], y[:, None]


def _list_terms(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """The terms of a quadratic function of the place, but for their factors."""
    return [np.ones_like(x), x, y, x * x, x * y, y * y]


def _fit_background(colors: np.ndarray, border: np.ndarray) -> np.ndarray:
    """Fits quadratic functions of the place to the colours of the border.

    Each fit leaves out the tenth of the pixels that suits the one before least, so that
    an object may reach the border there.

    Args:
        colors: ``[H, W, 3]`` float32.
        border: ``[H, W]`` bool.

    Returns:
        ``[3, 6]`` float32 factors of `_list_terms` for each channel.
    """
    step = max(1, np.count_nonzero(border) // _SAMPLES)
    rows, columns = (index[::step] for index in np.nonzero(border))
    x, y = _measure(*border.shape)
    terms = np.stack(_list_terms(x[0, columns], y[rows, 0]), axis=-1)
    values = colors[rows, columns]
    kept = np.ones(len(values), bool)
    factors = np.zeros((6, 3), np.float32)
    for _ in range(_FITS):
        factors = np.linalg.lstsq(terms[kept], values[kept])[0]
        errors = np.abs(terms @ factors - values).max(-1)
        kept = errors <= np.quantile(errors, _PLAIN)
    return factors.T


def _drop_specks(mask: np.ndarray) -> np.ndarray:
    parts = _label(mask, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return (sizes >= _SPECK * sizes.max())[parts] & mask


def _label(mask: np.ndarray, structure: np.ndarray | None = None) -> np.ndarray:
    """Numbers the connected parts of a mask from 1; 0 elsewhere."""
    parts = np.zeros(mask.shape, np.int32)
    ndimage.label(mask, structure, parts)
    return parts


def _locate(path: Path, masks: Path) -> Path:
    """Path of a picture's mask, given the file or the folder of masks."""
    if not masks.is_dir():
        return masks
    names = [f"{path.stem}{suffix}" for suffix in SUFFIXES] + [f"{path.name}.png"]
    for mask in (masks / name for name in names):
        if mask.is_file() and not mask.samefile(path):  # pictures may lie there, too
            return mask
    raise ValueError(f"there is no mask {path.stem}.png in {masks}")


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Reads a mask; its brightest value is the object.

    One that is of a single colour, and has opacity, is opaque where the object is.
    """
    if not path.is_file():
        raise ValueError(f"there is no mask {path}")
    try:
        image = imagefile.decode(path, upright=True)
    except ValueError as error:
        raise ValueError(f"its mask {path} cannot be read: {error}") from None
    if image.shape[:2] != shape:
        raise ValueError(
            f"its mask {path} has {image.shape[1]} x {image.shape[0]} pixels, and it "
            f"has {shape[1]} x {shape[0]}, as a viewer shows it"
        )
    mask = image[..., :3].max(-1)
    if image.shape[-1] == 4:
        mask = image[..., 3] if np.ptp(mask) == 0 else mask * image[..., 3]
    return mask / max(mask.max(), 1e-9)


@functools.cache
def _open_rembg() -> Any:
    import rembg  # type: ignore[import-not-found]

    return functools.partial(rembg.remove, session=rembg.new_session(), only_mask=True)


def _ask_rembg(colors: np.ndarray) -> np.ndarray:
    try:
        mask = np.asarray(_open_rembg()(imagefile.to_pillow(colors)), np.float32) / 255
    except Exception as error:  # of its own, of ONNX, and of the download of its model
        raise ValueError(
            f"rembg finds no mask ({type(error).__name__}: {error}); give --mask FILE"
        ) from error
    if mask.shape != colors.shape[:2]:
        raise ValueError("rembg returns a mask of another size; give --mask FILE")
    return mask
