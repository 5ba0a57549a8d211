"""Images of one mesh in its own colours, for `jaxsoftras.data.build`.

Visibility is hard: at each of 4 x 4 samples of a pixel the nearest face is seen, and
the pixel is their mean, so that edges and coverage are anti-aliased. The images of the
embedded shapes are made like this, with the same light and camera, and may be mixed
with these. Faces are found by `jaxsoftras.data.zbuffer` in numpy: it needs no
compilation for each number of faces, which would take longer than the images of most
meshes, and finds the faces that `jaxsoftras.find_fragments` finds. For thousands of
meshes and a GPU, `jaxsoftras.data.accelerated_meshes` makes the same images by JAX.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras.data import zbuffer
from jaxsoftras.mesh import Mesh
from jaxsoftras.texture import FaceColors, UVTexture, VertexColors

DISTANCE = 2.732
"""Distance of the camera from the origin, world units."""

HALF_FOV = 15.0
"""Half of the camera's field of view, degrees."""

GREY = (0.7, 0.7, 0.7)
"""Colour of a mesh that has none."""

_SAMPLES = 4  # along each side of a pixel
_TOGETHER = 4  # images that are drawn in one pass


class _Seen(NamedTuple):
    """The triangles that are seen at N samples of several images."""

    sample: np.ndarray  # [N] number, image by image and row by row
    triangle: np.ndarray  # [N] of those that are drawn
    face: np.ndarray  # [N] of the mesh
    corners: np.ndarray  # [T, 3, 2] (column, row) in samples of each triangle
    nearness: np.ndarray  # [T, 3] reciprocal depths


def orbit_eyes(views: int, elevation: float) -> np.ndarray:
    """Places cameras around the object, as in the SoftRas data sets.

    View 0 shows the front, -z; each following one is ``360 / views`` degrees further
    towards -x.

    Args:
        views: number of cameras.
        elevation: angle above the plane y = 0, degrees.

    Returns:
        ``[views, 3]`` float64, model frame.
    """
    azimuth = np.deg2rad(-360 / views * np.arange(views))
    height = np.deg2rad(elevation)
    x, z = np.cos(height) * np.sin(azimuth), -np.cos(height) * np.cos(azimuth)
    return DISTANCE * np.stack([x, np.full(views, np.sin(height)), z], -1)


def render_views(mesh: Mesh, eyes: np.ndarray, image_size: int) -> np.ndarray:
    """Renders a mesh with flat, two-sided Lambert shading ``0.5 + 0.5 |n . l|``.

    A face shows its colour whatever its opacity, and grey if it has none. Texture
    images are interpolated bilinearly at each sample.

    Args:
        mesh: in the model frame, within ``[-0.5, 0.5]``; numpy arrays.
        eyes: ``[N, 3]`` positions of the camera, which looks at the origin, with +y up.
        image_size: width and height, pixels.

    Returns:
        ``[N, 4, image_size, image_size]`` uint8: red, green and blue multiplied by
        coverage, and coverage.
    """
    faces = np.asfortranarray(mesh.faces, np.intp)  # whose columns are read in turn
    shades = light_faces(mesh.vertices, faces)
    mesh = mesh._replace(faces=faces)
    groups = [eyes[k : k + _TOGETHER] for k in range(0, len(eyes), _TOGETHER)]
    return np.concatenate([_render(mesh, shades, some, image_size) for some in groups])


def light_faces(vertices: ArrayLike, faces: ArrayLike) -> np.ndarray:
    """Computes the light ``[F]`` on each face, ``0.5 + 0.5 |n . l|``."""
    return zbuffer.shade(zbuffer.area_normals(vertices, faces), 1.0)[:, 0]


