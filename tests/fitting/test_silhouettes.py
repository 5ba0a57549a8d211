import dataclasses
import doctest
from typing import Any

import jax
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import config, fitting, terminal
from jaxsoftras.fitting import engine, silhouettes
from jaxsoftras.fitting.silhouettes import Fitter, Options

SIZE = 16
SETTINGS = config.Config(
    model=config.Model(template_level=1),
    render=config.Render(sigma=1e-3, implementation="reference"),
)
EYES = np.asarray(jaxsoftras.eye_from_angles(2.732, 10.0, np.array([0.0, 90.0, 200.0])))
CAMERAS = jaxsoftras.perspective_camera(EYES)
X, Y = np.meshgrid(*[np.linspace(-1, 1, SIZE)] * 2)
DISC, BAR = X**2 + Y**2 < 0.25, (np.abs(X) < 0.3) & (np.abs(Y) < 0.7)
COVERAGE = np.stack([np.tile(shape, (3, 1, 1)) for shape in (DISC, BAR)])


@pytest.fixture(scope="module")
def fitter() -> Fitter:
    return Fitter(SETTINGS, Options(steps=60))


@pytest.fixture
def shared(fitter, monkeypatch):
    """Lets calls of `fit_silhouettes` share what is compiled."""
    monkeypatch.setattr(silhouettes, "Fitter", lambda *_: fitter)


def fit(coverage=COVERAGE, cameras: Any = CAMERAS, **options):
    return fitting.fit_silhouettes(coverage, cameras, **options)


@pytest.mark.usefixtures("shared")
class TestFitSilhouettes:
    def test_fits_and_repeats(self):
        steps = []
        found = fit(progress=lambda *numbers: steps.append(numbers))
        assert found.vertices.shape == (2, 42, 3) and found.faces.shape == (80, 3)
        assert found.iou.shape == (2, 3)
        assert found.iou.min() > 0.7
        assert found.loss[0] < 0.06 and found.loss[1] < 0.2
        assert steps == [(0, 60), (60, 60)]
        for part, again in zip(found, fit(), strict=True):
            np.testing.assert_array_equal(part, again)

    def test_views_that_do_not_count_change_nothing(self):
        seen = np.array([[True, True, True], [True, False, True]])
        noise = COVERAGE.copy()
        noise[1, 1] = DISC
        first, second = fit(seen=seen), fit(noise, seen=seen)
        np.testing.assert_array_equal(first.vertices, second.vertices)
        np.testing.assert_array_equal(first.loss, second.loss)
        assert np.abs(first.vertices[1] - fit().vertices[1]).max() > 1e-3

    @pytest.mark.parametrize(
        ("coverage", "message"),
        [
            (COVERAGE[0], r"shape \[B, N, H, W\].*\[3, 16, 16\]"),
            (COVERAGE[:, :0], "without axes of length 0"),
            (COVERAGE.astype(int), "not int64"),
            (COVERAGE * 1.5, "from 0 to 1"),
            (np.where(COVERAGE, np.nan, 0), "from 0 to 1"),
            (COVERAGE & (np.arange(3) != 1)[:, None, None], "object 0 in view 1 is em"),
            (
                COVERAGE | (np.arange(3) == 2)[:, None, None],
                "object 0 in view 2 is full",
            ),
        ],
    )
    def test_refuses_silhouettes(self, coverage, message):
        with pytest.raises(ValueError, match=message):
            fit(coverage)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                dict(eye=EYES * np.array([[1], [1], [0.01]])),
                "view 2 looks away .* within",
            ),
            (dict(eye=EYES, target=2 * EYES), "view 0 looks away"),
            (
                dict(eye=EYES, target=[[9, 0, 0], [0, 0, 0], [0, 0, 0]]),
                "view 0 does not see",
            ),
            (dict(eye=EYES[:2]), r"axes of the cameras, \[2\].*\[2, 3\]"),
        ],
    )
    def test_refuses_cameras(self, change, message):
        with pytest.raises(ValueError, match=message):
            fit(cameras=jaxsoftras.perspective_camera(**change))

    def test_refuses_cameras_that_are_not_finite(self):
        cameras = jaxsoftras.perspective_camera(EYES)
        position = np.where([[False], [True], [False]], np.nan, cameras.position)
        wrong = dataclasses.replace(cameras, position=position)
        seen = np.array([[True, False, True]] * 2)
        for each in (None, seen):  # views that do not count would spread NaN, too
            with pytest.raises(ValueError, match="position of the cameras is not fi"):
                fit(cameras=wrong, seen=each)

    def test_refuses_what_else_is_wrong(self):
        with pytest.raises(ValueError, match="must be a Camera"):
            fit(cameras=np.eye(3))
        for seen in (np.ones((2, 3)), np.zeros((2, 3), bool), np.ones((1, 3), bool)):
            with pytest.raises(ValueError, match="a view of each object"):
                fit(seen=seen)

    def test_numbers_that_are_not_finite_are_refused(self, fitter, monkeypatch):
        monkeypatch.setattr(
            fitter,
            "_advance",
            lambda state, *_: jax.tree.map(lambda x: x + np.nan, state),
        )
        with pytest.raises(terminal.ProgramError, match="lower the learning rate"):
            fit()


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"parametrization": "mesh"}, "no parametrisation 'mesh'"),
            ({"steps": 0}, "from 1 to 10,000,000, not 0"),
            ({"learning_rate": 0.0}, "positive"),
            ({"learning_rate": float("nan")}, "positive"),
            ({"learning_rate": 2.0}, "at most 1"),
        ],
    )
    def test_refuses(self, options, message):
        with pytest.raises(ValueError, match=message):
            Options(**options)

    def test_learning_rate_is_that_of_the_parametrization(self):
        assert Options("vertices").rate < Options("softras").rate
        assert Options("vertices", learning_rate=0.2).rate == 0.2


def test_sigma_falls_within_the_steps():
    settings = config.override(
        SETTINGS, ["render.sigma=1e-2", "render.final_sigma=1e-4"]
    )
    sigmas = Fitter(settings, Options(steps=10)).sigma(np.array([0, 5, 10]))
    np.testing.assert_allclose(sigmas, [1e-2, 1e-3, 1e-4], rtol=1e-5)
    np.testing.assert_allclose(Fitter(SETTINGS, Options()).sigma(7), 1e-3)


@pytest.mark.slow
def test_a_rest_of_steps_is_taken(fitter, monkeypatch):
    views = engine.Views(
        COVERAGE.astype(np.float32),
        silhouettes._broadcast(CAMERAS, (2, 3)),
        np.ones((2, 3), np.float32),
    )
    whole = fitter(views)
    monkeypatch.setattr(silhouettes, "_CHUNK", 7)
    np.testing.assert_allclose(fitter(views).vertices, whole.vertices, atol=1e-6)


@pytest.mark.slow
def test_example():
    names = {"np": np}
    (case,) = doctest.DocTestFinder().find(
        fitting.fit_silhouettes, "fit_silhouettes", globs=names
    )
    assert doctest.DocTestRunner().run(case).failed == 0
