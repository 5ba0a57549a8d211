"""The renderer's functions, of tensors."""

# where PyTorch is not installed, this folder is taken for it
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import inspect
import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import torch

import jaxsoftras
from jaxsoftras import checks, guesses, known, mesh
from jaxsoftras.camera import Camera
from jaxsoftras.lighting import (
    DEFAULT_LIGHTS,
    DEFAULT_MATERIAL,
    Light,
    Material,
    as_lights,
    check_material,
)
from jaxsoftras.mesh import Mesh
from jaxsoftras.rasterization import attributes, inputs
from jaxsoftras.renderer import Output, Rendering
from jaxsoftras.settings import DEFAULT_SETTINGS, Settings
from jaxsoftras.torch import exchange
from jaxsoftras.torch.wrapping import wrap

# arguments with a derivative; the others are constants of compiled programs
_ARRAYS = {
    *("face_vertices", "face_attributes", "sigma", "gamma", "background"),
    "face_light",
}


def _wrap_rasterizer(function: Callable) -> Callable:
    names = inspect.signature(function).parameters
    return wrap(function, static_argnames=[n for n in names if n not in _ARRAYS])


def _signature_of(counterpart: Callable) -> Callable[[Callable], Callable]:
    """Decorates a function that hands further keywords on to its counterpart."""

    def decorate(function: Any) -> Callable:
        function.__signature__ = inspect.signature(counterpart)
        return function

    return decorate


_silhouette = _wrap_rasterizer(jaxsoftras.silhouette)
_rasterize = _wrap_rasterizer(jaxsoftras.rasterize)
_project = wrap(jaxsoftras.project)
_perspective_camera = wrap(
    jaxsoftras.perspective_camera, static_argnames=("handedness",)
)


@wrap
def _face_vertices(vertices: Any, faces: Any, padding: Any) -> jax.Array:
    return mesh.gather_corners(vertices, known.as_faces(faces), padding)


def _render_known(shape: Mesh, faces: Any, *arguments: Any, outputs: Any) -> Any:
    *positional, material, background = arguments
    return jaxsoftras.render(
        shape._replace(faces=known.as_faces(faces)),
        *positional,
        material=material,
        background=background,
        outputs=outputs,
    )


_render = wrap(_render_known, static_argnames=("outputs",))


def _get_values(tree: Any) -> Any:
    """A pytree with arrays in place of tensors; None if one is on a GPU."""
    tensors = [x for x in jax.tree.leaves(tree) if isinstance(x, torch.Tensor)]
    if any(tensor.device.type != "cpu" for tensor in tensors):
        return None
    return jax.tree.map(exchange.get_value, tree)


def _check_positive(**numbers: Any) -> None:
    values = {name: _get_values(number) for name, number in numbers.items()}
    inputs.check_positive(**{n: v for n, v in values.items() if v is not None})


# By the identity of tensors on a GPU, whose faces are read once: the version of the
# tensor, the number of vertices that they were checked for, and the faces.
_TOPOLOGIES: dict[int, tuple[int, int, Any]] = {}


def _check_faces(faces: Any, count: int) -> Any:
    """Checks faces, and makes those of one mesh a constant of compiled programs.

    Args:
        faces: ``[F, 3]`` or ``[..., F, 3]``, a tensor or an array.
        count: number of vertices.
    """
    if not isinstance(faces, torch.Tensor):
        checked = np.asarray(mesh.checked_faces(faces, count))
        return known.KnownArray.of(checked) if checked.ndim == 2 else checked
    if faces.device.type == "cpu" or faces.is_inference():
        return _read_faces(faces, count)
    key, state = id(faces), (faces._version, count)
    if key not in _TOPOLOGIES:
        weakref.finalize(faces, _TOPOLOGIES.pop, key, None).atexit = False
    elif _TOPOLOGIES[key][:2] == state:
        return _TOPOLOGIES[key][2]
    found = _read_faces(faces, count)
    _TOPOLOGIES[key] = *state, found
    return found


def _read_faces(faces: torch.Tensor, count: int) -> Any:
    checked = np.asarray(mesh.checked_faces(faces.detach().cpu().numpy(), count))
    return known.KnownArray.of(checked) if checked.ndim == 2 else faces.detach()


def _check_vertices(name: str, vertices: Any) -> int:
    """The number of vertices ``[..., V, C]``; raises a ValueError for another shape."""
    shape = np.shape(vertices)
    if len(shape) < 2:
        raise ValueError(f"{name} must have the shape [..., V, C], not {list(shape)}.")
    return shape[-2]


