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

from jaxsoftras import checks, guesses, known, normals, survey, viewing
from jaxsoftras import texture as textures
from jaxsoftras.camera import Camera, check_camera, check_leading_axes
from jaxsoftras.kernels.options import FrontFace
from jaxsoftras.lighting import (
    DEFAULT_LIGHTS,
    DEFAULT_MATERIAL,
    Light,
    Material,
    as_lights,
    check_material,
    illuminate,
)
from jaxsoftras.mesh import Mesh, checked_faces, gather_corners
from jaxsoftras.rasterization import fragments, inputs, soft
from jaxsoftras.rasterization.attributes import (
    FaceAttributes,
    FaceLight,
    SurfacePieces,
    check_image_index,
)
from jaxsoftras.settings import DEFAULT_SETTINGS, Settings

Output = Literal["depth", "normals", "face"]
"""What `render` returns beside the image, of the nearest face at each pixel centre."""


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


def _light(
    mesh: Mesh,
    camera: Camera,
    lights: Sequence[Light],
    material: Material,
    settings: Settings,
) -> FaceLight:
    """Light at the corners of the faces, ``[..., F, 3, 3]``; the mesh is checked."""
    vertices = jnp.asarray(mesh.vertices)
    corners = gather_corners(vertices, mesh.faces)
    if settings.shading == "smooth":
        points, count = vertices, vertices.shape[-2]
        directions = normals.vertex_normals_from_corners(
            corners, mesh.faces, count, two_sided=settings.double_sided
        )
    else:
        points, directions = jnp.mean(corners, axis=-2), normals.face_normals(corners)
    light = illuminate(
        viewing.zero_nonfinite(points),
        directions,
        lights,
        camera.position,
        material=material,
        two_sided=settings.double_sided,
    )
    if settings.shading == "smooth":
        return FaceLight(*(gather_corners(v, mesh.faces, padding=0.0) for v in light))
    return FaceLight(*(jnp.stack([v, v, v], axis=-2) for v in light))


def _check_mesh(mesh: Mesh) -> Mesh:
    """Checks vertices, faces and the kind of texture; makes the first two arrays."""
    vertices = jnp.asarray(mesh.vertices)
    if vertices.ndim < 2 or vertices.shape[-1] != 3:
        raise ValueError(
            f"vertices must have the shape [..., V, 3], not {list(vertices.shape)}."
        )
    if not jnp.issubdtype(vertices.dtype, jnp.floating):
        raise ValueError(f"vertices must be floating-point, not {vertices.dtype}.")
    kinds = (textures.FaceColors, textures.VertexColors)
    kinds += (textures.SurfaceTexture, textures.UVTexture)
    if mesh.texture is not None and not isinstance(mesh.texture, kinds):
        raise ValueError(
            "texture must be FaceColors, VertexColors, a SurfaceTexture or a UVTexture,"
            f" not a {type(mesh.texture).__name__}."
        )
    return mesh._replace(
        vertices=vertices, faces=checked_faces(mesh.faces, vertices.shape[-2])
    )


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


def _attributes(
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


def _channels(texture: textures.Texture | None) -> tuple[int, bool] | None:
    """The number of channels of a texture, and whether the last is the opacity.

    None for a texture of wrong shape, which is refused later.
    """
    if texture is None:
        return 3, False
    is_image = isinstance(texture, textures.UVTexture)
    colors: Any = texture.image if is_image else texture[0]
    if isinstance(colors, (tuple, list)):
        colors = colors[0] if colors else None
    shape = np.shape(colors)
    return (shape[-1], texture.transparent) if len(shape) > 1 else None


def _check_channels(texture: textures.Texture | None) -> None:
    channels = _channels(texture)
    if channels is None:
        return
    count, transparent = channels
    if count != 3 + transparent:
        opacity = " and the opacity" if transparent else ""
        raise ValueError(
            f"Lights need colours of 3 channels{opacity}, not {count}; with "
            "lights=None colours of any number of channels are shown. A fourth channel "
            "is the opacity if the texture is made with transparent=True."
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
    drawn and has no gradient. Warns, outside of traces, where an image shows nothing.

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
    inputs.check_positive(sigma=settings.sigma, gamma=settings.gamma)
    if lights is not None:
        lights = as_lights(lights)
        _check_channels(mesh.texture)
    check_material(material)
    check_leading_axes(camera, mesh.vertices)
    check_image_index(mesh.texture)
    outputs = _as_outputs(outputs)
    settings = dataclasses.replace(
        settings,
        sigma=inputs.as_argument(settings.sigma),
        gamma=inputs.as_argument(settings.gamma),
        background=inputs.as_argument(
            settings.background if background is None else background
        ),
        image_size=checks.as_image_size(settings.image_size),
        front_face=_front_face(camera, settings),
        clip=settings.clip
        and survey.may_need_clipping(mesh.vertices, camera, settings),
    )
    faces = known.as_topology(mesh.faces, mesh.vertices)
    rendering = _render(
        mesh._replace(faces=None), faces, camera, lights, settings, material, outputs
    )
    survey.warn_if_nothing_is_seen(rendering.image, mesh, camera, settings)
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
        light = _light(mesh, camera, lights, material, settings)
    attributes, light = _attributes(mesh, seen, light)
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
        corners = gather_corners(jnp.asarray(mesh.vertices), mesh.faces)
        if settings.shading == "smooth":
            count = mesh.vertices.shape[-2]
            of_vertices = normals.vertex_normals_from_corners(
                corners, mesh.faces, count, two_sided=settings.double_sided
            )
            directions = gather_corners(of_vertices, mesh.faces, padding=0.0)
        else:
            directions = jnp.stack([normals.face_normals(corners)] * 3, axis=-2)
        batch = seen.corners.shape[:-3]
        directions = jnp.broadcast_to(directions, (*batch, *directions.shape[-3:]))
        smooth = fragments.interpolate(found, seen.gather(directions))
        rendering = rendering._replace(normals=normals.normalize(smooth))
    if "face" in outputs:
        face = jnp.where(found.face < 0, -1, found.face % mesh.faces.shape[-2])
        rendering = rendering._replace(face=face)
    return rendering
