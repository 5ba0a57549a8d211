"""From a textured mesh, a camera and lights to an image, in one call."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses, normals, summaries
from jaxsoftras import texture as textures
from jaxsoftras.camera import Camera, check_camera, project
from jaxsoftras.kernels.options import FrontFace, RasterOptions
from jaxsoftras.known import KnownArray
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
from jaxsoftras.rasterization import inputs, soft
from jaxsoftras.rasterization.attributes import FaceAttributes, FaceLight

Shading = Literal["smooth", "flat"]
"""Light at the vertices, by their normals; or one light for each face, by its own."""


@guesses.answers
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(RasterOptions):
    """Settings of `render`: the options of the rasterizer and more; a pytree.

    The numbers may be traced; ``image_size``, ``shading`` and all options are static.

    Attributes:
        sigma: sharpness of the silhouette; see `rasterize`.
        gamma: sharpness of the choice among depths; see `rasterize`.
        background: a scalar, ``[C]`` or ``[..., C]``.
        image_size: pixels, of a square image or (height, width).
        shading: see `Shading`.
        front_face: order of the corners of a front face on the screen; None: as the
            camera shows faces that are counter-clockwise seen from outside. The camera
            must then be known when tracing, unless ``double_sided``.

    See `RasterOptions` for the others. With ``double_sided`` faces, light falls on the
    side that is seen.
    """

    sigma: ArrayLike = 1e-4
    gamma: ArrayLike = 1e-4
    background: ArrayLike = 0.0
    image_size: int | tuple[int, int] = dataclasses.field(
        default=256, metadata={"static": True}
    )
    shading: Shading = dataclasses.field(default="smooth", metadata={"static": True})

    def __post_init__(self) -> None:
        """Checks the static fields."""
        super().__post_init__()
        checks.check_choice("shading", self.shading, Shading)

    def __repr__(self) -> str:
        defaults = vars(DEFAULT_SETTINGS).items()
        changed = (
            f"{name}={summaries.number(getattr(self, name))}"
            for name, default in defaults
            if not summaries.same(getattr(self, name), default)
        )
        return f"Settings({', '.join(changed)})"

    def raster_options(self) -> RasterOptions:
        """The options of the rasterizer among the settings."""
        names = (field.name for field in dataclasses.fields(RasterOptions))
        return RasterOptions(**{name: getattr(self, name) for name in names})


DEFAULT_SETTINGS = Settings()


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


def _zero_nonfinite(points: jax.Array) -> jax.Array:
    """Moves points ``[..., 3]`` that are not finite to the origin.

    Their faces are not drawn, and no NaN gets into the gradients of other arguments.
    """
    finite = jnp.all(jnp.isfinite(points), axis=-1, keepdims=True)
    return jnp.where(finite, points, 0)


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
        directions = normals.vertex_normals_from_corners(corners, mesh.faces, count)
    else:
        points, directions = jnp.mean(corners, axis=-2), normals.face_normals(corners)
    light = illuminate(
        _zero_nonfinite(points),
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


def _colors(mesh: Mesh, corners: jax.Array) -> jax.Array:
    """Colours at the corners of the faces, ``[..., F, 3, C]``; white if none."""
    texture = mesh.texture
    if texture is None:
        return jnp.ones(corners.shape, corners.dtype)
    assert isinstance(texture, (textures.VertexColors, textures.FaceColors))
    values = jnp.asarray(texture.values)
    by_vertex = isinstance(texture, textures.VertexColors)
    count = mesh.vertices.shape[-2] if by_vertex else corners.shape[-3]
    try:
        if values.ndim < 2 or values.shape[-2] != count:
            raise ValueError
        np.broadcast_shapes(values.shape[:-2], corners.shape[:-3])
    except ValueError:
        raise ValueError(
            f"The values of {type(texture).__name__} must have the shape [..., {count},"
            f" C] with leading axes like {list(corners.shape[:-3])}; they have "
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
    return jnp.broadcast_to(values, (*corners.shape[:-1], values.shape[-1]))


@guesses.answers
def render(
    mesh: Mesh,
    camera: Camera,
    lights: Light | Sequence[Light] | None = DEFAULT_LIGHTS,
    settings: Settings = DEFAULT_SETTINGS,
    *,
    material: Material = DEFAULT_MATERIAL,
) -> jax.Array:
    """Renders a mesh, or a batch of meshes.

    The colour of a face is ``texture * diffuse + specular`` (`illuminate`), blended by
    `rasterize`. Differentiable in all arrays: vertices, texture, camera, lights,
    material and the numbers of the settings. A face with a vertex that is not finite,
    or not in front of the camera, is not drawn and has no gradient.

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

    Returns:
        ``[..., H, W, C + 1]`` colour, neither clamped nor gamma-corrected, and alpha
        last; row 0 is at the top.

    Raises:
        ValueError: an argument of wrong shape, dtype or range or, under lights, a
            texture without exactly three channels.

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
    check_material(material)
    settings = dataclasses.replace(
        settings,
        sigma=inputs.as_argument(settings.sigma),
        gamma=inputs.as_argument(settings.gamma),
        background=inputs.as_argument(settings.background),
        image_size=checks.as_image_size(settings.image_size),
        front_face=_front_face(camera, settings),
    )
    faces = mesh.faces
    # The topology of one mesh is a constant, for faster gradients. Topologies of a
    # batch may change from call to call, unless somebody else compiles the call.
    if isinstance(faces, np.ndarray) and (
        faces.ndim == 2 or isinstance(mesh.vertices, Tracer)
    ):
        faces = KnownArray.of(faces)
    return _render(mesh._replace(faces=None), faces, camera, lights, settings, material)


