"""The camera as a record of arrays, and its checked construction from parts."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import checks, guesses, lenses, summaries
from jaxsoftras.checks import VectorLike
from jaxsoftras.lenses import Lens

Projection = Literal["perspective", "orthographic"]
"""``"perspective"`` divides by the depth, ``"orthographic"`` does not."""

# trailing axes; a distortion has one more, of a length that depends on the lens
_SHAPES = {
    "axes": (3, 3),
    "position": (3,),
    "focal_length": (2,),
    "principal_point": (2,),
    "skew": (),
}


@guesses.answers
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Camera:
    """Pose, projection and lens of a camera; a pytree.

    A point at (X, Y, Z) along the camera's axes has the ideal plane coordinates ``(x,
    y) = (X / Z, Y / Z)``, or ``(X, Y)`` in an orthographic camera. The lens moves them
    to ``(x_d, y_d)`` by the formulas of `jaxsoftras.lenses`, for a distortion of five
    coefficients (Brown-Conrady, ``r^2 = x^2 + y^2``) ::

        x_d = x (1 + k1 r^2 + k2 r^4 + k3 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2)
        y_d = y (1 + k1 r^2 + k2 r^4 + k3 r^6) + p1 (r^2 + 2 y^2) + 2 p2 x y

    and NDC is ``focal_length * (x_d, y_d) + principal_point``, with ``skew * y_d``
    added to x. As y is up here, p1 has the opposite sign of p1 in a program whose y is
    down; so have s3, s4, the tilt about x and the skew.

    `perspective_camera`, `orthographic_camera`, `camera_from_axes` and the functions of
    `jaxsoftras.conventions` make cameras.

    Attributes:
        axes: ``[..., 3, 3]`` orthonormal rows right, up and forward, world space. Their
            determinant is -1 for a conventional camera and 1 for one whose images are
            mirrored; see `jaxsoftras.pose.Handedness`.
        position: ``[..., 3]`` world space.
        focal_length: ``[..., 2]`` focal lengths in x and y: NDC per unit of the ideal
            plane (in an orthographic camera, per world unit).
        principal_point: ``[..., 2]`` where the optical axis meets the image, NDC.
        distortion: ``[..., K]`` coefficients of the lens, or None for zeros: k1, k2,
            p1, p2, k3 and so on, of a length that `jaxsoftras.lenses` names.
        projection: static, see `Projection`.
        skew: ``[...]`` NDC x per unit of y in the ideal plane, or None for zero.
        lens: static, see `jaxsoftras.lenses.Lens`.
    """

    axes: jax.Array
    position: jax.Array
    focal_length: jax.Array
    principal_point: jax.Array
    distortion: jax.Array | None = None
    projection: Projection = dataclasses.field(
        default="perspective", metadata={"static": True}
    )
    skew: jax.Array | None = None
    lens: Lens = dataclasses.field(default="brown", metadata={"static": True})

    def __post_init__(self):
        checks.check_choice("projection", self.projection, Projection)
        checks.check_choice("lens", self.lens, Lens)
        if self.lens == "fisheye" and self.projection == "orthographic":
            raise ValueError(
                "An orthographic camera has no fisheye lens, which maps angles between "
                "rays; use a perspective one."
            )

    def __repr__(self) -> str:
        return f"Camera({summaries.camera(self)})"


def check_camera(camera: Camera) -> None:
    """Raises a ValueError unless the argument is a camera."""
    if not isinstance(camera, Camera):
        raise ValueError(
            "camera must be a Camera, such as perspective_camera makes, not "
            f"{type(camera).__name__}."
        )


@guesses.answers
def camera_from_axes(
    axes: ArrayLike,
    position: VectorLike,
    focal_length: VectorLike,
    principal_point: VectorLike = (0.0, 0.0),
    distortion: VectorLike | None = None,
    projection: Projection = "perspective",
    *,
    skew: ArrayLike | None = None,
    lens: Lens = "brown",
) -> Camera:
    """Makes a camera from its parts: checked, of one dtype and common leading axes.

    Args:
        axes: ``[..., 3, 3]`` rows right, up and forward, world space, as `look_at`
            gives them. With a rotation R of `rotation_from_axis_angle`, ``axes @ R.T``
            are the axes turned by R.
        position: ``[..., 3]`` world space.
        focal_length: ``[..., 2]`` NDC per unit of the ideal plane, positive.
        principal_point: ``[..., 2]`` where the optical axis meets the image, NDC.
        distortion: ``[..., K]`` coefficients in the order of `jaxsoftras.lenses`, for
            y up, or None; `from_opencv` takes those of OpenCV.
        projection: see `Projection`.
        skew: ``[...]`` NDC x per unit of y in the ideal plane, or None.
        lens: see `jaxsoftras.lenses.Lens`.

    Raises:
        ValueError: a wrong shape, a number that is not finite, axes that are not
            orthonormal within 1e-3, a focal length that is not positive, or an
            orthographic camera with a fisheye lens.

    Example:
        >>> axes, position = jaxsoftras.look_at((0.0, 0.0, -2.0))
        >>> camera = jaxsoftras.camera_from_axes(axes, position, (2.0, 2.0))
        >>> print(jaxsoftras.project(camera, np.array([[0.0, 0.5, 0.0]])))
        [[0.  0.5 2. ]]
    """
    checks.check_choice("lens", lens, Lens)
    given = {
        "axes": axes,
        "position": position,
        "focal_length": focal_length,
        "principal_point": principal_point,
    }
    if distortion is not None:
        given["distortion"] = distortion
    if skew is not None:
        given["skew"] = skew
    parts = dict(zip(given, checks.as_floats(*given.values()), strict=True))
    shapes = dict(_SHAPES)
    if distortion is not None:
        lenses.check_distortion(parts["distortion"], lens)
        shapes["distortion"] = parts["distortion"].shape[-1:]
    for name, part in parts.items():
        checks.check_shape(name, part, *shapes[name])
    checks.check_finite(parts)
    checks.check_orthonormal("axes", parts["axes"])
    checks.check_values(
        "The focal lengths of a camera must be positive and finite, and so must be the "
        "scale, aspect, lens or field of view that they come from.",
        lambda length: (length > 0) & np.isfinite(length),
        parts["focal_length"],
    )
    batches = [part.shape[: part.ndim - len(shapes[n])] for n, part in parts.items()]
    try:
        batch = np.broadcast_shapes(*batches)
    except ValueError:
        raise ValueError(
            f"The leading axes of {', '.join(parts)} must broadcast; they are "
            f"{', '.join(str(list(axes)) for axes in batches)}."
        ) from None
    return Camera(
        **{n: jnp.broadcast_to(part, batch + shapes[n]) for n, part in parts.items()},
        projection=projection,
        lens=lens,
    )
