"""Sampling of training batches: statistics, reproducibility, the background threads."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras.camera import Camera
from jaxsoftras.data import Split, ViewBatch, sample_views, view_batches
from jaxsoftras.data.rig import OrbitViews, PictureCameras, as_cameras
from jaxsoftras.data.sampling import THREADS, local_rows
from tests.support.npz_files import write_folder


class CodedStore:
    """Images whose pixels state their category, object and view."""

    num_views, image_size, has_voxels = 24, 2, True

    def __init__(self, category: int, num_objects: int):
        self.num_objects = num_objects
        self.pixels = np.zeros((num_objects, self.num_views, 4, 2, 2), np.uint8)
        number, view = np.indices(self.pixels.shape[:2])[..., None, None]
        self.pixels[:, :, 0] = category
        self.pixels[:, :, 1], self.pixels[:, :, 2] = number, view

    def images(self, number: int, views: Sequence[int]) -> list[np.ndarray]:
        return [self.pixels[number, view] for view in views]

    def voxels(self, objects: np.ndarray) -> np.ndarray:
        return np.zeros((len(objects), 32, 32, 32), bool)

    def examples(self) -> Iterator:
        return iter([])


@pytest.fixture
def coded() -> Split:
    counts = {"02691156": 20, "03001627": 1, "04379243": 4}
    return Split(
        "train", {s: CodedStore(k, n) for k, (s, n) in enumerate(counts.items())}
    )


def record_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The objects whose images are read from now on, in this order."""
    wait_for_threads(0)  # of earlier tests
    read = []
    original = CodedStore.images

    def images(self, number, views):
        read.append(number)
        return original(self, number, views)

    monkeypatch.setattr(CodedStore, "images", images)
    return read


def view_numbers(batch: ViewBatch) -> np.ndarray:
    """``[k, B]`` numbers of the views of each object."""
    assert isinstance(batch.cameras, OrbitViews)
    return np.asarray(batch.cameras.numbers).T


@pytest.mark.parametrize("views", [1, 2, 5])
def test_images_show_the_same_object_from_the_given_views(coded, views):
    batch = sample_views(coded, 500, seed=0, step=0, views=views)
    shown, numbers = batch.images[..., 0, 0], view_numbers(batch)
    assert batch.images.shape == (500, views, 4, 2, 2)
    np.testing.assert_array_equal(shown[:, :, :2], shown[:, :1, :2].repeat(views, 1))
    np.testing.assert_array_equal(shown[:, :, 2].T, numbers)
    assert numbers.dtype == np.int32 and batch.images.dtype == np.uint8


def test_more_views_come_after_the_same_two(coded):
    """And are drawn uniformly, independently of each other."""
    few, many = (sample_views(coded, 60_000, seed=1, step=0, views=k) for k in (2, 4))
    np.testing.assert_array_equal(many.images[:, :2], few.images)
    for a, b in itertools.combinations(view_numbers(many), 2):
        observed = np.bincount(a * 24 + b, minlength=24 * 24)
        assert np.abs(observed - 60_000 / 24**2).max() < 6 * 60_000**0.5 / 24


def test_categories_objects_and_views_are_uniform_and_views_independent(coded):
    count = 60_000
    batch = sample_views(coded, count, seed=1, step=0)
    category, objects = batch.images[:, 0][:, 0, 0, 0], batch.images[:, 0][:, 1, 0, 0]

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
    first = view_batches(coded, 8, seed=3)
    expected = [next(first) for _ in range(6)]
    resumed = view_batches(coded, 8, seed=3, start_step=4)
    for batch in expected[4:]:
        jax.tree.map(np.testing.assert_array_equal, next(resumed), batch)
    other_seed = next(view_batches(coded, 8, seed=4))
    assert not np.array_equal(other_seed.images, expected[0].images)
    assert not np.array_equal(expected[0].images, expected[1].images)


def test_batches_come_in_order_whatever_the_number_of_threads(coded, monkeypatch):
    original = CodedStore.images

    def images(self, number, views):
        time.sleep(0.002 * (number % 3))  # later batches are ready earlier
        return original(self, number, views)

    expected = [sample_views(coded, 4, seed=3, step=step) for step in range(8)]
    monkeypatch.setattr(CodedStore, "images", images)
    batches = view_batches(coded, 4, seed=3, threads=4)
    for batch in expected:
        jax.tree.map(np.testing.assert_array_equal, next(batches), batch)
    batches.close()


def test_rows_of_a_batch_are_those_of_the_whole_batch(coded, monkeypatch):
    """And nothing else is read."""
    rows = np.array([1, 2, 5])
    whole = sample_views(coded, 8, seed=3, step=2)
    read = record_reads(monkeypatch)
    part = sample_views(coded, 8, seed=3, step=2, rows=rows)
    expected = jax.tree.map(lambda array: array[rows], whole)
    jax.tree.map(np.testing.assert_array_equal, part, expected)
    assert len(read) == len(rows)