@jax.jit
def _render(
    mesh: Mesh,
    faces: KnownArray | jax.Array,
    camera: Camera,
    lights: tuple[Light, ...] | None,
    settings: Settings,
    material: Material,
) -> jax.Array:
    """`render` of arguments whose values have been checked, compiled once."""
    mesh = mesh._replace(faces=faces.array if isinstance(faces, KnownArray) else faces)
    vertices = jnp.asarray(mesh.vertices)
    finite = jnp.all(jnp.isfinite(vertices), axis=-1, keepdims=True)
    points = project(camera, _zero_nonfinite(vertices))
    points = jnp.where(finite, points, jnp.nan)
    if mesh.faces.ndim > 2:
        try:
            batch = np.broadcast_shapes(points.shape[:-2], mesh.faces.shape[:-2])
        except ValueError:
            raise ValueError(
                f"The leading axes of the faces, {list(mesh.faces.shape[:-2])}, and "
                "those of vertices and camera together, "
                f"{list(points.shape[:-2])}, must broadcast."
            ) from None
        points = jnp.broadcast_to(points, (*batch, *points.shape[-2:]))
    corners = gather_corners(points, mesh.faces)
    light = None
    if lights is not None:
        light = _light(mesh, camera, lights, material, settings)
    match mesh.texture:
        case textures.SurfaceTexture(source) | textures.UVTexture(image=source):
            attributes: FaceAttributes = mesh.texture
        case _:
            attributes = source = _colors(mesh, corners)
    if light is not None and np.ndim(source) > 2 and np.shape(source)[-1] != 3:
        raise ValueError(
            f"Lights need colours of 3 channels, not {np.shape(source)[-1]}; with "
            "lights=None colours of any number of channels are shown."
        )
    if light is not None and isinstance(attributes, jax.Array):
        attributes = attributes * light.diffuse + light.specular
        light = None
    return soft.rasterize_with(
        settings.raster_options(),
        settings.image_size,
        corners,
        attributes,
        sigma=settings.sigma,
        gamma=settings.gamma,
        background=settings.background,
        face_light=light,
    )
