"""Textures, colours on the surface of a mesh: four kinds, and their sampling."""

from __future__ import annotations

import functools
import math
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jaxsoftras import checks, deterministic, guesses

Wrap = Literal["clamp", "repeat"]
"""Continuation of an image beyond its edges: its border texels, or the image again."""


@guesses.answers
class FaceColors(NamedTuple):
    """One value per face; a pytree.

    Attributes:
        values: ``[..., F, C]``.
        transparent: whether the last channel is the opacity, in [0, 1]; static.
    """

    values: jax.Array | np.ndarray
    transparent: bool = False


@guesses.answers
class VertexColors(NamedTuple):
    """One value per vertex, linear within a face; a pytree.

    Attributes:
        values: ``[..., V, C]``.
        transparent: whether the last channel is the opacity, in [0, 1]; static.
    """

    values: jax.Array | np.ndarray
    transparent: bool = False


@guesses.answers
class SurfaceTexture(NamedTuple):
    """A small triangular image on every face, sampled at the nearest texel; a pytree.

    The texture of Soft Rasterizer. Lines parallel to the edges cut a face into ``R *
    R`` congruent triangles; `surface_cell` numbers them.

    Attributes:
        texels: ``[..., F, R * R, C]``; R = 1 gives one value per face.
        transparent: whether the last channel is the opacity, in [0, 1]; static.
    """

    texels: jax.Array | np.ndarray
    transparent: bool = False

    @property
    def resolution(self) -> int:
        """R, the number of texels along an edge."""
        count = self.texels.shape[-2]
        resolution = math.isqrt(count)
        if resolution == 0 or resolution * resolution != count:
            raise ValueError(
                "texels must have the shape [..., F, R * R, C] with an integer R; it is"
                f" {list(self.texels.shape)}."
            )
        return resolution


@guesses.answers
class UVTexture(NamedTuple):
    """One or several images, and coordinates for every corner of a face; a pytree.

    Attributes:
        coordinates: ``[..., F, 3, 2]`` u (right) and v (up); [0, 1] spans the image
            from edge to edge.
        image: ``[..., H, W, C]``; row 0 is at the top, v = 1. With an ``image_index``,
            a tuple of images ``[H, W, C]`` of any sizes, the same for a whole batch.
        wrap: continuation of the image beyond its edges, static; None leaves the choice
            to the renderer, which clamps unless it is told otherwise.
        transparent: whether the last channel is the opacity, in [0, 1]; static.
        image_index: ``[..., F]`` integers, the image that a face shows; None for one
            image.
    """

    coordinates: jax.Array | np.ndarray
    image: Any
    wrap: Wrap | None = None
    transparent: bool = False
    image_index: jax.Array | np.ndarray | None = None


def _register(kind: Any, *static: str) -> None:
    """Makes a named tuple a pytree some of whose fields are not leaves."""
    arrays = [name for name in kind._fields if name not in static]
    keys = [jax.tree_util.GetAttrKey(name) for name in arrays]

    def flatten(value):
        constants = tuple(getattr(value, name) for name in static)
        return tuple(getattr(value, name) for name in arrays), constants

    def flatten_with_keys(value):
        children, constants = flatten(value)
        return tuple(zip(keys, children, strict=True)), constants

    def unflatten(constants, children):
        return kind(
            **dict(zip(arrays, children, strict=True)),
            **dict(zip(static, constants, strict=True)),
        )

    jax.tree_util.register_pytree_with_keys(kind, flatten_with_keys, unflatten, flatten)


_register(FaceColors, "transparent")
_register(VertexColors, "transparent")
_register(SurfaceTexture, "transparent")
_register(UVTexture, "wrap", "transparent")


Texture: TypeAlias = FaceColors | VertexColors | SurfaceTexture | UVTexture


