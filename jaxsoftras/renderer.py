"""From a textured mesh, a camera and lights to a picture, in one call."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import checks, normals, probability
from jaxsoftras import conorm as conorms
from jaxsoftras import texture as textures
from jaxsoftras.camera import Camera, project
from jaxsoftras.kernels import pairs
from jaxsoftras.kernels.dispatch import Implementation
from jaxsoftras.lighting import (
    DEFAULT_LIGHTS,
    DEFAULT_MATERIAL,
    Light,
    Material,
    illuminate,
)
from jaxsoftras.mesh import Mesh, checked_faces, face_vertices
from jaxsoftras.rasterization.attributes import FaceAttributes, FaceLight
from jaxsoftras.rasterization.soft import Aggregation, Interpolation, rasterize

Shading = Literal["smooth", "flat"]
"""Light at the vertices, by their normals; or one light for each face, by its own."""


def _static(default: Any) -> Any:
    return dataclasses.field(default=default, metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Settings:
    """How `render` draws; a pytree, of whose fields the numbers may be traced.

    Attributes:
        sigma: sharpness of the silhouette; see `rasterize`, also for the others.
        gamma: sharpness of the choice among depths.
        background: a scalar, ``[C]`` or ``[..., C]``.
        image_size: pixels, of a square image or (height, width); static, as all below.
        shading: see `Shading`.
        double_sided: whether faces have a colour seen from behind; light falls on the
            side that is seen.
        front_face: how the corners of a front face run on the screen; `None`: as the
            camera has it, which must then be known when tracing.
        supersampling: the picture is drawn at this multiple of its size, and averaged.
        near: least depth at which a face has a colour.
        far: greatest such depth.
        aggregation: see `rasterize`.
        interpolation: see `rasterize`.
        distance: see `rasterize`.
        squared: see `rasterize`.
        distribution: see `rasterize`.
        conorm: see `rasterize`.
        dist_eps: see `rasterize`.
        background_epsilon: see `rasterize`.
        wrap: what lies beyond a texture image.
        parity: see `rasterize`.
        implementation: see `rasterize`.
    """

    sigma: ArrayLike = 1e-4
    gamma: ArrayLike = 1e-4
    background: ArrayLike = 0.0
    image_size: int | tuple[int, int] = _static(256)
    shading: Shading = _static("smooth")
    double_sided: bool = _static(True)
    front_face: pairs.FrontFace | None = _static(None)
    supersampling: int = _static(1)
    near: float = _static(1.0)
    far: float = _static(100.0)
    aggregation: Aggregation = _static("softmax")
    interpolation: Interpolation = _static("perspective")
    distance: pairs.Distance = _static("euclidean")
    squared: bool = _static(True)
    distribution: str | probability.Distribution = _static("logistic")
    conorm: str | conorms.Conorm = _static("probabilistic")
    dist_eps: float = _static(1e-4)
    background_epsilon: float = _static(1e-3)
    wrap: textures.Wrap = _static("clamp")
    parity: bool = _static(False)
    implementation: Implementation | None = _static(None)

    def of_rasterizer(self) -> dict[str, Any]:
        """The keyword arguments of `rasterize` among them."""
        others = {"image_size", "shading", "front_face"}
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in others
        }


DEFAULT_SETTINGS = Settings()


def _front_face(camera: Camera, settings: Settings) -> pairs.FrontFace:
    if settings.front_face is not None:
        return settings.front_face
    if settings.double_sided:
        return "clockwise"  # of no consequence
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


def _finite(points: jax.Array) -> jax.Array:
    """Moves points ``[..., 3]`` that are not finite to the origin.

    Nothing is drawn there, and no NaN gets into anybody's gradient.
    """
    some = jnp.all(jnp.isfinite(points), axis=-1, keepdims=True)
    return jnp.where(some, points, 0)


def _light(
    mesh: Mesh,
    camera: Camera,
    lights: Sequence[Light],
    material: Material,
    settings: Settings,
) -> FaceLight:
    """What arrives at the corners of the faces, ``[..., F, 3, 3]``."""
    vertices = jnp.asarray(mesh.vertices)
    if settings.shading == "smooth":
        points, directions = vertices, normals.vertex_normals(vertices, mesh.faces)
    else:
        corners = face_vertices(vertices, mesh.faces)
        points, directions = jnp.mean(corners, axis=-2), normals.face_normals(corners)
    light = illuminate(
        _finite(points),  # what has no place is not drawn, whatever its light
        directions,
        lights,
        camera.position,
        material=material,
        two_sided=settings.double_sided,
    )
    if settings.shading == "smooth":
        return FaceLight(*(face_vertices(v, mesh.faces, padding=0.0) for v in light))
    return FaceLight(*(jnp.stack([v, v, v], axis=-2) for v in light))


def _checked(mesh: Mesh) -> Mesh:
    """The mesh with arrays for vertices and faces, or one clear error."""
    vertices = jnp.asarray(mesh.vertices)
    if vertices.ndim < 2 or vertices.shape[-1] != 3:
        raise ValueError(
            f"vertices must have the shape [..., V, 3], not {list(vertices.shape)}."
        )
    if not jnp.issubdtype(vertices.dtype, jnp.floating):
        raise ValueError(f"vertices must be floating-point, not {vertices.dtype}.")
    return mesh._replace(
        vertices=vertices, faces=checked_faces(mesh.faces, vertices.shape[-2])
    )


def _colors(mesh: Mesh, corners: jax.Array) -> jax.Array:
    """Colours at the corners of the faces, ``[..., F, 3, C]``; white if none."""
    texture = mesh.texture
    if texture is None:
        return jnp.ones(corners.shape, corners.dtype)
    if not isinstance(texture, (textures.VertexColors, textures.FaceColors)):
        raise ValueError(f"A {type(texture).__name__} is no texture.")
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
        values = face_vertices(values, mesh.faces, 0.0)
    else:  # the same at all corners, to be multiplied by the light there
        values = jnp.stack([values] * 3, axis=-2)
    return jnp.broadcast_to(values, (*corners.shape[:-1], values.shape[-1]))


def render(
    mesh: Mesh,
    camera: Camera,
    lights: Sequence[Light] | None = DEFAULT_LIGHTS,
    settings: Settings = DEFAULT_SETTINGS,
    *,
    material: Material = DEFAULT_MATERIAL,
) -> jax.Array:
    """Renders a mesh, or a batch of meshes.

    The colour of a face is ``texture * diffuse + specular`` (`illuminate`), and the
    picture that of `rasterize`. Differentiable in all arrays: vertices, texture,
    camera, lights, material and the numbers of the settings. A face with a vertex that
    is not finite, or not in front of the camera, is not drawn and has no gradient.

    Args:
        mesh: vertices ``[..., V, 3]`` in world space, faces ``[F, 3]`` (or ``[..., F,
            3]``, see `stack_meshes`: padding is drawn nowhere) and a texture, white if
            there is none.
        camera: its leading axes broadcast against those of the mesh: one mesh and 24
            cameras give 24 pictures.
        lights: any number of lights; `None` shows the texture as it is, of any number
            of channels.
        settings: how to draw.
        material: how the surface makes highlights.

    Returns:
        ``[..., H, W, C + 1]`` colour, neither clamped nor gamma-corrected, and alpha
        last; row 0 is at the top.

    Raises:
        ValueError: an argument of wrong shape, dtype or range, or a texture that has
            not three channels under lights.
    """
    if not isinstance(settings, Settings):
        raise ValueError(f"settings must be Settings, not {type(settings).__name__}.")
    checks.check_choice("shading", settings.shading, Shading)
    mesh = _checked(mesh)
    vertices = jnp.asarray(mesh.vertices)
    some = jnp.all(jnp.isfinite(vertices), axis=-1, keepdims=True)
    points = jnp.where(some, project(camera, _finite(vertices)), jnp.nan)
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
    corners = face_vertices(points, mesh.faces)
    light = None
    if lights is not None:
        light = _light(mesh, camera, lights, material, settings)
    match mesh.texture:
        case textures.SurfaceTexture(source) | textures.UVTexture(_, source):
            attributes: FaceAttributes = mesh.texture
        case _:
            attributes = source = _colors(mesh, corners)
    if light is not None and np.ndim(source) > 2 and np.shape(source)[-1] != 3:
        raise ValueError(
            f"Lights need colours of 3 channels, not {np.shape(source)[-1]}; with "
            "lights=None they are shown as they are."
        )
    if light is not None and isinstance(attributes, jax.Array):
        attributes = attributes * light.diffuse + light.specular
        light = None
    return rasterize(
        corners,
        attributes,
        settings.image_size,
        front_face=_front_face(camera, settings),
        face_light=light,
        **settings.of_rasterizer(),
    )
