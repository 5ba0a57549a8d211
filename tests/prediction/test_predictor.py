import dataclasses
import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import (
    camera,
    mesh,
    models,
    prediction,
    rasterization,
    terminal,
    texture,
)
from jaxsoftras.data import rig
from jaxsoftras.prediction import predictor as predictors
from jaxsoftras.prediction import refinement, viewpoints
from jaxsoftras.prediction.viewpoints import Orbit
from tests.support import tiny_models
from tests.support.pictures import save_opaque

SIZE = 16
ORBIT = Orbit(2.732, 30.0, 15.0)
FACES = np.asarray(mesh.icosphere(1).faces)


def wedge() -> np.ndarray:
    """Vertices ``[42, 3]`` without symmetry, right-handed frame."""
    vertices = np.asarray(mesh.icosphere(1).vertices, np.float32)
    x, y, z = vertices.T
    return np.stack([0.45 * x, 0.3 * y + 0.15 * (x > 0.2), 0.2 * z - 0.2 * x * y], 1)


def measure_iou(found: prediction.Prediction) -> float:
    """Intersection over union of a prediction and its picture, from its view."""
    corners = mesh.face_vertices(
        camera.project(found.view, found.mesh.vertices), found.mesh.faces
    )
    drawn = rasterization.silhouette(
        corners, SIZE, distance="hard", implementation="reference"
    )
    drawn, target = np.asarray(drawn) > 0.5, found.image[3] >= 128
    return (drawn & target).sum() / (drawn | target).sum()


@pytest.fixture(scope="module")
def silhouettes():
    """`viewpoints.silhouettes` of meshes ``[42, 3]``, compiled once."""
    return jax.jit(
        lambda vertices, faces, azimuths: viewpoints.silhouettes(
            vertices,
            faces,
            viewpoints.make_cameras(ORBIT, azimuths),
            SIZE,
            "reference",
        )
    )


@pytest.fixture(scope="module")
def score():
    return jax.jit(
        lambda vertices, target: viewpoints.score_azimuths(
            vertices, FACES, ORBIT, target, "reference"
        )
    )