def texel_before(position: jax.Array, size: ArrayLike, wrap: Wrap) -> jax.Array:
    """Texel centre at or before a position in texels: its floor, int32.

    Or one that shows the same, if that is far beyond the edges of the image.
    """
    before = jnp.floor(lax.stop_gradient(position))
    # integers end at 2**31
    if wrap == "repeat":
        before = before - size * jnp.floor(before / size)
    else:
        before = jnp.clip(before, -1, size)
    return before.astype(jnp.int32)


def with_places(texels: jax.Array, width: int) -> jax.Array:
    """Adds the column and row of each texel to its channels.

    Args:
        texels: ``[T, H * W, C]`` texels of T images, row by row.
        width: W.

    Returns:
        ``[T, H * W, C + 2]``.

    Example:
        >>> print(texture.with_places(jnp.zeros((1, 2, 1)), width=2)[0])
        [[0. 0. 0.]
         [0. 1. 0.]]
    """
    row, column = jnp.divmod(jnp.arange(texels.shape[1]), width)
    places = jnp.stack([column, row], axis=-1).astype(texels.dtype)
    places = jnp.broadcast_to(places, (*texels.shape[:2], 2))
    return jnp.concatenate([texels, places], axis=-1)


def first_of_two(
    position: jax.Array, place: jax.Array, size: ArrayLike, wrap: Wrap
) -> jax.Array:
    """Finds the texel centre before a position from its column or row in the image.

    The floor of the position is that too; but XLA may compute it twice, rounded
    differently, and where the index of a texel and its weight disagreed, the image
    would jump. Looked up with the texel itself, the place cannot disagree.

    Args:
        position: in texels, along one axis.
        place: column or row of the texel within the image.
        size: of the image along this axis.
        wrap: continuation of the image beyond its edges.

    Returns:
        The texel centre, without derivative.

    Example:
        >>> position, place = jnp.array([1.5, 9.5]), jnp.array([1.0, 1.0])
        >>> print(texture.first_of_two(position, place, size=4, wrap="repeat"))
        [1. 9.]
    """
    offset = lax.stop_gradient(position) - place - 0.5
    if wrap == "repeat":
        return place + size * jnp.round(offset / size)
    # beyond the edges both texels are the same, and any weights do
    inside = jnp.abs(offset) <= 0.75
    return jnp.where(inside, place, jnp.floor(lax.stop_gradient(position)))


def texel(index: jax.Array, size: ArrayLike, wrap: Wrap) -> jax.Array:
    """Index within the image of a texel that may lie beyond its edges."""
    return jnp.mod(index, size) if wrap == "repeat" else jnp.clip(index, 0, size - 1)


def two_texels(first: jax.Array, size: int, wrap: Wrap) -> jax.Array:
    """Indices of a texel and the one after it, ``[2, ...]`` int32."""
    index = first + jnp.arange(2)[:, *[None] * first.ndim]
    return texel(index, size, wrap)


def two_weights(position: jax.Array, first: jax.Array) -> jax.Array:
    """Weights of a texel and the one after it, ``[2, ...]``."""
    weight = position - first
    return jnp.stack([1 - weight, weight])


def sample(image: ArrayLike, uv: ArrayLike, wrap: Wrap = "clamp") -> jax.Array:
    """Samples images bilinearly.

    The centre of texel (i, j) lies at u = (j + 1/2) / W, v = 1 - (i + 1/2) / H.
    Differentiable in both arguments, with bitwise repeatable results. The derivative in
    ``uv`` is the slope of the bilinear patch between four texel centres; on a line
    through centres, the slope of the patch to the right or below.

    Args:
        image: ``[..., H, W, C]``; row 0 is at the top.
        uv: ``[..., N, 2]`` u (right) and v (up), in units of the image; leading axes
            broadcast against those of ``image``.
        wrap: continuation beyond [0, 1]: ``"clamp"``, the border texels; ``"repeat"``,
            the image again.

    Returns:
        ``[..., N, C]``.

    Raises:
        ValueError: an argument of wrong shape, or an unknown ``wrap``.

    Example:
        >>> image = jnp.array([[[1.0], [2.0]], [[3.0], [4.0]]])  # 2 x 2 texels
        >>> uv = jnp.array([[0.0, 1.0], [0.5, 0.5]])  # top left corner, centre
        >>> print(texture.sample(image, uv)[:, 0])
        [1.  2.5]
    """
    image, uv = jnp.asarray(image), jnp.asarray(uv)
    checks.check_choice("wrap", wrap, Wrap)
    if image.ndim < 3 or 0 in image.shape[-3:-1] or uv.ndim < 2 or uv.shape[-1] != 2:
        raise ValueError(
            "image must have the shape [..., H, W, C], with at least one texel, and uv"
            f" [..., N, 2]; they are {list(image.shape)} and {list(uv.shape)}."
        )
    return _sample(image, uv, wrap)