@guesses.answers
def face_vertices(
    vertices: torch.Tensor, faces: Any, padding: float = math.inf
) -> torch.Tensor:
    """Gathers the corners of each face, as `jaxsoftras.face_vertices` does.

    Args:
        vertices: ``[..., V, C]`` positions, in any space, or other vertex attributes.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices, a tensor or an array. They
            are read and checked at each call, on a GPU once for each tensor.
        padding: value at the corners of rows of -1.

    Returns:
        ``[..., F, 3, C]``.

    Raises:
        ValueError: a wrong shape or dtype, or a vertex that does not exist.

    Example:
        >>> import torch, jaxsoftras.torch
        >>> sphere = jaxsoftras.icosphere(0)
        >>> vertices = torch.tensor(sphere.vertices, dtype=torch.float32)
        >>> jaxsoftras.torch.face_vertices(vertices, sphere.faces).shape
        torch.Size([20, 3, 3])
    """
    count = _check_vertices("vertices", vertices)
    return _face_vertices(vertices, _check_faces(faces, count), padding)


@guesses.answers
def project(camera: Camera, points: torch.Tensor) -> torch.Tensor:
    """Projects points from world space to NDC, as `jaxsoftras.project` does.

    Args:
        camera: of tensors, such as `perspective_camera` makes, or of arrays.
        points: ``[..., N, 3]`` world space.

    Returns:
        ``[..., N, 3]``: x and y in NDC, z the depth in world units.

    Raises:
        ValueError: an argument of wrong type or shape.

    Example:
        >>> import torch, jaxsoftras.torch
        >>> camera = jaxsoftras.perspective_camera((0.0, 0.0, 2.0), fov=90.0)
        >>> jaxsoftras.torch.project(camera, torch.tensor([[0.5, 0.25, 0.0]]))
        tensor([[0.2500, 0.1250, 2.0000]])
    """
    return _project(camera, points)


@guesses.answers
def perspective_camera(
    eye: Any,
    target: Any = None,
    up: Any = (0.0, 1.0, 0.0),
    half_fov: Any = None,
    *,
    fov: Any = None,
    direction: Any = None,
    handedness: jaxsoftras.Handedness = "right",
    aspect: Any = 1.0,
) -> Camera:
    """Makes a perspective camera of tensors, as `jaxsoftras.perspective_camera` does.

    Args:
        eye: ``[..., 3]`` position, world space.
        target: ``[..., 3]`` point to look at; the origin by default.
        up: ``[..., 3]`` vertical direction of the image.
        half_fov: ``[...]`` half of the vertical field of view, degrees.
        fov: ``[...]`` the full one, in place of it.
        direction: ``[..., 3]`` line of sight, in place of a target.
        handedness: see `jaxsoftras.perspective_camera`.
        aspect: ``[...]`` width over height of the image.

    Returns:
        A camera whose fields are tensors, for `project` and `render`.

    Raises:
        ValueError: see `jaxsoftras.perspective_camera`. Values of tensors on a GPU are
            not checked.

    Example:
        >>> import torch, jaxsoftras.torch
        >>> eye = torch.tensor([0.0, 0.0, 2.0], requires_grad=True)
        >>> camera = jaxsoftras.torch.perspective_camera(eye, fov=90.0)
        >>> camera.axes.sum().backward()
        >>> eye.grad
        tensor([-1., -1.,  0.])
    """
    given = dict(
        eye=eye,
        target=target,
        up=up,
        half_fov=half_fov,
        fov=fov,
        direction=direction,
        aspect=aspect,
    )
    given = {name: checks.as_argument(value) for name, value in given.items()}
    values = _get_values(given)
    if values is not None:
        jaxsoftras.perspective_camera(**values, handedness=handedness)
    return _perspective_camera(**given, handedness=handedness)


@guesses.answers
@_signature_of(jaxsoftras.silhouette)
def silhouette(
    face_vertices: torch.Tensor,
    image_size: int | tuple[int, int],
    *,
    sigma: Any = 1e-4,
    **options: Any,
) -> torch.Tensor:
    """Renders soft silhouettes, as `jaxsoftras.silhouette` does.

    Args:
        face_vertices: ``[..., F, 3, 2]`` or ``[..., F, 3, 3]`` corners, NDC.
        image_size: pixels, of a square image or (height, width).
        sigma: sharpness: a number, or a tensor of the shape of the leading axes.
        **options: the other keywords of `jaxsoftras.silhouette`.

    Returns:
        ``[..., H, W]`` alpha; differentiable in ``face_vertices`` and ``sigma``.

    Raises:
        ValueError: an argument of wrong shape, dtype or range. Values of tensors on a
            GPU are not checked.

    Example:
        >>> import torch, jaxsoftras.torch
        >>> triangle = torch.tensor([[[-0.9, -0.9], [0.9, -0.9], [0.0, 0.9]]])
        >>> jaxsoftras.torch.silhouette(triangle, image_size=4)[3].round(decimals=1)
        tensor([1., 1., 1., 1.])
    """
    _check_positive(sigma=sigma)
    return _silhouette(
        face_vertices,
        image_size=checks.as_image_size(image_size),
        sigma=checks.as_argument(sigma),
        **options,
    )


