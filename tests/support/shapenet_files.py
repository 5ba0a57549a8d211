"""Small files in the formats of ShapeNet's renderings and models, for tests."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsoftras.data import soups
from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import imagefile
from tests.support.mesh_folders import wedge, write

CHAIR, TABLE = "03001627", "04379243"
COUNTS = {CHAIR: {"train": 2, "val": 1, "test": 1}, TABLE: {"train": 1, "test": 2}}
VIEWS, SIDE = 24, 64


def make_images(seed: int, count: int = 1) -> np.ndarray:
    """Images ``[count, 24, 4, 64, 64]`` uint8 of soft squares in random colours.

    Colours are multiplied by coverage, which is 0 in the first pixels.
    """
    rng = np.random.default_rng(seed)
    coverage = np.zeros((count, VIEWS, 1, SIDE, SIDE), np.uint8)
    coverage[..., 20:40, 10:50] = 255
    coverage[..., 40, 10:50] = rng.integers(1, 255)
    colors = rng.random((count, VIEWS, 3, 1, 1))
    colors = np.floor(colors * coverage).astype(np.uint8)
    return np.concatenate([colors, coverage], 2)


def invert(images: np.ndarray) -> np.ndarray:
    """Images as the archive holds them: 255 minus what is over white, and coverage."""
    colors, coverage = np.split(images.astype(int), [3], -3)
    over_white = colors + 255 - coverage
    return np.concatenate([255 - over_white, coverage], -3).astype(np.uint8)


def pack_npz(array: Any, save: Callable[..., None] = np.savez_compressed) -> bytes:
    """The bytes of an npz file of one array."""
    file = io.BytesIO()
    save(file, array)
    return file.getvalue()


def softras_members() -> dict[str, bytes]:
    """The files of a small archive by their paths."""
    members = {"mesh_reconstruction/": b"", "mesh_reconstruction/notes.txt": b"a"}
    for synset, splits in COUNTS.items():
        for split, count in splits.items():
            stem = f"mesh_reconstruction/{synset}_{split}"
            stored = invert(make_images(int(synset) + len(split), count))
            rng = np.random.default_rng(int(synset) + len(split))
            voxels = rng.random((count, 32, 32, 32)) < 0.5
            members[f"{stem}_images.npz"] = pack_npz(stored)
            members[f"{stem}_voxels.npz"] = pack_npz(voxels, np.savez)
    return members


def write_archive(path: Path, members: Mapping[str, bytes]) -> str:
    """Writes a zip archive; returns its MD5 checksum."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return hashlib.md5(path.read_bytes()).hexdigest()


def pack_binvox(occupied: np.ndarray, corner: np.ndarray, side: float) -> bytes:
    """The bytes of a binvox file of a grid ``[R, R, R]`` with the axes (x, y, z)."""
    cells = occupied.swapaxes(1, 2).ravel()
    edges = np.flatnonzero(np.diff(cells)) + 1
    runs = bytearray()
    for part in np.split(cells, edges):
        full, rest = divmod(len(part), 255)
        value = int(part[0])
        runs += bytes([value, 255]) * full + bytes([value, rest]) * bool(rest)
    dim = " ".join([str(len(occupied))] * 3)
    place = " ".join(str(float(number)) for number in corner)
    header = f"#binvox 1\ndim {dim}\ntranslate {place}\nscale {float(side)}\ndata\n"
    return header.encode() + runs


def write_binvox(path: Path, mesh: Mesh, resolution: int) -> None:
    """Writes the voxels of a mesh, in the frame of its own file."""
    vertices = np.asarray(mesh.vertices, float)
    low, high = vertices.min(0), vertices.max(0)
    center, extent = (low + high) / 2, float((high - low).max())
    grid = soups.voxelize((vertices - center) / extent, mesh.faces, resolution)
    side = extent * resolution / (resolution - 1)
    cells = grid[..., ::-1].swapaxes(0, 1)
    path.write_bytes(pack_binvox(cells, center - side / 2, side))


def make_cameras() -> dict[str, Any]:
    """The cameras of the PNG renderings: right-handed, x right, y down, z forward."""
    matrices = {}
    for view in range(VIEWS):
        azimuth, elevation = np.deg2rad([15 * view, 30])
        across = np.cos(elevation) * np.array([np.cos(azimuth), 0, np.sin(azimuth)])
        forward = -(across + [0, np.sin(elevation), 0])
        down = forward * forward[1] - [0, 1, 0]
        down /= np.linalg.norm(down)
        world = np.eye(4)
        world[:3, :3] = [np.cross(down, forward), down, forward]
        world[2, 3] = 2.732
        focal_length = 1 / np.tan(np.deg2rad(15))
        camera = np.diag([focal_length, focal_length, 1, 1])
        for name, matrix in {"world": world, "camera": camera}.items():
            matrices[f"{name}_mat_{view}"] = matrix.astype(np.float32)
            matrices[f"{name}_mat_inv_{view}"] = np.linalg.inv(matrix)
    return matrices


def write_renderings(folder: Path, images: np.ndarray) -> None:
    """Writes the pictures ``[24, 4, 64, 64]`` of an object, over white, and masks."""
    colors, coverage = np.split(images.astype(int), [3], 1)
    over_white = colors + 255 - coverage
    for kind, pictures in {"image": over_white, "mask": coverage[:, [0, 0, 0]]}.items():
        (folder / kind).mkdir(parents=True)
        for view, picture in enumerate(pictures):
            code = imagefile.encode_png(picture.transpose(1, 2, 0) / 255)
            (folder / kind / f"{view:04d}.png").write_bytes(code)
    np.savez(folder / "cameras.npz", **make_cameras())


def write_lists(root: Path, lists: Mapping[str, Sequence[str]]) -> None:
    """Writes lists of objects by split and synset, as ``"train_03001627"``."""
    for name, ids in lists.items():
        split, synset = name.split("_")
        path = root / synset / f"softras_{split}.lst"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(ids) + "\n")


MUG = "03797390"
MODELS = {1: "model.obj", 2: "models/model_normalized.obj"}
LIST = f"""\
id,synsetId,subSynsetId,modelId,split
1,{CHAIR},1,a,train
2,{CHAIR},1,b,val
3,{MUG.lstrip("0")},1,c,test
4,{CHAIR},1,gone,test
"""


def make_core(root: Path, version: int) -> Path:
    """Two chairs, one with a binvox file, one mug, and a model that no list names."""
    model = MODELS[version]
    places = [f"{CHAIR}/a", f"{CHAIR}/b", f"{MUG}/c", f"{CHAIR}/unnamed"]
    write(root, {f"{place}/{model}": wedge(2.0) for place in places})
    kind = ".binvox" if version == 1 else ".solid.binvox"
    write_binvox((root / CHAIR / "a" / model).with_suffix(kind), wedge(2.0), 64)
    (root / CHAIR / "empty").mkdir()
    (root / "all.csv").write_text(LIST)
    taxonomy = [{"synsetId": MUG, "name": "mug,cup/beaker"}]
    (root / "taxonomy.json").write_text(json.dumps(taxonomy))
    return root
