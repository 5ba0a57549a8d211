"""Cameras of OpenGL: x right, y up, z backward."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses, pose
from jaxsoftras.camera import Camera, Projection, camera_from_axes
from jaxsoftras.conventions import common

_SIGNS = (1, 1, -1)


@guesses.answers
def from_opengl(
    view: ArrayLike, projection: ArrayLike, kind: Projection = "perspective"
) -> Camera:
    """Makes a camera from the view and projection matrices of OpenGL.

    Both multiply column vectors: ``clip = projection @ view @ (p, 1)``, and NDC is
    ``clip / clip_w``, x right, y up, as here. The view has x right and y up, and looks
    along -z. The clipping planes of the projection, near and far, are not part of a
    camera here.

    Args:
        view: ``[..., 4, 4]`` world to camera: a rotation and a translation.
        projection: ``[..., 4, 4]`` camera to clip space, as from glFrustum.
        kind: ``"orthographic"`` for a projection as from glOrtho.

    Raises:
        ValueError: a wrong shape or last row, a number that is not finite, a view that
            is not rigid, or a projection with shear other than the skew ``[0, 1]``.

    Example:
        >>> view = np.diag([1.0, 1, 1, 1])
        >>> view[2, 3] = -3
        >>> frustum = np.diag([2.0, 2, -3, 0])
        >>> frustum[2:, 2:] = [[-3, -4], [-1, 0]]
        >>> camera = jaxsoftras.from_opengl(view, frustum)
        >>> print(camera.focal_length, camera.position[2])
        [2. 2.] 3.0
    """
    view, projection = checks.as_floats(view, projection)
    checks.check_shape("view", view, 4, 4)
    checks.check_shape("projection", projection, 4, 4)
    checks.check_choice("kind", kind, Projection)
    checks.check_finite({"view": view, "projection": projection})
    perspective = kind == "perspective"
    common.check_last_row("view", view, 0, 0, 0, 1)
    row = (0, 0, -1, 0) if perspective else (0, 0, 0, 1)
    common.check_last_row(f"a projection that is {kind}", projection, *row)
    used, empty = (2, 3) if perspective else (3, 2)
    common.check_zero(
        "The first rows of projection must hold the focal lengths, the skew at [0, 1], "
        f"the centre in column {used} (from 0), and zeros.",
        *(projection[..., i, j] for i, j in ((1, 0), (0, empty), (1, empty))),
    )
    axes, position = pose.from_extrinsics(view[..., :3, :3], view[..., :3, 3], _SIGNS)
    center = projection[..., :2, used] * (-1 if perspective else 1)
    focal = common.focal_lengths(projection)
    skew = common.nonzero_skew(projection[..., 0, 1])
    return camera_from_axes(axes, position, focal, center, projection=kind, skew=skew)


@guesses.answers
def to_opengl(
    camera: Camera, near: ArrayLike, far: ArrayLike
) -> tuple[jax.Array, jax.Array]:
    """Converts a camera to matrices of OpenGL; the inverse of `from_opengl`.

    NDC z of OpenGL runs from -1 at near to 1 at far.

    Args:
        camera: right-handed, without distortion.
        near: ``[...]`` depth of the near plane, world units, positive.
        far: ``[...]`` depth of the far plane, world units, beyond near.

    Returns:
        The view and the projection, ``[..., 4, 4]``.

    Raises:
        ValueError: the camera is mirrored or has a distortion, or near and far are not
            in order.

    Example:
        >>> camera = jaxsoftras.perspective_camera((0.0, 0.0, 3.0), fov=90.0)
        >>> view, projection = jaxsoftras.to_opengl(camera, near=1.0, far=3.0)
        >>> print(view[2], projection[2])
        [ 0.  0.  1. -3.] [ 0.  0. -2. -3.]
    """
    common.check_representable(camera, "OpenGL", orthographic=True, skew=True)
    _, near, far = checks.as_floats(camera.focal_length, near, far)
    checks.check_finite({"near": near, "far": far})
    checks.check_values(
        "near must be positive, and far beyond it.",
        lambda near, far: (0 < near) & (near < far),
        near,
        far,
    )
    fx, fy = jnp.moveaxis(camera.focal_length, -1, 0)
    cx, cy = jnp.moveaxis(camera.principal_point, -1, 0)
    skew = 0 if camera.skew is None else camera.skew
    sum_, length = near + far, far - near
    if camera.projection == "perspective":
        depth = (0, 0, -sum_ / length, -2 * near * far / length)
        rows = (fx, skew, -cx, 0), (0, fy, -cy, 0), depth, (0, 0, -1, 0)
    else:
        depth = (0, 0, -2 / length, -sum_ / length)
        rows = (fx, skew, 0, cx), (0, fy, 0, cy), depth, (0, 0, 0, 1)
    view = pose.to_extrinsics(camera.axes, camera.position, _SIGNS)
    return common.rigid_transform(*view), common.stack_rows(*rows)
