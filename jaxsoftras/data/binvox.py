"""Voxel grids in binvox files, brought to the grid of the data sets.

A file has a header in text (its side R in cells, where its lowest corner lies in the
mesh file, and the length of its sides there) and runs of equal cells: a byte 0 or 1 and
a byte that counts. Of the cell's indices, y runs fastest, then z, then x.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

_HEADER_BYTES = 1000
_MOST_CELLS = 1024  # along a side
_TOLERANCE = 0.03  # of the mesh's longest side, by which bounds may differ


class Binvox(NamedTuple):
    """Content of a binvox file.

    Attributes:
        occupied: ``[R, R, R]`` bool, axes (x, y, z) of the mesh file.
        corner: ``[3]`` lowest corner of the grid, in units of the mesh file.
        side: length of the grid's sides, in units of the mesh file.
    """

    occupied: np.ndarray
    corner: np.ndarray
    side: float


class Frame(NamedTuple):
    """Map from a mesh file: points p become ``axes @ ((p - center) / extent)``.

    Attributes:
        center: ``[3]`` centre of the bounding box of all faces.
        extent: longest side of this box.
        axes: ``[3, 3]`` directions of the file that become x, y and z.
        low: ``[3]`` lowest corner of the box.
        high: ``[3]`` highest corner of the box.
    """

    center: np.ndarray
    extent: float
    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray


def read(path: str | Path) -> Binvox:
    r"""Reads a binvox file.

    Args:
        path: the file.

    Returns:
        Its grid, and where the grid lies.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or not a cube.

    Example:
        >>> import pathlib, tempfile
        >>> from jaxsoftras.data import binvox
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "a.binvox")
        >>> header = b"#binvox 1\ndim 2 2 2\ntranslate 0 0 0\nscale 1\ndata\n"
        >>> _ = path.write_bytes(header + bytes([1, 1, 0, 7]))
        >>> int(binvox.read(path).occupied.sum())
        1
        >>> folder.cleanup()
    """
    path = Path(path)
    with path.open("rb") as file:
        fields = _read_header(path, file.read(_HEADER_BYTES))
        resolution = _parse_side(path, fields["dim"])
        file.seek(int(fields["start"][0]))
        runs = np.frombuffer(file.read(2 * resolution**3 + 2), np.uint8)
    corner = _parse_numbers(path, "translate", fields["translate"], 3)
    [side] = _parse_numbers(path, "scale", fields["scale"], 1)
    if side <= 0:
        raise ValueError(f"{path} is damaged: its scale is {side:g}.")
    values, counts = runs[: len(runs) // 2 * 2].reshape(-1, 2).T
    cells = int(counts.sum(dtype=np.int64))
    if len(runs) % 2 or cells != resolution**3 or np.any(values > 1):
        raise ValueError(
            f"{path} is damaged: its runs describe {cells} cells, not {resolution}**3 "
            "of 0 or 1."
        )
    grid = np.repeat(values.astype(bool), counts).reshape((resolution,) * 3)
    return Binvox(grid.swapaxes(1, 2), corner, side)


def to_model_frame(model: Binvox, frame: Frame, resolution: int = 32) -> np.ndarray:
    """Brings a grid to the axes and the cells of the data sets.

    A cell is occupied if the centre of an occupied cell of the file lies in it, or if
    no path of empty cells that share a side leads from it out of the grid.

    Args:
        model: grid of a mesh file.
        frame: how the mesh is brought to the model frame.
        resolution: R, the cells along each side of the new grid, in which a point v of
            the model frame lies at ``(R - 1) v + R / 2``.

    Returns:
        ``[R, R, R]`` bool, axes (y, x, reversed z).

    Raises:
        ValueError: the grid is empty, coarser than the new one, or does not lie where
            the mesh is.
    """
    cells = np.argwhere(model.occupied)
    if not len(cells):
        raise ValueError("no cell is occupied")
    pitch = model.side / len(model.occupied)
    if pitch * (resolution - 1) > frame.extent:
        raise ValueError(f"its cells are larger than those of {resolution} a side")
    low, high = (
        model.corner + pitch * bound for bound in (cells.min(0), cells.max(0) + 1)
    )
    gap = max(np.abs(low - frame.low).max(), np.abs(high - frame.high).max())
    if gap > _TOLERANCE * frame.extent:
        raise ValueError(
            f"its bounds and those of the mesh differ by {gap / frame.extent:.0%} of "
            "the longest side"
        )
    centers = model.corner + pitch * (cells + 0.5)
    points = ((centers - frame.center) / frame.extent) @ frame.axes.T
    places = np.floor((resolution - 1) * points + resolution / 2).astype(int)
    grid = np.zeros((resolution,) * 3, bool)
    grid[tuple(places.clip(0, resolution - 1).T)] = True
    solid = np.asarray(ndimage.binary_fill_holes(grid))
    return np.swapaxes(solid, 0, 1)[..., ::-1]


def _read_header(path: Path, start: bytes) -> dict[str, list[str]]:
    """Splits the header into its fields; ``start`` says where the data begin."""
    header, marker, _ = start.partition(b"\ndata\n")
    lines = header.decode("ascii", "replace").splitlines()
    if not marker or lines[0].split() != ["#binvox", "1"]:
        raise ValueError(f"{path} is damaged or not a binvox file of version 1.")
    fields = {}
    for line in lines[1:]:
        name, *values = line.split() or [""]
        fields[name] = values
    if missing := {"dim", "translate", "scale"} - set(fields):
        raise ValueError(f"{path} is damaged: it has no {sorted(missing)[0]}.")
    return {**fields, "start": [str(len(header) + len(marker))]}


def _parse_side(path: Path, words: list[str]) -> int:
    if len(words) != 3 or len(set(words)) != 1 or not words[0].isdecimal():
        raise ValueError(f"{path} must be a cube, and has dim {' '.join(words)}.")
    side = int(words[0]) if len(words[0]) < 5 else _MOST_CELLS + 1
    if not 1 <= side <= _MOST_CELLS:
        raise ValueError(
            f"{path} must have 1 to {_MOST_CELLS} cells a side, not {words[0]}."
        )
    return side


def _parse_numbers(path: Path, name: str, words: list[str], count: int) -> np.ndarray:
    try:
        numbers = np.array(words, float)
    except ValueError:
        numbers = np.array([np.nan])
    if numbers.shape != (count,) or not np.all(np.isfinite(numbers)):
        raise ValueError(f"{path} is damaged: its {name} is {' '.join(words)!r}.")
    return numbers
