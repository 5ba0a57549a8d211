"""From a textured mesh, a camera and lights to an image, in one call."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import (
    appearance,
    checks,
    guesses,
    known,
    normals,
    survey,
    viewing,
)
from jaxsoftras.camera import Camera, check_camera, check_leading_axes
from jaxsoftras.kernels.options import FrontFace
from jaxsoftras.lighting import (
    DEFAULT_LIGHTS,
    DEFAULT_MATERIAL,
    Light,
    Material,
    as_lights,
    check_material,
)
from jaxsoftras.mesh import Mesh, checked_faces, checked_mesh
from jaxsoftras.rasterization import fragments, inputs, soft
from jaxsoftras.rasterization.attributes import (
    check_images,
)
from jaxsoftras.settings import DEFAULT_SETTINGS, Settings

Output = Literal["depth", "normals", "face"]
"""Outputs of `render` beside the image: of the nearest face at each pixel centre."""


class Rendering(NamedTuple):
    """An image, and what has been asked for beside it; None for the rest.

    Attributes:
        image: ``[..., H, W, C + 1]`` colour, and alpha last.
        depth: ``[..., H, W]`` along the optical axis, world units; `far` where there is
            no face. Differentiable at a given visibility.
        normals: ``[..., H, W, 3]`` unit normals, world space: interpolated between the
            vertices, or the face's own with ``shading="flat"``; 0 where there is no
            face.
        face: ``[..., H, W]`` int32 index of the face, -1 where there is none.
    """

    image: jax.Array
    depth: jax.Array | None = None
    normals: jax.Array | None = None
    face: jax.Array | None = None


def _front_face(camera: Camera, settings: Settings) -> FrontFace:
    if settings.front_face is not None:
        return settings.front_face
    if settings.double_sided:
        return "counterclockwise"  # both sides have colours
    if isinstance(camera.axes, Tracer):
        raise ValueError(
            "One-sided faces need Settings.front_face where the camera is traced: "
            "'clockwise' for left-handed cameras, 'counterclockwise' for right-handed "
            "ones."
        )
    mirrored = np.linalg.det(np.asarray(camera.axes)) > 0
    if mirrored.min() != mirrored.max():
        raise ValueError("The cameras of one call must be of one handedness.")
    return "clockwise" if mirrored.flat[0] else "counterclockwise"


def _check_mesh(mesh: Mesh) -> Mesh:
    """Checks vertices, faces and the kind of texture; makes the first two arrays."""
    mesh = checked_mesh(mesh, "render")
    vertices = jnp.asarray(mesh.vertices)
    if vertices.ndim < 2 or vertices.shape[-1] != 3:
        raise ValueError(
            f"vertices must have the shape [..., V, 3], not {list(vertices.shape)}."
        )
    if not jnp.issubdtype(vertices.dtype, jnp.floating):
        raise ValueError(
            f"vertices must be floating-point, not {vertices.dtype}; convert them by "
            "vertices.astype(float)."
        )
    return mesh._replace(
        vertices=vertices, faces=checked_faces(mesh.faces, vertices.shape[-2])
    )


@overload
def render(
    mesh: Mesh,
    camera: Camera,
    lights: Light | Sequence[Light] | None = ...,
    settings: Settings = ...,
    *,
    material: Material = ...,
    background: ArrayLike | None = ...,
    outputs: tuple[()] = ...,
) -> jax.Array: ...
@overload
def render(
    mesh: Mesh,
    camera: Camera,
    lights: Light | Sequence[Light] | None = ...,
    settings: Settings = ...,
    *,
    material: Material = ...,
    background: ArrayLike | None = ...,
    outputs: Output | Sequence[Output],
) -> Rendering: ...
@guesses.answers
def render(
    mesh: Mesh,
    camera: Camera,
    lights: Light | Sequence[Light] | None = DEFAULT_LIGHTS,
    settings: Settings = DEFAULT_SETTINGS,
    *,
    material: Material = DEFAULT_MATERIAL,
    background: ArrayLike | None = None,
    outputs: Output | Sequence[Output] = (),
) -> jax.Array | Rendering:
    """Renders a mesh, or a batch of meshes.

    The colour of a face is ``texture * diffuse + specular`` (`illuminate`), blended by
    `rasterize`. Differentiable in all arrays: vertices, texture, camera, lights,
    material and the numbers of the settings. A face that reaches behind the camera is
    cut there (see `Settings.clip`). A face with a vertex that is not finite is not
    drawn and has no gradient. Outside of traces, warnings tell of such faces and of
    images that show nothing.

    Args:
        mesh: vertices ``[..., V, 3]`` in world space, faces ``[F, 3]`` (or ``[..., F,
            3]``, see `stack_meshes`: padding is drawn nowhere) and a texture, white if
            there is none.
        camera: its leading axes broadcast against the mesh's: one mesh and 24 cameras
            give 24 images.
        lights: one light or any number of them; None shows the texture without light,
            with any number of channels.
        settings: how to render.
        material: highlights of the surface.
        background: in place of that of the settings: a scalar, ``[C]``, ``[..., C]``,
            or an image ``[H, W, C]`` or ``[..., H, W, C]``.
        outputs: names of what is wanted beside the image; see `Rendering`. The depth,
            normals and faces are those of an ordinary rasterizer, whatever the opacity.

    Returns:
        ``[..., H, W, C + 1]`` colour, neither clamped nor gamma-corrected, and alpha
        last; row 0 is at the top. A `Rendering` if there are outputs. Images have the
        dtype of the vertices; half precision is computed in single.

    Raises:
        ValueError: an argument of wrong shape, dtype or range or, under lights, a
            texture without exactly three channels of colour.

    Example:
        >>> camera = jaxsoftras.perspective_camera(eye=(0, 0, 3))
        >>> settings = jaxsoftras.Settings(image_size=8)
        >>> sphere = jaxsoftras.icosphere(0)
        >>> image = jaxsoftras.render(sphere, camera, settings=settings)
        >>> print(image.shape, image[4, 4, 3].round())
        (8, 8, 4) 1.0
    """
    if not isinstance(settings, Settings):
        raise ValueError(f"settings must be Settings, not {type(settings).__name__}.")
    check_camera(camera)
    mesh = _check_mesh(mesh)
    check_images(mesh.texture)
    inputs.check_positive(sigma=settings.sigma, gamma=settings.gamma)
    if lights is not None:
        lights = as_lights(lights)
        appearance.check_channels(mesh.texture)
    check_material(material)
    check_leading_axes(camera, mesh.vertices)
    outputs = _as_outputs(outputs)
    settings = dataclasses.replace(
        settings,
        sigma=checks.as_argument(settings.sigma),
        gamma=checks.as_argument(settings.gamma),
        background=inputs.checked_background(
            settings.background if background is None else background
        ),
        image_size=checks.as_image_size(settings.image_size),
        front_face=_front_face(camera, settings),
        interpolation="orthographic"
        if camera.projection == "orthographic"
        else settings.interpolation,
        clip=settings.clip
        and survey.may_need_clipping(mesh.vertices, camera, settings),
    )
    faces = known.as_topology(mesh.faces, mesh.vertices)
    rendering = _render(
        mesh._replace(faces=None), faces, camera, lights, settings, material, outputs
    )
    survey.warn_of_what_is_not_seen(rendering.image, mesh, camera, settings)
    return rendering if outputs else rendering.image


def _as_outputs(outputs: Output | Sequence[Output]) -> tuple[Output, ...]:
    """Makes names of outputs a tuple without repetitions, in a fixed order."""
    given = [outputs] if isinstance(outputs, str) else list(outputs)
    for name in given:
        checks.check_choice("outputs", name, Output)
    return tuple(name for name in get_args(Output) if name in given)


def _to_single(tree: Any) -> Any:
    """Converts arrays of half precision: normals and projections need more."""

    def convert(leaf):
        if jnp.issubdtype(dtype := jnp.result_type(leaf), jnp.floating):
            single = jnp.promote_types(dtype, jnp.float32)
            return leaf if dtype == single else jnp.asarray(leaf, single)
        return leaf

    return jax.tree.map(convert, tree)


@functools.partial(jax.jit, static_argnames=("outputs",))
def _render(
    mesh: Mesh,
    faces: known.KnownArray | known.Array,
    camera: Camera,
    lights: tuple[Light, ...] | None,
    settings: Settings,
    material: Material,
    outputs: tuple[Output, ...],
) -> Rendering:
    """`render` of arguments whose values have been checked, compiled once."""
    dtype = mesh.vertices.dtype
    mesh, camera, lights, settings, material = _to_single(
        (mesh, camera, lights, settings, material)
    )
    mesh = mesh._replace(faces=known.as_faces(faces))
    seen = viewing.look(mesh, camera, settings, settings.clip)
    light = None
    if lights is not None:
        light = appearance.light_faces(mesh, camera, lights, material, settings)
    attributes, light = appearance.color_faces(mesh, seen, light)
    image = soft.rasterize_with(
        settings.raster_options(),
        settings.image_size,
        seen.corners,
        attributes,
        sigma=settings.sigma,
        gamma=settings.gamma,
        background=settings.background,
        face_light=light,
        transparent=getattr(mesh.texture, "transparent", False),
    )
    rendering = Rendering(image)
    if outputs:
        rendering = _add_outputs(rendering, mesh, seen, settings, outputs)
    return jax.tree.map(
        lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a,
        rendering,
    )


def _add_outputs(
    rendering: Rendering,
    mesh: Mesh,
    seen: viewing.View,
    settings: Settings,
    outputs: tuple[Output, ...],
) -> Rendering:
    options = dataclasses.replace(settings.raster_options(), distance="hard")
    found = fragments.find_fragments_with(options, settings.image_size, seen.corners)
    if "depth" in outputs:
        scale = seen.scale[..., None, None].astype(found.depth.dtype)
        rendering = rendering._replace(depth=found.depth / scale)
    if "normals" in outputs:
        directions = appearance.corner_normals(mesh, settings)
        batch = seen.corners.shape[:-3]
        directions = jnp.broadcast_to(directions, (*batch, *directions.shape[-3:]))
        smooth = fragments.interpolate(found, seen.gather(directions))
        rendering = rendering._replace(normals=normals.normalize(smooth))
    if "face" in outputs:
        face = jnp.where(found.face < 0, -1, found.face % mesh.faces.shape[-2])
        rendering = rendering._replace(face=face)
    return rendering
