"""The data sets' own renderer: a z-buffer in numpy with anti-aliased edges.

It shares no code with the differentiable renderers, so that each can be checked against
the other. Its camera is the left-handed one of the SoftRas data sets, which mirrors
images: `jaxsoftras.camera.perspective_camera` with ``handedness="left"``.
"""

from __future__ import annotations

import functools
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

LIGHT = np.array([0.3, 1.0, -0.4]) / np.linalg.norm([0.3, 1.0, -0.4])
"""Unit vector towards the light, model frame."""

VIEWS = 24
"""Number of views of each object in the SoftRas data sets."""

Renderer = Literal["numpy", "jax"]
"""Renderers of data sets: numpy, the same on every machine, by all cores; or
`jaxsoftras.data.accelerated` on the default device of JAX, fast if it is a GPU."""

_TOGETHER = 6  # images: more leave the caches, fewer take more calls of numpy


class ShadedMesh(NamedTuple):
    """A closed mesh in the light, its faces oriented outwards.

    Attributes:
        vertices: ``[V, 3]`` float32, model frame.
        faces: ``[F, 3]`` vertex indices.
        shades: ``[F, 3]`` float32 colours, as `shade` gives them.
    """

    vertices: np.ndarray
    faces: np.ndarray
    shades: np.ndarray


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
    seen = (np.asarray(points, float) - position) @ _axes(*position.tolist())
    seen[..., :2] /= seen[..., 2:] * np.tan(np.deg2rad(half_fov))
    return seen


@functools.lru_cache(256)
def _axes(x: float, y: float, z: float) -> np.ndarray:
    """Columns right, up and forward of a camera that looks at the origin."""
    position = np.array([x, y, z])
    forward = -position / np.linalg.norm(position)
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward], -1)


def _row_spans(corners: np.ndarray, size: int) -> tuple[np.ndarray, ...]:
    """Intersects sample rows with triangles.

    Args:
        corners: ``[F, 3, 2]`` (column, row) in samples.
        size: number of rows.

    Returns:
        ``[R]`` row and ``[R]`` triangle of each intersection, and ``[R]`` its left and
        right end in columns.
    """
    order = np.argsort(corners[..., 1], 1)
    top, middle, bottom = (
        corners[np.arange(len(corners)), order[:, k]] for k in range(3)
    )
    first = np.clip(np.ceil(top[:, 1]), 0, size).astype(np.int64)
    last = np.clip(np.floor(bottom[:, 1]), -1, size - 1).astype(np.int64)
    count = np.maximum(last - first + 1, 0)
    triangle = np.repeat(np.arange(len(corners)), count)
    row = np.arange(len(triangle)) + np.repeat(first - _starts(count), count)

    # each edge from its upper to its lower end: both triangles at an edge compute the
    # same columns, so rounding leaves no gap
    upper = np.stack([top, top, middle], 1)
    run = np.stack([bottom, middle, bottom], 1) - upper
    slope = run[..., 0] / np.where(run[..., 1] > 0, run[..., 1], 1.0)
    start = upper.reshape(-1, 2)

    def column(edge: np.ndarray) -> np.ndarray:
        return start[edge, 0] + (row - start[edge, 1]) * slope.ravel()[edge]

    below = row >= middle[triangle, 1]
    ends = column(3 * triangle), column(3 * triangle + 1 + below)
    return row, triangle, np.minimum(*ends), np.maximum(*ends)


def _starts(count: np.ndarray) -> np.ndarray:
    """Places where ranges of these lengths begin when they follow one another."""
    return np.cumsum(count) - count


