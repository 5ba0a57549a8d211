import os
from typing import Any

import pytest

import jaxsoftras
from tests.support import viewed_runs

viewed_runs.require_viser()

from jaxsoftras.viewer.exhibits import Exhibit  # noqa: E402
from jaxsoftras.viewer.file_list import FileList  # noqa: E402
from jaxsoftras.viewer.page import Page  # noqa: E402
from jaxsoftras.viewer.worker import Worker  # noqa: E402


@pytest.fixture
def page(monkeypatch):
    with Page("127.0.0.1", 0) as served:
        opened: Any = served
        opened.shown, opened.said = [], []
        monkeypatch.setattr(opened, "show", opened.shown.append)
        monkeypatch.setattr(
            opened, "say", lambda text, problem=False: opened.said.append(text)
        )
        yield opened


def describe(path) -> Exhibit:
    jaxsoftras.load_mesh(path)
    return Exhibit(path.name)


def write(path, text="OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"):
    path.write_text(text)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    return path


@pytest.fixture
def files(page, tmp_path):
    paths = [write(tmp_path / f"{name}.off") for name in "abc"]
    return FileList(page, Worker(print, 1), "Mesh", paths, describe)


def titles(page) -> list[str]:
    return [exhibit.title for exhibit in page.shown]


def test_steps_in_a_circle(page, files):
    files.begin()
    for number in (1, 2, 3, -1):
        files.show(number)
    assert titles(page) == ["a.off", "b.off", "c.off", "a.off", "c.off"]
    assert page.said[-1] == "Mesh 3 of 3"


def test_a_file_that_changes_is_shown_again(page, files, tmp_path):
    files.begin()
    files.look()
    assert len(page.shown) == 1
    write(tmp_path / "a.off", "OFF\n3 1 0\n0 0 0\n2 0 0\n0 1 0\n3 0 1 2\n ")
    files.look()
    files.look()
    assert titles(page) == ["a.off", "a.off"]


@pytest.mark.parametrize("text", ["OFF\n3 1", None])
def test_what_it_held_before_stays_while_it_is_damaged(page, files, tmp_path, text):
    files.begin()
    if text is None:
        (tmp_path / "a.off").unlink()
    else:
        write(tmp_path / "a.off", text)
    files.look()
    files.look()
    assert titles(page) == ["a.off"]
    assert page.said[-1].endswith("What it held before is shown.")
    assert sum("a.off" in text and "before" in text for text in page.said) == 1
    write(tmp_path / "a.off")
    files.look()
    assert titles(page) == ["a.off"] * 2


def test_a_damaged_file_among_others_is_passed_over(page, files, tmp_path):
    write(tmp_path / "a.off", "OFF")
    files.begin()
    assert page.shown == [Exhibit("a.off")] and "cannot be read" in page.said[-1]
    files.show(1)
    assert titles(page)[-1] == "b.off"


def test_a_single_damaged_file_ends_the_viewer(page, tmp_path):
    path = write(tmp_path / "a.off", "OFF")
    files = FileList(page, Worker(print, 1), "Mesh", [path], describe)
    with pytest.raises(ValueError, match="cannot be read"):
        files.begin()


def test_files_are_added_once(page, files, tmp_path):
    files.begin()
    files.add(write(tmp_path / "d.off"))
    files.add(tmp_path / "d.off")
    assert titles(page) == ["a.off", "d.off", "d.off"]
    assert page.said[-1] == "Mesh 4 of 4"
