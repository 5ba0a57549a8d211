"""Cameras of the images of a data set: one rig for all objects, or one per picture."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import camera
from jaxsoftras.camera import Camera, Handedness


@dataclasses.dataclass(frozen=True)
class Orbit:
    """Cameras around the y axis that look at the origin, the same for every object.

    View k is at the azimuth ``k * azimuth_step``. The defaults are those of
    `SOFTRAS_RIG`.

    Attributes:
        distance: from the origin, world units.
        elevation: above the plane y = 0, degrees.
        azimuth_step: from one view to the next, degrees.
        half_fov: half of the vertical field of view, degrees.
        handedness: ``"left"`` for images that are mirrored left to right.
    """

    distance: float = 2.732
    elevation: float = 30.0
    azimuth_step: float = -15.0
    half_fov: float = 15.0
    handedness: Handedness = "left"


SOFTRAS_RIG = Orbit()
"""The rig of the data sets of Soft Rasterizer."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class OrbitViews:
    """Views of an orbit by number; a pytree.

    A training step that is given numbers computes the cameras itself: less is copied to
    the device, and its results do not depend on where they were computed.

    Attributes:
        numbers: ``[...]`` view numbers, from 0.
        orbit: static.
    """

    numbers: Array
    orbit: Orbit = dataclasses.field(metadata={"static": True})


Array: TypeAlias = jax.Array | np.ndarray
Viewpoints: TypeAlias = Camera | OrbitViews
"""Cameras, or what `as_cameras` makes cameras of."""

V = TypeVar("V", bound=Viewpoints)


def as_cameras(viewpoints: Viewpoints) -> Camera:
    """Returns cameras, with the leading axes of the viewpoints.

    Example:
        >>> from jaxsoftras.data import rig
        >>> views = rig.OrbitViews(np.array([0, 6]), rig.SOFTRAS_RIG)
        >>> print(abs(rig.as_cameras(views).position.round(2)))
        [[0.   1.37 2.37]
         [2.37 1.37 0.  ]]
    """
    if isinstance(viewpoints, Camera):
        return viewpoints
    orbit = viewpoints.orbit
    azimuth = orbit.azimuth_step * jnp.asarray(viewpoints.numbers).astype(jnp.float32)
    eye = camera.eye_from_angles(orbit.distance, orbit.elevation, azimuth)
    return camera.perspective_camera(
        eye, half_fov=orbit.half_fov, handedness=orbit.handedness
    )


# A mirrored lens has these coefficients of other sign: p2, s1, s2, tilt about y.
_MIRRORED_LENS = {
    "brown": (1, 1, 1, -1, 1, 1, 1, 1, -1, -1, 1, 1, 1, -1),
    "fisheye": (1, 1, 1, 1),
}


def mirror(viewpoints: V) -> V:
    """Mirrors cameras in the plane x = 0.

    A point at (-x, y, z) is seen by the mirrored camera at (-u, v) if the camera sees
    (x, y, z) at (u, v), NDC.

    Example:
        >>> from jaxsoftras.data import rig
        >>> right = rig.mirror(rig.OrbitViews(np.array([3]), rig.SOFTRAS_RIG))
        >>> print(right.numbers, rig.as_cameras(right).position[0, 0].round(2))
        [-3] 1.67
    """
    if isinstance(viewpoints, OrbitViews):
        return dataclasses.replace(viewpoints, numbers=-viewpoints.numbers)
    flip_x = jnp.array([-1, 1, 1])
    signs = jnp.outer(flip_x, flip_x)  # of (right, up, forward) by (x, y, z)
    lens, skew = viewpoints.distortion, viewpoints.skew
    if lens is not None:
        flipped = _MIRRORED_LENS[viewpoints.lens][: lens.shape[-1]]
        lens = lens * jnp.array(flipped, lens.dtype)
    return dataclasses.replace(
        viewpoints,
        axes=viewpoints.axes * signs.astype(viewpoints.axes.dtype),
        position=viewpoints.position * flip_x.astype(viewpoints.position.dtype),
        principal_point=viewpoints.principal_point
        * flip_x[:2].astype(viewpoints.principal_point.dtype),
        distortion=lens,
        skew=None if skew is None else -skew,
    )


def zoom(viewpoints: Viewpoints, factor: Array, shift: Array) -> Camera:
    """Enlarges and moves what cameras see.

    A point that a camera sees at (x, y) is seen at ``factor (x, y) + shift``, NDC.

    Args:
        viewpoints: cameras with leading axes ``[...]``.
        factor: ``[...]``, positive.
        shift: ``[..., 2]`` NDC.

    Example:
        >>> from jaxsoftras.data import rig
        >>> views = rig.OrbitViews(np.array([3]), rig.SOFTRAS_RIG)
        >>> closer = rig.zoom(views, np.array([2.0]), np.array([[0.5, 0.0]]))
        >>> print(closer.focal_length.round(2), closer.principal_point)
        [[7.46 7.46]] [[0.5 0. ]]
    """
    cameras = as_cameras(viewpoints)
    scale = factor[..., None]
    return dataclasses.replace(
        cameras,
        focal_length=scale * cameras.focal_length,
        principal_point=scale * cameras.principal_point + shift,
        skew=None if cameras.skew is None else factor * cameras.skew,
    )


def select_views(viewpoints: Viewpoints, objects: Array, views: Array) -> Viewpoints:
    """Picks one view of each of some objects.

    Args:
        viewpoints: cameras of all objects, with leading axes ``[N, V]``, or numbers
            ``[V]`` where all have the same rig.
        objects: ``[B]`` object numbers.
        views: ``[B]`` view numbers.

    Returns:
        Viewpoints with leading axes ``[B]``.
    """
    if isinstance(viewpoints, OrbitViews):
        return dataclasses.replace(viewpoints, numbers=views)
    return jax.tree.map(lambda part: part[objects, views], viewpoints)


@dataclasses.dataclass(frozen=True, eq=False)
class PictureCameras:
    """Cameras of the objects of one category, each with its own number of pictures.

    Attributes:
        table: cameras with leading axes ``[n, V]``; arrays of numpy. Those of an object
            with fewer than V pictures are followed by copies of its last one.
        counts: ``[n]`` number of pictures of each object, from 1 to V.
    """

    table: Camera
    counts: np.ndarray