def _render(
    mesh: Mesh, shades: np.ndarray, eyes: np.ndarray, image_size: int
) -> np.ndarray:
    size = image_size * _SAMPLES
    faces, drawn = np.asarray(mesh.faces), []
    projected = []
    for eye in eyes:
        points = zbuffer.project(mesh.vertices, eye, HALF_FOV)
        points[:, :2] = (points[:, :2] * (size, -size) + (size - 1)) / 2
        points[:, 2] = 1 / points[:, 2]
        drawn.append(_find_drawn(points[:, :2], faces, size))
        projected.append(points[faces[drawn[-1]]])
    image = np.repeat(np.arange(len(eyes)), [len(some) for some in drawn])
    corners, nearness = np.split(np.concatenate(projected), [2], -1)
    nearness = nearness[..., 0]
    sample, triangle = zbuffer.find_nearest(corners, nearness, size, image)
    face = np.concatenate(drawn)[triangle]
    seen = _Seen(sample, triangle, face, corners, nearness)
    colors = (shades[face, None] * _colors(mesh, seen, size)).T
    return zbuffer.average(sample, colors, len(eyes), image_size, _SAMPLES)


def _find_drawn(places: np.ndarray, faces: np.ndarray, size: int) -> np.ndarray:
    """Numbers of the faces whose bounds hold a sample: of a fine mesh, a few.

    Args:
        places: ``[V, 2]`` vertices (column, row) in samples.
        faces: ``[F, 3]`` vertex indices.
        size: samples along each side of the image.
    """
    drawn = np.arange(len(faces))
    for along in np.ascontiguousarray(places.T):
        a, b, c = (along[faces[drawn, k]] for k in range(3))
        low = np.ceil(np.minimum(np.minimum(a, b), c))
        high = np.floor(np.maximum(np.maximum(a, b), c))
        drawn = drawn[np.maximum(low, 0) <= np.minimum(high, size - 1)]
    return drawn


def _colors(mesh: Mesh, seen: _Seen, size: int) -> np.ndarray:
    """Colours ``[N, 3]`` at the samples, without light."""
    texture, face = mesh.texture, seen.face
    if texture is None:
        return np.broadcast_to(GREY, (len(face), 3))
    if isinstance(texture, FaceColors):
        return np.asarray(texture.values, float)[face, :3]
    weights = _weights(seen, size)
    if isinstance(texture, VertexColors):
        values = np.asarray(texture.values, float)[:, :3]
        return np.einsum("nk,nkc->nc", weights, values[np.asarray(mesh.faces)[face]])
    if not isinstance(texture, UVTexture):
        raise TypeError(f"No mesh file has a {type(texture).__name__}.")
    coordinates = np.asarray(texture.coordinates, float)[face]
    uv = np.einsum("nk,nkc->nc", weights, coordinates)
    if texture.image_index is None:
        return _sample(np.asarray(texture.image), uv, texture.wrap)
    colors = np.zeros((len(face), 3))
    shown = np.asarray(texture.image_index)[face]
    for index in np.unique(shown):
        here = shown == index
        image = np.asarray(texture.image[index])
        colors[here] = _sample(image, uv[here], texture.wrap)
    return colors


def _weights(seen: _Seen, size: int) -> np.ndarray:
    """Barycentric coordinates ``[N, 3]`` on the surface."""
    row, column = np.divmod(seen.sample % size**2, size)
    corners, nearness = seen.corners[seen.triangle], seen.nearness[seen.triangle]
    ahead = corners - np.stack([column, row], -1)[:, None]
    following, last = np.roll(ahead, -1, 1), np.roll(ahead, -2, 1)
    areas = following[..., 0] * last[..., 1] - following[..., 1] * last[..., 0]
    # linear in the image, divided by depth; a sample may lie a rounding error outside
    weights = np.maximum(areas * np.sign(areas.sum(1, keepdims=True)), 0) * nearness
    return weights / np.maximum(weights.sum(1, keepdims=True), 1e-300)


def _sample(image: np.ndarray, uv: np.ndarray, wrap: str | None) -> np.ndarray:
    """Samples an image ``[H, W, C]`` as `jaxsoftras.texture.sample` does."""
    height, width = image.shape[:2]
    place = uv * (width, -height) + (-0.5, height - 0.5)  # column, row
    first = np.floor(place)
    share = place - first
    colors = np.zeros((len(uv), 3))
    for across in (0, 1):
        for down in (0, 1):
            column, row = (first + (across, down)).T
            if wrap == "repeat":
                column, row = column % width, row % height
            column = column.clip(0, width - 1).astype(int)
            row = row.clip(0, height - 1).astype(int)
            weight = np.abs(1 - across - share[:, 0]) * np.abs(1 - down - share[:, 1])
            colors += weight[:, None] * image[row, column, :3]
    return colors
