"""Files of pictures of one object, in all the forms that cameras and programs write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from jaxsoftras.prediction import Picture

WIDTH, HEIGHT = 60, 40
BOX = 12, 8, 42, 30  # left, top, right and bottom of the object


def mask() -> np.ndarray:
    """``[40, 60]`` bool: an L, which no turn or reflection maps to itself."""
    left, top, right, bottom = BOX
    covered = np.zeros((HEIGHT, WIDTH), bool)
    covered[top:bottom, left : left + 8] = True
    covered[bottom - 6 : bottom, left:right] = True
    return covered


def colors(background: tuple[int, int, int] = (250, 250, 245)) -> np.ndarray:
    """``[40, 60, 3]`` uint8: a red L before a plain background."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = background
    image[mask()] = 200, 60, 40
    return image


def noise(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A picture without a plain background."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def save_opaque(path: Path, background: np.ndarray | None = None) -> Path:
    """Writes a picture without opacity; its background is plain unless given."""
    image = colors()
    if background is not None:
        image[~mask()] = background[~mask()]
    lossless = path.suffix == ".webp"
    Image.fromarray(image).save(path, lossless=lossless)
    return path


def save_transparent(path: Path) -> Path:
    """Writes a picture whose background is transparent."""
    alpha = np.uint8(255) * mask()[..., None]
    Image.fromarray(np.concatenate([noise(), alpha], -1)).save(path)
    return path


def save_mask(path: Path, covered: np.ndarray | None = None) -> Path:
    Image.fromarray(np.uint8(255) * (mask() if covered is None else covered)).save(path)
    return path


def check(picture: Picture, origin: str) -> None:
    """Checks that a picture shows the object, with its margin of 3 pixels."""
    left, top, right, bottom = BOX
    expected = mask()[top - 3 : bottom + 3, left - 3 : right + 3]
    assert picture.mask == origin
    np.testing.assert_array_equal(picture.image[..., 3] >= 0.5, expected)
    assert np.all(picture.image[..., :3] <= picture.image[..., 3:])
