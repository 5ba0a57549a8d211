"""Appearance of a mesh: colours, light and normals at the corners of its faces."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import normals, texture_parts, viewing
from jaxsoftras import texture as textures
from jaxsoftras.camera import Camera
from jaxsoftras.lighting import Light, Material, illuminate
from jaxsoftras.mesh import Mesh, gather_corners
from jaxsoftras.rasterization.attributes import (
    FaceAttributes,
    FaceLight,
    SurfacePieces,
)
from jaxsoftras.settings import Settings


def _points_and_normals(mesh: Mesh, settings: Settings) -> tuple[jax.Array, jax.Array]:
    """Places that are lit, ``[..., N, 3]``, and their unit normals: N = V or F."""
    vertices = jnp.asarray(mesh.vertices)
    corners = gather_corners(vertices, mesh.faces)
    if settings.shading == "flat":
        return jnp.mean(corners, axis=-2), normals.face_normals(corners)
    of_vertices = normals.vertex_normals_from_corners(
        corners,
        mesh.faces,
        vertices.shape[-2],
        two_sided=settings.double_sided,
    )
    return vertices, of_vertices


def _to_corners(values: jax.Array, mesh: Mesh, settings: Settings) -> jax.Array:
    """Values of the places that are lit, ``[..., N, C]``, at the corners of faces."""
    if settings.shading == "flat":
        return jnp.stack([values, values, values], axis=-2)
    return gather_corners(values, mesh.faces, padding=0.0)


def corner_normals(mesh: Mesh, settings: Settings) -> jax.Array:
    """Unit normals at the corners of the faces, ``[..., F, 3, 3]``, world space."""
    _, directions = _points_and_normals(mesh, settings)
    return _to_corners(directions, mesh, settings)


def light_faces(
    mesh: Mesh,
    camera: Camera,
    lights: Sequence[Light],
    material: Material,
    settings: Settings,
) -> FaceLight:
    """Light at the corners of the faces, ``[..., F, 3, 3]``; the mesh is checked."""
    points, directions = _points_and_normals(mesh, settings)
    parallel = camera.projection == "orthographic"
    light = illuminate(
        viewing.zero_nonfinite(points),
        directions,
        lights,
        None if parallel else camera.position,
        to_eye=-camera.axes[..., 2, :] if parallel else None,
        material=material,
        two_sided=settings.double_sided,
    )
    return FaceLight(*(_to_corners(part, mesh, settings) for part in light))


def _colors(mesh: Mesh, batch: tuple[int, ...]) -> jax.Array:
    """Colours at the corners of the faces, ``[*batch, F, 3, C]``; white if none."""
    texture, faces = mesh.texture, mesh.faces.shape[-2]
    if texture is None:
        return jnp.ones((*batch, faces, 3, 3), jnp.asarray(mesh.vertices).dtype)
    assert isinstance(texture, (textures.VertexColors, textures.FaceColors))
    values = jnp.asarray(texture.values)
    by_vertex = isinstance(texture, textures.VertexColors)
    count = mesh.vertices.shape[-2] if by_vertex else faces
    try:
        if values.ndim < 2 or values.shape[-2] != count:
            raise ValueError
        np.broadcast_shapes(values.shape[:-2], batch)
    except ValueError:
        raise ValueError(
            f"The values of {type(texture).__name__} must have the shape [..., {count},"
            f" C] with leading axes like {list(batch)}; they have "
            f"{list(values.shape)}."
        ) from None
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise ValueError(
            f"The values of {type(texture).__name__} must be floating-point, not "
            f"{values.dtype}; divide 8-bit colours by 255."
        )
    if by_vertex:
        values = gather_corners(values, mesh.faces, 0.0)
    else:  # one value at all corners, to be multiplied by the light there
        values = jnp.stack([values] * 3, axis=-2)
    return jnp.broadcast_to(values, (*batch, faces, 3, values.shape[-1]))


def color_faces(
    mesh: Mesh, seen: viewing.View, light: FaceLight | None
) -> tuple[FaceAttributes, FaceLight | None]:
    """Colours of the faces of a view, and light that is not part of them yet."""
    texture = mesh.texture
    if not isinstance(texture, (textures.UVTexture, textures.SurfaceTexture)):
        colors = _colors(mesh, seen.corners.shape[:-3])
        if light is not None:
            opacity = colors[..., 3:]
            lit = colors[..., :3] * light.diffuse + light.specular
            colors = jnp.concatenate([lit, opacity], axis=-1)
        return seen.gather(colors), None
    if light is not None:
        light = FaceLight(*map(seen.gather, map(jnp.asarray, light)))
    if seen.pieces is None:
        return texture, light
    if isinstance(texture, textures.UVTexture):
        corners = seen.gather(jnp.asarray(texture.coordinates))
        index = texture.image_index
        if index is not None:
            index = jnp.concatenate([jnp.asarray(index)] * 2, axis=-1)
        return texture._replace(coordinates=corners, image_index=index), light
    corners = jnp.eye(3, dtype=seen.corners.dtype)
    corners = jnp.broadcast_to(corners, (texture.texels.shape[-3], 3, 3))
    return SurfacePieces(texture, seen.gather(corners)), light


def check_channels(texture: textures.Texture | None) -> None:
    """Checks that a texture has colours that light can fall on.

    Raises:
        ValueError: not three channels, and the opacity of a transparent texture.
    """
    if texture is None:
        return
    shape = np.shape(texture_parts.get_colors(texture)[0])
    if len(shape) < 2:
        return  # refused later, with the shape that it should have
    if shape[-1] != 3 + texture.transparent:
        opacity = " and the opacity" if texture.transparent else ""
        raise ValueError(
            f"Lights need colours of 3 channels{opacity}, not {shape[-1]}; with "
            "lights=None colours of any number of channels are shown. A fourth channel "
            "is the opacity if the texture is made with transparent=True."
        )
