"""Sampling of training batches: statistics, reproducibility, the background thread."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras.camera import Camera
from jaxsoftras.data import PairBatch, Split, pair_batches, sample_pairs
from jaxsoftras.data.rig import OrbitViews, PictureCameras, as_cameras
from tests.support.npz_files import write_folder


class CodedStore:
    """Images whose pixels state their category, object and view."""

    num_views, image_size, has_voxels = 24, 2, True

    def __init__(self, category: int, num_objects: int):
        self.category, self.num_objects = category, num_objects

    def images(self, objects: np.ndarray, views: np.ndarray) -> np.ndarray:
        images = np.zeros((len(objects), 4, 2, 2), np.uint8)
        images[:, 0] = self.category
        images[:, 1] = objects[:, None, None]
        images[:, 2] = views[:, None, None]
        return images

    def voxels(self, objects: np.ndarray) -> np.ndarray:
        return np.zeros((len(objects), 32, 32, 32), bool)

    def stream(self) -> Iterator:
        return iter([])


@pytest.fixture
def coded() -> Split:
    counts = {"02691156": 20, "03001627": 1, "04379243": 4}
    return Split(
        "train", {s: CodedStore(k, n) for k, (s, n) in enumerate(counts.items())}
    )


def view_numbers(batch: PairBatch) -> tuple[np.ndarray, np.ndarray]:
    a, b = batch.cameras_a, batch.cameras_b
    assert isinstance(a, OrbitViews) and isinstance(b, OrbitViews)
    return np.asarray(a.numbers), np.asarray(b.numbers)


def test_both_images_show_the_same_object_from_the_given_views(coded):
    batch = sample_pairs(coded, 500, seed=0, step=0)
    a, b = batch.images_a[..., 0, 0], batch.images_b[..., 0, 0]
    np.testing.assert_array_equal(a[:, :2], b[:, :2])
    views_a, views_b = view_numbers(batch)
    np.testing.assert_array_equal(a[:, 2], views_a)
    np.testing.assert_array_equal(b[:, 2], views_b)
    assert views_a.dtype == views_b.dtype == np.int32
    assert batch.images_a.dtype == batch.images_b.dtype == np.uint8


def test_categories_objects_and_views_are_uniform_and_views_independent(coded):
    count = 60_000
    batch = sample_pairs(coded, count, seed=1, step=0)
    category, objects = batch.images_a[:, 0, 0, 0], batch.images_a[:, 1, 0, 0]

    def assert_uniform(numbers, size):
        observed = np.bincount(numbers, minlength=size)
        expected = len(numbers) / size
        deviation = (observed - expected) / np.sqrt(expected)
        assert len(observed) == size and np.abs(deviation).max() < 5

    assert_uniform(category, 3)
    assert_uniform(objects[category == 0], 20)
    assert_uniform(objects[category == 2], 4)
    views_a, views_b = view_numbers(batch)
    assert_uniform(views_a * 24 + views_b, 24 * 24)


def test_batches_depend_on_seed_and_step_only(coded):
    first = pair_batches(coded, 8, seed=3)
    expected = [next(first) for _ in range(6)]
    resumed = pair_batches(coded, 8, seed=3, start_step=4)
    for batch in expected[4:]:
        again = next(resumed)
        for array, same in zip(*map(jax.tree.leaves, (batch, again)), strict=True):
            np.testing.assert_array_equal(array, same)
    other_seed = next(pair_batches(coded, 8, seed=4))
    assert not np.array_equal(other_seed.images_a, expected[0].images_a)
    assert not np.array_equal(expected[0].images_a, expected[1].images_a)


def test_batches_stay_the_same(coded):
    """Numbers that earlier versions drew: old runs can be resumed."""
    batch = sample_pairs(coded, 6, seed=7, step=3)
    drawn = batch.images_a[:, :3, 0, 0].tolist(), batch.images_b[:, 2, 0, 0].tolist()
    assert drawn == (
        [[0, 3, 19], [2, 3, 11], [1, 0, 3], [1, 0, 18], [2, 2, 2], [2, 1, 22]],
        [4, 16, 22, 11, 15, 20],
    )


def coded_cameras(counts: list[int]) -> PictureCameras:
    """Cameras whose position states the object and the view."""
    number, view = np.indices((len(counts), 24))
    cameras = Camera(
        axes=jnp.broadcast_to(jnp.eye(3), (*number.shape, 3, 3)),
        position=jnp.stack([number, view, 0 * view], axis=-1),
        focal_length=jnp.ones((*number.shape, 2)),
        principal_point=jnp.zeros((*number.shape, 2)),
    )
    return PictureCameras(jax.tree.map(np.asarray, cameras), np.array(counts))


def test_pictures_come_with_their_cameras():
    """And no picture is drawn that an object does not have."""
    counts = {"03001627": [3, 1], "04379243": [24]}
    stores = {key: CodedStore(k, len(n)) for k, (key, n) in enumerate(counts.items())}
    cameras = {key: coded_cameras(n) for key, n in counts.items()}
    split = Split("train", stores, cameras=cameras)
    batch = sample_pairs(split, 400, seed=0, step=0)
    for images, viewpoints in (
        (batch.images_a, batch.cameras_a),
        (batch.images_b, batch.cameras_b),
    ):
        position = as_cameras(viewpoints).position
        np.testing.assert_array_equal(position[:, :2], images[:, 1:3, 0, 0])
        chairs = images[images[:, 0, 0, 0] == 0][..., 0, 0]
        seen = {(number, view) for _, number, view, _ in chairs.tolist()}
        assert seen == {(0, 0), (0, 1), (0, 2), (1, 0)}
    with pytest.raises(IndexError, match="no view 1: numbers go from 0 to 0"):
        split.images("03001627", np.array([0, 1]), np.array([1, 1]))


def sampling_threads() -> int:
    return sum(t.name.startswith("pair_batches") for t in threading.enumerate())


@pytest.mark.parametrize("how", ["close", "abandon"])
def test_background_thread_ends_with_the_iterator(coded, how):
    before = sampling_threads()
    batches = pair_batches(coded, 8, seed=0)
    next(batches)
    assert sampling_threads() == before + 1
    if how == "close":
        batches.close()
    else:
        del batches
    assert sampling_threads() == before


def test_prefetching_is_limited(coded, monkeypatch):
    drawn = []
    original = CodedStore.images

    def images(self, objects, views):
        drawn.append(len(objects))
        return original(self, objects, views)

    monkeypatch.setattr(CodedStore, "images", images)
    batches = pair_batches(coded, 1, seed=0)  # one object: one call a batch
    next(batches)
    time.sleep(0.1)
    assert len(drawn) <= 2
    batches.close()


def test_errors_of_the_background_thread_surface(coded, monkeypatch):
    def images(self, objects, views):
        raise OSError("the disk is gone")

    monkeypatch.setattr(CodedStore, "images", images)
    before = sampling_threads()
    with pytest.raises(OSError, match="the disk is gone"):
        next(pair_batches(coded, 4, seed=0))
    assert sampling_threads() == before


def test_abandoned_iterator_is_quiet_at_exit(tmp_path):
    npz_root = write_folder(tmp_path / "npz")
    script = (
        "from jaxsoftras.data.npz import open_npz\n"
        "from jaxsoftras.data import pair_batches\n"
        f"split = open_npz({str(npz_root)!r}, 'train', ['chair'])\n"
        "batches = pair_batches(split, 4, seed=0)\n"
        "next(batches)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_batch_size_below_one(coded):
    with pytest.raises(ValueError, match="at least 1, not 0"):
        sample_pairs(coded, 0, seed=0, step=0)
