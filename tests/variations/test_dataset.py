"""The data set of variations: its files, what they depend on, and its readers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import config, data, workers
from jaxsoftras import voxels as voxels_of_jax
from jaxsoftras.data import description
from jaxsoftras.shapes.placement import Solid, volume
from jaxsoftras.variations import dataset, making
from jaxsoftras.variations.fits import Fits, read_fits
from tests.support.fit_folders import CHAIR, TABLE, VERTICES, write_fit, write_fits

SIZE = 16


@pytest.fixture(scope="module")
def fits(tmp_path_factory) -> Fits:
    return read_fits(write_fits(tmp_path_factory.mktemp("fits")), "train", 0.6)


def write(fits: Fits, root: Path, objects: int = 4, **others) -> Path:
    options: dict[str, Any] = {"image_size": SIZE, "seed": 1, "processes": 1} | others
    dataset.write_dataset(fits, root, objects_per_category=objects, **options)
    return root


@pytest.fixture(scope="module")
def written(fits, tmp_path_factory) -> Path:
    return write(fits, tmp_path_factory.mktemp("sets") / "set")


def load(root: Path, key: str, kind: str) -> np.ndarray:
    return np.load(root / f"{key}_train_{kind}.npz")["arr_0"]


def test_files_follow_the_format(written):
    names = {f"{k}_train_{w}.npz" for k in (CHAIR, TABLE) for w in ("images", "voxels")}
    assert {path.name for path in written.iterdir()} == names | {"dataset.json"}
    for key in (CHAIR, TABLE):
        images, voxels = load(written, key, "images"), load(written, key, "voxels")
        assert images.shape == (4, 24, 4, SIZE, SIZE) and images.dtype == np.uint8
        assert voxels.shape == (4, 32, 32, 32) and voxels.dtype == bool
        assert np.all(images[:, :, 3].max((2, 3)) == 255)  # in every view
        assert np.all(images[:, :, :3] <= images[:, :, 3:])
        assert np.all(voxels.any((1, 2, 3)))


def test_description_names_the_fits_of_each_object(fits, written):
    about = description.read(written)
    assert about and about.categories == {CHAIR: "chair", TABLE: "table"}
    jobs = [job for job in dataset.list_jobs(fits, 4, 1) if job.key == CHAIR]
    assert about.objects[CHAIR]["train"] == [
        {"name": f"{number:05}", "fits": job.recipe.parents.tolist()}
        for number, job in enumerate(jobs)
    ]
    made_by = about.content["made_by"]
    assert made_by["seed"] == 1 and made_by["split"] == "train"
    assert made_by["data"] == "checksum" and made_by["renderer"] == "numpy"


def test_training_reads_it_beside_another_data_set(written, cabinets):
    sources = (
        config.Source(root=str(cabinets), categories=("cabinet",)),
        config.Source(root=str(written)),
    )
    mixture = data.open_training_set(config.Data(sources=sources))
    assert mixture.categories == ("cabinet", "chair", "table")
    with pytest.raises(FileNotFoundError, match="has no .*_val_images.npz"):
        data.open_split(config.Data(root=str(written)), "val")


def test_voxels_are_those_of_the_shapes(fits, written):
    for job, voxels in zip(
        [job for job in dataset.list_jobs(fits, 4, 1) if job.key == CHAIR],
        load(written, CHAIR, "voxels"),
        strict=True,
    ):
        parents = fits.categories[CHAIR].vertices[job.recipe.parents]
        shape = making.make_shape(parents, job.recipe.weights, fits.faces, job.seed)
        assert volume(Solid(shape.vertices, shape.faces)) > 0
        assert shape.colors.shape == shape.faces.shape
        expected = np.asarray(
            voxels_of_jax.voxelize(shape.vertices.astype(np.float32), shape.faces)
        )
        np.testing.assert_array_equal(voxels, expected)


def test_same_bytes_from_any_number_of_processes(fits, written, tmp_path):
    again = write(fits, tmp_path / "again", processes=2)
    for path in written.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_objects_depend_on_seed_category_and_number_alone(fits, written, tmp_path):
    chairs = fits._replace(categories={CHAIR: fits.categories[CHAIR]})
    more = write(chairs, tmp_path / "more", 5)
    for kind in ("images", "voxels"):
        few, many = load(written, CHAIR, kind), load(more, CHAIR, kind)
        np.testing.assert_array_equal(many[:4], few)
    tables = fits._replace(categories={TABLE: fits.categories[CHAIR]})
    other = load(write(tables, tmp_path / "tables"), TABLE, "images")
    seeded = load(write(fits, tmp_path / "seeded", seed=2), CHAIR, "images")
    for images in (other, seeded):
        same = images == load(written, CHAIR, "images")
        assert not np.any(np.all(same, (1, 2, 3, 4)))


def test_meshes_that_are_inside_out_are_turned(fits):
    parents = fits.categories[CHAIR].vertices[:1]
    seed = np.random.SeedSequence(0)
    right = making.make_shape(parents, np.ones(1), fits.faces, seed)
    wrong = making.make_shape(parents, np.ones(1), fits.faces[:, ::-1], seed)
    assert volume(Solid(wrong.vertices, wrong.faces)) > 0
    np.testing.assert_allclose(right.vertices, wrong.vertices, atol=1e-12)


def test_fits_that_cancel_each_other_leave_something_to_see(tmp_path):
    ball = 0.4 * VERTICES
    for number, factor in enumerate([1, -1, (1, -1, 1), (-1, 1, -1), 1, -1]):
        write_fit(tmp_path / "fits", "mug", number, ball * factor)
    root = write(read_fits(tmp_path / "fits", "train", 0.6), tmp_path / "set", 12)
    assert np.all(load(root, "mug", "images")[:, :, 3].max((2, 3)) == 255)


def test_renderer_of_jax_draws_the_same(fits, written, tmp_path):
    root = write(fits, tmp_path / "jax", renderer="jax")
    about = json.loads((root / "dataset.json").read_text())
    assert about["made_by"]["renderer"] == "jax"
    for key in (CHAIR, TABLE):
        expected = load(written, key, "images")
        np.testing.assert_allclose(load(root, key, "images"), expected, atol=16)
        voxels = load(root, key, "voxels")
        np.testing.assert_array_equal(voxels, load(written, key, "voxels"))


def test_a_set_of_variations_is_replaced_and_nothing_else(fits, tmp_path, cabinets):
    root = write(fits, tmp_path / "set", 1)
    write(fits._replace(categories={TABLE: fits.categories[TABLE]}), root, 2)
    assert not list(root.glob(f"{CHAIR}*")) and len(load(root, TABLE, "voxels")) == 2
    (root / "mine.txt").write_text("")
    for folder in (root, cabinets):
        before = sorted(folder.iterdir())
        with pytest.raises(FileExistsError, match="other files than those of a data"):
            write(fits, folder, 1)
        assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objects": 0}, "from 1 to 131072 objects, not 0"),
        ({"objects": 10**9}, "from 1 to 131072 objects"),
        ({"seed": -1}, "must not be negative"),
        ({"image_size": 0}, "from 1 to 8192, not 0"),
        ({"renderer": "gpu"}, "must be one of numpy, jax"),
    ],
)
def test_bad_arguments_are_refused(fits, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write(fits, tmp_path / "set", **options)
    assert not list(tmp_path.iterdir())


def test_integers_of_numpy_give_the_same(fits, written, tmp_path):
    numbers: Any = {"objects": 4, "seed": 1, "image_size": SIZE}
    numbers = {name: np.int64(number) for name, number in numbers.items()}
    root = write(fits, tmp_path / "set", **numbers)
    for path in written.iterdir():
        assert (root / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("keys", [("mug", "Mug"), (".mug",), ("m" * 201,)])
def test_categories_that_no_file_can_be_named_after_are_refused(fits, keys, tmp_path):
    category = fits.categories[TABLE]
    with pytest.raises(ValueError, match="^The data set of the fits has .* categor"):
        write(fits._replace(categories=dict.fromkeys(keys, category)), tmp_path / "set")
    assert not list(tmp_path.iterdir())


def test_objects_are_made_without_jax():
    program = workers._WITHOUT_JAX + (
        "from jaxsoftras.variations import making\n"
        "assert making.make_object and 'jax' not in sys.modules\n"
    )
    words = [sys.executable, "-c", program, *jaxsoftras.__path__]
    subprocess.run(words, check=True)
