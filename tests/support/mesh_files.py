"""Small OBJ, OFF and STL files for tests: lists of files by name, the mesh first."""

import io
import struct

import numpy as np

Files = dict[str, bytes]


def _png(mode: str, array: np.ndarray, kind: str = "PNG") -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(array).convert(mode).save(file, kind)
    return file.getvalue()


def obj_seeds() -> list[Files]:
    """OBJ files with polygons, colours, materials and images."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 4, 4), np.uint8)
    square = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
    colored = "v 0 0 0 1 0 0\nv 1 0 0 0.2 1.2 0\nv 0 1 0\nv 2 2 0 1 1 1 1\nv nan 0 0\n"
    return [
        {
            "a.obj": (
                f"# made by hand\nmtllib a.mtl b.mtl\n{square}vt 0 0\nvt 3 0\nvt 3 2\n"
                "vt -1 1\nvn 0 0 1\no thing\ns off\nusemtl red one\nf 1/1/1 2/2/1 3/3/1"
                " 4/4/1\nusemtl plain\nf -4//1 -3//1 -2//1\nusemtl grey\nf 1/1 2/2 3/3"
                "\nl 1 2\n"
            ).encode(),
            "a.mtl": (
                b"newmtl red one\nKd 1 0.5 0.5\nmap_Kd -s 2 2 1 -o 0.5 -mm 0 1 my a.png"
                b"\nd 0.5\nnewmtl plain\nKd 0 1 0\nTr 0\n"
            ),
            "b.mtl": b"newmtl grey\nmap_Kd -clamp on b.tif\n"
            b"map_d -imfchan g -clamp on my a.png\n",
            "my a.png": _png("RGBA", noise),
            "b.tif": _png(
                "I;16", np.array([[0, 7], [40000, 65535]], np.uint16), "TIFF"
            ),
        },
        {"a.obj": f"{colored}f 1 2 3\nf 2 4 3\n".encode()},
        {
            "a.obj": square.encode()
            + b"v 0.5 0.5 0\nv 2 2 \\\n0\nf 1 2 5 3 6 4\nf 1 1 2\n"
        },
        {
            "a.obj": f"mtllib a.mtl\n{square}vt 0 0\nf 1/1 2/1 3/1\n".encode(),
            "a.mtl": b"newmtl a\nKd xyz 0.4 0.4 0.4\nmap_Kd a.bmp\n",
            "a.bmp": _png("P", noise, "BMP"),
        },
    ]


def off_seeds() -> list[Files]:
    """OFF files with colours, normals and texture coordinates."""
    square = b"0 0 0\n1 0 0\n1 1 0\n0 1 0\n"
    rows = [row + b" 0 0 1 255 0 51 255 0.5 1\n" for row in square.splitlines()]
    return [
        {"a.off": b"OFF\n4 2 0\n" + square + b"4 0 1 2 3 255 0 0\n3 0 1 2 0 9 0 128\n"},
        {"a.off": b"STCNOFF\n4 2 5\n" + b"".join(rows) + b"# x\n4 3 2 1 0\n3 0 1 2\n"},
        {
            "a.off": b"4OFF 4 1 0\n"
            + square.replace(b"\n", b" 1\n")
            + b"3 0 1 2 1.0 0 0"
        },
        {"a.off": b"OFF5 1 0\n" + square + b"0.5 0.2 0\n5 0 1 4 2 3\n"},
    ]


def stl_seeds() -> list[Files]:
    """Binary and text STL files."""
    corners = np.random.default_rng(0).integers(0, 3, (4, 3, 3)).astype(np.float32)
    body = b"".join(struct.pack("<12fH", 0, 0, 1, *row.ravel(), 0) for row in corners)
    facets = [
        "facet normal 0 0 1\nouter loop\n"
        + "".join("vertex {:g} {:g} {:g}\n".format(*corner) for corner in row.tolist())
        + "endloop\nendfacet\n"
        for row in corners
    ]
    text = f"solid x\n{''.join(facets)}endsolid x\n"
    return [
        {"a.stl": b"binary".ljust(80) + struct.pack("<I", 4) + body},
        {"a.stl": b"solid binary".ljust(80) + struct.pack("<I", 4) + body},
        {"a.stl": text.encode()},
        {"a.stl": (text.upper() + text).replace("\n", "\r\n").encode()},
    ]
