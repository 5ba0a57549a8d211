"""An animation of a mesh from all around, in the world of given cameras."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxsoftras import camera, clay, mesh, texture

FRAMES = 24
"""Images of a turn, 15 degrees apart."""

SIZE = 192
"""Width and height of the images, pixels."""

_DISTANCE, _FOV = 2.732, 36.0  # in longest sides of the mesh; holds its diagonal
_ELEVATION = 20.0  # degrees
_LIGHT = (0.6, 1.0, 0.25)  # to the right, up, and towards the first camera


def find_axes(cameras: camera.Camera) -> np.ndarray:
    """Axes to turn a mesh about, from those of the cameras that saw it.

    Args:
        cameras: N cameras.

    Returns:
        ``[3, 3]`` orthonormal rows: to the right, up, and towards the first camera.
        Up is the mean of the cameras' vertical directions, or that of the first one if
        they cancel.
    """
    ups = np.asarray(cameras.axes, float)[:, 1]
    up = ups.mean(0)
    if np.linalg.norm(up) < 0.1:
        up = ups[0]
    up = up / np.linalg.norm(up)
    back = -np.asarray(cameras.axes, float)[0, 2]
    back = back - up * (up @ back)
    if np.linalg.norm(back) < 1e-3:  # it looks along the axis
        back = np.cross(np.asarray(cameras.axes, float)[0, 0], up)
    back = back / np.linalg.norm(back)
    return np.stack([np.cross(up, back), up, back])


def draw(solid: mesh.Mesh, axes: np.ndarray) -> list[Image.Image]:
    """Draws a mesh from all around.

    Args:
        solid: vertices ``[V, 3]`` and faces, and colours at the vertices or None.
        axes: see `find_axes`.
    """
    vertices = np.asarray(solid.vertices, float) @ axes.T
    low, high = vertices.min(0), vertices.max(0)
    longest = max(float(np.max(high - low)), 1e-9)
    skin = solid.texture
    if skin is None:
        skin = texture.FaceColors(np.tile(clay.COLOR, (len(solid.faces), 1)))
    # a box of side 1 around the origin, whatever the world
    upright = mesh.Mesh((vertices - (low + high) / 2) / longest, solid.faces, skin)
    azimuths = -np.arange(FRAMES) * (360 / FRAMES)
    eyes = camera.eye_from_angles(_DISTANCE, _ELEVATION, azimuths)
    # eyes begin at -z, and the first camera lies at +z
    views = camera.perspective_camera(eyes * np.array([1, 1, -1]), fov=_FOV)
    return [Image.fromarray(image) for image in np.asarray(_render(upright, views))]


@jax.jit
def _render(solid: mesh.Mesh, views: camera.Camera) -> jax.Array:
    solids = jax.tree.map(
        lambda part: jnp.broadcast_to(part, (FRAMES, *part.shape)), solid
    )
    return clay.render(solids, views, SIZE, _LIGHT)
