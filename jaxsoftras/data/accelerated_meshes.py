"""Images of any mesh in its own colours by JAX: `build_images` on a GPU.

As in `jaxsoftras.data.accelerated`, samples within rounding of an edge may see its
other side. Colours of vertices and of texture images agree up to 1/255.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras.data import accelerated, build_images, rig
from jaxsoftras.mesh import Mesh
from jaxsoftras.rasterization.fragments import find_fragments, interpolate
from jaxsoftras.texture import FaceColors, UVTexture, VertexColors, Wrap

_FACES, _TEXELS = 2048, 1 << 18  # the least to which meshes and images are padded
_VIEWS = 8  # that are rendered together


class _Images(NamedTuple):
    """The images of a texture, one after the other."""

    texels: np.ndarray  # [T, 3]
    places: np.ndarray  # [F, 3] int32: first texel, height and width of each face's


def render_views(
    mesh: Mesh, views: int, elevation: float, image_size: int
) -> np.ndarray:
    """Renders a mesh as `build_images.render_views` does, from all around it.

    Args:
        mesh: in the model frame, within ``[-0.5, 0.5]``; numpy arrays.
        views: number of images.
        elevation: of the cameras above the plane y = 0, degrees.
        image_size: width and height, pixels.

    Returns:
        ``[views, 4, image_size, image_size]`` uint8.

    Example:
        >>> import numpy as np
        >>> from jaxsoftras import icosphere
        >>> from jaxsoftras.data import accelerated_meshes
        >>> ball = icosphere(0)
        >>> ball = ball._replace(vertices=np.asarray(ball.vertices) / 2)
        >>> accelerated_meshes.render_views(ball, 2, 30.0, image_size=4).shape
        (2, 4, 4, 4)
    """
    faces, texture = np.asarray(mesh.faces), mesh.texture
    corners = accelerated.pad(np.asarray(mesh.vertices)[faces], _FACES)
    light = build_images.light_faces(mesh.vertices, faces)
    values, images, wrap = _corner_colors(mesh), None, None
    if isinstance(texture, UVTexture):
        values, wrap = texture.coordinates, texture.wrap
        images = _flatten(texture, len(corners))
    orbit = rig.Orbit(
        build_images.DISTANCE, elevation, -360 / views, build_images.HALF_FOV
    )
    light, values = (accelerated.pad(array, _FACES) for array in (light, values))
    rendered = [
        _render(
            corners,
            light,
            values,
            images,
            rig.OrbitViews(np.arange(start, start + _VIEWS), orbit),
            wrap=wrap,
            image_size=image_size,
        )
        for start in range(0, views, _VIEWS)
    ]
    return np.concatenate(rendered)[:views]


def _corner_colors(mesh: Mesh) -> np.ndarray:
    """Colours ``[F, 3, 3]`` at the corners of a mesh without images."""
    texture, shape = mesh.texture, (len(mesh.faces), 3, 3)
    if isinstance(texture, VertexColors):
        return np.asarray(texture.values)[np.asarray(mesh.faces), :3]
    if isinstance(texture, FaceColors):
        return np.broadcast_to(np.asarray(texture.values)[:, None, :3], shape)
    return np.broadcast_to(np.array(build_images.GREY), shape)


def _flatten(texture: UVTexture, faces: int) -> _Images:
    single = texture.image_index is None
    images = [
        np.asarray(each) for each in ([texture.image] if single else texture.image)
    ]
    sizes = np.array([image.shape[:2] for image in images])
    counts = sizes.prod(1)
    table = np.stack([np.cumsum(counts) - counts, *sizes.T], -1)
    places = np.ones((faces, 3), np.int32)
    count = len(np.asarray(texture.coordinates))
    places[:count] = table[0 if single else np.asarray(texture.image_index)]
    texels = np.concatenate([image[..., :3].reshape(-1, 3) for image in images])
    return _Images(accelerated.pad(texels, _TEXELS), places)


@functools.partial(jax.jit, static_argnames=("wrap", "image_size"))
def _render(
    corners: jax.Array,
    light: jax.Array,
    values: jax.Array,
    images: Any,
    views: rig.OrbitViews,
    *,
    wrap: Wrap | None,
    image_size: int,
) -> jax.Array:
    """Renders corners ``[F, 3, 3]`` with colours or coordinates ``[F, 3, C]``."""
    points = accelerated.project(corners, views)
    fragments = find_fragments(points, image_size * accelerated.SAMPLES)
    colors = interpolate(
        fragments, jnp.broadcast_to(values, (*points.shape[:3], values.shape[-1]))
    )
    face = jnp.maximum(fragments.face, 0)
    if images is not None:
        colors = _sample(images.texels, images.places[face], colors, wrap)
    colors = colors * light[face][..., None]
    seen = fragments.face[..., None] >= 0
    colors = jnp.concatenate([colors, jnp.ones_like(seen, colors.dtype)], -1)
    return accelerated.average(jnp.where(seen, colors, 0.0))


def _sample(
    texels: jax.Array, places: jax.Array, uv: jax.Array, wrap: Wrap | None
) -> jax.Array:
    """Samples images at ``places`` ``[..., 3]`` among the texels, as `build_images`."""
    start, height, width = jnp.moveaxis(places, -1, 0)
    x, y = uv[..., 0] * width - 0.5, (1 - uv[..., 1]) * height - 0.5
    left, top = jnp.floor(x), jnp.floor(y)
    colors = jnp.zeros((*uv.shape[:-1], 3))
    for across in (0, 1):
        for down in (0, 1):
            column, row = left + across, top + down
            if wrap == "repeat":
                column, row = column % width, row % height
            column = column.clip(0, width - 1).astype(jnp.int32)
            row = row.clip(0, height - 1).astype(jnp.int32)
            share = jnp.abs(1 - across - (x - left)) * jnp.abs(1 - down - (y - top))
            colors += share[..., None] * texels[start + row * width + column]
    return colors
