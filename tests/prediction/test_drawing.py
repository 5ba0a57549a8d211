import numpy as np
import pytest
from PIL import Image

from jaxsoftras import mesh, prediction, texture
from jaxsoftras.prediction import drawing, viewpoints
from jaxsoftras.prediction.viewpoints import Orbit

ORBIT = Orbit(2.732, 30.0, 15.0)


@pytest.fixture(scope="module")
def ball() -> prediction.Prediction:
    sphere = mesh.icosphere(1)
    solid = mesh.Mesh(0.4 * np.asarray(sphere.vertices, np.float32), sphere.faces)
    view = viewpoints.make_cameras(ORBIT, 30.0)
    image = np.zeros((4, 16, 16), np.uint8)
    return prediction.Prediction(solid, image, 0.5, 30.0, view, 0.5)


@pytest.fixture
def picture() -> prediction.Picture:
    image = np.zeros((50, 50, 4), np.float32)
    image[10:40, 10:40] = 0.5, 0.25, 0, 1
    return prediction.Picture(image, "file")


def shade(_, view) -> np.ndarray:
    """An image of one colour that depends on the camera."""
    level = np.uint8(100 + 50 * np.asarray(view.position)[0])
    return np.full((drawing.SIZE, drawing.SIZE, 3), level)


@pytest.fixture
def plain(monkeypatch):
    monkeypatch.setattr(drawing, "render_shaded", shade)


def test_sheet(plain, ball, picture):
    image = np.asarray(drawing.sheet(ball, picture, ORBIT, 0.4))
    step = drawing.SIZE + 6
    assert image.shape == (24 + 192, 4 * step - 6, 3)
    cells = [image[24:, k * step : k * step + 192] for k in range(4)]
    np.testing.assert_array_equal(cells[0][96, 96], [128, 64, 0])
    np.testing.assert_array_equal(cells[0][2, 2], 255)
    assert len(np.unique(cells[1])) == 1 and np.any(cells[1] != cells[3])
    # the square is 77 pixels wide, and the ball 100
    np.testing.assert_array_equal(cells[2][100, 96], drawing._BOTH)
    np.testing.assert_array_equal(cells[2][100, 52], drawing._BEYOND)
    np.testing.assert_array_equal(cells[2][2, 2], 255)
    assert np.any(np.all(cells[2] == drawing._MISSING, axis=-1))


def test_meshes_of_the_network_s_colours(ball):
    green = np.tile(np.array([0, 1, 0], np.float32), (len(ball.mesh.vertices), 1))
    solid = ball.mesh._replace(texture=texture.VertexColors(green))
    clay, colored = (
        drawing.render_shaded(each, ball.view)[96, 96] for each in (ball.mesh, solid)
    )
    assert clay.min() > 50
    assert colored[1] > 100 and colored[0] == colored[2] == 0


def test_turntable(plain, ball, tmp_path):
    frames = drawing.turntable(ball, ORBIT)
    assert len(frames) == 24
    drawing.save_turntable(frames, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        assert getattr(image, "n_frames", 1) > 10 and image.info["loop"] == 0
        assert image.size == (192, 192)


@pytest.mark.slow  # test_sheet and test_turntable draw the same without the renderer
def test_render_shaded(ball):
    image = drawing.render_shaded(ball.mesh, ball.view)
    assert image.shape == (192, 192, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(image[0, 0], 255)
    drawn = viewpoints.silhouettes(
        ball.mesh.vertices, np.asarray(ball.mesh.faces), ball.view, 192, "xla"
    )
    colored = np.any(image < 250, axis=-1)
    assert np.mean(colored != np.asarray(drawn)) < 0.02
    assert len(np.unique(image[colored], axis=0)) > 5  # shades of the faces
