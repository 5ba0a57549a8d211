import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from jaxsoftras import config, models, texture, voxels
from jaxsoftras.reconstruction import evaluation_subject, run_viewing, viewed_objects
from jaxsoftras.reconstruction.viewed_objects import Objects, Place, Reconstructor
from jaxsoftras.viewer import solids
from tests.support import scores, tiny_models, viewed_runs
from tests.support.small_run import CABINET

PLACE = Place(CABINET, 0, 3)


@pytest.fixture(scope="module")
def opened(cabinets, tmp_path_factory):
    """The objects of a run, and a checkpoint."""
    workdir = tmp_path_factory.mktemp("viewed") / "run"
    run = run_viewing.open_run(viewed_runs.write_run(workdir, cabinets), None, None)
    trained = tiny_models.make(100)._replace(config=run.settings)
    return Objects(run.settings, "test", None), Reconstructor(trained)


@pytest.fixture(scope="module")
def exhibit(opened):
    return viewed_objects.make_exhibit(opened[0], PLACE, opened[1], None)


def test_shows_input_reconstruction_and_true_mesh(opened, exhibit):
    objects, reconstructor = opened
    assert [caption for caption, _ in exhibit.images] == [
        "input",
        "reconstruction",
        "true mesh",
    ]
    assert {image.shape for _, image in exhibit.images} == {(128, 128, 3)}
    # the true mesh covers what the input's object covers, from the same camera
    covered = [np.any(image < 240, axis=-1) for _, image in exhibit.images]
    assert np.sum(covered[0] & covered[2]) > 0.85 * np.sum(covered[0] | covered[2])
    image = objects.split.images(CABINET, np.array([0]), np.array([3]))
    expected = reconstructor.trained.network.infer(
        reconstructor.trained.variables, models.to_network_input(image)
    )
    found, truth = exhibit.solids
    lengths = [np.linalg.norm(v, axis=1) for v in (found.mesh.vertices, expected[0])]
    np.testing.assert_allclose(*lengths, rtol=1e-4)
    assert len(truth.mesh.faces) > 10


def test_solids_stand_upright_and_are_seen_from_the_input(exhibit):
    assert exhibit.up == "+z"
    x, y, z = exhibit.towards
    assert np.isclose(np.degrees(np.arctan2(z, np.hypot(x, y))), 30, atol=0.1)
    _, truth = exhibit.solids
    low, high = truth.mesh.vertices.min(0), truth.mesh.vertices.max(0)
    assert np.isclose((high - low).max(), 1, atol=0.01)


def test_scores_are_those_of_voxels_and_pixels(opened, exhibit):
    objects, reconstructor = opened
    image = objects.split.images(CABINET, np.array([0]), np.array([3]))
    occupied = objects.split.voxels(CABINET, np.array([0]))[0]
    found = reconstructor.reconstruct(image[0])
    predicted = np.asarray(voxels.voxelize(found.vertices[0], reconstructor.faces))
    expected = np.sum(predicted & occupied) / np.sum(predicted | occupied)
    assert dict(exhibit.facts)["Voxel IoU"] == f"{expected:.3f}"


def test_the_true_mesh_has_the_best_scores(opened):
    objects, _ = opened
    truth = objects.find_truth(PLACE)
    perfect = Reconstructor(tiny_models.make())
    perfect.faces = truth.mesh.faces
    which = CABINET, np.array([0]), np.array([3])
    view = jax.tree.map(lambda part: part[0], objects.split.cameras(*which))
    facts = dict(
        perfect.score(truth.mesh.vertices, objects.split.images(*which)[0], view, truth)
    )
    assert float(facts["Voxel IoU"]) > 0.99
    assert float(facts["Silhouette IoU"]) > 0.9


def test_without_a_checkpoint_the_object_is_shown_alone(opened):
    alone = viewed_objects.make_exhibit(opened[0], PLACE, None, None)
    assert [solid.label for solid in alone.solids] == ["true mesh"]
    assert [caption for caption, _ in alone.images] == ["input", "true mesh"]
    assert "Voxel IoU" not in dict(alone.facts)


def test_an_evaluation_is_told_beside(opened):
    objects, _ = opened
    count = objects.split.count(CABINET)
    values = np.linspace(0.2, 0.4, count * 24).reshape(count, 24)
    found = scores.make_scores({CABINET: count}, views=24, iou=values)
    assert not objects.has_scores(found)  # of other images
    data = evaluation_subject.summarize_data(objects.split)
    found = dataclasses.replace(found, data=data)
    assert objects.has_scores(found)
    exhibit = viewed_objects.make_exhibit(objects, PLACE, None, found)
    text = dict(exhibit.facts)["Evaluated"]
    assert text.startswith(f"voxel IoU {values[0].mean():.3f}: ")
    for keys, views in (
        ({"x": count}, 24),
        ({CABINET: count + 1}, 24),
        ({CABINET: count}, 23),
    ):
        other = scores.make_scores(keys, views=views)
        assert not objects.has_scores(dataclasses.replace(other, data=data))


