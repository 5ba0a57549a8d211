"""Silhouettes and images of tensors."""

# where PyTorch is not installed, this folder is taken for it
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch

import jaxsoftras
from jaxsoftras import checks, guesses, known
from jaxsoftras.camera import Camera, check_camera
from jaxsoftras.lighting import (
    DEFAULT_LIGHTS,
    DEFAULT_MATERIAL,
    Light,
    Material,
    as_lights,
    check_material,
)
from jaxsoftras.mesh import Mesh, checked_mesh
from jaxsoftras.rasterization.attributes import check_images
from jaxsoftras.renderer import Output, Rendering
from jaxsoftras.settings import DEFAULT_SETTINGS, Settings
from jaxsoftras.torch import arguments
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


def _render_known(
    mesh: Mesh,
    faces: Any,
    camera: Camera,
    lights: Any,
    settings: Settings,
    material: Material,
    background: Any,
    *,
    outputs: tuple[Output, ...],
) -> Any:
    return jaxsoftras.render(
        mesh._replace(faces=known.as_faces(faces)),
        camera,
        lights,
        settings,
        material=material,
        background=background,
        outputs=outputs,
    )


_render = wrap(_render_known, static_argnames=("outputs",))


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
    arguments.check_positive(sigma=sigma)
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
    arguments.check_positive(sigma=sigma, gamma=gamma)
    if (values := arguments.get_values(face_attributes)) is not None:
        check_images(values)
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
    mesh = checked_mesh(mesh, "render")
    check_camera(camera)
    if not isinstance(settings, Settings):
        raise ValueError(f"settings must be Settings, not {type(settings).__name__}.")
    arguments.check_positive(sigma=settings.sigma, gamma=settings.gamma)
    if (values := arguments.get_values(mesh.texture)) is not None:
        check_images(values)
    if (values := arguments.get_values(lights)) is not None:
        as_lights(values)
    if (values := arguments.get_values(material)) is not None:
        check_material(values)
    count = arguments.count_vertices(mesh.vertices)
    faces = arguments.check_faces(mesh.faces, count)
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
