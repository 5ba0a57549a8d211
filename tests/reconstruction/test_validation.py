import copy
import functools
from typing import Any

import numpy as np
import pytest

from jaxsoftras import config, data
from jaxsoftras.data import split as splits
from jaxsoftras.reconstruction import accelerators, evaluation, training, validation
from tests.support.small_run import CABINET


def take_voxels(split) -> splits.Split:
    """Makes a split of pictures of one with voxels."""
    (key,) = split.categories
    store: Any = copy.copy(split.store(key))
    store.has_voxels = False
    return splits.Split("train", {key: store})


def share_store(split, names: dict[str, str]) -> splits.Split:
    """Makes a split whose categories all have the objects of one."""
    stores: dict[str, splits.CategoryStore] = {
        key: split.store(CABINET) for key in names
    }
    return splits.Split("train", stores, names)


@pytest.fixture(params=["iou", "silhouette_iou"])
def measured(request, settings):
    """A split, its scores by `evaluation`, and what is measured."""
    experiment = training.Experiment(settings, accelerators.device_mesh(4))
    split = data.open_split(settings.data, "train")
    if request.param == "silhouette_iou":
        split = take_voxels(split)
    variables = experiment.init(0).variables
    scores = evaluation.score_split(experiment, variables, split, 1e-4)
    expected = scores[request.param]
    make = functools.partial(validation.Validator, experiment, split)
    return make, variables, expected, request.param


def test_numbers_are_those_of_the_evaluation(measured):
    make, variables, expected, measure = measured
    result = make(objects=2, views=4).validate(variables)
    part = expected[[0, len(expected) // 2]][:, [0, 6, 12, 18]]
    assert result.measure == measure
    assert result.mean == pytest.approx(part.mean(), abs=1e-5)
    assert result.per_category == {"cabinet": result.mean}
    assert result.part == f"2 of {len(expected)} objects, 4 of 24 views"
    assert 0 < result.mean < 1


def test_all_of_a_split(settings):
    experiment = training.Experiment(settings, accelerators.device_mesh(4))
    validator = validation.Validator(
        experiment, data.open_split(settings.data, "train")
    )
    assert validator.part == "3 of 3 objects, 24 of 24 views"


def test_objects_with_fewer_pictures(settings, monkeypatch):
    """A single picture has no other to compare with; two have two input views."""
    experiment = training.Experiment(settings, accelerators.device_mesh(4))
    split = take_voxels(data.open_split(settings.data, "train"))
    monkeypatch.setattr(split, "view_counts", lambda _: np.array([24, 1, 2]))
    validator = validation.Validator(experiment, split, views=4)
    assert validator.part == "2 of 3 objects, 4 of 24 views"
    group = validator._load([(CABINET, 0), (CABINET, 2)])
    assert group.inputs.tolist() == [[0, 6, 12, 18], [0, 1, 1, 1]]
    assert group.images.shape[:2] == (2, 24)
    monkeypatch.setattr(
        validator,
        "_score",
        lambda *_: np.array([[0.1, 0.2, 0.3, 0.4], *[[1, 0, 9, 9]] * 3]),
    )
    result = validator.validate(experiment.init(0).variables)
    assert result.mean == pytest.approx((0.25 + 0.5) / 2)


def test_categories_of_one_name_are_told_apart(settings):
    split = data.open_split(settings.data, "train")
    split = share_store(split, {"a": "mug", "b": "mug", "c": "cup"})
    assert validation._name_categories(split) == {"c": "cup", "a": "a", "b": "b"}


class TestOpening:
    def open(self, settings, *overrides):
        settings = config.override(settings, ["log.validate_every=2", *overrides])
        experiment = training.Experiment(settings, accelerators.device_mesh(4))
        return validation.open_validator(experiment, settings)

    def test_reads_the_split_val(self, settings):
        validator = self.open(settings, "log.validate_objects=1")
        assert validator is not None and validator.split.name == "val"

    def test_nothing_is_wanted(self, settings):
        assert self.open(settings, "log.validate_every=0", "data.root=none") is None

    def test_nothing_is_there(self, settings, tmp_path):
        with pytest.warns(UserWarning, match=r"Nothing is validated .*every=0"):
            assert self.open(settings, f"data.root={tmp_path}") is None

    def test_images_of_another_size_are_refused(self, settings):
        with pytest.raises(config.ConfigError, match="images of 16 px"):
            self.open(settings, "model.image_size=32")


def test_categories_are_read_together(settings):
    experiment = training.Experiment(settings, accelerators.device_mesh(4))
    split = data.open_split(settings.data, "train")
    split = share_store(split, {"a": "a", "b": "b"})
    validator = validation.Validator(experiment, split, objects=1, views=2)
    group = validator._load([("a", 0), ("b", 0), ("b", 2)])
    expected = split.images("a", np.array([0, 0, 2, 2]), np.array([0, 12, 0, 12]))
    np.testing.assert_array_equal(
        group.images[[0, 2]].reshape(expected.shape), expected
    )
