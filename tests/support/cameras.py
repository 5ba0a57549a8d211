"""A camera and points that the tests of cameras share."""

from typing import Any

import numpy as np

from jaxsoftras import camera

POINTS = np.random.default_rng(0).normal(0, 0.3, (4, 3))
DISTORTION = np.array([-0.2, 0.05, 0.01, -0.02, 0.03])


def make_camera(
    projection: camera.Projection = "perspective", distortion: Any = DISTORTION
) -> Any:
    """Camera at (0, 0, -3) that looks along +z, different in x and y; numpy arrays."""
    parts: Any = {
        "axes": np.eye(3),
        "position": np.array([0.0, 0.0, -3.0]),
        "focal_length": np.array([2.0, 1.5]),
        "principal_point": np.array([0.1, -0.2]),
    }
    return camera.Camera(**parts, distortion=distortion, projection=projection)
