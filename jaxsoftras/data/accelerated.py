"""Images of many closed meshes at once by JAX: `jaxsoftras.data.zbuffer` on a GPU.

The library's own renderer finds the nearest face at each of 4 x 4 samples of a pixel,
in single precision. Samples within rounding of an edge may see its other side, and
where faces lie in one plane either of them. All others are equal, and so are their
pixels up to 1/255.
"""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jaxsoftras import camera
from jaxsoftras.data import rig, zbuffer
from jaxsoftras.data.zbuffer import ShadedMesh
from jaxsoftras.rasterization.fragments import find_fragments

SAMPLES = 4
"""Samples along each side of a pixel."""

# The least number of faces to which meshes are padded. Nearly all embedded shapes share
# one compiled program; a batch takes a GPU 2 ms, its compilation 2 s.
_FACES = 2048
_BATCH = 16  # meshes, in images of 64 pixels
_AHEAD = 3  # batches that the device has before it, or is done with

T = TypeVar("T")


def render_in_order(
    meshes: Iterable[tuple[ShadedMesh, T]], image_size: int
) -> Iterator[tuple[np.ndarray, T]]:
    """Renders any number of meshes, some batches ahead of the consumer.

    Args:
        meshes: each with something that belongs to it.
        image_size: width and height, pixels.

    Yields:
        The images of each mesh as `render_views` returns them, and what belongs to it.
    """
    batch = min(_BATCH, max(1, _BATCH * 64**2 // image_size**2))
    ahead = collections.deque()
    rest = iter(meshes)
    while some := list(itertools.islice(rest, batch)):
        images = render_views([mesh for mesh, _ in some], image_size, batch)
        images.copy_to_host_async()
        ahead.append((images, [belongings for _, belongings in some]))
        if len(ahead) > _AHEAD:
            images, belongings = ahead.popleft()
            yield from zip(np.asarray(images), belongings, strict=False)
    for images, belongings in ahead:
        yield from zip(np.asarray(images), belongings, strict=False)


def render_views(
    meshes: Sequence[ShadedMesh], image_size: int, batch: int = 1
) -> jax.Array:
    """Renders meshes in the 24 views of the data sets.

    Args:
        meshes: at least one.
        image_size: width and height, pixels.
        batch: least number of meshes that the compiled program renders.

    Returns:
        ``[meshes or batch, 24, 4, image_size, image_size]`` uint8, as
        `zbuffer.render_views` returns them; perhaps still being computed.

    Example:
        >>> import numpy as np
        >>> from jaxsoftras import icosphere
        >>> from jaxsoftras.data import accelerated, zbuffer
        >>> ball = icosphere(0)
        >>> vertices, faces = np.asarray(ball.vertices) / 2, np.asarray(ball.faces)
        >>> mesh = zbuffer.ShadedMesh(vertices, faces, np.ones((20, 3)))
        >>> accelerated.render_views([mesh], image_size=4).shape
        (1, 24, 4, 4, 4)
    """
    most = max(len(mesh.faces) for mesh in meshes)
    count = max(_FACES, 1 << (most - 1).bit_length())
    # faces of zeros lie in a point, and are not seen
    corners = np.zeros((max(batch, len(meshes)), count, 3, 3), np.float32)
    shades = np.zeros((*corners.shape[:2], 3), np.float32)
    for k, mesh in enumerate(meshes):
        corners[k, : len(mesh.faces)] = mesh.vertices[mesh.faces]
        shades[k, : len(mesh.faces)] = mesh.shades
    return _render(corners, shades, image_size)


@functools.partial(jax.jit, static_argnames="image_size")
def _render(corners: jax.Array, shades: jax.Array, image_size: int) -> jax.Array:
    """`render_views` of corners ``[B, F, 3, 3]`` and shades ``[B, F, 3]``."""
    number, faces = shades.shape[:2]
    views = rig.OrbitViews(np.arange(zbuffer.VIEWS), rig.SOFTRAS_RIG)
    points = project(corners[:, None], views).reshape(-1, faces, 3, 3)
    seen = find_fragments(
        points, image_size * SAMPLES, double_sided=False, front_face="clockwise"
    ).face
    seen = seen.reshape(number, -1)
    # coverage is a colour that is 1 on every face; the last row is the background
    table = jnp.concatenate([shades, jnp.ones((number, faces, 1))], -1)
    table = jnp.pad(table, ((0, 0), (0, 1), (0, 0))).reshape(-1, 4)
    row = jnp.where(seen < 0, faces, seen) + (faces + 1) * jnp.arange(number)[:, None]
    side = image_size * SAMPLES
    return average(table[row].reshape(number, zbuffer.VIEWS, side, side, 4))


def project(corners: jax.Array, views: rig.OrbitViews) -> jax.Array:
    """Projects the corners ``[..., F, 3, 3]`` of faces, to NDC and depth."""
    points = corners.reshape(*corners.shape[:-3], -1, 3)
    projected = camera.project(rig.as_cameras(views), points)
    return projected.reshape(*projected.shape[:-2], -1, 3, 3)


def average(colors: jax.Array) -> jax.Array:
    """Averages 4 x 4 samples in each pixel.

    Args:
        colors: ``[..., 4 S, 4 S, 4]`` RGB and coverage from 0 to 1.

    Returns:
        ``[..., 4, S, S]`` uint8.
    """
    *batch, height, width, channels = colors.shape
    blocks = height // SAMPLES, SAMPLES, width // SAMPLES, SAMPLES
    sums = colors.reshape(*batch, *blocks, channels).sum((-4, -2))
    images = jnp.moveaxis(sums, -1, -3) * (255 / SAMPLES**2)
    return jnp.floor(images.clip(0, 255) + 0.5).astype(jnp.uint8)


def pad(array: ArrayLike, least: int) -> np.ndarray:
    """Appends zeros along the first axis up to a power of two: few are compiled for."""
    array = np.asarray(array, np.float32)
    length = max(least, 1 << (len(array) - 1).bit_length())
    padded = np.zeros((length, *array.shape[1:]), np.float32)
    padded[: len(array)] = array
    return padded
