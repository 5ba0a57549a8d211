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


def _vertex_normals(mesh: Mesh, corners: jax.Array, settings: Settings) -> jax.Array:
    """Unit normals of the vertices, ``[..., V, 3]``."""
    return normals.vertex_normals_from_corners(
        corners,
        mesh.faces,
        mesh.vertices.shape[-2],
        two_sided=settings.double_sided,
    )


def corner_normals(mesh: Mesh, settings: Settings) -> jax.Array:
    """Unit normals at the corners of the faces, ``[..., F, 3, 3]``, world space."""
    corners = gather_corners(jnp.asarray(mesh.vertices), mesh.faces)
    if settings.shading == "flat":
        return jnp.stack([normals.face_normals(corners)] * 3, axis=-2)
    return gather_corners(_vertex_normals(mesh, corners, settings), mesh.faces, 0.0)


def _are_on_hidden_side(
    directions: jax.Array, corners: jax.Array, camera: Camera
) -> jax.Array:
    """Whether normals at corners are on that side of their faces which is not seen.

    Args:
        directions: ``[..., F, 3, 3]``.
        corners: ``[..., F, 3, 3]``, finite.
        camera: that sees the faces.

    Returns:
        ``[..., F, 3, 1]``; of a normal in the plane of its face, it is not.
    """
    to_eye = -camera.axes[..., 2, :][..., None, :]
    if camera.projection != "orthographic":
        to_eye = camera.position[..., None, :] - corners[..., 0, :]
    front = normals.face_normals(corners)
    from_behind = jnp.sum(front * to_eye, axis=-1, keepdims=True) < 0
    seen = jnp.where(from_behind, -front, front)[..., None, :]
    return jnp.sum(directions * seen, axis=-1, keepdims=True) < 0


def light_faces(
    mesh: Mesh,
    camera: Camera,
    lights: Sequence[Light],
    material: Material,
    settings: Settings,
) -> FaceLight:
    """Light at the corners of the faces, ``[..., F, 3, 3]``; the mesh is checked."""
    parallel = camera.projection == "orthographic"
    vertices = jnp.asarray(mesh.vertices)
    corners = gather_corners(vertices, mesh.faces)

    def light(points: jax.Array, directions: jax.Array, two_sided: bool):
        return illuminate(
            viewing.zero_nonfinite(points),
            directions,
            lights,
            None if parallel else camera.position,
            to_eye=-camera.axes[..., 2, :] if parallel else None,
            material=material,
            two_sided=two_sided,
        )

    if settings.shading == "flat":
        centers, directions = jnp.mean(corners, axis=-2), normals.face_normals(corners)
        lit = light(centers, directions, settings.double_sided)
        return FaceLight(*(jnp.stack([part] * 3, axis=-2) for part in lit))
    directions = _vertex_normals(mesh, corners, settings)
    sides = [light(vertices, directions, False)]
    if settings.double_sided:
        # Normals that face away are turned in faces that are seen from behind alone.
        # In others they lie beyond the rim of what is seen: were they turned as a
        # vertex passes it, images would jump.
        sides.append(light(vertices, directions, True))
    parts = [part for side in sides for part in side]
    lit = gather_corners(jnp.concatenate(parts, axis=-1), mesh.faces, 0.0)
    lit = jnp.split(lit, len(parts), axis=-1)
    if settings.double_sided:
        hidden = _are_on_hidden_side(
            gather_corners(directions, mesh.faces, 0.0),
            viewing.zero_nonfinite(corners),
            camera,
        )
        lit = [jnp.where(hidden, *pair) for pair in zip(lit[2:], lit[:2], strict=True)]
    return FaceLight(*lit)


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
