import dataclasses
import shutil
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jaxsoftras.reconstruction import (
    evaluation_scores,
    evaluation_subject,
    run_folder,
    run_viewing,
)
from jaxsoftras.viewer.exhibits import Exhibit
from tests.support import scores, viewed_runs
from tests.support.small_run import CABINET

viewed_runs.require_viser()

from jaxsoftras.viewer.page import Page  # noqa: E402
from jaxsoftras.viewer.worker import Worker  # noqa: E402


@pytest.fixture(scope="module")
def page():
    with Page("127.0.0.1", 0) as opened:
        yield opened


@pytest.fixture
def viewer(page, cabinets, tmp_path, monkeypatch):
    """A viewer of a run without a checkpoint; what it shows is noted, not drawn."""
    workdir = viewed_runs.write_run(tmp_path / "run", cabinets)
    run = run_viewing.open_run(workdir, None, None)
    made: Any = run_viewing.RunViewer(page, Worker(print, 1), run, "train", None)
    made.shown, made.said, made.workdir = [], [], workdir

    def note(objects, place, reconstructor, found):
        step = reconstructor and reconstructor.trained.step
        made.shown.append((objects.split.name, place, step, found and found.step))
        return Exhibit("")

    monkeypatch.setattr(run_viewing, "make_exhibit", note)
    monkeypatch.setattr(page, "say", lambda text, problem=False: made.said.append(text))
    made.begin()
    return made


def save_scores(viewer, split: str = "train", **changes) -> np.ndarray:
    """Writes an evaluation whose worst object is the first, and whose best the last."""
    count = viewer._objects.split.count(CABINET)
    values = np.linspace(0.1, 0.9, count)
    found = scores.make_scores({CABINET: count}, views=24, iou=values[:, None])
    changes = {
        "data": evaluation_subject.summarize_data(viewer._objects.split),
        **changes,
    }
    folder = viewer.workdir / "eval" / split
    folder.mkdir(parents=True, exist_ok=True)
    evaluation_scores.write(
        dataclasses.replace(found, **changes), folder / evaluation_scores.FILE
    )
    return values


def test_waits_for_the_first_checkpoint_and_follows(viewer):
    assert "waiting for the first" in viewer.said[-1]
    assert viewer.shown[-1][2] is None
    viewer.look()
    assert len(viewer.shown) == 1
    for step in (100, 200):
        viewed_runs.save_checkpoint(viewer.workdir, step)
        viewer.look()
        assert viewer.shown[-1][2] == step
        assert viewer.said[-1] == f"Step {step} of 900, the newest checkpoint"
    shutil.rmtree(viewer.workdir / "checkpoints")
    viewer.look()
    assert len(viewer.shown) == 3


def test_a_run_that_another_has_replaced_is_not_mixed_up(viewer, tmp_path):
    shutil.rmtree(viewer.workdir)
    viewed_runs.write_run(viewer.workdir, tmp_path, image_size=32)
    viewed_runs.save_checkpoint(viewer.workdir, 100)
    with pytest.raises(run_folder.RunError, match="start it again"):
        viewer.look()
    viewer.look()
    assert viewer.shown[-1][2] is None


def test_objects_and_views(viewer):
    count = viewer._objects.split.count(CABINET)
    assert count > 1
    for number, expected in ((1, 1), (count, 0), (-1, count - 1)):
        viewer._change_object(number)
        assert viewer.shown[-1][1] == (CABINET, expected, 2)
    viewer._change_view(23)
    assert viewer.shown[-1][1] == (CABINET, count - 1, 23)
    shown = len(viewer.shown)
    for number in (24, -1, np.nan, np.inf):
        viewer._change_view(number)
    viewer._change_category("no such category")
    assert len(viewer.shown) == shown
    viewer._change_category("cabinet")
    assert viewer.shown[-1][1] == (CABINET, 0, 2)


@pytest.mark.parametrize("value", [["cabinet"], None, {}])
def test_what_is_no_category_ends_no_worker(viewer, value):
    event = SimpleNamespace(client=object(), target=SimpleNamespace(value=value))
    viewer._ask_category(event)
    assert not viewer._worker._wanted


def test_splits(viewer, monkeypatch):
    viewer._change_split("test")
    assert viewer.shown[-1][0] == "test"

    def refuse(*_):
        raise FileNotFoundError("There is no split.")

    monkeypatch.setattr(run_viewing, "Objects", refuse)
    with pytest.raises(FileNotFoundError):
        viewer._change_split("style")
    assert viewer._name == "test"
    assert viewer._split.value == "test"
    viewer._change_object(0)
    assert viewer.shown[-1][0] == "test"


def test_ranks_of_an_evaluation_that_appears(viewer):
    viewer._change_rank("best")
    assert "no evaluation" in viewer.said[-1]
    values = save_scores(viewer, step=50)
    viewer.look()
    assert viewer.shown[-1][3] == 50 and viewer._ranks.visible
    numbers = []
    for rank in ("best", "worst"):
        viewer._change_rank(rank)
        numbers.append(viewer.shown[-1][1].number)
    assert numbers == [len(values) - 1, 0]


def test_an_evaluation_of_other_data_is_passed_over(viewer):
    save_scores(viewer, data="other images")
    viewer.look()
    assert viewer.shown[-1][3] is None and not viewer._ranks.visible


def test_a_damaged_evaluation_is_reported_once(viewer):
    save_scores(viewer)
    (viewer.workdir / "eval" / "train" / evaluation_scores.FILE).write_bytes(b"PK")
    for _ in range(2):
        viewer.look()
    assert viewer.shown[-1][3] is None and len(viewer.shown) == 2
    assert "scores.npz" in viewer.said[-1]


def test_names_that_categories_share_are_told_apart():
    split: Any = SimpleNamespace(names={"a": "chair", "b": "chair", "c": "table"})
    assert run_viewing._label_categories(split) == {
        "chair (a)": "a",
        "chair (b)": "b",
        "table": "c",
    }
