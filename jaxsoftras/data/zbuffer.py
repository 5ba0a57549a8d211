"""The data sets' own renderer: a z-buffer in numpy with anti-aliased edges.

It shares no code with the differentiable renderers, so that each can be checked against
the other. Its camera is the left-handed one of the SoftRas data sets, which mirrors
images: `jaxsoftras.camera.perspective_camera` with ``handedness="left"``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

LIGHT = np.array([0.3, 1.0, -0.4]) / np.linalg.norm([0.3, 1.0, -0.4])
"""Unit vector towards the light, model frame."""

VIEWS = 24
"""Number of views of each object in the SoftRas data sets."""


def view_eyes(distance: float = 2.732, elevation: float = 30.0) -> np.ndarray:
    """Computes the camera positions of the data sets' views.

    View 0 shows the front, -z; each following one is 15 degrees further towards -x.

    Args:
        distance: distance from the origin, world units.
        elevation: angle above the plane y = 0, degrees.

    Returns:
        ``[24, 3]`` float64, model frame.
    """
    azimuth = np.deg2rad(-360 / VIEWS * np.arange(VIEWS))
    height = np.deg2rad(elevation)
    level = np.cos(height) * np.stack([np.sin(azimuth), -np.cos(azimuth)], -1)
    return distance * np.insert(level, 1, np.sin(height), axis=1)


def project(points: ArrayLike, eye: ArrayLike, half_fov: float = 15.0) -> np.ndarray:
    """Projects points to NDC for a camera that looks at the origin, with +y up.

    Args:
        points: ``[..., 3]`` world space.
        eye: ``[3]`` position of the camera, world space, not on the y axis.
        half_fov: half of the field of view, degrees.

    Returns:
        ``[..., 3]`` float64: x and y in NDC, z the depth in world units, positive in
        front of the camera.
    """
    position = np.asarray(eye, float)
    forward = -position / np.linalg.norm(position)
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), forward], -1)
    seen = (np.asarray(points, float) - position) @ axes
    depth = seen[..., 2:]
    return np.concatenate(
        [seen[..., :2] / (depth * np.tan(np.deg2rad(half_fov))), depth], -1
    )


def _ranges(first: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Concatenates ranges of integers.

    Returns:
        The numbers ``first[i], ..., first[i] + count[i] - 1`` for all i, and the i of
        each number.
    """
    owner = np.repeat(np.arange(len(count)), count)
    starts = np.cumsum(count) - count
    return np.arange(len(owner)) - starts[owner] + first[owner], owner


def _row_spans(corners: np.ndarray, size: int) -> tuple[np.ndarray, ...]:
    """Intersects sample rows with triangles.

    Args:
        corners: ``[F, 3, 2]`` (column, row) in samples.
        size: number of rows.

    Returns:
        ``[R]`` row and ``[R]`` triangle of each intersection, and ``[R]`` its left and
        right end in columns.
    """
    rows = corners[..., 1]
    first = np.clip(np.ceil(rows.min(1)), 0, size).astype(np.int64)
    last = np.clip(np.floor(rows.max(1)), -1, size - 1).astype(np.int64)
    row, triangle = _ranges(first, np.maximum(last - first + 1, 0))
    left, right = np.full(len(row), np.inf), np.full(len(row), -np.inf)
    for k in range(3):
        p, q = corners[:, k], corners[:, (k + 1) % 3]
        # both triangles at an edge traverse it downwards, so rounding leaves no gap
        down = (p[:, 1] < q[:, 1])[:, None]
        upper, lower = np.where(down, p, q)[triangle], np.where(down, q, p)[triangle]
        crosses = (upper[:, 1] <= row) & (row <= lower[:, 1])
        crosses &= upper[:, 1] < lower[:, 1]
        run = np.where(crosses, lower[:, 1] - upper[:, 1], 1.0)
        column = upper[:, 0] + (row - upper[:, 1]) / run * (lower[:, 0] - upper[:, 0])
        left = np.where(crosses, np.minimum(left, column), left)
        right = np.where(crosses, np.maximum(right, column), right)
    return row, triangle, left, right


