import contextlib
import json
import logging
import shutil
import sys

import jax
import numpy as np
import pytest

from jaxsoftras import config
from jaxsoftras.reconstruction import accelerators, run_folder, runs, training
from tests.support.folders import read_files


def assert_same_leaves(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


def write_config(workdir, settings):
    workdir.mkdir()
    config.save(settings, workdir / "config.json")


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the run `trained`, whose data set is gone."""
    workdir = shutil.copytree(trained, tmp_path / "run")
    path = workdir / "config.json"
    content = json.loads(path.read_text())
    content["data"]["root"] = str(tmp_path / "gone")
    path.write_text(json.dumps(content))
    return workdir


class TestLoad:
    def test_restores_the_network_without_data_or_optimiser(self, settings, copied):
        before = read_files(copied)
        trained = runs.load(copied)
        assert trained.step == 3
        assert trained.config.model == settings.model

        experiment = training.Experiment(settings, accelerators.device_mesh(4))
        like = runs.abstract(experiment.init(1), experiment.replicated)
        with runs.Checkpoints(copied, read_only=True) as checkpoints:
            state = checkpoints.restore(like)
        assert int(state.step) == 3
        assert_same_leaves(trained.variables, state.variables)

        images = jax.random.uniform(jax.random.key(0), (2, 16, 16, 4))
        vertices = trained.network.infer(trained.variables, images)
        assert vertices.shape == (2, 42, 3)
        assert read_files(copied) == before

    def test_does_not_depend_on_the_optimiser(self, copied, tmp_path):
        trained = runs.load(copied)
        other = tmp_path / "other"
        write_config(other, trained.config)
        state = {"step": 5, "variables": trained.variables, "opt_state": {"x": 1.0}}
        with runs.Checkpoints(other) as checkpoints:
            checkpoints.save(5, state)
        again = runs.load(other, step=5)
        assert again.step == 5
        assert_same_leaves(again.variables, trained.variables)

    def test_refuses_a_folder_that_is_no_run(self, tmp_path):
        with pytest.raises(runs.RunError, match="not a run folder"):
            runs.load(tmp_path)
        assert not list(tmp_path.iterdir())

    def test_refuses_a_run_without_checkpoints(self, settings, tmp_path):
        write_config(tmp_path / "run", settings)
        with pytest.raises(runs.RunError, match="There is no checkpoint in"):
            runs.load(tmp_path / "run")
        assert [p.name for p in (tmp_path / "run").iterdir()] == ["config.json"]

    def test_refuses_a_step_that_was_not_saved(self, trained):
        with pytest.raises(runs.RunError, match="of step 7 in .* but of 3"):
            runs.load(trained, step=7)

    def test_refuses_a_damaged_checkpoint(self, copied):
        (copied / "checkpoints" / "3" / "default" / "_METADATA").unlink()
        with pytest.raises(runs.RunError, match="damaged .* only: 3 ") as caught:
            runs.load(copied)
        assert str(copied / "checkpoints") in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("change", [{"latent": 4}, {"hidden": [16, 8]}])
    def test_refuses_a_network_of_another_structure(self, change, copied):
        path = copied / "config.json"
        content = json.loads(path.read_text())
        content["model"].update(change)
        path.write_text(json.dumps(content))
        with pytest.raises(runs.RunError, match="of another network, optim"):
            runs.load(copied)

    @pytest.mark.parametrize("step", [3, 7])
    def test_leaves_the_settings_of_the_process_alone(self, step, trained):
        logger, hook = logging.getLogger("absl"), sys.unraisablehook
        before = logger.level
        try:
            logger.setLevel(logging.CRITICAL)
            with contextlib.suppress(runs.RunError):
                runs.load(trained, step)
            assert logger.level == logging.CRITICAL and sys.unraisablehook is hook
        finally:
            logger.setLevel(before)


def test_config_of_a_run_names_the_network(trained):
    assert run_folder.read_config(trained).model == config.Model(
        image_size=16,
        channels=(4, 8),
        hidden=(16,),
        latent=8,
        decoder_hidden=(16,),
        template_level=1,
    )
