"""Textures of several meshes as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxsoftras import deterministic, texture_parts
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
    transparent = mesh.texture.transparent  # pyright: ignore[reportOptionalMemberAccess]
    return UVTexture(uv.astype(np.float32), xp.asarray(image), "clamp", transparent)


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
    texels = xp.concatenate([_refine(t, finest) for t in textures])
    return SurfaceTexture(texels, textures[0].transparent)


class _Image(NamedTuple):
    """An image ``[H, W, C]`` and its continuation beyond its edges."""

    pixels: Any
    wrap: Wrap | None

    @property
    def key(self) -> tuple:
        """Key that only equal images with the same continuation share."""
        if isinstance(self.pixels, Tracer):
            return id(self.pixels), self.wrap
        known = np.asarray(self.pixels)
        return known.shape, known.dtype, known.tobytes(), self.wrap


def _check_reach(coordinates: np.ndarray, free: np.ndarray) -> None:
    """Refuses coordinates beyond images whose continuation is left to the renderer.

    Args:
        coordinates: ``[F, 3, 2]``.
        free: ``[F]`` whether the image of a face has no continuation.
    """
    finite = np.isfinite(coordinates)
    inside = np.where(finite, np.abs(coordinates - 0.5) <= 0.5, True).all(axis=(1, 2))
    if np.any(free & ~inside):
        raise ValueError(
            "Texture coordinates beyond [0, 1] need UVTexture(..., wrap='repeat') or "
            "wrap='clamp' where meshes with different images are joined."
        )


def _pack(
    coordinates: np.ndarray, shown: np.ndarray, images: Sequence[_Image]
) -> UVTexture:
    """Packs different images into one, differentiable in them.

    Args:
        coordinates: ``[F, 3, 2]``.
        shown: ``[F]`` index of the image of each face.
        images: all images; if they are too large for one, they stay several.
    """
    uv = coordinates.astype(float)
    finite = np.isfinite(uv)
    _check_reach(uv, np.array([image.wrap is None for image in images])[shown])
    # the atlas is made of the numbers of texels, by which these are then gathered
    sizes = [image.pixels.shape[:2] for image in images]
    starts = np.cumsum([0, *(height * width for height, width in sizes)])
    numbers = [
        (first + np.arange(height * width, dtype=float)).reshape(height, width, 1)
        for first, (height, width) in zip(starts, sizes, strict=False)
    ]
    wraps: list[Wrap] = [image.wrap or "clamp" for image in images]
    try:
        merged = atlas.merge(np.where(finite, uv, 0.5), shown, numbers, wraps)
    except ValueError:
        raise ValueError(
            f"{len(images)} images, of which some repeat and others are clamped far "
            "beyond their edges, do not fit together; bring the coordinates of the "
            "latter nearer to [0, 1]."
        ) from None
    xp = texture_parts.namespace([image.pixels for image in images])
    channels = images[0].pixels.shape[-1]
    texels = xp.concatenate([image.pixels.reshape(-1, channels) for image in images])
    uv = np.where(finite, merged.coordinates, np.nan).astype(coordinates.dtype)
    return texture_parts.map_colors(
        lambda image: _take(texels, image[..., 0].astype(int)), merged
    )._replace(coordinates=uv)


def _join_images(textures: Sequence[UVTexture], xp: Any) -> UVTexture:
    ranks: dict[tuple, int] = {}
    images: list[_Image] = []
    index = []
    for texture in textures:
        own = [_Image(p, texture.wrap) for p in texture_parts.get_images(texture)]
        for image in own:
            if ranks.setdefault(image.key, len(images)) == len(images):
                images.append(image)
        rank = np.array([ranks[image.key] for image in own], np.int32)
        shown = texture.image_index
        if shown is None:
            shown = np.zeros(len(texture.coordinates), int)
        index.append(texture_parts.namespace(shown).asarray(rank)[shown])
    corners = [texture.coordinates for texture in textures]
    transparent, wrap = textures[0].transparent, images[0].wrap
    if len(images) == 1:
        whole = xp.concatenate(corners)
        return UVTexture(whole, images[0].pixels, wrap, transparent)
    if not any(isinstance(part, Tracer) for part in (*corners, *index)):
        whole, shown = (np.concatenate([*map(np.asarray, p)]) for p in (corners, index))
        return _pack(whole, shown, images)._replace(transparent=transparent)
    if any(image.wrap != wrap for image in images):
        raise ValueError(
            "Meshes with images of different continuations cannot be joined where "
            "texture coordinates are traced; join them outside of jit, or give them "
            "the same `wrap`."
        )
    pixels = tuple(image.pixels for image in images)
    shown = texture_parts.namespace(index).concatenate(index)
    return UVTexture(xp.concatenate(corners), pixels, wrap, transparent, shown)


def _white(mesh: Mesh, kind: Any, like: Any) -> Any:
    """A white texture for a mesh without one, with the channels of another."""
    colors = texture_parts.get_colors(like)[0]
    channels, dtype = colors.shape[-1], colors.dtype
    if kind is UVTexture:
        corners = np.full((len(mesh.faces), 3, 2), 0.5, dtype)
        image = np.ones((1, 1, channels), dtype)
        return UVTexture(corners, image, "clamp", like.transparent)
    rows = mesh.vertices if kind is VertexColors else mesh.faces
    return kind(np.ones((len(rows), channels), dtype), like.transparent)


def _match_colors(textures: Sequence[Any]) -> list[Any]:
    """Gives all textures an opacity if one has it.

    Refuses colours of different numbers of channels, or that are not floats.
    """
    for color in (array for t in textures for array in texture_parts.get_colors(t)):
        if not jnp.issubdtype(color.dtype, jnp.floating):
            raise ValueError(
                f"Colours must be floating-point, not {color.dtype}; divide 8-bit "
                "colours by 255."
            )
    textures = texture_parts.match_opacity(textures)
    channels = {c.shape[-1] for t in textures for c in texture_parts.get_colors(t)}
    if len(channels) > 1:
        raise ValueError(
            "Meshes to join must have colours of one number of channels, not "
            f"{' and '.join(map(str, sorted(channels)))}."
        )
    return textures


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
    given = _match_colors(given)
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
    # in the place of the meshes without one
    matched = iter(given)
    textures: list[Any] = [
        _white(m, plain, given[0]) if m.texture is None else next(matched)
        for m in meshes
    ]
    xp = texture_parts.namespace(textures)
    if kind is SurfaceTexture:
        return _join_texels(textures, xp)
    if kind is UVTexture:
        pairs = zip(meshes, textures, strict=True)
        return _join_images(
            [
                t if isinstance(t, UVTexture) else _paint(m._replace(texture=t), xp)
                for m, t in pairs
            ],
            xp,
        )
    values = xp.concatenate([texture.values for texture in textures])
    return textures[0]._replace(values=values)
