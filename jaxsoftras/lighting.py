"""Lights and shading at points of a surface: Lambert's law and highlights.

The colour of a point is ``texture * diffuse + specular``. Flat shading lights face
centroids by face normals, smooth shading lights vertices by vertex normals.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import guesses
from jaxsoftras.normals import normalize

# Distances, and divisors of attenuated light, that are 0: the square of the reciprocal
# of a greater one is finite in single precision.
_NOTHING = 1e-18

# Cosine below which there is no highlight. It stands for 0, where derivatives of the
# power need not be finite.
_NO_HIGHLIGHT = 1e-6


@guesses.answers
class AmbientLight(NamedTuple):
    """Light from all directions alike; a pytree, whose leaves may have leading axes.

    Attributes:
        color: ``[..., 3]`` or a scalar: colour times intensity.
    """

    color: ArrayLike = 0.5


@guesses.answers
class DirectionalLight(NamedTuple):
    """Light from one direction, such as sunlight; a pytree.

    Attributes:
        direction: ``[..., 3]`` *towards* the light, world space, of any length but 0.
        color: ``[..., 3]`` or a scalar: colour times intensity.
        specular: ``[..., 3]`` or a scalar: colour times intensity of the highlights; 0
            for none.
    """

    direction: ArrayLike = np.array([0, 1, 0], np.float32)
    color: ArrayLike = 0.5
    specular: ArrayLike = 0.0


@guesses.answers
class PointLight(NamedTuple):
    """Light from one point, such as a lamp; a pytree.

    Attributes:
        position: ``[..., 3]`` world space.
        color: ``[..., 3]`` or a scalar: colour times intensity.
        specular: ``[..., 3]`` or a scalar: colour times intensity of the highlights; 0
            for none.
        attenuation: ``[..., 3]`` c, l, q >= 0: at a distance of d world units the light
            is divided by ``c + l d + q d**2``. (1, 0, 0) means no attenuation.
    """

    position: ArrayLike = np.array([0, 3, 3], np.float32)
    color: ArrayLike = 0.5
    specular: ArrayLike = 0.0
    attenuation: ArrayLike = np.array([1, 0, 0], np.float32)


Numbers = TypeVar("Numbers", bound=tuple)

Light = AmbientLight | DirectionalLight | PointLight
"""Any kind of light."""


@guesses.answers
class Material(NamedTuple):
    """Highlights of a surface, whose diffuse colour is its texture; a pytree.

    Attributes:
        shininess: ``[...]`` exponent of the highlight, positive: the larger, the
            smaller the highlight.
        specular: ``[..., 3]`` or a scalar: reflected fraction of each colour.
    """

    shininess: ArrayLike = 64.0
    specular: ArrayLike = 1.0


class Illumination(NamedTuple):
    """Light at points of a surface, of colour ``texture * diffuse + specular``.

    Attributes:
        diffuse: ``[..., N, 3]``, not clamped.
        specular: ``[..., N, 3]``, not clamped.
    """

    diffuse: jax.Array
    specular: jax.Array


DEFAULT_LIGHTS: tuple[Light, ...] = (AmbientLight(), DirectionalLight())
"""Lights of Soft Rasterizer: half ambient, half directional from above (+y)."""

DEFAULT_MATERIAL = Material()
"""White highlights of shininess 64."""


def _as_arrays(fields: Numbers) -> Numbers:
    """Makes the numbers of a light or a material arrays, for compiled functions."""

    def convert(value: Any) -> Any:
        if hasattr(value, "dtype"):
            return value
        traced = any(isinstance(number, Tracer) for number in jax.tree.leaves(value))
        return (jnp if traced else np).asarray(value, float)

    return type(fields)(*map(convert, fields))


def _vector(name: str, value: ArrayLike, dtype) -> jax.Array:
    """``[..., 3]`` to ``[..., 1, 3]``, to broadcast against points."""
    array = jnp.asarray(value, dtype)
    if array.ndim == 0 or array.shape[-1] != 3:
        raise ValueError(
            f"The {name} must have the shape [..., 3]; it has {list(array.shape)}."
        )
    return array[..., None, :]


def _color(name: str, value: ArrayLike, dtype) -> jax.Array:
    """``[..., 3]`` or a scalar, which is grey, to ``[..., 1, 3]``."""
    grey = jnp.ndim(value) == 0
    return _vector(name, jnp.full(3, value, dtype) if grey else value, dtype)


def _check(correct, value: ArrayLike, message: str) -> None:
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(value)):
        return
    if not np.all(correct(np.asarray(value))):
        raise ValueError(f"{message}, not {np.asarray(value).tolist()}.")


def _length(vectors: jax.Array) -> jax.Array:
    """Lengths ``[..., 1]`` of vectors ``[..., 3]``; zero gradient at length 0."""
    square = jnp.sum(vectors * vectors, axis=-1, keepdims=True)
    valid = square > _NOTHING**2
    return jnp.where(valid, jnp.sqrt(jnp.where(valid, square, 1)), 0)


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.sum(a * b, axis=-1, keepdims=True)


def as_lights(lights: Light | Sequence[Light]) -> tuple[Light, ...]:
    """Makes one or several lights a tuple, and checks those numbers that are known.

    Raises:
        ValueError: something that is no light, a direction of length 0 or not finite, a
            position that is not finite, or an attenuation that is negative or all 0.

    Example:
        >>> print(lighting.as_lights(jaxsoftras.AmbientLight(0.5)))
        (AmbientLight(color=0.5),)
    """
    if isinstance(lights, Light):
        lights = (lights,)
    if not isinstance(lights, Sequence):
        raise ValueError(
            "lights must be a sequence of AmbientLight, DirectionalLight and "
            f"PointLight, not {type(lights).__name__}."
        )
    for light in lights:
        if not isinstance(light, Light):
            raise ValueError(
                "lights must be a sequence of AmbientLight, DirectionalLight and "
                f"PointLight; one item is {light!r}."
            )
        place = {DirectionalLight: "direction", PointLight: "position"}.get(type(light))
        if place:
            _check(
                np.isfinite,
                getattr(light, place),
                f"The {place} of a light must be finite",
            )
        if isinstance(light, DirectionalLight):
            _check(
                lambda value: np.any(value != 0, axis=-1),
                light.direction,
                "The direction of a light must not be zero",
            )
        if isinstance(light, PointLight):
            _check(
                lambda value: np.all(value >= 0, axis=-1) & np.any(value > 0, axis=-1),
                light.attenuation,
                "The attenuation of a light must be at least 0 and not all 0",
            )
    return tuple(lights)


def check_material(material: Material) -> None:
    """Raises a ValueError for another type, or a known shininess not positive."""
    if not isinstance(material, Material):
        raise ValueError(f"material must be a Material, not {material!r}.")
    _check(lambda value: value > 0, material.shininess, "shininess must be positive")


def _with_axis(light: Light, dtype) -> Light:
    """Gives the leaves of a light the shape ``[..., 1, 3]``."""
    color = _color("color of a light", light.color, dtype)
    if isinstance(light, AmbientLight):
        return AmbientLight(color)
    specular = _color("specular color of a light", light.specular, dtype)
    if isinstance(light, DirectionalLight):
        direction = _vector("direction of a light", light.direction, dtype)
        return DirectionalLight(direction, color, specular)
    return PointLight(
        _vector("position of a light", light.position, dtype),
        color,
        specular,
        _vector("attenuation of a light", light.attenuation, dtype),
    )


def _attenuate(
    light: DirectionalLight | PointLight, points: jax.Array
) -> tuple[jax.Array, jax.Array | float]:
    """Unit vectors from points to a light ``[..., N, 3]``, and its strength there."""
    if isinstance(light, DirectionalLight):
        return normalize(jnp.asarray(light.direction)), 1.0
    offset = jnp.asarray(light.position) - points
    distance = _length(offset)
    constant, linear, quadratic = jnp.split(jnp.asarray(light.attenuation), 3, axis=-1)
    divisor = constant + (linear + quadratic * distance) * distance
    # a light without the constant term is infinite where it stands
    valid = divisor > _NOTHING
    return normalize(offset), jnp.where(valid, 1 / jnp.where(valid, divisor, 1), 0)


def _highlight(facing: jax.Array, cosine: jax.Array, shininess: jax.Array) -> jax.Array:
    """``cosine ** shininess`` on the side that faces the light."""
    lit = (facing > 0) & (cosine > _NO_HIGHLIGHT)
    return jnp.where(lit, jnp.where(lit, cosine, 1) ** shininess, 0)


def illuminate(
    points: ArrayLike,
    normals: ArrayLike,
    lights: Light | Sequence[Light] = DEFAULT_LIGHTS,
    eye: ArrayLike | None = None,
    *,
    to_eye: ArrayLike | None = None,
    material: Material = DEFAULT_MATERIAL,
    two_sided: bool = False,
) -> Illumination:
    """Sums the light from all lights at points of a surface.

    With unit vectors n (normal), l (to the light), v (to the eye) and the halfway
    vector ``h = (l + v) / |l + v|``, a light of colour C and specular colour S adds
    ``C max(0, n . l)`` to the diffuse part (Lambert's law) and, where ``n . l > 0``,
    ``S K max(0, n . h) ** shininess`` to the specular part (Blinn, *Models of Light
    Reflection for Computer Synthesized Pictures*, 1977), K being the material's
    specular colour. Nothing casts a shadow.

    Differentiable in all arrays, with finite gradients also where a normal is 0, or
    where a point coincides with a light (which then does not light it) or with the eye.
    All leading axes broadcast.

    Args:
        points: ``[..., N, 3]`` world space.
        normals: ``[..., N, 3]`` world space, of any length.
        lights: any number of lights, of any kind, or a single one.
        eye: ``[..., 3]`` position of the camera, world space. Without it, and without
            ``to_eye``, there are no highlights.
        to_eye: ``[..., 3]`` direction towards an orthographic camera, which all points
            see under one angle, in place of ``eye``; world space, of any length.
        material: highlights of the surface.
        two_sided: turn normals that face away from the eye, as for a sheet that is
            visible from both sides.

    Returns:
        The diffuse and the specular part, ``[..., N, 3]`` each, in the dtype of points
        and normals or in single precision, whichever is higher.

    Raises:
        ValueError: an argument of wrong shape or range, something that is no light,
            both of ``eye`` and ``to_eye``, or ``two_sided`` without either.

    Example:
        >>> normals = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # up, sideways
        >>> print(jaxsoftras.illuminate(np.zeros((2, 3)), normals).diffuse[:, 0])
        [1.  0.5]
    """
    points, normals = jnp.asarray(points), jnp.asarray(normals)
    for name, array in (("points", points), ("normals", normals)):
        if array.ndim < 2 or array.shape[-1] != 3:
            raise ValueError(
                f"{name} must have the shape [..., N, 3]; it has {list(array.shape)}."
            )
    if eye is not None and to_eye is not None:
        raise ValueError("Give eye, a position, or to_eye, a direction, not both.")
    if two_sided and eye is None and to_eye is None:
        raise ValueError("two_sided needs eye or to_eye, towards which normals turn.")
    lights = tuple(map(_as_arrays, as_lights(lights)))
    check_material(material)
    view = None
    if eye is not None or to_eye is not None:
        view = jnp.asarray(to_eye if eye is None else eye)
    return _illuminate(
        points,
        normals,
        lights,
        view,
        _as_arrays(material),
        two_sided=two_sided,
        parallel=to_eye is not None,
    )


# inline: part of the renderer's program, not a function that it calls
@functools.partial(jax.jit, static_argnames=("two_sided", "parallel"), inline=True)
def _illuminate(
    points: jax.Array,
    normals: jax.Array,
    lights: tuple[Light, ...],
    eye: jax.Array | None,
    material: Material,
    *,
    two_sided: bool,
    parallel: bool,
) -> Illumination:
    """`illuminate` of arguments whose values have been checked, compiled once.

    ``eye`` is the direction towards the camera if all lines of sight are parallel.
    """
    dtype = jnp.promote_types(jnp.result_type(points, normals), jnp.float32)
    points, normals = points.astype(dtype), normals.astype(dtype)
    lights = tuple(_with_axis(light, dtype) for light in lights)
    if eye is not None:
        eye = _vector("to_eye" if parallel else "eye", eye, dtype)
    shininess = jnp.asarray(material.shininess, dtype)[..., None, None]
    reflected = _color("specular color of a material", material.specular, dtype)
    others = jax.tree.leaves((lights, eye, shininess, reflected))
    try:
        shape = np.broadcast_shapes(
            points.shape, normals.shape, *(array.shape for array in others)
        )
    except ValueError:
        raise ValueError(
            f"points {list(points.shape)} and normals {list(normals.shape)} must "
            "broadcast, and with them the leading axes of lights, eye and material: "
            f"{', '.join(str(list(array.shape[:-2])) for array in others)}."
        ) from None

    normals = normalize(normals)
    to_eye = None if eye is None else normalize(eye if parallel else eye - points)
    if two_sided and to_eye is not None:
        normals = jnp.where(_dot(normals, to_eye) < 0, -normals, normals)
    diffuse = specular = jnp.zeros_like(points, shape=shape)
    for light in lights:
        if isinstance(light, AmbientLight):
            diffuse += light.color
            continue
        to_light, strength = _attenuate(light, points)
        facing = _dot(normals, to_light)
        diffuse += light.color * strength * jnp.maximum(facing, 0)
        if to_eye is not None:
            cosine = _dot(normals, normalize(to_light + to_eye))
            highlight = _highlight(facing, cosine, shininess)
            specular += light.specular * reflected * strength * highlight
    return Illumination(diffuse, specular)
