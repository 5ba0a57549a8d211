"""Pictures of reconstructions: input, renders, the mesh around, the truth beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxsoftras import camera, config, data, models
from jaxsoftras import voxels as cubes
from jaxsoftras.data import zbuffer
from jaxsoftras.reconstruction import training

_CELL = 128  # pixels along a side of each picture
_GAP = 6
_LABEL_WIDTH, _HEADER_HEIGHT = 96, 26
_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_CLAY, _TRUTH = (0.93, 0.72, 0.46), (0.55, 0.68, 0.85)
_MESH_VIEWS = (2, 10, 18)  # from these numbers of the 24 the mesh is drawn


class Example(NamedTuple):
    """One reconstruction, ready to be drawn.

    Attributes:
        name: shown at the left.
        picture: ``[4, S, S]`` uint8, the network's input.
        render: ``[S, S]`` silhouette of the mesh from the reference view, 0 to 1.
        reference: ``[4, S, S]`` uint8, the other view.
        vertices: ``[V, 3]`` model frame.
        occupied: ``[32, 32, 32]`` bool true voxels, file axes.
    """

    name: str
    picture: np.ndarray
    render: np.ndarray
    reference: np.ndarray
    vertices: np.ndarray
    occupied: np.ndarray


def over_paper(picture: np.ndarray, size: int = _CELL) -> np.ndarray:
    """``[4, S, S]`` premultiplied RGBA to ``[size, size, 3]`` uint8 over white."""
    color = picture[:3].astype(int) + (255 - picture[3].astype(int))
    rgb = np.moveaxis(color.clip(0, 255).astype(np.uint8), 0, -1)
    return np.asarray(Image.fromarray(rgb).resize((size, size), Image.Resampling.BOX))


def silhouette_picture(alpha: np.ndarray, size: int = _CELL) -> np.ndarray:
    """``[S, S]`` alpha in [0, 1] to ``[size, size, 3]`` uint8, dark on white."""
    gray = np.round(255 - 215 * np.clip(alpha, 0, 1)).astype(np.uint8)
    image = Image.fromarray(gray).resize((size, size), Image.Resampling.BOX)
    return np.asarray(image.convert("RGB"))


def _shaded(vertices, faces, settings: config.Data, view: int, color) -> np.ndarray:
    eye = camera.eye_from_angles(
        settings.distance, settings.elevation, settings.azimuth_step * view
    )
    picture = zbuffer.render(
        vertices,
        faces,
        np.asarray(eye),
        image_size=_CELL,
        half_fov=settings.half_fov,
        colors=color,
        closed=True,
    )
    return over_paper(picture)


def sheet(
    examples: Sequence[Example], faces: np.ndarray, settings: config.Data
) -> Image.Image:
    """Draws a row for each example.

    Args:
        examples: what to draw.
        faces: ``[F, 3]`` of all meshes.
        settings: the camera of the data set.

    Returns:
        The picture.
    """
    headers = ["input", "render", "reference", "mesh", "mesh", "mesh", "truth", "truth"]
    step = _CELL + _GAP
    picture = Image.new(
        "RGB",
        (_LABEL_WIDTH + len(headers) * step, _HEADER_HEIGHT + len(examples) * step),
        _PAPER,
    )
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    for column, header in enumerate(headers):
        x = _LABEL_WIDTH + column * step + _CELL // 2
        draw.text((x, _HEADER_HEIGHT // 2), header, _INK, font, anchor="mm")
    for row, example in enumerate(examples):
        y = _HEADER_HEIGHT + row * step
        draw.text((_GAP, y + _CELL // 2), example.name, _INK, font, anchor="lm")
        truth = cubes.voxel_surface(example.occupied)
        cells = [
            over_paper(example.picture),
            silhouette_picture(example.render),
            over_paper(example.reference),
            *(
                _shaded(example.vertices, faces, settings, v, _CLAY)
                for v in _MESH_VIEWS
            ),
            *(_shaded(*truth, settings, view, _TRUTH) for view in _MESH_VIEWS[:2]),
        ]
        for column, cell in enumerate(cells):
            picture.paste(Image.fromarray(cell), (_LABEL_WIDTH + column * step, y))
    return picture


def _padded(array: np.ndarray, experiment: training.Experiment) -> jax.Array:
    """Repeats the last entry until the devices can share the array evenly."""
    missing = -len(array) % experiment.devices.size
    array = np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
    return jax.device_put(array, experiment.sharded)


def reconstruct(
    experiment: training.Experiment,
    variables: models.Variables,
    split: data.Split,
    sigma: float,
    *,
    input_view: int = 2,
    reference_view: int = 8,
) -> list[Example]:
    """Reconstructs the first object of every category from one view.

    Args:
        experiment: the configuration the variables belong to.
        variables: of the network.
        split: objects with voxels.
        sigma: sharpness of the rasterizer, NDC squared.
        input_view: number of the view that the network sees.
        reference_view: number of the view that its mesh is compared with.

    Returns:
        An example for each category of the split.
    """
    first = np.zeros(1, int)

    def views(number):
        return np.concatenate(
            [split.images(c, first, first + number) for c in split.categories]
        )

    inputs, references = views(input_view), views(reference_view)
    vertices = experiment.infer(variables, _padded(inputs, experiment))
    numbers = _padded(np.full(len(inputs), reference_view, np.int32), experiment)
    renders = np.asarray(experiment.render(vertices, numbers, np.float32(sigma)))
    return [
        Example(
            name=data.CATEGORIES[category],
            picture=inputs[k],
            render=renders[k],
            reference=references[k],
            vertices=np.asarray(vertices[k]),
            occupied=split.voxels(category, first)[0],
        )
        for k, category in enumerate(split.categories)
    ]


def training_views(
    experiment: training.Experiment,
    state: training.TrainState,
    batch: data.PairBatch,
    rows: int = 4,
) -> np.ndarray:
    """Input, render from the second view, and that view, for a few objects of a batch.

    Args:
        experiment: the configuration of the run.
        state: of the run.
        batch: on the devices.
        rows: number of objects shown.

    Returns:
        ``[H, W, 3]`` uint8.
    """
    vertices = experiment.infer(state.variables, batch.images_a)
    sigma = experiment.sigma(state.step)
    renders = experiment.render(vertices, batch.views_b, sigma)
    shown = jax.device_get((batch.images_a, renders, batch.images_b))
    return np.concatenate(
        [
            np.concatenate(
                [over_paper(a), silhouette_picture(r), over_paper(b)], axis=1
            )
            for a, r, b in zip(*(array[:rows] for array in shown), strict=True)
        ]
    )
