"""Scores of meshes against the true meshes of a data set, on the processors.

They need no accelerator: trees of points, and voxels by lines through the cells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from jaxsoftras.reconstruction import winding_voxels

POINTS, THRESHOLD = 10_000, 0.03


class Surface(NamedTuple):
    """A triangle mesh.

    Attributes:
        vertices: ``[V, 3]`` model frame, where the longest side of an object is 1.
        faces: ``[F, 3]`` vertex indices.
    """

    vertices: np.ndarray
    faces: np.ndarray


class SurfaceScorer:
    """Chamfer distance, F-score and thin IoU of reconstructions; without state.

    Attributes:
        points: number of points drawn from each surface.
        threshold: distance below which a point counts as near, model frame.
    """

    def __init__(
        self,
        load: Callable[[int], Surface | None],
        faces: np.ndarray,
        points: int = POINTS,
        threshold: float = THRESHOLD,
    ):
        """Makes a scorer.

        Args:
            load: loads the true mesh of an object, by its number in the split; None if
                there is none. Called in several threads.
            faces: ``[F, 3]`` vertex indices of all reconstructions.
            points: number of points drawn from each surface, positive.
            threshold: distance below which a point counts as near, positive.
        """
        self._load, self._faces = load, faces
        self.points, self.threshold = points, threshold

    def __call__(self, number: int, vertices: np.ndarray) -> dict[str, np.ndarray]:
        """Scores the reconstructions of an object.

        Args:
            number: number of the object in the split, which seeds the points.
            vertices: ``[N, V, 3]`` a mesh for each input view, model frame.

        Returns:
            ``[N]`` by name of the column; empty if the object has no true mesh. A mesh
            that is not finite is infinitely far from it.
        """
        truth = self._load(number)
        if truth is None:
            return {}
        rng = np.random.default_rng([0, number])
        target = sample_surface(rng, truth, self.points)
        tree = KDTree(target)
        solid = winding_voxels.voxelize(*truth)
        rows = [
            self._score(Surface(mesh, self._faces), target, tree, solid, rng)
            for mesh in vertices.astype(float)
        ]
        chamfer, f_score, iou = np.transpose(rows)
        scores = {"chamfer": chamfer, "f_score": f_score}
        # sheets enclose no volume to be compared
        return scores | {"thin_iou": iou} if solid.any() else scores

    def _score(
        self,
        mesh: Surface,
        target: np.ndarray,
        tree: KDTree,
        solid: np.ndarray,
        rng: np.random.Generator,
    ) -> tuple[float, float, float]:
        """Chamfer distance, F-score and thin IoU of one mesh."""
        if not np.isfinite(mesh.vertices).all():
            return np.inf, 0.0, 0.0
        points = sample_surface(rng, mesh, self.points)
        forward, _ = tree.query(points)
        backward, _ = KDTree(points).query(target)
        precision, recall = (
            float(np.mean(distance < self.threshold))
            for distance in (forward, backward)
        )
        total = precision + recall
        grid = winding_voxels.voxelize(*mesh)
        return (
            float(np.mean(forward**2) + np.mean(backward**2)),
            2 * precision * recall / total if total else 0.0,
            float(np.sum(grid & solid) / max(np.sum(grid | solid), 1)),
        )


def sample_surface(
    rng: np.random.Generator, surface: Surface, count: int
) -> np.ndarray:
    """Draws points uniformly by area, in numpy; see `jaxsoftras.sample_points`.

    Args:
        rng: generator of random numbers.
        surface: a mesh; one without area has all points on its first face.
        count: number of points.

    Returns:
        ``[count, 3]``.
    """
    corners = np.asarray(surface.vertices, float)[surface.faces]
    a, b, c = (corners[:, k] for k in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=-1)
    totals = np.cumsum(areas)
    # a face without area is never the first to reach a total
    chosen = np.searchsorted(totals, rng.random(count) * totals[-1], side="right")
    chosen = chosen.clip(0, len(areas) - 1) if totals[-1] > 0 else np.zeros(count, int)
    r, t = np.sqrt(rng.random(count))[:, None], rng.random(count)[:, None]
    a, b, c = a[chosen], b[chosen], c[chosen]
    return (1 - r) * a + r * (1 - t) * b + r * t * c
