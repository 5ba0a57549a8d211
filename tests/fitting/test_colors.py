import numpy as np

import jaxsoftras
from jaxsoftras.fitting import colors

MESH = jaxsoftras.icosphere(1)
EYES = jaxsoftras.eye_from_angles(4.0, 0.0, np.array([0.0, 180.0]))
CAMERAS = jaxsoftras.perspective_camera(EYES)


def fit(images):
    return colors.fit_colors(
        np.asarray(MESH.vertices) / 2,
        np.asarray(MESH.faces),
        images,
        CAMERAS,
        "reference",
    )


def test_finds_the_colors_that_were_rendered():
    true = np.random.default_rng(0).uniform(size=(42, 3)).astype(np.float32)
    solid = jaxsoftras.Mesh(np.asarray(MESH.vertices) / 2, MESH.faces)
    solid = solid._replace(texture=jaxsoftras.VertexColors(true))
    settings = jaxsoftras.Settings(
        image_size=48, aggregation="hard", implementation="reference"
    )
    views = [jaxsoftras.perspective_camera(eye) for eye in np.asarray(EYES)]
    light = [jaxsoftras.AmbientLight(1.0)]
    images = np.stack(
        [np.asarray(jaxsoftras.render(solid, view, light, settings)) for view in views]
    )
    covered = images[..., 3:] > 0.5
    images = np.concatenate([images[..., :3] * covered, covered], axis=-1)
    found = fit(images.astype(np.float32))
    error = np.abs(found - true).mean(-1)
    front = np.abs(np.asarray(MESH.vertices)[:, 2]) > 0.3  # seen by one of the cameras
    assert error[front].max() < 0.05


def test_vertices_that_nobody_sees_have_the_mean():
    images = np.zeros((2, 48, 48, 4), np.float32)
    images[0] = [0.2, 0.4, 0.6, 1.0]
    found = fit(images)
    np.testing.assert_allclose(found, np.tile([0.2, 0.4, 0.6], (42, 1)), atol=1e-5)
    np.testing.assert_allclose(fit(0 * images), 0.5)
