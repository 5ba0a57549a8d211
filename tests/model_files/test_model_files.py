"""Model files: what is in them, and what becomes of damaged and malicious ones."""

import dataclasses
import doctest
import functools
import json
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from jaxsoftras import config, model_files, models
from jaxsoftras.model_files import contents
from jaxsoftras.model_files.exporting import serialize
from tests.support import tiny_models

ROOT = Path(__file__).parents[2]
METRICS = {
    "split": "test",
    "step": 12,
    "mean_iou": 0.5,
    "mean_silhouette_iou": None,
    "per_category": {
        "1": {"name": "cup", "objects": 3, "iou": 0.5, "silhouette_iou": None}
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model file of each storage."""
    folder = tmp_path_factory.mktemp("models")
    model = tiny_models.make()._replace(inverted=True)
    for storage in ("float32", "float16"):
        model_files.save(
            folder / f"{storage}.zip",
            model,
            license="CC0-1.0",
            storage=storage,
            metrics={"test": METRICS},
            origin="Trained on cups.",
        )
    return folder


@pytest.fixture(scope="module")
def members(folder) -> dict[str, bytes]:
    return members_of(folder / "float32.zip")


@pytest.fixture(scope="module", autouse=True)
def shared_networks():
    """Makes networks of the same sizes one, which is traced once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "Network", functools.cache(models.Network))
        yield


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, members: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def infer(model: models.Trained) -> np.ndarray:
    return np.asarray(
        jax.jit(model.network.infer)(model.variables, tiny_models.images())
    )


class TestLoad:
    def test_gives_back_the_network(self, folder):
        model = model_files.load(folder / "float32.zip")
        assert model.config == tiny_models.CONFIG
        assert model.step == 12 and model.inverted
        np.testing.assert_array_equal(infer(model), tiny_models.vertices())

    def test_of_half_precision_is_near(self, folder):
        model = model_files.load(folder / "float16.zip")
        saved = models.flatten(tiny_models.make().variables)
        for name, array in models.flatten(model.variables).items():
            assert array.dtype == np.float32
            close = 2**-11 if name.startswith("params.") else 0
            np.testing.assert_allclose(array, saved[name], rtol=close, atol=1e-7)
        np.testing.assert_allclose(infer(model), tiny_models.vertices(), atol=0.03)


class TestSave:
    def test_has_a_card_and_metrics(self, folder):
        members = members_of(folder / "float16.zip")
        assert json.loads(members["metrics/test.json"]) == METRICS
        card = members["README.md"].decode()
        for text in (
            "CC0-1.0",
            "stored as float16",
            "Trained on cups.",
            "| test | cup | 3 | 0.5000 | none |",
            "| test | mean of categories | 3 | 0.5000 | none |",
            "inverted",
        ):
            assert text in card
        assert "$" not in card
        assert b"pickle" not in b"".join(members.values())

    @pytest.mark.parametrize("storage", ["float32", "float16"])
    def test_function_equals_the_network(self, storage, folder):
        archive = members_of(folder / f"{storage}.zip")
        arrays = safetensors.numpy.load(archive["model.safetensors"])
        function = jax.export.deserialize(bytearray(archive["reconstruct.stablehlo"]))
        assert set(function.platforms) == {"cpu", "cuda", "tpu"}
        model = model_files.load(folder / f"{storage}.zip")
        for count in (1, 3):
            found = function.call(arrays, tiny_models.images()[:count])
            np.testing.assert_allclose(found, infer(model)[:count], atol=1e-6)

    @pytest.mark.parametrize(
        "settings",
        [
            ["model.decoder=multilevel"],
            ["model.decoder=flow"],
            ["model.color=palette", "loss.color=1"],
            ["model.color=direct", "model.texture_size=2", "loss.color=1"],
        ],
    )
    def test_every_kind_of_network_has_a_function(self, settings):
        changed = config.override(tiny_models.CONFIG, settings)
        network = models.Network(changed.model)
        arrays: dict[str, Any] = models.flatten(network.shapes)  # without numbers
        model = models.Trained(changed, network, network.shapes, 0)
        function = jax.export.deserialize(bytearray(serialize(model, arrays)))
        (vertices,) = function.out_avals
        assert str(vertices.shape[0]) == "n" and vertices.shape[2] == 3

    @pytest.mark.slow  # the same for another encoder
    def test_other_encoders_have_a_function(self, tmp_path):
        settings = config.override(tiny_models.CONFIG, ["model.encoder=attention"])
        network = models.Network(settings.model)
        variables = network.init(jax.random.key(0))
        model = models.Trained(settings, network, variables, 0)
        model_files.save(tmp_path / "a.zip", model, license="CC0-1.0")
        archive = members_of(tmp_path / "a.zip")
        function = jax.export.deserialize(bytearray(archive["reconstruct.stablehlo"]))
        arrays = safetensors.numpy.load(archive["model.safetensors"])
        found = function.call(arrays, tiny_models.images())
        np.testing.assert_allclose(found, infer(model), atol=1e-5)

    @pytest.mark.parametrize(
        ("value", "storage", "message"),
        [(np.inf, "float32", "not finite"), (1e5, "float16", "too large for float16")],
    )
    def test_refuses_numbers_that_do_not_fit(self, value, storage, message, tmp_path):
        model = tiny_models.make()
        arrays = models.flatten(model.variables)
        name = "params.decoder.centroid.bias"
        arrays[name] = jnp.full(3, value)
        variables = models.unflatten(model.variables, arrays)
        path = tmp_path / "sub" / "a.zip"
        with pytest.raises(model_files.ModelFileError, match=message):
            model_files.save(
                path, model._replace(variables=variables), license="x", storage=storage
            )
        assert not path.parent.exists()

    def test_refuses_another_suffix(self, tmp_path):
        with pytest.raises(model_files.ModelFileError, match="rename model.bin"):
            model_files.save(tmp_path / "model.bin", tiny_models.make(), license="x")


def changed_json(name, **changes):
    def apply(members):
        values = json.loads(members[name])
        for key, value in changes.items():
            values[key] = value
        members[name] = json.dumps(values).encode()

    return apply


def changed_arrays(change):
    def apply(members):
        arrays = safetensors.numpy.load(members[contents.ARRAYS])
        change(arrays)
        members[contents.ARRAYS] = safetensors.numpy.save(arrays)

    return apply


def replaced(name, data):
    def apply(members):
        members[name] = data

    return apply


def removed(name):
    return lambda members: members.pop(name)


KERNEL = "params.decoder.bias.kernel"
BIAS = "params.decoder.centroid.bias"
NAN = np.array([0, np.nan, 0], np.float32)
HUGE = {"image_size": 2**20, "channels": [4], "hidden": [2**20]}
DEEP = {"hidden": [1] * 998, "decoder_hidden": [1, 1]}
HOSTILE = {
    "no about": (removed("model.json"), "holds no model.json"),
    "no config": (removed("config.json"), "holds no config.json"),
    "no arrays": (removed("model.safetensors"), "holds no model.safetensors"),
    "another format": (changed_json("model.json", format="x"), "states no format"),
    "a newer version": (changed_json("model.json", version=2), "install a newer one"),
    "a negative step": (changed_json("model.json", step=-1), "needs a step"),
    "a large step": (changed_json("model.json", step=2**31), "needs a step"),
    "a step of text": (changed_json("model.json", step="1"), "needs a step"),
    "colours of text": (changed_json("model.json", inverted_colors="no"), "needs a st"),
    "no JSON": (replaced("model.json", b"{"), "is not JSON"),
    "no text": (replaced("config.json", b"\xff\xfe\xfa"), "is not JSON"),
    "deep JSON": (replaced("config.json", b"[" * 100_000), "is not JSON"),
    "a list": (replaced("config.json", b"[]"), "no object of JSON"),
    "long JSON": (replaced("config.json", b" " * 2**21), "1,048,576 at most"),
    "an unknown field": (changed_json("config.json", new=1), "configuration field"),
    "a wrong value": (changed_json("config.json", seed=-1), "seed must be"),
    "a huge network": (changed_json("config.json", model=HUGE), "parameters, more"),
    "many layers": (changed_json("config.json", model=DEEP), "1,000 layers"),
    "another network": (changed_json("config.json", model={}), "lacks"),
    "no tensors": (replaced("model.safetensors", b""), "cannot be read"),
    "a long header": (replaced("model.safetensors", b"\xff" * 64), "cannot be read"),
    "cut tensors": (replaced("model.safetensors", b"\x02\0\0\0\0\0\0\0{"), "cannot be"),
    "many tensors": (replaced("model.safetensors", bytes(2**21)), "bytes for model.s"),
    "a missing array": (changed_arrays(lambda a: a.pop(KERNEL)), f"such as '{KERNEL}'"),
    "an extra array": (changed_arrays(lambda a: a.update(x=NAN)), "beyond those"),
    "another shape": (changed_arrays(lambda a: a.update({KERNEL: NAN})), "[16, 126]"),
    "another type": (
        changed_arrays(lambda a: a.update({BIAS: np.zeros(3, np.float64)})),
        "float64 [3]",
    ),
    "NaN": (changed_arrays(lambda a: a.update({BIAS: NAN})), "not finite"),
    "a path upwards": (replaced("../x", b""), "unsafe path"),
    "a path from the root": (replaced("/etc/x", b""), "unsafe path"),
    "a path of Windows": (replaced("a\\..\\x", b""), "unsafe path"),
}


def refusal(path: Path) -> str:
    with pytest.raises(model_files.ModelFileError) as caught:
        model_files.load(path)
    text = str(caught.value)
    assert text.startswith(str(path)) and text.endswith(".") and "\n" not in text
    assert text.count(str(path)) == 1  # no reason within another
    return text


class TestHostileFiles:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_is_refused(self, name, members, tmp_path):
        apply, message = HOSTILE[name]
        members = dict(members)
        apply(members)
        assert message in refusal(write(tmp_path / "a.zip", members))

    def test_members_that_occur_twice(self, members, tmp_path):
        path = write(tmp_path / "a.zip", members)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr("config.json", b"{}")
        assert "config.json twice" in refusal(path)

    def test_links(self, members, tmp_path):
        path = write(tmp_path / "a.zip", members)
        with zipfile.ZipFile(path, "a") as archive:
            link = zipfile.ZipInfo("link")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
        assert "unsafe path, link" in refusal(path)

    def test_other_compressions(self, members, tmp_path):
        path = write(tmp_path / "a.zip", members, compression=zipfile.ZIP_LZMA)
        assert "not as deflate does" in refusal(path)

    def test_other_members_are_passed_over(self, members, tmp_path):
        path = write(tmp_path / "a.zip", {**members, "notes.txt": b"text"})
        assert model_files.load(path).step == 12

    @pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
    def test_cut_files(self, part, folder, tmp_path):
        data = (folder / "float32.zip").read_bytes()
        (tmp_path / "a.zip").write_bytes(data[: int(part * len(data))])
        assert "not a sound zip archive" in refusal(tmp_path / "a.zip")

    def test_every_damaged_byte_is_refused_or_harmless(self, folder, tmp_path):
        path = folder / "float32.zip"
        data, expected = (
            path.read_bytes(),
            models.flatten(model_files.load(path).variables),
        )
        random = np.random.default_rng(0)
        refused = 0
        for place in random.integers(0, len(data), 40):
            changed = bytearray(data)
            changed[place] ^= 1 << random.integers(8)
            (tmp_path / "a.zip").write_bytes(changed)
            try:
                found = model_files.load(tmp_path / "a.zip")
            except model_files.ModelFileError:
                refused += 1
                continue
            for name, array in models.flatten(found.variables).items():
                np.testing.assert_array_equal(array, expected[name])
        assert refused > 5

    def test_a_folder_and_a_missing_file(self, tmp_path):
        for path in (tmp_path, tmp_path / "none.zip"):
            with pytest.raises(FileNotFoundError, match="no model file"):
                model_files.load(path)

    def test_an_encrypted_member(self, members, tmp_path):
        path = write(tmp_path / "a.zip", members)
        data = bytearray(path.read_bytes())
        central = data.index(b"PK\x01\x02")
        data[central + 8] |= 1  # of the first member, model.json
        path.write_bytes(data)
        assert "encrypted" in refusal(path)


def test_names_cover_all_arrays():
    model = tiny_models.make()
    named = models.flatten(model.variables)
    assert len(named) == len(jax.tree.leaves(model.variables)) == 22
    assert KERNEL in named and "batch_stats.encoder.stages.1.layers.1.var" in named
    again = models.unflatten(model.variables, named)
    jax.tree.map(np.testing.assert_array_equal, again, model.variables)


def test_pretrained_configuration_makes_a_small_file(tmp_path):
    settings = config.load(ROOT / "configs" / "pretrained.py")
    network = models.Network(settings.model)
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), network.shapes)
    model = models.Trained(settings, network, zeros, settings.optim.steps)
    path = tmp_path / "model.zip"
    model_files.save(path, model, license="CC0-1.0", storage="float16")
    assert path.stat().st_size < 6e6
    assert model_files.load(path).config == settings


def test_example_of_load():
    (example,) = doctest.DocTestFinder(recurse=False).find(model_files.load, "load")
    assert not doctest.DocTestRunner().run(example).failed


def test_the_pretrained_model():
    """It is small, free to use, that of its configuration, and names no machine."""
    path = model_files.PRETRAINED
    assert path.stat().st_size < 6e6
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("model.json"))
        card = archive.read("README.md").decode()
    assert about["license"] == "CC0-1.0"
    assert not re.search(r"(?<![\w.])/(tmp|root|home|work)/", card)
    model = model_files.load(path)
    made = config.load(ROOT / "configs" / "pretrained.py")
    # on how many devices it was made changes no result
    made = dataclasses.replace(made, devices=model.config.devices)
    assert model.config == made and 0 < model.step <= made.optim.steps
    views = jnp.zeros((1, 64, 64, 4))
    vertices = np.asarray(model.network.infer(model.variables, views))
    assert vertices.shape == (1, 642, 3) and np.abs(vertices).max() < 0.5