@functools.partial(jax.jit, static_argnames="wrap")
def _sample(image: jax.Array, uv: jax.Array, wrap: Wrap) -> jax.Array:
    """`sample` of arguments that have been checked, compiled once."""
    height, width, channels = image.shape[-3:]
    batch = image.shape[:-3]
    # a point that is not finite has no value, and no part in the image's derivative
    placed = jnp.all(jnp.isfinite(uv), axis=-1, keepdims=True)
    uv = jnp.where(placed, uv, 0)
    uv = uv.reshape(*[1] * (len(batch) - uv.ndim + 2), *uv.shape)
    x, y = uv[..., 0] * width - 0.5, (1 - uv[..., 1]) * height - 0.5
    left, above = texel_before(x, width, wrap), texel_before(y, height, wrap)
    columns, rows = two_texels(left, width, wrap), two_texels(above, height, wrap)
    # all images are rows of one table, so that a shared image is not copied
    first = jnp.arange(math.prod(batch)).reshape(*batch, 1) * (height * width)
    index = rows[:, None] * width + columns + first  # [2, 2, ..., N]
    # half precision does not count to the width of an image
    kind = jnp.result_type(image, uv)
    single = jnp.promote_types(kind, jnp.float32)
    table = image.reshape(-1, height * width, channels).astype(single)
    table = with_places(table, width).reshape(-1, channels + 2)
    texels, places = jnp.split(deterministic.take(table, index), [channels], axis=-1)
    place = lax.stop_gradient(places[0, 0])
    across = two_weights(x, first_of_two(x, place[..., 0], width, wrap))
    down = two_weights(y, first_of_two(y, place[..., 1], height, wrap))
    weights = down[:, None] * across
    values = jnp.sum(weights[..., None] * texels, axis=(0, 1))
    return jnp.where(placed, values, jnp.nan).astype(kind)


def surface_cell(w0: ArrayLike, w1: ArrayLike, resolution: int) -> jax.Array:
    """Index of the texel of a `SurfaceTexture` that holds a point; elementwise.

    With ``a = floor(w0 R)`` and ``b = floor(w1 R)``, the texel is ``b R + a`` in the
    half of the cell nearer to corner 2 and ``(R - 1 - b) R + R - 1 - a`` in the other.
    Texel 0 lies at corner 2, R - 1 at corner 0 and (R - 1) R at corner 1. For R = 3,
    corner 0 at the left, 1 at the right and 2 on top::

            0
          1 8 3
        2 7 4 5 6

    The original reads beyond the face at corners 0 and 1; here a point on the edge
    opposite to corner 2 belongs to a texel of that edge.

    Args:
        w0: barycentric coordinate of corner 0, in [0, 1].
        w1: barycentric coordinate of corner 1, in [0, 1].
        resolution: R, the number of texels along an edge.

    Returns:
        int32 from 0 to ``R * R - 1``.

    Example:
        >>> w0, w1 = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
        >>> print(texture.surface_cell(w0, w1, resolution=3))  # corners 2, 0 and 1
        [0 2 6]
    """
    last = resolution - 1
    x, y = jnp.asarray(w0) * resolution, jnp.asarray(w1) * resolution
    a = jnp.clip(x.astype(jnp.int32), 0, last)
    b = jnp.clip(y.astype(jnp.int32), 0, last - a)
    # cells on the edge have one half only, whatever the rounding of the weights
    upper = (x - a + y - b <= 1) | (a + b >= last)
    cell = b * resolution + a
    return jnp.where(upper, cell, resolution * resolution - 1 - cell)