def test_a_process_reads_the_rows_of_its_devices():
    shards = {"a": (slice(4, 6),), "b": (slice(0, 2),), "copy of b": (slice(0, 2),)}
    sharding: Any = types.SimpleNamespace(
        addressable_devices_indices_map=lambda shape: shards
    )
    assert local_rows(sharding, 8).tolist() == [0, 1, 4, 5]
    devices = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
    for spec in (P("data"), P()):
        assert local_rows(NamedSharding(devices, spec), 8).tolist() == [*range(8)]


@pytest.mark.slow
def test_two_processes_feed_one_batch():
    """Each reads its rows; what the devices hold is the batch of one process."""
    script = """
import sys
import jax, numpy as np
jax.distributed.initialize(sys.argv[1], 2, int(sys.argv[2]))
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxsoftras.data import view_batches, sample_views
from jaxsoftras.data.rig import Orbit
from tests.data.test_mixture import make_split
devices = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
sharding = NamedSharding(devices, P("data"))
for orbit in (Orbit(), None):
    split = make_split(1, {"03001627": 20, "04379243": 5}, orbit)
    batches = view_batches(split, 8, seed=1, start_step=3, sharding=sharding)
    got, want = next(batches), sample_views(split, 8, seed=1, step=3)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        assert a.shape == b.shape and len(a.addressable_shards) == 2
        for shard in a.addressable_shards:
            np.testing.assert_array_equal(shard.data, b[shard.index])
    batches.close()
"""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    flags = "--xla_force_host_platform_device_count=2"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, address, str(number)],
            cwd=Path(__file__).parents[2],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


def test_batches_stay_the_same(coded):
    """Numbers that earlier versions drew: old runs can be resumed."""
    batch = sample_views(coded, 6, seed=7, step=3)
    drawn = (
        batch.images[:, 0][:, :3, 0, 0].tolist(),
        batch.images[:, 1][:, 2, 0, 0].tolist(),
    )
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
    batch = sample_views(split, 400, seed=0, step=0)
    for view in range(2):
        images = batch.images[:, view]
        position = as_cameras(batch.cameras).position[:, view]
        np.testing.assert_array_equal(position[:, :2], images[:, 1:3, 0, 0])
        chairs = images[images[:, 0, 0, 0] == 0][..., 0, 0]
        seen = {(number, view) for _, number, view, _ in chairs.tolist()}
        assert seen == {(0, 0), (0, 1), (0, 2), (1, 0)}
    with pytest.raises(IndexError, match="no view 1: numbers go from 0 to 0"):
        split.images("03001627", np.array([0, 1]), np.array([1, 1]))


def sampling_threads() -> int:
    return sum(t.name.startswith("grain-prefetch") for t in threading.enumerate())


def wait_for_threads(count: int) -> None:
    end = time.monotonic() + 60
    while sampling_threads() != count:
        assert time.monotonic() < end, f"{sampling_threads()} threads, not {count}"
        time.sleep(0.01)


@pytest.mark.parametrize("how", ["close", "abandon"])
def test_background_threads_end_with_the_iterator(coded, how):
    wait_for_threads(0)
    batches = view_batches(coded, 8, seed=0)
    next(batches)
    assert 1 <= sampling_threads() <= THREADS
    if how == "close":
        batches.close()
    else:
        del batches
    wait_for_threads(0)


@pytest.mark.parametrize("threads", [1, 3])
def test_prefetching_is_limited(coded, monkeypatch, threads):
    drawn = record_reads(monkeypatch)
    # one object: one call a batch
    batches = view_batches(coded, 1, seed=0, threads=threads)
    next(batches)
    time.sleep(0.1)
    assert len(drawn) <= threads + 1
    batches.close()


def test_errors_of_the_background_thread_surface(coded, monkeypatch):
    def images(self, number, views):
        raise OSError("the disk is gone")

    monkeypatch.setattr(CodedStore, "images", images)
    batches = view_batches(coded, 4, seed=0)
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)
    batches.close()


def test_abandoned_iterator_is_quiet_at_exit(tmp_path):
    npz_root = write_folder(tmp_path / "npz")
    script = (
        "from jaxsoftras.data.npz import open_npz\n"
        "from jaxsoftras.data import view_batches\n"
        f"split = open_npz({str(npz_root)!r}, 'train', ['chair'])\n"
        "batches = view_batches(split, 4, seed=0)\n"
        "next(batches)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_batch_size_below_one(coded):
    with pytest.raises(ValueError, match="at least 1, not 0"):
        sample_views(coded, 0, seed=0, step=0)
