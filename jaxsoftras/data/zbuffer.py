"""A hard z-buffer renderer in numpy: opaque pictures with anti-aliased edges.

It draws the embedded data set and the gallery pictures, and shares no code with the
differentiable renderers, so that each can be checked against the other. The camera is
that of `jaxsoftras.camera`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

LIGHT = np.array([0.3, 1.0, -0.4]) / np.linalg.norm([0.3, 1.0, -0.4])
"""Direction to the light, model frame."""


VIEWS = 24
"""Views of each object in the SoftRas data sets."""


def view_eyes(distance: float = 2.732, elevation: float = 30.0) -> np.ndarray:
    """Where the cameras of the data sets' views are, ``[24, 3]``, model frame.

    View 0 looks at the front, -z; each next one is 15 degrees further towards -x.
    """
    azimuth = np.deg2rad(-360 / VIEWS * np.arange(VIEWS))
    height = np.deg2rad(elevation)
    level = np.cos(height) * np.stack([np.sin(azimuth), -np.cos(azimuth)], -1)
    return distance * np.insert(level, 1, np.sin(height), axis=1)


def project(points: ArrayLike, eye: ArrayLike, half_fov: float = 15.0) -> np.ndarray:
    """Projects points to NDC for a camera that looks at the origin with +y up.

    Args:
        points: ``[..., 3]`` world space.
        eye: ``[3]`` position of the camera, world space, not on the y axis.
        half_fov: half of the field of view, degrees.

    Returns:
        ``[..., 3]`` float64: x and y in NDC, z the depth in world units.
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
    """Concatenates ``first[i], first[i] + 1, ...``, ``count[i]`` each, and the i."""
    owner = np.repeat(np.arange(len(count)), count)
    starts = np.cumsum(count) - count
    return np.arange(len(owner)) - starts[owner] + first[owner], owner


def _row_spans(corners: np.ndarray, size: int) -> tuple[np.ndarray, ...]:
    """Where each sample row crosses each triangle.

    Args:
        corners: ``[F, 3, 2]`` (column, row) in samples.
        size: number of rows.

    Returns:
        ``[R]`` row, ``[R]`` triangle, ``[R]`` left and right end in columns.
    """
    rows = corners[..., 1]
    first = np.clip(np.ceil(rows.min(1)), 0, size).astype(np.int64)
    last = np.clip(np.floor(rows.max(1)), -1, size - 1).astype(np.int64)
    row, triangle = _ranges(first, np.maximum(last - first + 1, 0))
    left, right = np.full(len(row), np.inf), np.full(len(row), -np.inf)
    for k in range(3):
        p, q = corners[:, k], corners[:, (k + 1) % 3]
        # both triangles at an edge take it in the same direction: no gaps by rounding
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
    """The triangle seen at each sample.

    Args:
        corners: ``[F, 3, 2]`` (column, row) in samples.
        nearness: ``[F, 3]`` reciprocal depths, affine across the picture.
        size: samples along each side of the picture.

    Returns:
        ``[size * size]`` triangle index, F where there is none; of several at the same
        depth the first one.
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
    """Draws a mesh with flat, two-sided Lambert shading ``0.5 + 0.5 |n . l|``.

    Args:
        vertices: ``[V, 3]`` model frame, all in front of the camera.
        faces: ``[F, 3]`` vertex indices.
        eye: ``[3]`` position of the camera, which looks at the origin with +y up.
        image_size: width and height, pixels.
        supersampling: samples along each side of a pixel; their mean is the pixel.
        half_fov: half of the field of view, degrees.
        colors: ``[3]`` or ``[F, 3]`` RGB from 0 to 1.
        closed: the surfaces are closed and turned outwards: faces turned away from the
            camera are then skipped, which is quicker and changes nothing.

    Returns:
        ``[4, image_size, image_size]`` uint8: red, green, blue (over black, that is,
        multiplied by coverage) and coverage.

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
            "the mesh reaches the plane of the camera; move the eye further away"
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
