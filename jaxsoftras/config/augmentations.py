"""Fields of a configuration that say how training images are changed."""

from __future__ import annotations

import dataclasses

from jaxsoftras.config.ranges import require


@dataclasses.dataclass(frozen=True)
class Color:
    """Random changes of the colours of an object, alike in all of its images.

    Silhouettes and backgrounds stay as they are.
    """

    brightness: float = 0.0
    """Colours are multiplied by up to 1 plus or minus this, which is from 0 to 1."""
    contrast: float = 0.0
    """Differences from medium grey are multiplied by up to 1 plus or minus this."""
    saturation: float = 0.0
    """Differences from grey of the same luma are multiplied by up to 1 plus or minus
    this."""
    hue: float = 0.0
    """Hues are turned by up to this, either way, degrees from 0 to 180. A turn by 120
    exchanges red, green and blue."""

    def __post_init__(self):
        for name in ("brightness", "contrast", "saturation"):
            require(
                0 <= getattr(self, name) <= 1,
                f"augment.color.{name} must be from 0 to 1.",
            )
        require(0 <= self.hue <= 180, "augment.color.hue must be from 0 to 180.")


@dataclasses.dataclass(frozen=True)
class Augment:
    """Random changes of the training images; the paper makes none."""

    mirror: bool = False
    """Show every second object as its mirror image in the plane x = 0."""
    color: Color = Color()
    """Changes of the colours."""
    scale: float = 0.0
    """Images are enlarged or reduced by a factor up to 1 plus this, at most 2, and
    their cameras with them. Those whose object touches the border stay as they are."""
    shift: float = 0.0
    """Images are moved by up to this part of their width and of their height, at most
    0.5, and their cameras with them. See ``scale``."""

    def __post_init__(self):
        require(0 <= self.scale <= 1, "augment.scale must be from 0 to 1.")
        require(0 <= self.shift <= 0.5, "augment.shift must be from 0 to 0.5.")
