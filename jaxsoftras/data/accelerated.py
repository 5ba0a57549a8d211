"""Images of many closed meshes at once by JAX: `jaxsoftras.data.zbuffer` on a GPU.

The library's own renderer finds the nearest face at each of 4 x 4 samples of a pixel,
in single precision. Samples within rounding of an edge may see its other side, and
where faces lie in one plane either of them. All others are equal, and so are their
pixels up to 1/255.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import camera
from jaxsoftras.data import rig, zbuffer
from jaxsoftras.rasterization.fragments import find_fragments

_SAMPLES = 4  # along each side of a pixel
_LEAST_FACES = 128


class ShadedMesh(NamedTuple):
    """A closed mesh, its faces oriented outwards.

    Attributes:
        vertices: ``[V, 3]`` float32, model frame.
        faces: ``[F, 3]`` vertex indices.
        shades: ``[F, 3]`` colours in the light, RGB from 0 to 1; see `zbuffer.shade`.
    """

    vertices: np.ndarray
    faces: np.ndarray
    shades: np.ndarray


def padded_count(mesh: ShadedMesh) -> int:
    """Number of faces with which a mesh is rendered: a power of two, at least 128.

    There is one compiled program for each.
    """
    return max(_LEAST_FACES, 1 << (len(mesh.faces) - 1).bit_length())


def render_views(
    meshes: Sequence[ShadedMesh], image_size: int, batch: int | None = None
) -> jax.Array:
    """Renders meshes of one `padded_count` in the 24 views of the data sets.

    Args:
        meshes: at least one.
        image_size: width and height, pixels.
        batch: number of meshes to which these are padded, for one compiled program to
            serve fewer too.

    Returns:
        ``[meshes, 24, 4, image_size, image_size]`` uint8, as `zbuffer.render_views`
        returns them; perhaps still being computed.

    Example:
        >>> import numpy as np
        >>> from jaxsoftras import icosphere
        >>> from jaxsoftras.data import accelerated
        >>> ball = icosphere(0)
        >>> vertices, faces = np.asarray(ball.vertices) / 2, np.asarray(ball.faces)
        >>> mesh = accelerated.ShadedMesh(vertices, faces, np.ones((20, 3)))
        >>> accelerated.render_views([mesh], image_size=4).shape
        (1, 24, 4, 4, 4)
    """
    count = padded_count(meshes[0])
    # faces of zeros lie in a point, and are not seen
    corners = np.zeros((batch or len(meshes), count, 3, 3), np.float32)
    shades = np.zeros((*corners.shape[:2], 3), np.float32)
    for k, mesh in enumerate(meshes):
        corners[k, : len(mesh.faces)] = mesh.vertices[mesh.faces]
        shades[k, : len(mesh.faces)] = mesh.shades
    return _render(corners, shades, image_size)[: len(meshes)]


@functools.partial(jax.jit, static_argnames="image_size")
def _render(corners: jax.Array, shades: jax.Array, image_size: int) -> jax.Array:
    """`render_views` of corners ``[B, F, 3, 3]`` and shades ``[B, F, 3]``."""
    number, faces = shades.shape[:2]
    views = rig.OrbitViews(np.arange(zbuffer.VIEWS), rig.SOFTRAS_RIG)
    points = corners.reshape(number, 1, 3 * faces, 3)
    points = camera.project(rig.as_cameras(views), points)
    points = points.reshape(-1, faces, 3, 3)
    side = image_size * _SAMPLES
    seen = find_fragments(
        points, side, double_sided=False, front_face="clockwise"
    ).face.reshape(number, -1)
    # coverage is a colour that is 1 on every face; the last row is the background
    table = jnp.concatenate([shades, jnp.ones((number, faces, 1))], -1)
    table = jnp.pad(table, ((0, 0), (0, 1), (0, 0))).reshape(-1, 4)
    row = jnp.where(seen < 0, faces, seen) + (faces + 1) * jnp.arange(number)[:, None]
    blocks = zbuffer.VIEWS, image_size, _SAMPLES, image_size, _SAMPLES
    colors = table[row].reshape(number, *blocks, 4)
    images = jnp.moveaxis(colors.sum((3, 5)), -1, 2) * (255 / _SAMPLES**2)
    return jnp.floor(images.clip(0, 255) + 0.5).astype(jnp.uint8)