class TestViewpoints:
    @pytest.mark.parametrize("azimuth", [0, 40, 95, 355])
    def test_search_finds_the_azimuth(self, azimuth, silhouettes, score):
        azimuths = viewpoints.AZIMUTHS
        target = silhouettes(wedge(), FACES, azimuths)[azimuth // 5]
        scores = np.asarray(score(wedge(), target))
        assert scores.shape == (72,)
        assert scores[azimuth // 5] == scores.max() == 1
        opposite = scores[(azimuth // 5 + 18) % 72]
        assert opposite < 0.95

    def test_azimuth_0_is_in_front(self):
        eye = viewpoints.make_cameras(ORBIT, np.array([0.0, 90.0])).position
        np.testing.assert_allclose(eye[0], [0, 1.366, 2.366], atol=1e-3)
        np.testing.assert_allclose(eye[1], [2.366, 1.366, 0], atol=1e-3)

    def test_sees_what_the_data_sets_show(self, silhouettes):
        """The mirrored mesh by these cameras, and the mesh by those of training."""
        model_frame = wedge() * [1, 1, -1]
        views = rig.as_cameras(rig.OrbitViews(np.arange(24), rig.SOFTRAS_RIG))
        corners = mesh.face_vertices(camera.project(views, model_frame), FACES)
        trained = rasterization.silhouette(
            corners, SIZE, distance="hard", implementation="reference"
        )
        azimuths = (-15.0 * np.arange(72) % 360).astype(np.float32)
        found = np.asarray(silhouettes(wedge(), FACES, azimuths))[:24]
        np.testing.assert_array_equal(found, np.asarray(trained) > 0.5)

    def test_mask_iou(self):
        random = np.random.default_rng(0)
        first, second = random.random((2, 5, 8, 8)) > 0.5
        second[4] = first[4] = False
        expected = [
            len(set(a) & set(b)) / max(len(set(a) | set(b)), 1)
            for a, b in zip(
                map(np.flatnonzero, first), map(np.flatnonzero, second), strict=True
            )
        ]
        found = viewpoints.mask_iou(jnp.asarray(first), jnp.asarray(second))
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.fixture(scope="module")
def predictor() -> prediction.Predictor:
    return prediction.Predictor(tiny_models.make())


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> prediction.Picture:
    path = save_opaque(tmp_path_factory.mktemp("pictures") / "a.png")
    return prediction.read_picture(path)


class TestPredictor:
    def test_is_the_network_in_a_right_handed_frame(self, predictor, picture):
        found = predictor(picture)
        model = tiny_models.make()
        images = np.moveaxis(found.image, 0, -1)[None] / np.float32(255)
        vertices = jax.jit(model.network.infer)(model.variables, images)[0]
        np.testing.assert_allclose(
            found.mesh.vertices, vertices * np.array([1, 1, -1]), atol=1e-5
        )
        assert found.iou == found.unrefined_iou
        assert found.azimuth in viewpoints.AZIMUTHS

    def test_faces_point_outwards(self, predictor):
        sphere = np.asarray(mesh.icosphere(1).vertices) * [1, 1, -1]
        faces = predictor._faces
        a, b, c = np.moveaxis(sphere[faces], 1, 0)
        assert np.all(np.sum(np.cross(b - a, c - a) * a, -1) > 0)

    def test_iou_is_that_of_the_view(self, predictor, picture):
        found = predictor(picture)
        assert found.iou == pytest.approx(measure_iou(found))
        assert found.elevation == pytest.approx(30, abs=1e-4)

    def test_inverted_colours(self, predictor, picture):
        inverted = prediction.Predictor(predictor.model._replace(inverted=True))
        image = predictor(picture).image
        plain, changed = (np.asarray(p._to_input(image)) for p in (predictor, inverted))
        np.testing.assert_array_equal(changed[..., 3], plain[..., 3])
        expected = plain[..., 3:] - plain[..., :3]
        np.testing.assert_allclose(changed[..., :3], expected, atol=1e-6)
        assert np.abs(changed - plain).max() > 0.5

    @pytest.mark.parametrize("inverted", [False, True])
    def test_colours_are_those_of_the_network(self, predictor, picture, inverted):
        settings = predictor.model.config
        settings = dataclasses.replace(
            settings,
            model=dataclasses.replace(settings.model, color="direct"),
            loss=dataclasses.replace(settings.loss, color=1.0),
        )
        network = models.Network(settings.model)
        variables = network.init(jax.random.key(0))
        model = models.Trained(settings, network, variables, 3, inverted)
        colored = prediction.Predictor(model)
        found = colored(picture)
        expected = network.reconstruct(variables, colored._to_input(found.image)).colors
        assert expected is not None
        expected = 1 - expected[0] if inverted else expected[0]
        assert isinstance(found.mesh.texture, texture.VertexColors)
        np.testing.assert_allclose(found.mesh.texture.values, expected, atol=1e-5)

    @pytest.mark.parametrize("resolution", [1, 2, 3, 4])
    def test_texels_stay_in_place(self, resolution, predictor):
        """The colours are the places of the texels on the network's own mesh."""
        sphere = mesh.icosphere(1)
        centers = texture.texel_centers(resolution)
        places = np.einsum("tk,fkc->ftc", centers, sphere.vertices[sphere.faces])
        found = predictor._make_texture(jnp.asarray(places))
        corners = sphere.vertices[predictor._faces]
        expected = np.einsum("tk,fkc->ftc", centers, corners)
        np.testing.assert_allclose(found.texels, expected, atol=1e-6)

    def test_refinement_raises_the_iou(self, predictor, picture):
        before, after = predictor(picture), predictor(picture, refine=60)
        assert after.unrefined_iou == before.iou
        assert after.iou > before.iou + 0.05
        moved = np.abs(after.mesh.vertices - np.asarray(before.mesh.vertices))
        assert 0 < moved.max() < 0.5

    def test_iou_is_that_of_the_refined_view(self, predictor, picture):
        found = predictor(picture, refine=60)
        assert found.iou == pytest.approx(measure_iou(found))
        eye = np.asarray(found.view.position)
        angle = np.degrees(np.arctan2(eye[0], eye[2]))
        assert found.azimuth == pytest.approx(angle % 360, abs=1e-3)
        distance = predictor.orbit.distance
        assert np.linalg.norm(eye) == pytest.approx(distance, rel=1e-5)
        height = distance * np.sin(np.radians(found.elevation))
        assert eye[1] == pytest.approx(height, abs=1e-5)

    def test_a_given_elevation_is_held(self, predictor, picture):
        free = predictor(picture, refine=60)
        assert abs(free.elevation - 30) > 0.1
        told = prediction.Predictor(predictor.model, elevation=12)
        told._reconstruct = predictor._reconstruct
        for steps in (0, 3):
            assert told(picture, refine=steps).elevation == pytest.approx(12, abs=1e-4)

    def test_refinement_that_fails_changes_nothing(
        self, predictor, picture, monkeypatch
    ):
        worse = prediction.Predictor(predictor.model)
        worse._reconstruct = predictor._reconstruct
        before, refined = predictor(picture), predictor._refine

        def break_numbers(*arguments):
            found = refined(*arguments)
            return found._replace(vertices=found.vertices * jnp.nan)

        def look_aside(*arguments):
            found = refined(*arguments)
            return found._replace(pose=found.pose._replace(shift=jnp.full(2, 3.0)))

        for broken in (break_numbers, look_aside):
            monkeypatch.setattr(worse, "_refine", broken)
            after = worse(picture, refine=1)
            np.testing.assert_array_equal(after.mesh.vertices, before.mesh.vertices)
            assert after[2:4] == before[2:4]

    def test_a_pose_of_no_numbers_changes_nothing(
        self, predictor, picture, monkeypatch
    ):
        """Nothing is drawn from there, and nothing agreed before."""
        other = prediction.Predictor(predictor.model)
        before = predictor(picture)._replace(iou=0.0)
        pose = viewpoints.Pose(np.nan, 30.0, np.nan, np.full(2, np.nan))
        refined = refinement.Refined(before.mesh.vertices, pose)
        monkeypatch.setattr(other, "_refine", lambda *_: refined)
        assert other._improve(before, 1) is before

    def test_distance_keeps_the_size(self, predictor):
        far = prediction.Predictor(predictor.model, distance=50, elevation=0)
        half = np.tan(np.deg2rad(far.orbit.half_fov)) * far.orbit.distance
        usual = np.tan(np.deg2rad(15)) * 2.732
        assert half == pytest.approx(usual) and far.orbit.elevation == 0

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"elevation": 91}, "from -90 to 90"),
            ({"elevation": np.nan}, "from -90 to 90"),
            ({"distance": 0.5}, "from 1 to 1000"),
            ({"distance": np.inf}, "from 1 to 1000"),
        ],
    )
    def test_refuses_numbers_out_of_range(self, options, message, predictor):
        with pytest.raises(ValueError, match=message):
            prediction.Predictor(predictor.model, **options)

    def test_refuses_numbers_of_steps_and_empty_pictures(self, predictor, picture):
        for steps in (-1, 100_001, 2**31):
            with pytest.raises(ValueError, match=f"0 to 100000 steps, not {steps}"):
                predictor(picture, refine=steps)
        empty = picture._replace(image=np.zeros((9, 9, 4), np.float32))
        with pytest.raises(ValueError, match="mask is empty"):
            predictor(empty)

    def test_refuses_vertices_that_are_not_finite(self, predictor, picture):
        model = predictor.model
        arrays = models.flatten(model.variables)
        name = "batch_stats.encoder.stages.0.layers.1.var"
        arrays[name] = -jnp.ones(4)
        wrong = prediction.Predictor(model)
        wrong._reconstruct = predictor._reconstruct
        wrong.model = model._replace(
            variables=models.unflatten(model.variables, arrays)
        )
        with pytest.raises(terminal.ProgramError, match="not finite"):
            wrong(picture)


def test_predict_from_a_file(tmp_path, predictor, monkeypatch):
    path = save_opaque(tmp_path / "a.png")
    seen = []

    class Recorder:
        def __init__(self, model, **options):
            seen.append(options)

        def __call__(self, picture, refine):
            seen.append((picture.mask, refine))
            return predictor(picture)

    monkeypatch.setattr(predictors, "Predictor", Recorder)
    found = prediction.predict(predictor.model, path, refine=3, elevation=10)
    assert seen == [{"elevation": 10, "distance": None}, ("background", 3)]
    assert isinstance(found.mesh, jaxsoftras.Mesh)


@pytest.mark.slow  # compiles another network
def test_example_of_predict():
    (example,) = doctest.DocTestFinder(recurse=False).find(
        prediction.predict, "predict"
    )
    assert not doctest.DocTestRunner().run(example).failed
