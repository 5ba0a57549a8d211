"""Images of materials in MTL files: their options, and an opacity of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxsoftras.meshfile import imagefile, text
from jaxsoftras.texture import Wrap

# options of images with the numbers of their arguments
_OPTIONS = {
    b"-blendu": 1,
    b"-blendv": 1,
    b"-bm": 1,
    b"-boost": 1,
    b"-cc": 1,
    b"-clamp": 1,
    b"-colorspace": 1,
    b"-imfchan": 1,
    b"-mm": 2,
    b"-texres": 1,
    b"-type": 1,
}
# options with one to three numbers
_VECTORS = (b"-o", b"-s", b"-t")

_CHANNELS = {b"r": 0, b"g": 1, b"b": 2, b"m": 3}
_GREEN, _BLUE = np.float32(0.7152), np.float32(0.0722)  # parts of the luminance


class ImageMap(NamedTuple):
    """An image as a material shows it.

    Attributes:
        name: name of the image.
        scale: factors of the texture coordinates.
        offset: added to them after that.
        wrap: continuation of the image.
        base: added to the image after its multiplication by `gain`.
        gain: factor of the image.
        channel: what a single value is taken from, as in the file.
        turbulent: whether the file asks for turbulence, which is left out.
    """

    name: bytes = b""
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    wrap: Wrap = "repeat"
    base: float = 0.0
    gain: float = 1.0
    channel: bytes = b""
    turbulent: bool = False

    def is_placed_as(self, other: ImageMap) -> bool:
        """Whether both images have the same place on the surface."""
        return self[1:4] == other[1:4]


def _take_numbers(words: Sequence[bytes]) -> list[float]:
    """Numbers at the beginning of words, three at most; the last word is no number."""
    numbers = []
    for word in words[: min(3, len(words) - 1)]:
        try:
            numbers.append(text.parse_float(word))
        except ValueError:
            break
    return numbers


def _parse_option(image: ImageMap, words: list[bytes]) -> tuple[ImageMap, int]:
    """Parses an option at the beginning of words; returns the number of arguments.

    The number is -1 if it is no option but a name that begins with a hyphen.
    """
    option = words[0].lower()
    if option in _VECTORS:
        numbers = _take_numbers(words[1:])
        count = len(numbers)
        if count == 0:
            raise ValueError
        default = [1.0, 1.0] if option == b"-s" else [0.0, 0.0]
        u, v = (numbers + default[count:])[:2]
        if not np.all(np.isfinite([u, v])):
            raise ValueError
        if option == b"-s":
            return image._replace(scale=(u, v)), count
        if option == b"-o":
            return image._replace(offset=(u, v)), count
        return image._replace(turbulent=u != 0 or v != 0), count
    if option == b"-clamp":
        clamps = words[1:2] and words[1].lower() == b"on"
        image = image._replace(wrap="clamp" if clamps else "repeat")
    elif option == b"-mm":
        base, gain = map(text.parse_float, words[1:3])
        if not np.all(np.isfinite([base, gain])):
            raise ValueError
        image = image._replace(base=base, gain=gain)
    elif option == b"-imfchan":
        image = image._replace(channel=words[1].lower())
    return image, _OPTIONS.get(option, -1)


def parse_image(rest: bytes) -> ImageMap | None:
    """Parses options and name of an image; the name may have spaces.

    Returns:
        None without a name.

    Raises:
        ValueError: an option whose arguments are not understood.
        IndexError: an option without arguments.
    """
    image = ImageMap()
    while rest.startswith(b"-"):
        image, count = _parse_option(image, rest.split())
        if count < 0:
            break
        rest = (rest.split(maxsplit=count + 1)[count + 1 :] or [b""])[0]
    return image._replace(name=rest) if rest else None


def _in_range(values: np.ndarray, image: ImageMap, factor: np.ndarray) -> np.ndarray:
    """Applies gain and base of an image, and a factor, where they change anything."""
    gain, base = image.gain * factor, image.base * factor
    if np.all(gain == 1) and np.all(base == 0):
        return values
    return np.clip(values * np.float32(gain) + np.float32(base), 0, 1)


def tint(pixels: np.ndarray, image: ImageMap, color: np.ndarray) -> np.ndarray:
    """Multiplies an image by the colour of its material: ``[H, W, 3]``."""
    return _in_range(pixels[..., :3], image, color)


def read_opacity(pixels: np.ndarray, image: ImageMap, factor: float) -> np.ndarray:
    """Takes the opacity from an image.

    By the format it is the luminance, or the channel of ``-imfchan``. Many programs
    name an image with an alpha channel, and mean this.

    Args:
        pixels: ``[H, W, 3 or 4]``.
        image: its options.
        factor: opacity of the material.

    Returns:
        ``[H, W, 1]`` in [0, 1].
    """
    channel = _CHANNELS.get(image.channel)
    if channel is None and image.channel != b"l" and pixels.shape[-1] == 4:
        channel = 3
    if channel is None:
        red, green, blue = np.moveaxis(pixels[..., :3], -1, 0)
        # of grey, exactly its value
        alpha = red + _GREEN * (green - red) + _BLUE * (blue - red)
        alpha = alpha[..., None]
    elif channel < pixels.shape[-1]:
        alpha = pixels[..., channel, None]
    else:
        alpha = np.ones_like(pixels[..., :1])  # an alpha channel that is 1 everywhere
    return np.clip(_in_range(alpha, image, np.array(factor)), 0, 1)


def _resize(image: np.ndarray, shape: tuple[int, int], wrap: Wrap) -> np.ndarray:
    """Samples an image bilinearly at the texel centres of one of another shape."""
    for axis, (count, size) in enumerate(zip(image.shape, shape, strict=False)):
        if count == size:
            continue
        place = (np.arange(size) + 0.5) * (count / size) - 0.5
        first = np.floor(place).astype(int)
        weight = (place - first).astype(np.float32)
        weight = weight.reshape(-1, *[1] * (image.ndim - 1 - axis))
        index = np.stack([first, first + 1])
        index = index % count if wrap == "repeat" else np.clip(index, 0, count - 1)
        before, after = (np.take(image, row, axis) for row in index)
        image = before + (after - before) * weight
    return image


def combine(colors: np.ndarray, alpha: np.ndarray, wrap: Wrap) -> np.ndarray:
    """Combines colours and opacity, of which the smaller image is enlarged.

    Args:
        colors: ``[H, W, 3]``.
        alpha: ``[H, W, 1]``, perhaps of another size.
        wrap: continuation of both images.

    Returns:
        ``[H, W, 4]``.

    Raises:
        ValueError: an image that would be too large.
    """
    (height, width), (other_height, other_width) = colors.shape[:2], alpha.shape[:2]
    shape = max(height, other_height), max(width, other_width)
    if shape[0] * shape[1] > imagefile.MOST_TEXELS:
        raise ValueError(
            f"an image of {width} x {height} texels has an image of opacity of "
            f"{other_width} x {other_height}; give them the same size"
        )
    parts = [_resize(part, shape, wrap) for part in (colors, alpha)]
    return np.concatenate(parts, axis=-1)
