"""Lists of the files that programs wrote to a folder."""

import concurrent.futures
import json
import os
from pathlib import Path

import pytest

from jaxsoftras import written_files


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "results"


def write(folder: Path, **files: str) -> list[str]:
    """Replaces the files of a folder; names have an underscore for the dot."""
    new = folder.with_name("new")
    new.mkdir(exist_ok=True)
    for name, text in files.items():
        (new / name.replace("_", ".")).write_text(text)
    removed = written_files.replace(folder, new)
    assert not list(new.iterdir())
    return removed


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {written_files.FILE}


def test_the_folder_is_that_of_the_last_writing(folder):
    assert write(folder, a_obj="a", b_obj="b", c_png="c") == []
    assert write(folder, b_obj="B", d_obj="d") == ["a.obj", "c.png"]
    assert names(folder) == {"b.obj", "d.obj"}
    assert (folder / "b.obj").read_text() == "B"
    assert set(json.loads((folder / "files.json").read_text())) == names(folder)
    assert written_files.find_others(folder) == []
    assert write(folder, b_obj="B", d_obj="d") == []


def test_files_of_a_user_stay_and_are_named(folder):
    write(folder, a_obj="a", b_obj="b", c_obj="c")
    (folder / "notes.txt").write_text("mine")
    (folder / "b.obj").write_text("edited")
    (folder / "step-3").mkdir()
    (folder / ".hidden").touch()
    assert write(folder, a_obj="a") == ["c.obj"]
    assert names(folder) == {"a.obj", "b.obj", "notes.txt", "step-3", ".hidden"}
    assert (folder / "b.obj").read_text() == "edited"
    assert written_files.find_others(folder) == ["b.obj", "notes.txt"]
    assert write(folder, a_obj="a") == []  # they are not taken for written ones
    assert written_files.find_others(folder) == ["b.obj", "notes.txt"]


def test_files_that_are_not_listed_are_not_read(folder, monkeypatch):
    write(folder, a_obj="a")
    (folder / "film.png").touch()
    read = written_files.digest

    def digest(path):
        assert path.name != "film.png"
        return read(path)

    monkeypatch.setattr(written_files, "digest", digest)
    assert write(folder, a_obj="b") == []
    assert written_files.find_others(folder) == ["film.png"]


def test_a_folder_without_a_list_loses_nothing(folder):
    folder.mkdir()
    (folder / "old.obj").write_text("old")
    assert write(folder, a_obj="a") == []
    assert written_files.find_others(folder) == ["old.obj"]
    assert write(folder, a_obj="a") == []
    assert names(folder) == {"a.obj", "old.obj"}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"a.obj": 3}', '{"a.obj": "x"}', "[" * 100_000, "\0"],
)
def test_a_damaged_list_removes_nothing(content, folder):
    write(folder, a_obj="a")
    (folder / "files.json").write_text(content)
    assert write(folder, b_obj="b") == []
    assert names(folder) == {"a.obj", "b.obj"}
    assert written_files.find_others(folder) == ["a.obj"]


@pytest.mark.parametrize(
    "name",
    [
        *("../out.txt", "sub/in.txt", "..", ".", "", "files.json", ".lock", "a\0b"),
        "a" * 300,
    ],
)
def test_a_list_cannot_lead_elsewhere(name, folder):
    write(folder, a_obj="a")
    (folder / "sub").mkdir()
    for place in (folder.parent / "out.txt", folder / "sub" / "in.txt"):
        place.write_text("text")
    (folder / ".lock").write_text("text")
    checksum = written_files.digest(folder / ".lock")
    (folder / "files.json").write_text(json.dumps({name: checksum}))
    assert write(folder, a_obj="a") == []
    assert (folder.parent / "out.txt").exists() and (folder / ".lock").exists()
    assert (folder / "sub" / "in.txt").exists() and names(folder) > {"a.obj", "sub"}


def test_links_and_folders_in_the_place_of_files_stay(folder):
    write(folder, a_obj="same", b_obj="b", c_obj="same")
    for name in ("a.obj", "b.obj"):
        (folder / name).unlink()
    (folder.parent / "target").write_text("same")
    (folder / "a.obj").symlink_to("../target")
    (folder / "b.obj").mkdir()
    assert write(folder, d_obj="d") == ["c.obj"]
    assert names(folder) == {"a.obj", "b.obj", "d.obj"}


def test_one_file_by_two_names_stays(folder, monkeypatch):
    """As on a file system that takes ``A.obj`` for ``a.obj``."""
    write(folder, A_obj="a")
    replace = written_files.atomic._replace_files

    def link(partials, destinations):
        replace(partials, destinations)
        (folder / "A.obj").unlink(missing_ok=True)
        os.link(folder / "a.obj", folder / "A.obj")

    monkeypatch.setattr(written_files.atomic, "_replace_files", link)
    assert write(folder, a_obj="a") == []
    assert names(folder) == {"a.obj", "A.obj"}


def test_an_error_leaves_the_folder_as_it_was(folder):
    write(folder, a_obj="a")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    (folder / "b.obj").mkdir()
    with pytest.raises(IsADirectoryError, match="A folder has that name"):
        write(folder, a_obj="A", b_obj="b")
    (folder / "b.obj").rmdir()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_what_a_killed_process_left_is_removed_by_the_next(folder, monkeypatch):
    write(folder, a_obj="a", b_obj="b")

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(written_files, "_remove", die)
        write(folder, c_obj="c")
    assert names(folder) == {"a.obj", "b.obj", "c.obj"}
    assert write(folder, d_obj="d") == ["a.obj", "b.obj", "c.obj"]


def test_a_file_is_added_to_the_list(folder):
    for text in ("one", "two"):
        with written_files.add(folder, "report.html") as partial:
            partial.write_text(text)
    assert (folder / "report.html").read_text() == "two"
    assert written_files.find_others(folder) == []
    assert write(folder, a_obj="a") == ["report.html"]
    with pytest.raises(ZeroDivisionError), written_files.add(folder, "b") as partial:
        partial.write_text(str(1 / 0))
    assert names(folder) == {"a.obj"}


def test_programs_wait_for_each_other(folder):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with written_files.add(folder, "report.html") as partial:
            partial.write_text("a page")
            waiting = pool.submit(write, folder, a_obj="a")
            with pytest.raises(TimeoutError):
                waiting.result(0.1)
        assert waiting.result(10) == ["report.html"]
    assert names(folder) == {"a.obj"}


def test_nobody_waits_for_ever(folder, monkeypatch):
    monkeypatch.setattr(written_files, "_PATIENCE", 0.05)
    with written_files.add(folder, "report.html") as partial:
        partial.write_text("a page")
        assert write(folder, a_obj="a") == []
    assert written_files.find_others(folder) == []
