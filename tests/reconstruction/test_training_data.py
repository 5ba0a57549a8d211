"""Data sets that change between the starts of a run."""

import shutil
import warnings

import numpy as np
import pytest

from jaxsoftras import config, data
from jaxsoftras.reconstruction import training_data
from tests.support.small_run import CABINET

IMAGES = f"{CABINET}_train_images.npz"


def open_set(root):
    return data.open_training_set(config.Data(root=str(root), categories=(CABINET,)))


@pytest.fixture
def changed(cabinets, tmp_path):
    """Writes the data set with other images, and opens it."""

    def change(edit):
        root = shutil.copytree(cabinets, tmp_path / "other")
        images = np.load(root / IMAGES)["arr_0"]
        np.savez_compressed(root / IMAGES, edit(images))
        return open_set(root)

    return change


def make_darker(images):
    images[0, -1, 0] //= 2
    return images


def test_a_data_set_that_has_moved_is_the_same(cabinets, changed, tmp_path):
    training_data.save(tmp_path, training_data.describe(open_set(cabinets)))
    with warnings.catch_warnings(action="error"):
        training_data.check(tmp_path, changed(lambda images: images), begun=True)


@pytest.mark.parametrize("edit", [make_darker, lambda images: images[:, :-1]])
def test_another_one_is_noticed(edit, cabinets, changed, tmp_path):
    training_data.save(tmp_path, training_data.describe(open_set(cabinets)))
    with pytest.warns(UserWarning, match="not the one that this run began with"):
        training_data.check(tmp_path, changed(edit), begun=True)


@pytest.mark.parametrize("edit", [make_darker, lambda images: images[:, :-1]])
def test_another_one_is_told_by_its_folder(edit, cabinets, changed, tmp_path):
    training_data.save(tmp_path, training_data.describe(open_set(cabinets)))
    changed(edit)
    roots = [cabinets, tmp_path / "other", tmp_path]
    sets = [config.Data(root=str(root), categories=(CABINET,)) for root in roots]

    def is_another(settings):
        return training_data.is_another(tmp_path, settings, [CABINET])

    assert [is_another(settings) for settings in sets] == [False, True, True]
    (tmp_path / training_data.FILE).unlink()
    assert not is_another(sets[1])


def test_fewer_categories_are_the_same_data_set(cabinets, tmp_path):
    described = training_data.describe(open_set(cabinets))
    training_data.save(tmp_path, [{"category": "mug", "objects": 1}, *described])
    settings = config.Data(root=str(cabinets))
    assert not training_data.is_another(tmp_path, settings, [CABINET])
    assert training_data.is_another(tmp_path, settings, ["kettle"])


def test_another_one_is_checked_like_that_of_a_new_run(cabinets, changed, tmp_path):
    training_data.save(tmp_path, training_data.describe(open_set(cabinets)))
    empty = changed(np.zeros_like)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="are empty"):
        training_data.check(tmp_path, empty, begun=True)
    with pytest.raises(ValueError, match="are empty"):
        training_data.check(tmp_path, empty, begun=False)


@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_runs_of_earlier_versions_go_on(content, cabinets, tmp_path):
    if content is not None:
        (tmp_path / training_data.FILE).write_bytes(content)
    training_data.check(tmp_path, open_set(cabinets), begun=True)
