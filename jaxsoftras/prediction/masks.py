"""Masks of the objects in pictures: from files, opacity, a plain background, rembg."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from jaxsoftras.meshfile import imagefile

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


class Found(NamedTuple):
    """A mask.

    Attributes:
        mask: ``[H, W]`` float32 coverage, 0 to 1.
        origin: where it comes from, for the user.
    """

    mask: np.ndarray
    origin: str


def find(image: np.ndarray, path: Path, masks: Path | None) -> Found:
    """Finds the mask of a picture.

    With ``masks``, it is read from there. Otherwise it is, of the following, the first
    that there is: ``NAME_mask.png`` beside the picture; the picture's opacity, if a
    hundredth of it is transparent; all but a plain background, see `cut_out`; the
    answer of rembg, if that is installed.

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
    mask = cut_out(image[..., :3])
    if mask is not None:
        return Found(mask.astype(np.float32), "background")
    if importlib.util.find_spec("rembg"):
        return Found(_ask_rembg(image[..., :3]), "rembg")
    raise ValueError(
        "it has no mask: its background is neither transparent nor plain; give "
        "--mask FILE, cut the object out, or install rembg"
    )


def cut_out(colors: np.ndarray) -> np.ndarray | None:
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

    Returns:
        ``[H, W]`` bool, the object; None if the background is not plain.
    """
    height, width = colors.shape[:2]
    reach = max(1, round(_BORDER * min(height, width)))
    border = np.ones((height, width), bool)
    border[reach:-reach, reach:-reach] = False
    apart = np.zeros((height, width), np.float32)
    x, y = _measure(height, width)
    for channel, factors in enumerate(_fit_background(colors, border)):
        background = sum(map(np.multiply, factors, _list_terms(x, y)))
        np.maximum(apart, np.abs(colors[..., channel] - background), out=apart)
    similar = apart <= _TOLERANCE
    if np.mean(similar[border]) < _PLAIN:
        return None
    parts = _label(similar)
    background = np.bincount(parts.ravel()) >= _ENCLOSED * height * width
    background[np.unique(parts[border])] = True
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
