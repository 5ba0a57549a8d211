"""The folder of results, over several evaluations of one run."""

import types
from typing import Any

import pytest
from PIL import Image

from jaxsoftras import config, extras, icosphere, report, written_files
from jaxsoftras.reconstruction import (
    color_gallery,
    evaluation_pictures,
    evaluation_summary,
    evaluation_writing,
    gallery,
    showcase,
)
from tests.support.scores import make_scores

BALL = icosphere(0)
SUBJECT: Any = types.SimpleNamespace(
    settings=config.Config(),
    experiment=types.SimpleNamespace(network=types.SimpleNamespace(faces=BALL.faces)),
)


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    """Writes an evaluation of categories, in colour or not; returns the lines."""
    page = Image.new("RGB", (1, 1))
    monkeypatch.setattr(gallery, "sheet", lambda *_: page)
    monkeypatch.setattr(color_gallery, "sheet", lambda _: page)
    monkeypatch.setattr(showcase, "write", lambda *_: None)

    def write(*names, colors=None, keep_config=False) -> list[str]:
        scores = make_scores(dict.fromkeys(names, 1), iou=0.5, loss=1)
        examples: Any = [
            types.SimpleNamespace(name=name, vertices=BALL.vertices, colors=colors)
            for name in names
        ]
        rows: Any = [] if colors is None else ["a row"]
        return evaluation_writing.write(
            tmp_path,
            SUBJECT,
            evaluation_summary.summarize(scores),
            scores,
            None,  # pyright: ignore[reportArgumentType]
            evaluation_pictures.Pictures(examples, rows),
            keep_config=keep_config,
        )

    def make_report(workdir, split):
        with written_files.add(workdir / "eval" / split, report.FILE) as partial:
            partial.write_text("a page")
        return workdir / "eval" / split / report.FILE

    monkeypatch.setattr(report, "write", make_report)
    return write


ALWAYS = {"metrics.json", "scores.npz", "gallery.png", "report.html", "files.json"}


def find_names(tmp_path) -> set[str]:
    assert [path.name for path in (tmp_path / "eval").iterdir()] == ["test"]
    return {path.name for path in (tmp_path / "eval" / "test").iterdir()}


def test_categories_that_are_gone_leave_no_meshes(evaluate, tmp_path):
    assert len(evaluate("chair", "sofa")) == 2
    *_, line = evaluate("chair", "mug")
    assert line == "Removed, as of an evaluation before: sofa.obj."
    assert find_names(tmp_path) == ALWAYS | {"chair.obj", "mug.obj"}
    assert len(evaluate("chair", "mug")) == 2


def test_colours_and_configurations_that_are_gone(evaluate, tmp_path):
    evaluate("a", colors=abs(BALL.vertices), keep_config=True)
    found = find_names(tmp_path)
    assert found == ALWAYS | {"a.obj", "a.glb", "colors.png", "config.json"}
    *_, line = evaluate("a")
    assert line.endswith("evaluation before: a.glb, colors.png, config.json.")
    assert find_names(tmp_path) == ALWAYS | {"a.obj"}


def test_files_of_a_user_are_named_if_they_may_be_taken_for_results(evaluate, tmp_path):
    evaluate("a", "b")
    folder = tmp_path / "eval" / "test"
    for name in ("mine.OBJ", "b.obj", "notes.txt", "figure.png"):
        (folder / name).write_text("mine")
    (folder / "step-3").mkdir()
    *_, line = evaluate("a")
    assert (
        line == "Not of this evaluation, and left there: b.obj, figure.png, mine.OBJ."
    )
    assert (folder / "b.obj").read_text() == "mine"
    assert {"notes.txt", "step-3"} < find_names(tmp_path)


def test_the_report_of_an_evaluation_before_is_removed(evaluate, tmp_path, monkeypatch):
    evaluate("a")

    def refuse(*_):
        raise extras.MissingExtraError("Install plotly to write a report.")

    monkeypatch.setattr(report, "write", refuse)
    _, advice, removed = evaluate("a")
    assert f"Then run: jaxsoftras report {tmp_path} --split test." in advice
    assert removed == "Removed, as of an evaluation before: report.html."
    assert find_names(tmp_path) == ALWAYS - {"report.html"} | {"a.obj"}


def test_an_error_leaves_the_evaluation_before(evaluate, tmp_path, monkeypatch):
    evaluate("a", "b")
    folder = tmp_path / "eval" / "test"
    before = {path: path.read_bytes() for path in folder.iterdir()}

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(evaluation_pictures, "write", fail)
    with pytest.raises(OSError, match="no space"):
        evaluate("a")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    find_names(tmp_path)
