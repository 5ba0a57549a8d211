import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsoftras import camera


@pytest.mark.parametrize(
    ("elevation", "azimuth", "expected"),
    [
        (0, 0, [0, 0, -2]),
        (0, 90, [2, 0, 0]),
        (90, 0, [0, 2, 0]),
        (30, 180, [0, 1, np.sqrt(3)]),
    ],
)
def test_eye_from_angles(elevation, azimuth, expected):
    eye = camera.eye_from_angles(2.0, elevation, azimuth)
    np.testing.assert_allclose(eye, expected, atol=1e-6)


def test_axes_seen_from_the_front():
    """Azimuth 0: +x is right, +y is up, +z lies deeper."""
    cam = camera.perspective_camera(
        camera.eye_from_angles(2.0, 0.0, 0.0), half_fov=45.0
    )
    points = jnp.array([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 1.0]])
    np.testing.assert_allclose(
        camera.project(cam, points),
        [[0, 0, 2], [0.25, 0, 2], [0, 0.25, 2], [0, 0, 3]],
        atol=1e-6,
    )


def test_edge_of_the_field_of_view():
    depth = 3.0
    edge = depth * np.tan(np.deg2rad(15))
    point = jnp.array([[edge, -edge, depth]])
    np.testing.assert_allclose(
        camera.perspective(point, 15.0), [[1, -1, depth]], rtol=1e-6
    )


@pytest.mark.parametrize("batch", [1, 3, 4])
def test_batch_equals_loop(batch):
    # the original crossed along the batch axis for batches of 3
    rng = np.random.default_rng(0)
    points = rng.normal(0, 0.2, (batch, 5, 3))
    eye = camera.eye_from_angles(
        2.7, rng.uniform(0, 60, batch), rng.uniform(0, 360, batch)
    )
    together = camera.project(camera.perspective_camera(eye), jnp.asarray(points))
    for k in range(batch):
        alone = camera.project(
            camera.perspective_camera(eye[k]), jnp.asarray(points[k])
        )
        np.testing.assert_allclose(together[k], alone, rtol=1e-5, atol=1e-6)


def test_one_camera_for_many_meshes():
    cam = camera.perspective_camera(camera.eye_from_angles(2.7, 30.0, 40.0))
    assert camera.project(cam, jnp.zeros((2, 4, 5, 3))).shape == (2, 4, 5, 3)


def test_gradients(x64):
    points = jnp.asarray(np.random.default_rng(0).normal(0, 0.3, (4, 3)))

    def project(eye, points, half_fov):
        cam = camera.perspective_camera(eye, half_fov=half_fov)
        return camera.project(cam, points)

    eye = camera.eye_from_angles(2.7, 30.0, 40.0)
    check_grads(project, (eye, points, jnp.asarray(15.0)), order=1, modes=["rev"])


def test_camera_is_a_pytree():
    cam = camera.perspective_camera(jnp.ones((3, 3)))
    assert len(jax.tree.leaves(cam)) == 4