@guesses.answers
@_signature_of(jaxsoftras.rasterize)
def rasterize(
    face_vertices: torch.Tensor,
    face_attributes: Any,
    image_size: int | tuple[int, int],
    *,
    sigma: Any = 1e-4,
    gamma: Any = 1e-4,
    background: Any = 0.0,
    face_light: jaxsoftras.FaceLight | None = None,
    **options: Any,
) -> torch.Tensor:
    """Renders attributes and alpha, as `jaxsoftras.rasterize` does.

    Args:
        face_vertices: ``[..., F, 3, 3]`` corners, NDC and depth.
        face_attributes: ``[..., F, C]`` per face, ``[..., F, 3, C]`` at the corners, or
            a `SurfaceTexture` or `UVTexture` of tensors.
        image_size: pixels, of a square image or (height, width).
        sigma: sharpness of silhouettes: a number, or a tensor of one per image.
        gamma: sharpness of the choice among depths, likewise.
        background: a number, ``[C]``, ``[..., C]`` or an image ``[..., H, W, C]``.
        face_light: factor and summand of the colours, at the corners.
        **options: the other keywords of `jaxsoftras.rasterize`.

    Returns:
        ``[..., H, W, C + 1]`` the attributes, and alpha last; differentiable in all
        arguments but the size and the options.

    Raises:
        ValueError: an argument of wrong shape, dtype or range. Values of tensors on a
            GPU are not checked.

    Example:
        >>> import torch, jaxsoftras.torch
        >>> triangle = [[[-0.9, -0.9, 2], [0.9, -0.9, 2], [0, 0.9, 2]]]
        >>> red = torch.tensor([[1.0, 0.0, 0.0]])
        >>> image = jaxsoftras.torch.rasterize(torch.tensor(triangle), red, 4)
        >>> image[3, 1].round(decimals=1)
        tensor([1., 0., 0., 1.])
    """
    _check_positive(sigma=sigma, gamma=gamma)
    if (values := _get_values(face_attributes)) is not None:
        attributes.check_images(values)
    return _rasterize(
        face_vertices,
        checks.as_argument(face_attributes),
        image_size=checks.as_image_size(image_size),
        sigma=checks.as_argument(sigma),
        gamma=checks.as_argument(gamma),
        background=checks.as_argument(background),
        face_light=face_light,
        **options,
    )


@guesses.answers
def render(
    mesh: Mesh,
    camera: Camera,
    lights: Light | Sequence[Light] | None = DEFAULT_LIGHTS,
    settings: Settings = DEFAULT_SETTINGS,
    *,
    material: Material = DEFAULT_MATERIAL,
    background: Any = None,
    outputs: Output | Sequence[Output] = (),
) -> torch.Tensor | Rendering:
    """Renders a mesh or a batch of meshes, as `jaxsoftras.render` under `jax.jit`.

    Any array of the arguments may be a tensor, with a gradient. As under `jax.jit`,
    faces that reach behind the camera cost time unless ``Settings(clip=False)`` leaves
    them out, one-sided faces need `Settings.front_face`, and an image of nothing does
    not warn.

    Args:
        mesh: vertices ``[..., V, 3]`` in world space, faces ``[F, 3]`` or ``[..., F,
            3]``, and a texture.
        camera: its leading axes broadcast against the mesh's.
        lights: one light or any number of them; None shows the texture without light.
        settings: how to render.
        material: highlights of the surface.
        background: in place of that of the settings.
        outputs: names of what is wanted beside the image; see `jaxsoftras.Rendering`.

    Returns:
        ``[..., H, W, C + 1]`` colour, and alpha last; a `Rendering` if there are
        outputs.

    Raises:
        ValueError: an argument of wrong shape, dtype or range. Values of tensors on a
            GPU are not checked, except the faces.

    Example:
        >>> import torch, jaxsoftras.torch
        >>> sphere = jaxsoftras.icosphere(0)
        >>> color = torch.tensor([1.0, 0.5, 0.0], requires_grad=True)
        >>> skin = jaxsoftras.VertexColors(color.expand(12, 3))
        >>> camera = jaxsoftras.perspective_camera((0.0, 0.0, 3.0))
        >>> settings = jaxsoftras.Settings(image_size=8)
        >>> image = jaxsoftras.torch.render(
        ...     sphere._replace(texture=skin), camera, settings=settings
        ... )
        >>> image.shape, image.requires_grad
        (torch.Size([8, 8, 4]), True)
    """
    if not isinstance(mesh, Mesh) or not isinstance(settings, Settings):
        jaxsoftras.render(mesh, camera, lights, settings)  # says what is wrong
    _check_positive(sigma=settings.sigma, gamma=settings.gamma)
    if (values := _get_values(mesh.texture)) is not None:
        attributes.check_images(values)
    if (values := _get_values(lights)) is not None:
        as_lights(values)
    if (values := _get_values(material)) is not None:
        check_material(values)
    faces = _check_faces(mesh.faces, _check_vertices("vertices", mesh.vertices))
    names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    return _render(
        mesh._replace(faces=None),
        faces,
        camera,
        lights,
        settings,
        material,
        checks.as_argument(background),
        outputs=names,
    )
