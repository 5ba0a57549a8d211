"""The program that measures what refinement does to known objects."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import prediction, voxels
from jaxsoftras.data.categories import CATEGORIES
from tests.support import refinement_scores, tiny_models
from tests.support.refinement_scores import Known, Scores


def test_draws_one_image_of_each_object(tmp_path):
    counts = {synset: 1 + number % 3 for number, synset in enumerate(CATEGORIES)}
    total = 0
    for synset, count in counts.items():
        numbers = np.arange(total, total + count)
        images = np.zeros((count, 24, 4, 2, 2), np.uint8)
        images[..., 0, 0, 0] = numbers[:, None]
        grids = np.zeros((count, 32, 32, 32), bool)
        grids[np.arange(count), 0, 0, numbers] = True
        np.savez(tmp_path / f"{synset}_val_images.npz", images)
        np.savez(tmp_path / f"{synset}_val_voxels.npz", grids)
        total += count
    for limit in (10, 99):
        known = refinement_scores.load_known(tmp_path, "val", limit, 0)
        numbers = [each.image[0, 0, 0] for each in known]
        assert len(set(numbers)) == min(limit, total)
        for number, each in zip(numbers, known, strict=True):
            assert each.voxels[0, 0, number] and each.voxels.sum() == 1


@pytest.mark.slow  # compiles a network and the voxelizer; the others are quick
def test_scores_are_those_of_the_model_frame():
    """The truth is the prediction without refinement, as the network returns it."""
    model = tiny_models.make()
    predictor = prediction.Predictor(model)
    image = np.zeros((4, 16, 16), np.uint8)
    image[:, 4:12, 3:13] = 255
    picture = prediction.Picture(np.moveaxis(image, 0, -1) / np.float32(255), "opacity")
    found = predictor(picture)
    shown = np.moveaxis(found.image, 0, -1)[None] / np.float32(255)
    vertices = model.network.infer(model.variables, jnp.asarray(shown))[0]
    truth = np.asarray(voxels.voxelize(vertices, model.network.faces))
    scores = refinement_scores.score(predictor, Known(image, truth), 20)
    assert scores.voxels[0] > 0.98 > scores.voxels[1] > 0
    assert scores.silhouettes == (found.iou, pytest.approx(scores.silhouettes[1]))
    assert scores.silhouettes[1] > scores.silhouettes[0]


def test_describes_means_and_change():
    rows = [Scores((0.5, 0.7), (0.4, 0.5)), Scores((0.7, 0.9), (0.2, 0.2))]
    assert refinement_scores.describe(rows) == (
        "2 objects: silhouette IoU 0.600, 0.800; voxel IoU 0.300, 0.350; change of "
        "voxel IoU +0.050, standard error 0.050"
    )
