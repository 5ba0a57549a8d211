"""Small PLY files for tests, in text and binary."""

import struct

from tests.support.gltf_files import FOUR, png

SQUARE = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
CODES = {"uchar": "B", "char": "b", "ushort": "H", "short": "h", "uint": "I"}
CODES |= {"int": "i", "float": "f", "double": "d"}
FORMATS = ["ascii", "binary_little_endian", "binary_big_endian"]


def encode(
    form: str, elements: list[tuple[str, list[str], list[list]]], comments: str = ""
) -> bytes:
    """Encodes a PLY file.

    Args:
        form: one of `FORMATS`.
        elements: name, properties such as ``"float x"`` and rows of each; the value of
            a list property is a list.
        comments: further lines of the header.
    """
    head = f"ply\nformat {form} 1.0\n{comments}"
    body = b""
    order = {"ascii": "", FORMATS[1]: "<", FORMATS[2]: ">"}[form]
    for name, properties, rows in elements:
        head += f"element {name} {len(rows)}\n"
        head += "".join(f"property {words}\n" for words in properties)
        for row in rows:
            line, code, flat = [], order, []
            for words, value in zip(properties, row, strict=True):
                kind = words.split()
                values = value if kind[0] == "list" else [value]
                if kind[0] == "list":
                    code += CODES[kind[1]]
                    flat.append(len(values))
                code += CODES[kind[-2]] * len(values)
                flat += values
            line = " ".join(map(str, flat))
            body += struct.pack(code, *flat) if order else f"{line}\n".encode()
    return f"{head}end_header\n".encode() + body


def vertices(*properties: str, rows=None) -> tuple[str, list[str], list[list]]:
    """Element of the square's vertices, with further properties."""
    rows = rows or [[]] * 4
    place = ["float x", "float y", "float z"]
    rows = [p + list(row) for p, row in zip(SQUARE, rows, strict=True)]
    return "vertex", [*place, *properties], rows


def faces(*rows, properties=()) -> tuple[str, list[str], list[list]]:
    """Element of faces; each row begins with its list of vertices."""
    return "face", ["list uchar int vertex_indices", *properties], list(rows)


TWO = faces([[0, 1, 2]], [[0, 2, 3]])


def ply_seeds() -> list[dict[str, bytes]]:
    """PLY files with polygons, strips, colours and images."""
    names = ["red", "green", "blue", "alpha"]
    colors = [f"uchar {name}" for name in names]
    rows = [[k, 50 * k, 255, 200] for k in range(4)]
    floats = [f"float {name}" for name in ("nx", "s", "t")]
    places = [[0.5, 0.1 * k, 0.2 * k] for k in range(4)]
    listed = ["list uchar float texcoord", "int texnumber"]
    uvs = [k / 8 for k in range(8)]
    mixed = faces(
        [[0, 1, 2, 3], uvs, 0], [[2, 1, 0], uvs[:6], 1], [[0, 1], [], 0],
        properties=listed,
    )  # fmt: skip
    comments = "comment TextureFile a b.png\ncomment TextureFile c.png\nobj_info x\n"
    pixel = png(FOUR[:1, :1])
    strips = "tristrips", ["list int int vertex_indices"], [[[0, 1, 3, 2, -1, 0, 1, 2]]]
    camera = "camera", ["float view", "list int float more"], [[1, [2, 3]]]
    files = []
    for form in FORMATS:
        files += [
            {
                "a.ply": encode(
                    form, [camera, vertices(*colors, rows=rows), TWO, strips]
                )
            },
            {
                "a.ply": encode(form, [vertices(), mixed], comments),
                "a b.png": png(FOUR),
                "c.png": pixel,
            },
            {
                "a.ply": encode(
                    form, [vertices(*floats, rows=places), strips, camera], comments
                ),
                "a b.png": png(FOUR),
            },
            {
                "a.ply": encode(
                    form,
                    [
                        vertices(*(f"ushort {n}" for n in "rgb"), rows=[[9, 1, 2]] * 4),
                        faces([[0, 1, 2, 3], 9], properties=["int red"]),
                    ],
                )
            },
        ]
    return files
