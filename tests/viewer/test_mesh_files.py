import os
import re

import pytest

import jaxsoftras
from jaxsoftras import terminal
from jaxsoftras.viewer import mesh_files


@pytest.fixture
def sphere(tmp_path):
    jaxsoftras.save_mesh(tmp_path / "sphere.off", jaxsoftras.icosphere(1))
    return tmp_path / "sphere.off"


def test_facts(sphere):
    exhibit = mesh_files.describe(sphere, "+y")
    assert exhibit.title == "sphere.off"
    assert dict(exhibit.facts) == {
        "Vertices": "42",
        "Faces": "80",
        "Size": "1.902 × 2 × 2",
        "Colours": "no texture",
        "Watertight": "yes",
        "File": "0.00 MB",
    }


def test_size_is_that_of_what_is_drawn(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0\nv 2 0 0\nv 0 3 0\nv 9e9 9e9 9e9\nf 1 2 3\n")
    facts = dict(mesh_files.describe(path, "+z").facts)
    assert facts["Size"] == "2 × 3 × 0" and facts["Watertight"] == "no"


def test_what_is_missing_is_noted(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("mtllib gone.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl m\nf 1 2 3\n")
    (note,) = mesh_files.describe(path, "+y").notes
    assert "gone.mtl" in note


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"OFF\n3 1 0\nnan 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
        b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n",
        b"OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n",
        b"\x00" * 100,
        b"<html></html>",
    ],
)
def test_damaged_files_are_refused(content, tmp_path):
    (tmp_path / "a.off").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
        mesh_files.describe(tmp_path / "a.off", "+y")


def test_names_that_cannot_be_viewed(sphere, tmp_path):
    mesh_files.check([sphere])
    (tmp_path / "a.txt").write_text("x")
    os.mkfifo(tmp_path / "pipe.obj")
    for name, reason in {
        "gone.obj": "There is no file",
        "a.txt": "does not have the name of a mesh file",
        "pipe.obj": "is not a regular file",
        ".": "is a folder",
    }.items():
        with pytest.raises((terminal.ProgramError, ValueError), match=reason):
            mesh_files.check([sphere, tmp_path / name])