def _nearest_faces(corners: np.ndarray, nearness: np.ndarray, size: int) -> np.ndarray:
    """Finds the nearest triangle at each sample.

    Args:
        corners: ``[F, 3, 2]`` (column, row) in samples.
        nearness: ``[F, 3]`` reciprocal depths, affine across the image.
        size: samples along each side of the image.

    Returns:
        ``[size * size]`` triangle index, F where there is none; the first of several at
        the same depth.
    """
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    edge_on = np.abs(area) < 1e-9
    area = np.where(edge_on, 1.0, area)
    du, dv = (nearness[:, k] - nearness[:, 0] for k in (1, 2))
    by_column = (du * v[:, 1] - dv * u[:, 1]) / area
    by_row = (dv * u[:, 0] - du * v[:, 0]) / area
    constant = nearness[:, 0] - by_column * corners[:, 0, 0] - by_row * corners[:, 0, 1]

    row, triangle, left, right = _row_spans(corners, size)
    first = np.clip(np.ceil(left), 0, size).astype(np.int64)
    last = np.clip(np.floor(right), -1, size - 1).astype(np.int64)
    count = np.where(edge_on[triangle], 0, np.maximum(last - first + 1, 0))
    column, span = _ranges(first, count)
    face = triangle[span]
    at_row = constant[triangle] + by_row[triangle] * row
    near = at_row[span] + by_column[face] * column
    sample = row[span] * size + column

    nearest = np.zeros(size * size)
    np.maximum.at(nearest, sample, near)
    visible = near == nearest[sample]
    seen = np.full(size * size, len(corners))
    np.minimum.at(seen, sample[visible], face[visible])
    return seen


def render(
    vertices: ArrayLike,
    faces: ArrayLike,
    eye: ArrayLike,
    *,
    image_size: int = 64,
    supersampling: int = 4,
    half_fov: float = 15.0,
    colors: ArrayLike = (0.7, 0.7, 0.7),
    closed: bool = False,
) -> np.ndarray:
    """Renders a mesh with flat, two-sided Lambert shading ``0.5 + 0.5 |n . l|``.

    Args:
        vertices: ``[V, 3]`` model frame, all in front of the camera.
        faces: ``[F, 3]`` vertex indices.
        eye: ``[3]`` position of the camera, which looks at the origin, with +y up.
        image_size: width and height, pixels.
        supersampling: samples along each side of a pixel, which is their mean.
        half_fov: half of the field of view, degrees.
        colors: ``[3]`` or ``[F, 3]`` RGB from 0 to 1.
        closed: whether the surfaces are closed and oriented outwards; back faces are
            then skipped, which saves time and does not change the image.

    Returns:
        ``[4, image_size, image_size]`` uint8: red, green and blue multiplied by
        coverage, and coverage.

    Raises:
        ValueError: a vertex lies beside or behind the camera.
    """
    points = np.asarray(vertices, float)
    triangles = points[np.asarray(faces)]
    normals = np.cross(
        triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    )
    lengths = np.linalg.norm(normals, axis=-1)
    cosines = np.abs(normals @ LIGHT) / np.maximum(lengths, 1e-30)
    shades = (0.5 + 0.5 * cosines[:, None]) * np.asarray(colors, float)
    if closed:
        towards = np.asarray(eye, float) - triangles[:, 0]
        facing = np.sum(normals * towards, -1) > 0
        triangles, shades = triangles[facing], shades[facing]

    projected = project(triangles, eye, half_fov)
    if not np.all(projected[..., 2] > 0):
        raise ValueError(
            "The mesh reaches the plane of the camera: move the eye further away."
        )
    size = image_size * supersampling
    corners = (projected[..., :2] * (size, -size) + (size - 1)) / 2
    seen = _nearest_faces(corners, 1 / projected[..., 2], size)
    # the last entry is the background
    table = np.zeros((len(shades) + 1, 4), np.float32)
    table[:-1] = np.concatenate([shades, np.ones((len(shades), 1))], -1)
    samples = table[seen].reshape(image_size, supersampling, image_size, -1, 4)
    pixels = samples.mean((1, 3)).clip(0, 1)
    return np.floor(pixels * 255 + 0.5).astype(np.uint8).transpose(2, 0, 1)
