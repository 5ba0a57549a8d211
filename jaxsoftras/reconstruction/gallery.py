"""Galleries of reconstructions: input, renders, the mesh, and the truth beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from jaxsoftras import camera, clay, data, mesh, models, texture, voxels
from jaxsoftras.reconstruction import coloring, processes, training, untuned

CELL = 128
"""Width and height of each image, pixels."""
_GAP = 6
_LABEL_WIDTH, _HEADER_HEIGHT = 96, 26
_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_TRUTH = (0.55, 0.68, 0.85)
VIEWS = 24  # of the numbers of views below; of fewer or more, in proportion
INPUT_VIEW, REFERENCE_VIEW = 2, 8
_MESH_VIEWS, _TRUTH_VIEWS = (2, 10, 18), (2, 10)
_COLUMNS = (
    *("input", "render", "reference"),
    *("mesh" for _ in _MESH_VIEWS),
    *("truth" for _ in _TRUTH_VIEWS),
)

_TO_LIGHT = (0.6, 1.0, -0.25)  # three visible sides of a box get three shades
# Sizes are rounded up to multiples of these, so that few programs are compiled.
_VERTEX_STEP, _FACE_STEP = 2048, 4096

Arrays = TypeVar("Arrays", bound=object)


class Example(NamedTuple):
    """One reconstruction, ready to be shown.

    Attributes:
        name: label at the left.
        image: ``[4, S, S]`` uint8, the network's input.
        render: ``[S, S]`` silhouette of the mesh from the reference view, 0 to 1.
        reference: ``[4, S, S]`` uint8, the image from the reference view.
        vertices: ``[V, 3]`` model frame.
        cameras: of the five columns of meshes and truth, with leading axes ``[5]``.
        occupied: ``[32, 32, 32]`` bool true voxels, axes of the data files, or None.
        pictures: ``[2, 4, S, S]`` uint8, images that are shown where there are no true
            voxels, or beside coloured meshes; or None.
        colors: of the mesh, `models.Reconstruction`; None if the model has none.
        drawn: ``[4, 128, 128, 3]`` uint8, the coloured mesh from the reference view and
            in the three columns of meshes; None without colours.
    """

    name: str
    image: np.ndarray
    render: np.ndarray
    reference: np.ndarray
    vertices: np.ndarray
    cameras: camera.Camera
    occupied: np.ndarray | None = None
    pictures: np.ndarray | None = None
    colors: np.ndarray | None = None
    drawn: np.ndarray | None = None


def composite_over_white(image: np.ndarray, size: int = CELL) -> np.ndarray:
    """Converts premultiplied RGBA ``[4, S, S]`` to ``[size, size, 3]`` over white."""
    color = image[:3].astype(int) + (255 - image[3].astype(int))
    rgb = np.moveaxis(color.clip(0, 255).astype(np.uint8), 0, -1)
    return np.asarray(Image.fromarray(rgb).resize((size, size), Image.Resampling.BOX))


def shade_silhouette(alpha: np.ndarray, size: int = CELL) -> np.ndarray:
    """Converts alpha ``[S, S]`` in [0, 1] to ``[size, size, 3]``, dark on white."""
    gray = np.round(255 - 215 * np.clip(alpha, 0, 1)).astype(np.uint8)
    image = Image.fromarray(gray).resize((size, size), Image.Resampling.BOX)
    return np.asarray(image.convert("RGB"))


def _voxel_mesh(occupied: np.ndarray | None) -> mesh.Mesh:
    if occupied is None:
        occupied = np.zeros((32, 32, 32), bool)
    vertices, faces = voxels.voxel_surface(occupied)
    # one vertex more, so that a grid without an occupied cell makes a mesh as well
    vertices = np.concatenate([vertices, np.zeros((1, 3))])
    return mesh.Mesh(vertices.astype(np.float32), faces)


def stack_padded(meshes: Sequence[mesh.Mesh]) -> mesh.Mesh:
    """Stacks meshes, with sizes rounded up by unused vertices and padding faces."""
    vertices, faces, _ = mesh.stack_meshes(meshes)
    more_vertices = (0, -vertices.shape[1] % _VERTEX_STEP)
    more_faces = (0, -faces.shape[1] % _FACE_STEP)
    return mesh.Mesh(
        np.pad(vertices, ((0, 0), more_vertices, (0, 0)), mode="edge"),
        np.pad(faces, ((0, 0), more_faces, (0, 0)), constant_values=-1),
    )


@untuned.jit
def render_shaded(
    vertices: ArrayLike, faces: ArrayLike, colors: ArrayLike, cameras: camera.Camera
) -> jax.Array:
    """Renders shaded meshes over white.

    Args:
        vertices: ``[N, V, 3]`` world space.
        faces: ``[N, F, 3]`` vertex indices; rows of -1 are padding.
        colors: ``[N, 3]`` RGB from 0 to 1.
        cameras: N cameras.

    Returns:
        ``[N, 128, 128, 3]`` uint8.
    """
    faces = jnp.asarray(faces)
    values = jnp.broadcast_to(jnp.asarray(colors)[:, None], faces.shape)
    meshes = mesh.Mesh(jnp.asarray(vertices), faces, texture.FaceColors(values))
    return clay.render(meshes, cameras, CELL, _TO_LIGHT)


def render_rows(examples: Sequence[Example], faces: np.ndarray) -> list[np.ndarray]:
    """Renders each example's mesh, and its true voxels or the images in their place.

    Args:
        examples: reconstructions to show.
        faces: ``[F, 3]`` vertex indices, the topology of all reconstructions.

    Returns:
        ``[5, 128, 128, 3]`` uint8 for each example, from its cameras: three images of
        the mesh, two of the truth.
    """
    meshes = stack_padded(
        [mesh.Mesh(np.asarray(e.vertices, np.float32), faces) for e in examples]
        + [_voxel_mesh(example.occupied) for example in examples]
    )
    is_truth = np.arange(len(_MESH_VIEWS + _TRUTH_VIEWS)) >= len(_MESH_VIEWS)
    colors = np.where(is_truth[:, None], _TRUTH, clay.COLOR).astype(np.float32)
    rows = []
    for row, example in enumerate(examples):
        shown = row + len(examples) * is_truth  # truths follow the reconstructions
        images = render_shaded(
            meshes.vertices[shown], meshes.faces[shown], colors, example.cameras
        )
        images = np.array(images)
        if example.pictures is not None:
            images[is_truth] = [
                composite_over_white(image) for image in example.pictures
            ]
        rows.append(images)
    return rows


def sheet(examples: Sequence[Example], faces: np.ndarray) -> Image.Image:
    """Draws a gallery with a row for each example.

    Args:
        examples: reconstructions to show.
        faces: ``[F, 3]`` vertex indices, the topology of all reconstructions.
    """
    step = CELL + _GAP
    gallery = Image.new(
        "RGB",
        (_LABEL_WIDTH + len(_COLUMNS) * step, _HEADER_HEIGHT + len(examples) * step),
        _PAPER,
    )
    draw, font = ImageDraw.Draw(gallery), ImageFont.load_default(14)
    for column, header in enumerate(_COLUMNS):
        x = _LABEL_WIDTH + column * step + CELL // 2
        draw.text((x, _HEADER_HEIGHT // 2), header, _INK, font, anchor="mm")
    rendered = render_rows(examples, faces)
    for row, (example, images) in enumerate(zip(examples, rendered, strict=True)):
        y = _HEADER_HEIGHT + row * step
        draw.text((_GAP, y + CELL // 2), example.name, _INK, font, anchor="lm")
        cells = [
            composite_over_white(example.image),
            shade_silhouette(example.render),
            composite_over_white(example.reference),
            *images,
        ]
        if example.drawn is not None:
            cells[1], cells[3 : 3 + len(_MESH_VIEWS)] = (
                example.drawn[0],
                example.drawn[1:],
            )
        if example.pictures is not None:
            cells[-len(_TRUTH_VIEWS) :] = map(composite_over_white, example.pictures)
        for column, cell in enumerate(cells):
            gallery.paste(Image.fromarray(cell), (_LABEL_WIDTH + column * step, y))
    return gallery


def shard(arrays: Arrays, experiment: training.Experiment) -> Arrays:
    """Shards arrays, with their last entries repeated to fill up the devices."""

    def fill(array: np.ndarray) -> np.ndarray:
        missing = -len(array) % experiment.devices.size
        return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])

    return processes.place(jax.tree.map(fill, arrays), experiment.sharded)


def reconstruct(
    experiment: training.Experiment,
    variables: models.Variables,
    split: data.Split,
    sigma: float,
    objects: Mapping[str, int] | None = None,
) -> list[Example]:
    """Reconstructs an object of every category from one view.

    Args:
        experiment: functions of the configuration the variables belong to.
        variables: parameters and batch statistics of the network.
        split: the objects.
        sigma: sharpness of the rasterizer, NDC squared.
        objects: number of the object by key of the category, of some of the categories;
            the first object of each if None.

    Returns:
        An example for each of the categories, in their order.
    """
    numbers = dict.fromkeys(split.categories, 0) if objects is None else objects
    keys = [key for key in split.categories if key in numbers]

    def choose(category: str, *views: int) -> tuple[str, np.ndarray, np.ndarray]:
        """The object of a category, and views of it by numbers of 24."""
        number = numbers[category]
        count = split.view_counts(category)[number]
        chosen = np.array(views) * count // VIEWS
        return category, np.full(len(views), number), chosen

    def load_views(number: int) -> np.ndarray:
        return np.concatenate([split.images(*choose(key, number)) for key in keys])

    inputs, references = load_views(INPUT_VIEW), load_views(REFERENCE_VIEW)
    viewpoints = jax.tree.map(
        lambda *parts: np.concatenate(parts),
        *(split.viewpoints(*choose(key, REFERENCE_VIEW)) for key in keys),
    )
    found = experiment.reconstruct(variables, shard(inputs, experiment))
    renders = experiment.render(
        found.vertices, shard(viewpoints, experiment), np.float32(sigma)
    )
    (vertices, colors), renders = processes.fetch((found, renders))
    drawn = None
    if colors is not None:
        cameras = jax.tree.map(
            lambda *parts: np.stack(parts),
            *(
                split.viewpoints(*choose(key, REFERENCE_VIEW, *_MESH_VIEWS))
                for key in keys
            ),
        )
        drawn = experiment.colors.draw_views(found, cameras, CELL)
    examples = []
    for k, key in enumerate(keys):
        has_voxels = split.has_voxels(key)
        example = Example(
            name=split.names[key],
            image=inputs[k],
            render=np.asarray(renders[k]),
            reference=references[k],
            vertices=np.asarray(vertices[k]),
            cameras=split.cameras(*choose(key, *_MESH_VIEWS, *_TRUTH_VIEWS)),
            occupied=(
                split.voxels(key, np.array([numbers[key]]))[0] if has_voxels else None
            ),
            pictures=(
                split.images(*choose(key, *_TRUTH_VIEWS))
                if colors is not None or not has_voxels
                else None
            ),
            colors=None if colors is None else np.asarray(colors[k]),
            drawn=None if drawn is None else drawn[k],
        )
        examples.append(example)
    return examples


def training_views(
    experiment: training.Experiment,
    variables: models.Variables,
    batch: data.ViewBatch,
    step: int,
) -> np.ndarray:
    """Shows the first view, the render from the last, and the last view.

    Renders are silhouettes, or in colour if the model has colours.

    Args:
        experiment: functions of the configuration of the run.
        variables: parameters and batch statistics of the network.
        batch: views of objects, on the devices.
        step: number of steps taken, for the sharpness of the render.

    Returns:
        ``[H, W, 3]`` uint8, one row per object.
    """
    first, last = batch.images[:, 0], batch.images[:, -1]
    cameras = jax.tree.map(lambda part: part[:, -1], batch.cameras)
    found = experiment.reconstruct(variables, first)
    if found.colors is None:
        renders = experiment.render(found.vertices, cameras, experiment.sigma(step))
    else:
        renders = experiment.colors.draw(*found, cameras, size=CELL)
    shown = jax.device_get((first, renders, last))
    return np.concatenate(
        [
            np.concatenate(
                [
                    composite_over_white(first),
                    shade_silhouette(render)
                    if render.ndim == 2
                    else coloring.to_bytes(render),
                    composite_over_white(second),
                ],
                axis=1,
            )
            for first, render, second in zip(*shown, strict=True)
        ]
    )