class TestTruth:
    def test_voxels_stand_in_for_meshes(self, opened, cabinets, tmp_path):
        """A data set that does not say how its shapes are made."""
        copy = shutil.copytree(cabinets, tmp_path / "data")
        (copy / "embedded.json").unlink()
        settings = opened[1].trained.config
        settings = dataclasses.replace(
            settings, data=dataclasses.replace(settings.data, root=str(copy))
        )
        truth = Objects(settings, "test", None).find_truth(PLACE)
        assert truth.label == "true voxels" and truth.mesh is not None
        assert truth.occupied is not None
        surface = voxels.voxel_surface(truth.occupied)
        np.testing.assert_array_equal(truth.mesh.vertices, surface.vertices)

    def test_a_mesh_that_is_another_is_said_to_be_missing(self, opened, monkeypatch):
        objects, _ = opened
        monkeypatch.setattr(objects._truths, "load", lambda row: None)
        monkeypatch.setattr(objects._truths, "problems", {0: "it has changed."})
        truth = objects.find_truth(PLACE)
        assert truth.label == "true voxels"
        assert truth.notes == ("There is no true mesh: it has changed.",)


def test_another_checkpoint_needs_no_other_program(opened):
    _, reconstructor = opened
    before = reconstructor.trained
    assert reconstructor.update(before._replace(step=5))
    assert reconstructor.trained.step == 5
    other = dataclasses.replace(
        before.config, model=dataclasses.replace(before.config.model, latent=9)
    )
    assert not reconstructor.update(before._replace(config=other))
    assert reconstructor.update(before)


def test_a_network_that_diverged_is_said_to_draw_nothing(opened):
    objects, reconstructor = opened
    before = reconstructor.trained
    lost = jax.tree.map(lambda part: np.full_like(part, np.nan), before.variables)
    assert reconstructor.update(before._replace(variables=lost))
    exhibit = viewed_objects.make_exhibit(objects, PLACE, reconstructor, None)
    placed, (note,) = solids.place(exhibit.solids, np.array([1.0, 0, 0]))
    assert [each.label for each in placed] == ["true mesh"]
    assert note.startswith("reconstruction: 80 of 80 faces")
    assert "not finite" in dict(exhibit.facts)["IoU"]
    assert reconstructor.update(before)


@pytest.mark.slow  # compiles the renderer of colours; others show meshes without
def test_colors_are_shown(opened):
    objects, plain = opened
    settings = plain.trained.config
    settings = dataclasses.replace(
        settings,
        model=dataclasses.replace(settings.model, color="direct"),
        loss=dataclasses.replace(settings.loss, color=1.0),
    )
    network = models.Network(settings.model)
    arrays = {
        name: np.full(shape.shape, 0.1, np.float32)
        for name, shape in models.flatten(network.shapes).items()
    }
    variables = models.unflatten(network.shapes, arrays)
    colored = Reconstructor(models.Trained(settings, network, variables, 1))
    exhibit = viewed_objects.make_exhibit(objects, PLACE, colored, None)
    found = exhibit.solids[0].mesh.texture
    expected = network.reconstruct(
        variables,
        models.to_network_input(
            objects.split.images(CABINET, np.array([0]), np.array([3]))
        ),
    )
    assert isinstance(found, texture.VertexColors) and expected.colors is not None
    np.testing.assert_allclose(found.values, expected.colors[0], atol=1e-5)


class TestRefusals:
    def test_an_embedded_data_set_that_is_gone_is_not_made(self, tmp_path):
        settings = dataclasses.replace(
            tiny_models.CONFIG,
            data=config.Data(source="embedded", root=str(tmp_path / "gone")),
        )
        with pytest.raises(Exception, match="is not there: .*--data"):
            Objects(settings, "test", None)
        assert not (tmp_path / "gone").exists()

    def test_images_of_another_size(self, opened):
        settings = opened[1].trained.config
        settings = dataclasses.replace(
            settings, model=dataclasses.replace(settings.model, image_size=32)
        )
        with pytest.raises(config.ConfigError, match="32 px"):
            Objects(settings, "test", None)

    def test_a_folder_that_is_no_run(self, tmp_path):
        with pytest.raises(Exception, match="is not a run folder"):
            run_viewing.open_run(tmp_path, None, None)
        (tmp_path / "config.json").write_text(json.dumps({"seed": "x"}))
        with pytest.raises(config.ConfigError):
            run_viewing.open_run(tmp_path, None, None)
