"""Contact sheets: a few objects of every category of a data set, over white."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from jaxsoftras import extras
from jaxsoftras.data.show import name_object
from jaxsoftras.data.source import Contents

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_SMALLEST, _LARGEST = 48, 128  # pixels of an image on the sheet
_GAP, _LABEL, _TITLE = 8, 150, 34  # pixels
_SMALL, _MEDIUM, _BIG = 11, 14, 17  # sizes of letters, pixels


@dataclass
class Sheet:
    """Collects the images of a contact sheet and draws it.

    Attributes:
        contents: the data set.
        split: name of the split to show.
        objects: number of objects of each category, evenly spread over all.
        views: number of views of each object, evenly spread over all.
        inverted: whether the files hold 255 minus the colour.
    """

    contents: Contents
    split: str
    objects: int = 8
    views: int = 3
    inverted: bool = False
    _chosen: dict[str, dict[int, list[np.ndarray]]] = field(default_factory=dict)

    def __post_init__(self):
        if min(self.objects, self.views) < 1:
            raise ValueError("A sheet needs at least one object and one view.")
        opened = self.contents.splits[self.split]
        for key in opened.categories:
            numbers = _spread(opened.count(key), self.objects)
            self._chosen[key] = {number: [] for number in numbers}

    def visit(self, split: str, key: str, number: int, images: np.ndarray) -> None:
        """Takes the images ``[V, 4, S, S]`` of an object, if it is to be shown."""
        if split == self.split and number in self._chosen[key]:
            views = _spread(len(images), self.views)
            self._chosen[key][number] = [
                over_white(images[view], inverted=self.inverted) for view in views
            ]

    def draw(self, title: str) -> Image.Image:
        """Draws the sheet, an RGB image: a row for each category, with its name.

        Args:
            title: the line above.

        Raises:
            MissingExtraError: Pillow is not installed.
        """
        extras.require("draw contact sheets", "PIL")
        from PIL import Image, ImageDraw

        opened = self.contents.splits[self.split]
        side = _choose_side(opened.image_size)
        most = max(map(len, self._chosen.values()))
        shown = max(len(v) for row in self._chosen.values() for v in row.values())
        block = shown * side + _GAP
        row = side + _SMALL + 2 * _GAP
        size = _LABEL + most * block, _TITLE + len(self._chosen) * row
        sheet = Image.new("RGB", size, "white")
        draw = ImageDraw.Draw(sheet)
        _write(draw, (_GAP, _GAP), title, _BIG, size[0] - 2 * _GAP)
        for k, (key, members) in enumerate(self._chosen.items()):
            top = _TITLE + k * row
            self._draw_row(sheet, draw, top, key, members, (side, block))
        return sheet

    def _draw_row(
        self,
        sheet: Image.Image,
        draw: ImageDraw.ImageDraw,
        top: int,
        key: str,
        members: Mapping[int, list[np.ndarray]],
        sizes: tuple[int, int],
    ) -> None:
        from PIL import Image

        opened, (side, block) = self.contents.splits[self.split], sizes
        width, count = _LABEL - 2 * _GAP, opened.count(key)
        draw.line([(0, top), (sheet.width, top)], fill="lightgrey")
        _write(draw, (_GAP, top + _GAP), opened.names[key], _BIG, width)
        words = f"{count} object{'s' * (count > 1)}"
        _write(draw, (_GAP, top + _GAP + _BIG + 4), words, _MEDIUM, width, "dimgrey")
        for k, (number, images) in enumerate(members.items()):
            left = _LABEL + k * block
            name = name_object(self.contents, self.split, key, number)
            _write(draw, (left, top + 3), name, _SMALL, block - _GAP, "dimgrey")
            for n, pixels in enumerate(images):
                image = Image.fromarray(pixels)
                # whole multiples keep the pixels of small images
                small = opened.image_size < _SMALLEST
                how = Image.Resampling.NEAREST if small else Image.Resampling.BOX
                image = image.resize((side, side), how)
                sheet.paste(image, (left + n * side, top + _SMALL + _GAP))


def over_white(image: np.ndarray, *, inverted: bool = False) -> np.ndarray:
    """Puts an image ``[4, S, S]`` on white; returns ``[S, S, 3]`` uint8.

    Args:
        image: colours multiplied by coverage, and coverage.
        inverted: whether the file holds 255 minus the colour on white.
    """
    color, coverage = image[:3].astype(int), image[3].astype(int)
    white = 255 - color if inverted else color + 255 - coverage
    return white.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)


def _spread(count: int, wanted: int) -> list[int]:
    """Evenly spread numbers from 0 to count - 1, all if no more are there."""
    wanted = min(count, wanted)
    return [number * count // wanted for number in range(wanted)]


def _choose_side(image_size: int) -> int:
    if image_size < _SMALLEST:
        return image_size * math.ceil(_SMALLEST / image_size)
    return min(image_size, _LARGEST)


def spell(text: str) -> str:
    """Spells a name in ASCII, which is all that the letters of Pillow have.

    Accents are dropped; other letters become question marks.
    """
    parts = unicodedata.normalize("NFKD", " ".join(text.split()))
    plain = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return plain.encode("ascii", "replace").decode()


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    size: int,
    width: int,
    color: str = "black",
) -> None:
    """Writes one line of text, shortened to a width in pixels."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    shown = text = spell(text)
    while len(shown) > 1 and draw.textlength(shown, font) > width:
        text = text[:-1]
        shown = text + "..."
    draw.text(place, shown, color, font)