def texel_centers(resolution: int) -> np.ndarray:
    """Barycentric coordinates of the centroids of a face's texels: ``[R * R, 3]``.

    Args:
        resolution: R, the number of texels along an edge.

    Example:
        >>> print(texture.texel_centers(2).round(3)[0])  # at corner 2
        [0.167 0.167 0.667]
    """
    b, a = np.divmod(np.arange(resolution * resolution), resolution)
    upper = a + b < resolution
    last = resolution - 1
    w0 = np.where(upper, a + 1 / 3, last - a + 2 / 3) / resolution
    w1 = np.where(upper, b + 1 / 3, last - b + 2 / 3) / resolution
    return np.stack([w0, w1, 1 - w0 - w1], axis=-1)


def bake(
    texture: UVTexture, resolution: int, wrap: Wrap | None = None
) -> SurfaceTexture:
    """Turns a `UVTexture` into a `SurfaceTexture`, sampled at the texels' centroids.

    Args:
        texture: coordinates ``[..., F, 3, 2]`` and image ``[..., H, W, C]``, or several
            images and the index of each face's.
        resolution: R, the number of texels along an edge.
        wrap: continuation of the image beyond its edges; None stands for the texture's
            own, or else ``"clamp"``.

    Returns:
        Texels ``[..., F, R * R, C]``, as transparent as the image.

    Raises:
        ValueError: a resolution below 1, an image that is not floating-point, or the
            index of one that does not exist.

    Example:
        >>> corners = np.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> image = texture.UVTexture(corners, np.ones((4, 4, 3)))
        >>> print(texture.bake(image, resolution=2).texels.shape)
        (1, 4, 3)
    """
    if resolution < 1:
        raise ValueError(f"resolution must be at least 1, not {resolution}.")
    images = texture.image if texture.image_index is not None else (texture.image,)
    for image in images:
        if not jnp.issubdtype(dtype := jnp.result_type(image), jnp.floating):
            raise ValueError(
                f"The image to bake must be floating-point, not {dtype}; divide 8-bit "
                "colours by 255."
            )
    wrap = wrap or texture.wrap or "clamp"
    index = texture.image_index
    if index is not None:
        count = len(texture.image)
        checks.check_values(
            f"image_index must be from 0 to {count - 1}, as there are {count} images.",
            lambda index: (index >= 0) & (index < count),
            index,
        )
    texels = _bake(texture.coordinates, tuple(images), index, resolution, wrap)
    return SurfaceTexture(texels, texture.transparent)


@functools.partial(jax.jit, static_argnames=("resolution", "wrap"))
def _bake(
    coordinates: jax.Array,
    images: tuple[jax.Array, ...],
    index: jax.Array | None,
    resolution: int,
    wrap: Wrap,
) -> jax.Array:
    """`bake` of several images or one, compiled once."""
    corners = jnp.asarray(coordinates)
    centers = jnp.asarray(texel_centers(resolution), corners.dtype)
    uv = jnp.sum(centers[:, :, None] * corners[..., None, :, :], axis=-2)
    flat = uv.reshape(*uv.shape[:-3], -1, 2)

    def texels(image):
        values = sample(image, flat, wrap)
        shape = *values.shape[:-2], uv.shape[-3], resolution**2, values.shape[-1]
        return values.reshape(shape)

    result = texels(images[0])
    for k, image in enumerate(images[1:], start=1):
        shown = jnp.asarray(index) == k
        result = jnp.where(shown[..., None, None], texels(image), result)
    return result
