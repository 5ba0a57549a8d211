"""Textures of several meshes as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxsoftras import deterministic
from jaxsoftras.mesh import Mesh, gather_corners
from jaxsoftras.meshfile import atlas
from jaxsoftras.texture import (
    FaceColors,
    SurfaceTexture,
    Texture,
    UVTexture,
    VertexColors,
    Wrap,
    surface_cell,
    texel_centers,
)

_INSET = 1 / 64  # texels


def namespace(*trees: Any) -> Any:
    """NumPy, or JAX if an array is one of JAX."""
    return jnp if any(isinstance(a, jax.Array) for a in jax.tree.leaves(trees)) else np


def _take(values: Any, index: np.ndarray) -> Any:
    """Gathers rows of ``[..., N, C]``; of JAX arrays with repeatable gradients."""
    if isinstance(values, np.ndarray):
        return values[..., index, :]
    return deterministic.take(values, index)


def _paint(mesh: Mesh, xp: Any) -> UVTexture:
    """Converts colours of vertices or faces to an image, exactly.

    Two by two texels for each face hold a linear function, some of them beyond [0, 1]
    if they must be. The corners lie a little within, where no rounding error reaches
    the texels of another face.
    """
    count = len(mesh.faces)
    values = jnp.asarray(mesh.texture[0])  # pyright: ignore[reportOptionalSubscript]
    if isinstance(mesh.texture, VertexColors):
        corners = gather_corners(values, mesh.faces, 0.0)
    else:
        corners = jnp.stack([values] * 3, axis=1)
    a, b, c = jnp.moveaxis(corners, 1, 0)
    columns = max(int(np.ceil(count**0.5)), 1)
    lines = max(-(-count // columns), 1)
    across, down = (b - a) / (1 - 3 * _INSET), (c - a) / (1 - 3 * _INSET)
    first = a - _INSET * (across + down)
    rows = [[first, first + across], [first + down, first + across + down]]
    squares = jnp.stack([jnp.stack(row, axis=1) for row in rows], axis=1)
    squares = jnp.pad(squares, [(0, lines * columns - count), *[(0, 0)] * 3])
    image = squares.reshape(lines, columns, 2, 2, -1).swapaxes(1, 2)
    line, column = np.divmod(np.arange(count), columns)
    low, high = 0.5 + _INSET, 1.5 - 2 * _INSET
    place = np.array([[low, low], [high, low], [low, high]])
    place = place + 2 * np.stack([column, line], axis=-1)[:, None]
    uv = place / [2 * columns, 2 * lines]
    uv[..., 1] = 1 - uv[..., 1]
    image = image.reshape(2 * lines, 2 * columns, -1)
    return UVTexture(uv.astype(np.float32), xp.asarray(image), "clamp")


def _refine(texture: Any, resolution: int) -> Any:
    """Texels ``[F, R * R, C]`` of colours of faces, or of texels at a divisor of R."""
    if isinstance(texture, FaceColors):
        texture = SurfaceTexture(texture.values[:, None])
    centers = texel_centers(resolution)
    side = texture.resolution
    with jax.ensure_compile_time_eval():
        cell = np.asarray(surface_cell(centers[:, 0], centers[:, 1], side))
    return _take(texture.texels, cell)


def _join_texels(textures: Sequence[Any], xp: Any) -> SurfaceTexture:
    sides = {t.resolution for t in textures if isinstance(t, SurfaceTexture)}
    finest = max(sides)
    if any(finest % side for side in sides):
        raise ValueError(
            "The resolutions of surface textures to join must divide the largest one; "
            f"they are {', '.join(map(str, sorted(sides)))}."
        )
    return SurfaceTexture(xp.concatenate([_refine(t, finest) for t in textures]))


def _image_key(texture: UVTexture) -> tuple:
    """Key that only textures with equal images and continuations share."""
    image = texture.image
    if isinstance(image, Tracer):
        return id(image), texture.wrap
    known = np.asarray(image)
    return known.shape, known.dtype, known.tobytes(), texture.wrap


def _pack(
    textures: Sequence[UVTexture], shown: np.ndarray, images: Sequence[UVTexture]
) -> UVTexture:
    """Packs different images into one, differentiable in them.

    Args:
        textures: a texture for each mesh.
        shown: ``[F]`` index of the image of each face.
        images: a texture for each different image.
    """
    if any(isinstance(texture.coordinates, Tracer) for texture in textures):
        raise ValueError(
            "Meshes with different images cannot be joined where their texture "
            "coordinates are traced; join them outside of jit, or share one image."
        )
    uv = np.concatenate([np.asarray(t.coordinates, float) for t in textures])
    finite = np.isfinite(uv)
    inside = np.where(finite, np.abs(uv - 0.5) <= 0.5, True).all(axis=(1, 2))
    free = np.array([texture.wrap is None for texture in images])[shown]
    if np.any(free & ~inside):
        raise ValueError(
            "Texture coordinates beyond [0, 1] need UVTexture(..., wrap='repeat') or "
            "wrap='clamp' where meshes with different images are joined."
        )
    # the atlas is made of the numbers of texels, by which these are then gathered
    sizes = [texture.image.shape[:2] for texture in images]
    starts = np.cumsum([0, *(height * width for height, width in sizes)])
    numbers = [
        (first + np.arange(height * width, dtype=float)).reshape(height, width, 1)
        for first, (height, width) in zip(starts, sizes, strict=False)
    ]
    wraps: list[Wrap] = [texture.wrap or "clamp" for texture in images]
    try:
        merged = atlas.merge(np.where(finite, uv, 0.5), shown, numbers, wraps)
    except ValueError:
        raise ValueError(
            f"{len(images)} images, of which some repeat often, are too large for one; "
            "join fewer meshes."
        ) from None
    xp = namespace([texture.image for texture in images])
    channels = images[0].image.shape[-1]
    texels = xp.concatenate([t.image.reshape(-1, channels) for t in images])
    number = np.asarray(merged.image)[..., 0].astype(int)
    image = _take(texels, number)
    dtype = np.result_type(*(texture.coordinates.dtype for texture in textures))
    uv = np.where(finite, merged.coordinates, np.nan).astype(dtype)
    return UVTexture(uv, image, "clamp")


def _join_images(textures: Sequence[UVTexture], xp: Any) -> UVTexture:
    found: dict[tuple, int] = {}
    images, shown = [], []
    for texture in textures:
        key = _image_key(texture)
        if key not in found:
            found[key] = len(images)
            images.append(texture)
        shown.append(np.full(len(texture.coordinates), found[key]))
    if len(images) == 1:
        corners = xp.concatenate([texture.coordinates for texture in textures])
        return images[0]._replace(coordinates=corners)
    return _pack(textures, np.concatenate(shown), images)


def _white(mesh: Mesh, kind: Any, channels: int, dtype: Any) -> Any:
    """A white texture for a mesh without one."""
    if kind is UVTexture:
        corners = np.full((len(mesh.faces), 3, 2), 0.5, dtype)
        return UVTexture(corners, np.ones((1, 1, channels), dtype), "clamp")
    rows = mesh.vertices if kind is VertexColors else mesh.faces
    return kind(np.ones((len(rows), channels), dtype))


def _concatenate(kind: Any, textures: Sequence[Any], xp: Any) -> Any:
    return kind(xp.concatenate([texture.values for texture in textures]))


def join_textures(meshes: Sequence[Mesh]) -> Texture | None:
    """Joins the textures of meshes; see `jaxsoftras.join_meshes`.

    Args:
        meshes: meshes with textures that fit them.

    Returns:
        A texture for all faces in order, or None if no mesh has one.

    Raises:
        ValueError: colours that are not floating-point or of different numbers of
            channels, or surface textures with others than `FaceColors`.
    """
    given: list[Any] = [m.texture for m in meshes if m.texture is not None]
    if not given:
        return None
    kinds: set[Any] = {type(texture) for texture in given}
    colors = [t.image if isinstance(t, UVTexture) else t[0] for t in given]
    channels: set[int] = {color.shape[-1] for color in colors}
    if len(channels) > 1:
        raise ValueError(
            "Meshes to join must have colours of one number of channels, not "
            f"{' and '.join(map(str, sorted(channels)))}."
        )
    for color in colors:
        if not jnp.issubdtype(color.dtype, jnp.floating):
            raise ValueError(
                f"Colours must be floating-point, not {color.dtype}; divide 8-bit "
                "colours by 255."
            )
    if kinds <= {FaceColors, SurfaceTexture}:
        kind = FaceColors if kinds == {FaceColors} else SurfaceTexture
    elif SurfaceTexture in kinds:
        raise ValueError(
            "Meshes with a SurfaceTexture cannot be joined with meshes that have "
            f"{' or '.join(sorted(k.__name__ for k in kinds - {SurfaceTexture}))}; "
            "texture.bake turns a UVTexture into a SurfaceTexture."
        )
    else:
        kind = kinds.pop() if len(kinds) == 1 else UVTexture
    plain = FaceColors if kind is SurfaceTexture else kind
    white = channels.pop(), colors[0].dtype
    textures: list[Any] = [
        _white(m, plain, *white) if m.texture is None else m.texture for m in meshes
    ]
    xp = namespace(textures)
    if kind is SurfaceTexture:
        return _join_texels(textures, xp)
    if kind is UVTexture:
        pairs = zip(meshes, textures, strict=True)
        return _join_images(
            [t if isinstance(t, UVTexture) else _paint(m, xp) for m, t in pairs], xp
        )
    return _concatenate(kind, textures, xp)
