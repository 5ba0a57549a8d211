"""Cameras, projection and the corners of faces, of tensors."""

# where PyTorch is not installed, this folder is taken for it
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import math
from typing import Any

import jax
import torch

import jaxsoftras
from jaxsoftras import checks, guesses, known, mesh
from jaxsoftras.camera import Camera, check_camera
from jaxsoftras.torch import arguments, exchange
from jaxsoftras.torch.wrapping import wrap

_project = wrap(jaxsoftras.project)
_perspective_camera = wrap(
    jaxsoftras.perspective_camera, static_argnames=("handedness",)
)


@wrap
def _face_vertices(vertices: Any, faces: Any, padding: Any) -> jax.Array:
    return mesh.gather_corners(vertices, known.as_faces(faces), padding)


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
    vertices = checks.as_argument(vertices)
    count = arguments.count_vertices(vertices)
    return _face_vertices(vertices, arguments.check_faces(faces, count), padding)


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
    check_camera(camera)
    return _project(camera, checks.as_argument(points))


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
    exchange.check_process()
    values = arguments.get_values(given)
    if values is not None:
        jaxsoftras.perspective_camera(**values, handedness=handedness)
    return _perspective_camera(**given, handedness=handedness)