def find_nearest(
    corners: np.ndarray,
    nearness: np.ndarray,
    size: int,
    image: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest triangle at each sample that a triangle covers.

    Args:
        corners: ``[F, 3, 2]`` (column, row) in samples.
        nearness: ``[F, 3]`` reciprocal depths, affine across the image.
        size: samples along each side of an image.
        image: ``[F]`` number of the image that shows each triangle, ascending; all are
            in one image if None.

    Returns:
        ``[N]`` covered samples, image by image and row by row, and ``[N]`` the triangle
        seen there: the first of several at the same depth.
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
    number = np.arange(count.sum())
    column = number + np.repeat(first - _starts(count), count)
    near = np.repeat(by_column[triangle], count)
    near *= column
    near += np.repeat(constant[triangle] + by_row[triangle] * row, count)
    if image is not None:
        row += image[triangle] * size
    column += np.repeat(row * size, count)
    images = 1 if image is None or not len(image) else int(image[-1]) + 1
    winner = _keep_nearest(column, near, images * size**2)
    covered = np.flatnonzero(winner >= 0)
    return covered, np.repeat(triangle, count)[winner[covered]]


def _keep_nearest(sample: np.ndarray, near: np.ndarray, samples: int) -> np.ndarray:
    """Finds the nearest fragment of each sample, the first of equals.

    Args:
        sample: ``[N]`` the sample of each fragment.
        near: ``[N]`` its nearness.
        samples: number of samples.

    Returns:
        ``[samples]`` numbers of fragments, -1 where there is none.
    """
    winner = np.full(samples, -1)
    rest = np.arange(len(sample))
    while len(rest):
        # of equal samples, the last one counts, here the first fragment
        winner[sample[::-1]] = rest[::-1]
        nearer = np.flatnonzero(near[rest] > near[winner[sample]])
        rest, sample = rest[nearer], sample[nearer]
    return winner


@functools.lru_cache(4)
def _pixel_of_samples(pixels: int, fine: int, images: int) -> np.ndarray:
    """The number of the pixel of each sample, image by image and row by row."""
    row = np.arange(images * pixels * fine) // fine
    return (row[:, None] * pixels + row[: pixels * fine]).ravel()


def average(
    sample: np.ndarray, colors: np.ndarray, images: int, pixels: int, fine: int
) -> np.ndarray:
    """Averages ``fine`` x ``fine`` samples in each pixel.

    Args:
        sample: ``[N]`` covered samples, image by image and row by row.
        colors: ``[3, N]`` RGB from 0 to 1 there.
        images: number of images.
        pixels: width and height of an image.
        fine: samples along each side of a pixel.

    Returns:
        ``[images, 4, pixels, pixels]`` uint8: colours multiplied by coverage, and
        coverage.
    """
    pixel = _pixel_of_samples(pixels, fine, images)[sample]
    count = images * pixels**2
    sums = [np.bincount(pixel, channel, count) for channel in colors]
    sums.append(np.bincount(pixel, minlength=count))
    means = np.reshape(sums, (4, images, pixels, pixels)) * (255 / fine**2)
    return np.floor(means.clip(0, 255) + 0.5).astype(np.uint8).swapaxes(0, 1)


def area_normals(vertices: ArrayLike, faces: ArrayLike) -> np.ndarray:
    """Computes normals ``[F, 3]``, as long as twice the areas of the faces."""
    points, indices = np.asarray(vertices, float), np.asarray(faces)
    a, b, c = (points[indices[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def shade(normals: np.ndarray, colors: ArrayLike) -> np.ndarray:
    """Computes colours ``[F, 3]`` in the light, ``0.5 + 0.5 |n . l|``.

    Args:
        normals: ``[F, 3]`` of any length.
        colors: ``[3]`` or ``[F, 3]`` RGB from 0 to 1.
    """
    lengths = np.linalg.norm(normals, axis=-1)
    cosines = np.abs(normals @ LIGHT) / np.maximum(lengths, 1e-30)
    return (0.5 + 0.5 * cosines[:, None]) * np.asarray(colors, float)


def render_views(
    vertices: ArrayLike,
    faces: ArrayLike,
    eyes: ArrayLike,
    *,
    image_size: int = 64,
    supersampling: int = 4,
    half_fov: float = 15.0,
    colors: ArrayLike = (0.7, 0.7, 0.7),
    closed: bool = False,
) -> np.ndarray:
    """Renders a mesh from several positions, as `render` does from one.

    Args:
        vertices: see `render`.
        faces: see `render`.
        eyes: ``[N, 3]`` positions of the camera, which looks at the origin.
        image_size: see `render`.
        supersampling: see `render`.
        half_fov: see `render`.
        colors: see `render`.
        closed: see `render`.

    Returns:
        ``[N, 4, image_size, image_size]`` uint8, as `render` returns them.

    Raises:
        ValueError: a vertex lies beside or behind a camera.
    """
    points, indices = np.asarray(vertices, float), np.asarray(faces)
    first, normals = points[indices[:, 0]], area_normals(points, indices)
    table = np.ascontiguousarray(shade(normals, colors).T)
    size = image_size * supersampling
    images = []
    positions = np.asarray(eyes, float)
    for start in range(0, len(positions), _TOGETHER):
        some = positions[start : start + _TOGETHER]
        projected = np.stack([project(points, eye, half_fov) for eye in some])
        drawn = np.ones((len(some), len(indices)), bool)
        if closed:
            drawn = np.sum(normals * (some[:, None] - first), -1) > 0
        image, face = np.nonzero(drawn)
        seen = projected.reshape(-1, 3)[indices[face] + image[:, None] * len(points)]
        if not np.all(seen[..., 2] > 0):
            raise ValueError(
                "The mesh reaches the plane of the camera: move the eye further away."
            )
        corners = (seen[..., :2] * (size, -size) + (size - 1)) / 2
        sample, number = find_nearest(corners, 1 / seen[..., 2], size, image)
        colored = table[:, face[number]]
        images.append(average(sample, colored, len(some), image_size, supersampling))
    return np.concatenate(images)


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
    return render_views(
        vertices,
        faces,
        np.asarray(eye, float)[None],
        image_size=image_size,
        supersampling=supersampling,
        half_fov=half_fov,
        colors=colors,
        closed=closed,
    )[0]
