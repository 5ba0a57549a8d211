"""Validation, the best checkpoint and images in a training run."""

import json
import signal
import types
from typing import Any

import numpy as np
import pytest

from jaxsoftras import config, data, interruption
from jaxsoftras.reconstruction import (
    accelerators,
    checkpoint_files,
    evaluation_run,
    gallery,
    monitor,
    previews,
    run_folder,
    runs,
    training,
    training_run,
    validation,
    watching,
)
from jaxsoftras.reconstruction.previews import Previews
from tests.reconstruction.test_records import read_events
from tests.support.small_run import CABINET

SCORES = {2: 0.5, 4: 0.3, 6: 0.4}


@pytest.fixture
def watched(settings, monkeypatch):
    """Settings of a run whose validations have known scores."""
    words = ["optim.steps=6", "log.validate_every=2", "log.checkpoint_every=2"]
    words += ["log.keep_checkpoints=1", "log.metrics_every=3", "log.images_every=6"]
    scores = iter(SCORES.values())

    def validate(self, _):
        score = next(scores)
        return validation.Validation("iou", score, {"cabinet": score}, self.part)

    monkeypatch.setattr(validation.Validator, "validate", validate)
    monkeypatch.setattr(watching.Watcher, "_show", lambda *_: None)
    return config.override(settings, words)


def read_lines(workdir) -> list[dict]:
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_reports_and_the_best_checkpoint(watched, tmp_path, capsys):
    training_run.train(watched, tmp_path / "run")
    lines = read_lines(tmp_path / "run")
    assert sorted(line["step"] for line in lines) == [2, 3, 4, 6, 6]
    found = {line["step"]: line["val_iou"] for line in lines if "val_iou" in line}
    assert found == SCORES
    line = next(line for line in lines if line["step"] == 2)
    assert line["val_iou_per_category"] == {"cabinet": 0.5}
    assert line["val_part"] == "1 of 1 objects, 4 of 24 views"

    shown = capsys.readouterr().out
    assert "step 4/6  validation IoU 0.3000 on 1 of 1 objects, 4 of 24 views" in shown
    assert "6 steps in " in shown
    assert "best validation of a checkpoint 0.5000 at step 2" in shown
    events = read_events(tmp_path / "run" / "tensorboard")
    scalars = {
        (value.tag, event.step): value.simple_value
        for event in events
        for value in event.summary.value
    }
    assert scalars["val/iou", 4] == scalars["val_iou/cabinet", 4] == np.float32(0.3)

    assert checkpoint_files.list_steps(tmp_path / "run" / "checkpoints") == [2, 6]
    assert runs.load(tmp_path / "run", "best").step == 2
    assert runs.load(tmp_path / "run").step == 6


def test_a_validation_that_was_cut_off_is_made_up_for(watched, tmp_path):
    """The process died after the line or before, and without the score."""
    first = config.override(watched, ["optim.steps=4"])
    workdir = tmp_path / "run"
    training_run.train(first, workdir, quiet=True)
    before = read_lines(workdir)
    (workdir / "checkpoints" / "4" / "score.json").unlink()
    training_run.train(first, workdir, quiet=True)
    assert read_lines(workdir) == before
    with runs.Checkpoints(workdir, read_only=True) as opened:
        assert opened.score(4) == SCORES[6]
    training_run.train(first, workdir, quiet=True)  # there is nothing to do


def test_a_signal_loses_no_validation(watched, tmp_path, monkeypatch):
    """Neither that of the steps under way nor that of the last checkpoint."""
    stop, record = interruption.Stop(), monitor.Monitor.record

    def interrupt(self, step, metrics):
        record(self, step, metrics)
        if step == 2:
            stop.number = signal.SIGTERM

    with monkeypatch.context() as patch:
        patch.setattr(monitor.Monitor, "record", interrupt)
        with pytest.raises(interruption.Interrupted):
            training_run.train(watched, tmp_path / "run", quiet=True, stop=stop)
    training_run.train(watched, tmp_path / "run", quiet=True)
    lines = read_lines(tmp_path / "run")
    found = {line["step"]: line["val_iou"] for line in lines if "val_iou" in line}
    assert found == SCORES


def test_what_is_validated_stays_the_same(watched, tmp_path):
    once = config.override(watched, ["optim.steps=2"])
    training_run.train(once, tmp_path / "run", quiet=True)
    other = config.override(once, ["log.validate_views=1"])
    with pytest.raises(run_folder.RunError, match=r"log\.validate_views"):
        training_run.train(other, tmp_path / "run", quiet=True)


def test_intervals_that_never_meet(watched, tmp_path):
    words = ["optim.steps=5", "log.validate_every=3"]
    with pytest.warns(UserWarning, match=r"every 3.*every 2.*will be the best one"):
        training_run.train(config.override(watched, words), tmp_path / "a", quiet=True)


def test_the_program_takes_the_best(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        evaluation_run, "evaluate", lambda *_, step, **__: seen.append(step)
    )
    for words in ([], ["--checkpoint", "best"], ["--step", "3"]):
        assert evaluation_run.main(["--workdir", str(tmp_path), *words]) == 0
    assert seen == [None, "best", 3]


class TestPreviews:
    def test_rows(self, settings):
        experiment = training.Experiment(settings, accelerators.device_mesh(4))
        split = data.open_split(settings.data, "train")
        shown = Previews(experiment, {"train": split, "val": split})
        images = shown.draw(experiment.init(0).variables)
        assert set(images) == {"train", "val"}
        rows, side = split.count(CABINET), 128  # fewer than a preview could have
        np.testing.assert_array_equal(images["train"], images["val"])
        assert images["train"].shape == (rows * side, 4 * side, 3)
        row = images["train"][side : 2 * side].reshape(side, 4, side, 3).swapaxes(0, 1)
        views = split.images(CABINET, np.array([1, 1]), np.array([2, 8]))
        np.testing.assert_array_equal(row[0], gallery.composite_over_white(views[0]))
        np.testing.assert_array_equal(row[2], gallery.composite_over_white(views[1]))
        for mesh in row[[1, 3]]:  # the template is a ball
            covered = (mesh < 250).any(axis=2)
            assert 0.05 < covered.mean() < 0.5 and not covered[:10].any()

    @pytest.mark.parametrize(
        ("counts", "expected"),
        [
            ([9] * 8, [(0, 0), (2, 0), (4, 0), (6, 0)]),
            ([1, 5, 5], [(0, 0), (1, 0), (2, 0), (1, 1)]),
            ([2], [(0, 0), (0, 1)]),
        ],
    )
    def test_objects_are_of_many_categories(self, counts, expected, monkeypatch):
        split = types.SimpleNamespace(count=lambda key: counts[key])
        mixture: Any = types.SimpleNamespace(
            groups=[(split, key) for key in range(len(counts))]
        )
        monkeypatch.setattr(previews.Mixture, "of", lambda source: source)
        monkeypatch.setattr(previews, "_read", lambda _, key, number: (key, number))
        assert previews._choose(mixture) == expected
