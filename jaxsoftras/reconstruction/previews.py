"""Meshes of the same few objects, to see a network improve as it is trained."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

from jaxsoftras import camera, clay, data, models
from jaxsoftras.data.mixture import Mixture
from jaxsoftras.reconstruction import gallery, training

ROWS = 4
"""Number of objects of each split."""

_VIEWS = (gallery.INPUT_VIEW, gallery.REFERENCE_VIEW)


class _Row(NamedTuple):
    """An object, seen from two sides.

    Attributes:
        images: ``[2, 4, S, S]`` uint8, the network's input and another view.
        cameras: of the images, with leading axes ``[2]``.
    """

    images: np.ndarray
    cameras: camera.Camera


class Previews:
    """Chooses objects of each split once, and reads their images."""

    def __init__(
        self,
        experiment: training.Experiment,
        splits: dict[str, data.Split | data.Mixture],
    ):
        """Chooses the first objects of categories at equal distances.

        Args:
            experiment: functions of the configuration.
            splits: the objects, by the name of the split.
        """
        self._experiment = experiment
        self._rows = {name: _choose(split) for name, split in splits.items()}
        rows = [row for rows in self._rows.values() for row in rows]
        self._inputs = np.stack([row.images[0] for row in rows])
        self._cameras = jax.tree.map(
            lambda *parts: np.concatenate(parts), *(row.cameras for row in rows)
        )

    def draw(self, variables: models.Variables) -> dict[str, np.ndarray]:
        """Reconstructs the objects and renders the meshes.

        Args:
            variables: parameters and batch statistics of the network, on the devices.

        Returns:
            For each split an image ``[H, W, 3]`` uint8, with a row for each object: the
            network's input, the mesh from there, another view, the mesh from there. A
            model without colours has shaded meshes.
        """
        inputs = gallery.shard(self._inputs, self._experiment)
        found = self._experiment.reconstruct(variables, inputs)
        draw = self._draw_shaded if found.colors is None else self._draw_colored
        meshes = iter(draw(found))
        return {
            name: np.concatenate(
                [_join(row, next(meshes), next(meshes)) for row in rows]
            )
            for name, rows in self._rows.items()
        }

    def _draw_shaded(self, found: models.Reconstruction) -> np.ndarray:
        """Renders each mesh from both sides, ``[2 n, H, W, 3]`` uint8."""
        faces = self._experiment.network.faces
        vertices = np.asarray(found.vertices)
        vertices = np.repeat(vertices[: len(self._inputs)], len(_VIEWS), axis=0)
        meshes = gallery.render_shaded(
            vertices,
            np.broadcast_to(faces, (len(vertices), *faces.shape)),
            np.full((len(vertices), 3), clay.COLOR, np.float32),
            self._cameras,
        )
        return np.asarray(meshes)

    def _draw_colored(self, found: models.Reconstruction) -> np.ndarray:
        """Renders each mesh from both sides, ``[2 n, H, W, 3]`` uint8."""
        cameras = jax.tree.map(
            lambda part: part.reshape(-1, len(_VIEWS), *part.shape[1:]), self._cameras
        )
        meshes = self._experiment.colors.draw_views(found, cameras, gallery.CELL)
        return meshes.reshape(-1, *meshes.shape[2:])


def _join(row: _Row, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    shown, other = map(gallery.composite_over_white, row.images)
    return np.concatenate([shown, first, other, second], axis=1)


def _choose(source: data.Split | data.Mixture) -> list[_Row]:
    groups = Mixture.of(source).groups
    if len(groups) > ROWS:
        groups = [groups[row * len(groups) // ROWS] for row in range(ROWS)]
    objects = [
        (split, key, number)
        for number in range(ROWS)
        for split, key in groups
        if number < split.count(key)
    ]
    return [_read(*each) for each in objects[:ROWS]]


def _read(split: data.Split, key: str, number: int) -> _Row:
    views = np.array(_VIEWS) * split.view_counts(key)[number] // gallery.VIEWS
    which = np.full(len(views), number), views
    return _Row(split.images(key, *which), split.cameras(key, *which))
