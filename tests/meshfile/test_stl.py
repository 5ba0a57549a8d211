"""STL files: binary and text, as programs write them, and counts that disagree."""

import struct

import numpy as np
import pytest

from jaxsoftras.meshfile import load_mesh

CORNERS = np.array(
    [[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [-0.0, 1, 0]]]
)
FACETS = [
    "facet normal 0 0 1\nouter loop\n"
    + "".join("vertex {:g} {:g} {:g}\n".format(*corner) for corner in corners)
    + "endloop\nendfacet\n"
    for corners in CORNERS
]
BODY = b"".join(struct.pack("<12fH", *[np.nan] * 3, *c.ravel(), 31) for c in CORNERS)
BAD = FACETS[0].replace("vertex 1 0 0", "vertex 1 0 x")


def binary(count=2, body=BODY, title=b"made here") -> bytes:
    return title.ljust(80) + struct.pack("<I", count) + body


def text(*facets) -> bytes:
    return f"solid one\n{''.join(facets or FACETS)}endsolid one\n".encode()


def load(folder, content):
    (folder / "a.stl").write_bytes(content)
    return load_mesh(folder / "a.stl")


@pytest.mark.parametrize(
    "content",
    [
        binary(),
        binary(title=b"solid facet vertex"),
        text(),
        text().upper().replace(b"NORMAL 0 0 1", b"NORMAL -NAN(IND) 1.#QNAN 0"),
        text().replace(b"\n", b"\r\n").replace(b"endfacet", b"end facet"),
        b"\xef\xbb\xbf \n" + text().replace(b"\n", b" \r"),
        text(FACETS[0]) + text(FACETS[1]),  # several solids
        text().replace(b"solid one", b"solid vertex group 1"),
        text().replace(b"\n", b" ").replace(b"solid one", b"solid"),
    ],
)
def test_spellings(content, tmp_path):
    loaded = load(tmp_path, content)
    np.testing.assert_array_equal(loaded.faces, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(loaded.vertices[loaded.faces], CORNERS)
    assert loaded.texture is None


@pytest.mark.parametrize(
    "content, message",
    [
        (binary(body=BODY + bytes(7)), "bytes after the last triangle: 7, left out"),
        (binary(0), "its head says 0 triangles; read by its length: 2"),
        (binary(1), "its head says 1 triangles; read by its length: 2"),
        (text()[:-13], "ends without 'endsolid'"),
    ],
)
def test_counts_that_disagree(content, message, tmp_path):
    with pytest.warns(UserWarning, match=message):
        assert len(load(tmp_path, content).faces) == 2


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "it is empty"),
        (b"no model", "neither text nor binary: 8 bytes"),
        (binary(0, b""), "has no faces"),
        (b"solid\nendsolid\n", "has no faces"),
        (binary(3), "should have 3 triangles, and ends after 2"),
        (text()[:-40], "ends within facet 1 "),
        (text(FACETS[0], BAD), "vertex in line 12 is .*: 'vertex 1 0 x'"),
        (text(FACETS[0].replace("vertex 1 1 0", "vertex 1 1")), "vertex in line 6 is"),
        (text(FACETS[0].replace("vertex 1 1 0", "vertex 1 1 nan")), "not finite"),
    ],
)
def test_refusals(content, message, tmp_path):
    with pytest.raises(ValueError, match=rf"a\.stl cannot be read as STL: .*{message}"):
        load(tmp_path, content)


def test_loops_of_four(tmp_path):
    loop = FACETS[0].replace("endloop", "vertex 0 1 0\nendloop")
    loaded = load(tmp_path, text(loop))
    np.testing.assert_array_equal(loaded.faces, [[0, 1, 2], [0, 2, 3]])


def test_facets_of_two_corners_are_named(tmp_path):
    loop = FACETS[0].replace("vertex 1 0 0\n", "")
    with pytest.warns(UserWarning, match="fewer than three corners: 1"):
        assert len(load(tmp_path, text(loop, FACETS[1])).faces) == 1
