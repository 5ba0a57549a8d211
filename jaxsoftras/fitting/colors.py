"""Colours at the vertices of a mesh, from images with known cameras."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from jaxsoftras import camera, mesh, rasterization
from jaxsoftras.kernels.options import Implementation

_DAMPING = 1e-2  # of differences to the mean colour, where a pixel's weight is 1
_FAR = 1e9  # nothing is too far to have a colour


def fit_colors(
    vertices: np.ndarray,
    faces: np.ndarray,
    images: np.ndarray,
    cameras: camera.Camera,
    implementation: Implementation | None = None,
) -> np.ndarray:
    """Fits colours at the vertices of a mesh, by damped linear least squares.

    A pixel that the object covers by half or more shows the nearest face; the colours
    at its corners, weighted by the barycentric coordinates, are compared with the
    pixel's. Vertices that no pixel shows have the mean colour of the object.

    Args:
        vertices: ``[V, 3]`` world space.
        faces: ``[F, 3]`` vertex indices.
        images: ``[N, H, W, 4]`` float32 RGBA in [0, 1], colours multiplied by coverage.
        cameras: N cameras.
        implementation: see `jaxsoftras.find_fragments`.

    Returns:
        ``[V, 3]`` float32 RGB in [0, 1].
    """
    points = camera.project(cameras, np.asarray(vertices)[None])
    height, width = images.shape[1:3]
    fragments = rasterization.find_fragments(
        mesh.face_vertices(points, faces),
        (height, width),
        far=_FAR,
        implementation=implementation,
    )
    coverage = images[..., 3]
    shown = (np.asarray(fragments.face) >= 0) & (coverage >= 0.5)
    colors = images[shown][:, :3] / coverage[shown][:, None]
    if not shown.any():
        return np.full((len(vertices), 3), 0.5, np.float32)
    corners = faces[np.asarray(fragments.face)[shown]]
    weights = np.asarray(fragments.weights, float)[shown]
    rows = np.repeat(np.arange(len(corners)), 3)
    matrix = sparse.csr_array(
        (weights.ravel(), (rows, corners.ravel())), (len(corners), len(vertices))
    )
    mean = colors.mean(0)
    offsets = [
        linalg.lsqr(matrix, channel - level, damp=_DAMPING)[0]
        for channel, level in zip(colors.T, mean, strict=True)
    ]
    return np.clip(mean + np.transpose(offsets), 0, 1).astype(np.float32)
