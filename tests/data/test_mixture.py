"""Batches from several splits: weights, names, cameras and configurations."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxsoftras import config, data
from jaxsoftras.data import Mixture, Split, sample_views
from jaxsoftras.data.rig import Orbit, OrbitViews
from tests.data.test_sampling import CodedStore, coded_cameras
from tests.support import small_run
from tests.support.npz_files import write_folder

NAMES = {"03001627": "chair", "04379243": "table", "chairs": "chair", "mugs": "mug"}


def make_split(code, counts, orbit=None):
    """A split whose pixels state ``code``, object and view."""
    stores = {key: CodedStore(code, n) for key, n in counts.items()}
    if orbit is None:
        cameras = {key: coded_cameras([24] * n) for key, n in counts.items()}
        return Split("train", stores, NAMES, cameras)
    return Split("train", stores, NAMES, orbit)


def draw(mixture, count=20_000):
    batch = sample_views(mixture, count, seed=0, step=0)
    return batch, batch.images[:, 0, :2, 0, 0].T


def test_categories_are_matched_by_name_and_sources_drawn_by_weight():
    rig = Orbit()
    real = make_split(1, {"03001627": 2, "04379243": 5}, rig)
    made = make_split(2, {"chairs": 30, "mugs": 7}, rig)
    mixture = Mixture([real, made], [1, 3])
    assert mixture.categories == ("chair", "table", "mug")
    _, (source, objects) = draw(mixture)
    # a third each: tables from the first alone, mugs from the second, chairs by weight
    share = np.mean(source == 1)
    assert share == pytest.approx(1 / 3 + 1 / 12, abs=0.02)
    tables = np.mean((source == 1) & (objects >= 2))
    assert tables == pytest.approx(1 / 3 * 3 / 5, abs=0.02)


def test_a_mixture_of_one_is_the_split():
    split = make_split(1, {"03001627": 2, "04379243": 5}, Orbit())
    batches = [draw(source, 50)[0] for source in (split, Mixture([split], [7.0]))]
    jax.tree.map(np.testing.assert_array_equal, *batches)


@pytest.mark.parametrize("second", [None, Orbit(half_fov=20.0)])
def test_batches_have_one_type_whatever_they_are_drawn_from(second):
    splits = [
        make_split(1, {"03001627": 2}, Orbit()),
        make_split(2, {"chairs": 3}, second),
    ]
    mixture = Mixture(splits, [1, 1])
    batch, (source, _) = draw(mixture, 40)
    views = np.asarray(batch.images)[:, 0, 2, 0, 0]
    types = {
        jax.tree.structure(sample_views(mixture, 1, seed=seed, step=0))
        for seed in range(8)
    }
    assert len(types) == 1
    assert not isinstance(batch.cameras, OrbitViews)
    for code, split in ((1, splits[0]), (2, splits[1])):
        rows = source == code
        assert rows.any()
        objects = np.asarray(batch.images)[rows, 0, 1, 0, 0]
        expected = split.cameras(split.categories[0], objects, views[rows])
        got = jax.tree.map(lambda part, rows=rows: part[rows, 0], batch.cameras)
        jax.tree.map(np.testing.assert_array_equal, got, expected)


def test_what_does_not_mix():
    split = make_split(1, {"03001627": 2}, Orbit())
    for weights in ([1.0], [1.0, 0.0], [1.0, np.nan], [np.inf, 1.0]):
        with pytest.raises(ValueError, match="2 splits need as many positive weights"):
            Mixture([split, split], weights)
    large = make_split(1, {"03001627": 2}, Orbit())
    large.image_size = 4
    with pytest.raises(ValueError, match="the first has 2 px, another 4 px"):
        Mixture([split, large], [1, 1])


class TestConfiguration:
    def make(self, *roots):
        sources = tuple(config.Source(root=str(root)) for root in roots)
        return config.Data(sources=sources, categories=("chair", "table"))

    def test_opens_every_source_and_evaluates_the_first(self, tmp_path):
        roots = [write_folder(tmp_path / name) for name in ("a", "b")]
        settings = self.make(*roots)
        mixture = data.open_training_set(settings)
        assert isinstance(mixture, Mixture)
        assert len(mixture.groups) == 2 * len(mixture.categories)
        for root in roots[1:]:
            for path in root.glob("*_val_*"):
                path.unlink()
        assert data.open_split(settings, "val").name == "val"
        alone = dataclasses.replace(settings, root=str(roots[0]), sources=())
        assert isinstance(data.open_training_set(alone), Split)

    def test_survives_saving_and_the_command_line(self, tmp_path):
        settings = config.Config(data=self.make("x", "y"))
        chosen = "data.categories=('chair', 'table')"
        config.save(settings, tmp_path / "config.json")
        assert config.read(tmp_path / "config.json") == settings
        given = "data.sources=({'root': 'x'}, {'root': 'y', 'weight': 1})"
        assert config.override(config.Config(), [given, chosen]) == settings
        with pytest.raises(config.ConfigError, match="no configuration field 'size'"):
            config.override(config.Config(), ["data.sources=({'size': 3},)"])
        with pytest.raises(config.ConfigError, match="Source needs root"):
            config.override(config.Config(), ["data.sources=({},)"])
        with pytest.raises(config.ConfigError, match="data.sources must be a tuple of"):
            config.override(config.Config(), ["data.sources=('x', 'y')"])

    def test_a_run_may_find_its_sources_elsewhere_but_not_weigh_them_anew(self):
        old = config.Config(data=self.make("x", "y"))
        moved = config.Config(data=self.make("u", "v"))
        assert config.conflicts(old, moved) == []
        first, second = old.data.sources
        heavy = dataclasses.replace(second, weight=2.0)
        changed = dataclasses.replace(old.data, sources=(first, heavy))
        other = config.Config(data=changed)
        (conflict,) = config.conflicts(old, other)
        assert conflict == "data.sources.1.weight: 1.0 there, 2.0 here"
        assert config.conflicts(old, config.Config(data=self.make("x")))

    @pytest.mark.slow
    def test_trains(self, cabinets, tmp_path):
        """One step on a mixture: each source's objects under its own cameras."""
        sources = f"data.sources=({{'root': {str(cabinets)!r}}},) * 2"
        assert small_run.train(sources, workdir=tmp_path / "run") == 2  # no literal
        sources = f"data.sources=({{'root': {str(cabinets)!r}}},)"
        code = small_run.train(sources, "optim.steps=1", workdir=tmp_path / "run")
        assert code == 0 and (tmp_path / "run" / "checkpoints" / "1").exists()
