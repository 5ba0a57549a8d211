import dataclasses

import numpy as np
import pytest

from jaxsoftras.reconstruction import evaluation_scores
from jaxsoftras.reconstruction.run_folder import RunError
from tests.support.scores import make_scores


@pytest.fixture
def scores():
    loss = np.arange(12).reshape(3, 4) / 10
    return make_scores({"mug": 2, "cup": 1}, iou=0.5, loss=loss)


def test_means_over_the_views_that_there_are(scores):
    columns = dict(scores.columns, iou=np.array(scores.columns["iou"]))
    columns["iou"][1, 2] = np.nan
    columns["iou"][0] = [0.1, 0.2, 9, 9]
    columns["iou"][2] = np.nan
    scores = dataclasses.replace(scores, views=np.array([2, 4, 1]), columns=columns)
    means = scores.object_means("iou")
    assert set(means) == {"mug"}  # the cup has none
    np.testing.assert_allclose(means["mug"], [0.15, 0.5])
    means = scores.object_means("loss")
    np.testing.assert_allclose(means["mug"], [0.05, 0.55])
    np.testing.assert_allclose(means["cup"], [0.8])
    assert evaluation_scores.mean(means) == pytest.approx((0.3 + 0.8) / 2)
    chosen = np.arange(4) == np.array([[1], [3], [2]])
    means = scores.object_means("loss", chosen)
    np.testing.assert_allclose(means["mug"], [0.1, 0.7])
    assert "cup" not in means and evaluation_scores.mean({}) is None


def test_nan_is_a_loss_but_no_iou(scores):
    lost = np.array(scores.columns["loss"])
    lost[0, 0] = np.nan
    columns = dict(scores.columns, loss=lost, iou=lost)
    scores = dataclasses.replace(scores, columns=columns)
    assert np.isnan(scores.object_means("loss")["mug"][0])
    assert scores.object_means("iou")["mug"][0] == pytest.approx(0.2)


def test_files_repeat_byte_for_byte(scores, tmp_path):
    scores = dataclasses.replace(scores, checkpoint="a", points=10, threshold=0.1)
    for name in ("a.npz", "b.npz"):
        evaluation_scores.write(scores, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = evaluation_scores.load(tmp_path / "a.npz")
    for field in dataclasses.fields(scores):
        left, right = (getattr(each, field.name) for each in (scores, loaded))
        if field.name == "columns":
            assert left.keys() == right.keys()
            for name in left:
                np.testing.assert_array_equal(left[name], right[name])
        else:
            np.testing.assert_array_equal(left, right)
            assert type(left) is type(right)


@pytest.fixture
def arrays(scores, tmp_path):
    evaluation_scores.write(scores, tmp_path / "good.npz")
    with np.load(tmp_path / "good.npz") as file:
        return {name: file[name] for name in file.files}


def test_columns_of_other_versions(arrays, tmp_path):
    """Those that are missing have no scores; those that are unknown do not matter."""
    del arrays["f_score"]
    names = [name for name in arrays["columns"].tolist() if name != "f_score"]
    arrays["columns"] = np.array([*names, "lpips"])
    arrays["lpips"] = arrays["loss"]
    np.savez(tmp_path / "other.npz", **arrays)
    loaded = evaluation_scores.load(tmp_path / "other.npz")
    assert set(loaded.columns) == set(evaluation_scores.COLUMNS)
    assert np.isnan(loaded.columns["f_score"]).all()


def test_takes_rounding_and_what_is_beyond_the_views(arrays, tmp_path):
    arrays["views"] = np.array([2, 4, 4])
    arrays["iou"] = np.full((3, 4), 1 + 1e-6, np.float32)
    arrays["iou"][0, 2:] = 9
    np.savez(tmp_path / "fine.npz", **arrays)
    loaded = evaluation_scores.load(tmp_path / "fine.npz")
    np.testing.assert_array_equal(loaded.columns["iou"], arrays["iou"])


@pytest.mark.parametrize(
    "change",
    [
        {"views": np.array([1, 2])},
        {"views": np.array([1, 2, 5])},
        {"views": np.array([1, 2, 0])},
        {"views": np.array([1.0, 2, 3])},
        {"name": np.array([b"a", b"b", b"c"])},
        {"category": np.array("mug")},
        {"azimuth": np.zeros(3)},
        {"azimuth": np.zeros((3, 0))},
        {"loss": np.zeros((3, 5), np.float32)},
        {"loss": np.zeros((3, 4), int)},
        {"loss": np.full((3, 4), "0.1")},
        {"step": np.array("many")},
        {"step": np.array([1, 2])},
        {"threshold": np.array(np.nan)},
        {"columns": np.array(0)},
        {"data": None},
        {"azimuth": None},
        {"iou": None},
        {"iou": np.full((3, 4), 1.01, np.float32)},
        {"thin_iou": np.full((3, 4), -0.01, np.float32)},
        {"silhouette_iou": np.full((3, 4), np.inf, np.float32)},
        {"f_score": np.full((3, 4), 55.0, np.float32)},
    ],
)
def test_refuses_arrays_that_do_not_fit(change, arrays, tmp_path):
    values = {**arrays, **change}
    values = {name: array for name, array in values.items() if array is not None}
    np.savez(tmp_path / "bad.npz", **values)
    with pytest.raises(ValueError, match=r"bad\.npz is damaged or not"):
        evaluation_scores.load(tmp_path / "bad.npz")


def test_refuses_files_of_something_else(arrays, tmp_path):
    path = tmp_path / "bad.npz"
    whole = (tmp_path / "good.npz").read_bytes()
    for content in (b"", b"PK", whole[:200], whole[:-30], whole[::-1], b"x" * 999):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is damaged"):
            evaluation_scores.load(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="is damaged"):
        evaluation_scores.load(path)
    np.savez(path, **{**arrays, "name": np.array([{}, 1, 2], object)})
    with pytest.raises(ValueError, match="is damaged"):
        evaluation_scores.load(path)
    np.savez(path, **{**arrays, "format": np.array(2)})
    with pytest.raises(RunError, match="has format 2, and this version"):
        evaluation_scores.load(path)
    with pytest.raises(FileNotFoundError):
        evaluation_scores.load(tmp_path / "none.npz")
