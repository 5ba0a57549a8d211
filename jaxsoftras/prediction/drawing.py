"""Pictures of predictions: a sheet beside the input, and a turntable."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxsoftras import camera, clay, mesh, texture
from jaxsoftras.prediction import pictures, viewpoints
from jaxsoftras.prediction.pictures import Picture
from jaxsoftras.prediction.predictor import Prediction
from jaxsoftras.prediction.viewpoints import Orbit

SIZE = 192
"""Width and height of all images, pixels."""

FRAMES = 24
"""Images of a turntable, 15 degrees apart."""

_GAP, _HEADER = 6, 24
_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_BOTH, _MISSING, _BEYOND = (200, 200, 200), (70, 120, 200), (220, 90, 70)
_MILLISECONDS = 80  # of a frame
_SIDE = 90.0  # degrees

_TO_LIGHT = (0.6, 1.0, 0.25)


def render_shaded(solid: mesh.Mesh, view: camera.Camera) -> np.ndarray:
    """Renders a shaded mesh over white, ``[192, 192, 3]`` uint8.

    Args:
        solid: vertices ``[V, 3]`` and faces; of clay if it has no texture.
        view: one camera.
    """
    if solid.texture is None:
        clay_colors = np.tile(np.array(clay.COLOR, np.float32), (len(solid.faces), 1))
        solid = solid._replace(texture=texture.FaceColors(clay_colors))
    return np.asarray(_render(solid, view))


@jax.jit
def _render(solid: mesh.Mesh, view: camera.Camera) -> jax.Array:
    return clay.render(solid, view, SIZE, _TO_LIGHT)


def _over_white(image: np.ndarray) -> np.ndarray:
    """Converts premultiplied RGBA ``[4, S, S]`` uint8 to ``[S, S, 3]`` over white."""
    colors = image[:3].astype(int) + 255 - image[3]
    return np.moveaxis(colors.clip(0, 255).astype(np.uint8), 0, -1)


def _compare(covered: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Colours pixels of two masks: in both, in the picture's or in the mesh's alone."""
    image = np.full((*covered.shape, 3), 255, np.uint8)
    image[covered & drawn] = _BOTH
    image[covered & ~drawn] = _MISSING
    image[drawn & ~covered] = _BEYOND
    return image


def draw_cells(
    prediction: Prediction, picture: Picture, orbit: Orbit, extent: float
) -> dict[str, np.ndarray]:
    """Draws the input, the mesh from there, both silhouettes, and the mesh's side.

    Grey is in both silhouettes, blue in the picture's and red in the mesh's alone.

    Args:
        prediction: the mesh, and where it was seen from.
        picture: the picture.
        orbit: cameras.
        extent: see `pictures.find_square`.

    Returns:
        ``[192, 192, 3]`` uint8 by caption.
    """
    solid = prediction.mesh
    shown = pictures.crop(picture, SIZE, extent)
    drawn = viewpoints.silhouettes(
        solid.vertices, np.asarray(solid.faces), prediction.view, SIZE, "xla"
    )
    side = viewpoints.make_cameras(orbit, prediction.azimuth + _SIDE)
    fit = f"IoU {prediction.iou:.3f} from {round(prediction.azimuth) % 360}°"
    return {
        "input": _over_white(shown),
        "mesh": render_shaded(solid, prediction.view),
        fit: _compare(shown[3] >= 128, np.asarray(drawn)),
        "from the side": render_shaded(solid, side),
    }


def sheet(
    prediction: Prediction, picture: Picture, orbit: Orbit, extent: float
) -> Image.Image:
    """Draws the images of `draw_cells` beside each other."""
    cells = draw_cells(prediction, picture, orbit, extent)
    step = SIZE + _GAP
    image = Image.new("RGB", (len(cells) * step - _GAP, _HEADER + SIZE), _PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    for column, (name, cell) in enumerate(cells.items()):
        x = column * step
        draw.text((x + SIZE // 2, _HEADER // 2), name, _INK, font, anchor="mm")
        image.paste(Image.fromarray(cell), (x, _HEADER))
    return image


def turntable(prediction: Prediction, orbit: Orbit) -> list[Image.Image]:
    """Draws a mesh from all around, beginning at the azimuth of the picture.

    Args:
        prediction: the mesh.
        orbit: cameras.
    """
    azimuths = prediction.azimuth + np.arange(FRAMES) * (360 / FRAMES)
    cameras = jax.device_get(viewpoints.make_cameras(orbit, azimuths))
    views = [jax.tree.map(lambda part, k=k: part[k], cameras) for k in range(FRAMES)]
    return [Image.fromarray(render_shaded(prediction.mesh, view)) for view in views]


def save_turntable(frames: list[Image.Image], path: Path) -> None:
    """Writes an endless animation as GIF."""
    frames[0].save(
        path,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=_MILLISECONDS,
        loop=0,
    )
