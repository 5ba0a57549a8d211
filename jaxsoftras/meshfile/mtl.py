"""Materials of OBJ files (MTL): their colours, images and opacity."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsoftras.meshfile import imagefile, srgb, text
from jaxsoftras.meshfile.surface import Material
from jaxsoftras.texture import Wrap

# options of images with the numbers of their arguments
_OPTIONS = {
    b"-blendu": 1,
    b"-blendv": 1,
    b"-bm": 1,
    b"-boost": 1,
    b"-cc": 1,
    b"-clamp": 1,
    b"-colorspace": 1,
    b"-imfchan": 1,
    b"-mm": 2,
    b"-texres": 1,
    b"-type": 1,
}
# options with one to three numbers
_VECTORS = (b"-o", b"-s", b"-t")

# names that programs write for no material
_NO_MATERIAL = frozenset([b"", b"none", b"(null)", b"null", b"default"])

_XYZ_TO_RGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)


@dataclasses.dataclass
class Definition:
    """A material as its library defines it.

    Attributes:
        name: name of the material.
        folder: folder of the library.
        color: ``[3]`` diffuse colour, or None.
        image: name of the image, or None.
        scale: ``[2]`` factor of the texture coordinates.
        offset: ``[2]`` added to them after that.
        wrap: continuation of the image.
        base: added to the image after its multiplication by `gain`.
        gain: factor of the image.
        opacity: 1 for an opaque material.
        notes: what is not supported.
    """

    name: bytes
    folder: Path
    color: np.ndarray | None = None
    image: bytes | None = None
    scale: np.ndarray = dataclasses.field(default_factory=lambda: np.ones(2))
    offset: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(2))
    wrap: Wrap = "repeat"
    base: float = 0.0
    gain: float = 1.0
    opacity: float = 1.0
    notes: list[str] = dataclasses.field(default_factory=list)


def _parse_color(material: Definition, words: list[bytes]) -> np.ndarray | None:
    """Parses red, green and blue, of which the last two may be missing, or XYZ."""
    kind = words[0].lower() if words else b""
    if kind == b"spectral":
        material.notes.append("spectral colours of materials are left out")
        return None
    numbers = [text.parse_float(word) for word in words[kind == b"xyz" :][:3]]
    color = np.array((numbers * 3)[:3] if len(numbers) == 1 else numbers)
    if color.shape != (3,) or not np.all(np.isfinite(color)):
        raise ValueError
    if kind == b"xyz":
        return srgb.encode(_XYZ_TO_RGB @ color)
    if color.max() > 1:
        name = text.show(material.name)
        material.notes.append(f"colour of the material {name} above 1: clipped")
    return np.clip(color, 0, 1)


def _take_numbers(words: Sequence[bytes]) -> list[float]:
    """Numbers at the beginning of words, three at most; the last word is no number."""
    numbers = []
    for word in words[: min(3, len(words) - 1)]:
        try:
            numbers.append(text.parse_float(word))
        except ValueError:
            break
    return numbers


def _parse_image(material: Definition, rest: bytes) -> None:
    """Parses options and name of an image; the name may have spaces."""
    while rest.startswith(b"-"):
        words = rest.split()
        option = words[0].lower()
        if option in _VECTORS:
            numbers = _take_numbers(words[1:])
            count = len(numbers)
            if count == 0:
                raise ValueError
            default = [1.0, 1.0] if option == b"-s" else [0.0, 0.0]
            pair = np.array((numbers + default[count:])[:2])
            if not np.all(np.isfinite(pair)):
                raise ValueError
            if option == b"-s":
                material.scale = pair
            elif option == b"-o":
                material.offset = pair
            elif np.any(pair):
                material.notes.append("the turbulence of images (-t) is left out")
        elif option in _OPTIONS:
            count = _OPTIONS[option]
            if option == b"-clamp":
                material.wrap = "clamp" if words[1:2] == [b"on"] else "repeat"
            elif option == b"-mm":
                material.base, material.gain = map(text.parse_float, words[1:3])
        else:
            break  # a name that begins with a hyphen
        rest = (rest.split(maxsplit=count + 1)[count + 1 :] or [b""])[0]
    material.image = rest or None


def _parse_opacity(words: list[bytes]) -> float:
    """Parses an opacity or a transparency, perhaps with the option ``-halo``."""
    return text.parse_float(words[words[:1] == [b"-halo"]])


def read(path: Path) -> dict[bytes, Definition]:
    """Reads a material library.

    Raises:
        ValueError: a line that is not understood.
    """
    materials: dict[bytes, Definition] = {}
    material = Definition(b"", path.parent)
    opaque_by = None  # material with an opacity, beside which a transparency is nothing
    for number, statement in text.split_statements(text.read(path)):
        word, *rest = statement.split(maxsplit=1)
        keyword, rest = word.lower(), rest[0] if rest else b""
        words = rest.split(b"#")[0].split()
        try:
            if keyword == b"newmtl":
                material = Definition(rest, path.parent)
                materials.setdefault(rest, material)
            elif keyword == b"kd":
                material.color = _parse_color(material, words)
            elif keyword == b"map_kd":
                _parse_image(material, rest)
            elif keyword == b"d":
                material.opacity, opaque_by = _parse_opacity(words), material
            elif keyword == b"tr" and opaque_by is not material:
                material.opacity = 1 - _parse_opacity(words)
            elif keyword == b"map_d":
                material.notes.append("the opacity images of materials are left out")
        except (ValueError, IndexError):
            shown = text.show(statement)
            raise ValueError(
                f"line {number} of {path.name} is not understood: {shown[:60]!r}"
            ) from None
    return materials


def load(
    definition: Definition, images: dict[Path, np.ndarray]
) -> tuple[Material, bytes | None]:
    """Loads the image of a material.

    By the format, the image is multiplied by the colour. Many programs write black
    beside an image that is meant to be seen; it is then shown as it is.

    Args:
        definition: the material; notes are added to it.
        images: images read so far, by their files.

    Returns:
        The material, and the name of its image if that is missing.

    Raises:
        ValueError: a damaged image.
    """
    color = np.ones(3) if definition.color is None else definition.color
    name = text.show(definition.name)
    plain = Material(name, color, opacity=definition.opacity)
    if definition.image is None:
        return plain, None
    path = text.find_file(definition.folder, definition.image)
    if path is None:
        return plain, definition.image
    if path not in images:
        images[path] = imagefile.read(path)
    image = images[path]
    if not np.any(color):
        definition.notes.append(
            f"black material {name}: its image is not multiplied by its colour"
        )
        color = np.ones(3)
    factor, base = definition.gain * color, definition.base * color
    if np.any(factor != 1) or np.any(base != 0):
        colors = image[..., :3] * factor.astype(np.float32) + base.astype(np.float32)
        opacity = image[..., 3:]
        image = np.concatenate([np.clip(colors, 0, 1), opacity], axis=-1)
    return plain._replace(image=image, wrap=definition.wrap), None


class Libraries(NamedTuple):
    """Materials of all libraries of a file.

    Attributes:
        materials: by name; of materials of one name, the first.
        notes: what is missing.
    """

    materials: dict[bytes, Definition]
    notes: tuple[str, ...]


class Loaded(NamedTuple):
    """Materials that faces have.

    Attributes:
        index: ``[K]`` index in `materials` by the names asked for, -1 for undefined.
        materials: the materials that are defined.
        transforms: scale and offset of the texture coordinates of each.
        notes: what is missing or not supported.
    """

    index: np.ndarray
    materials: tuple[Material, ...]
    transforms: tuple[tuple[np.ndarray, np.ndarray], ...]
    notes: tuple[str, ...]


def read_libraries(path: Path, lines: Sequence[bytes]) -> Libraries:
    """Reads the libraries that a file names in some lines, each one or several."""
    materials: dict[bytes, Definition] = {}
    missing: dict[str, None] = {}
    for line in dict.fromkeys(filter(None, lines)):
        files = [line]
        if text.find_file(path.parent, line) is None:
            # several names, which may have spaces
            files = re.split(rb"(?<=\.mtl)\s+", line.split(b" #")[0], flags=re.I)
        for name in files:
            library = text.find_file(path.parent, name)
            if library is None:
                missing[text.show(name)] = None
            else:
                materials = read(library) | materials
    notes = ()
    if missing:
        notes = (f"missing material files: {text.list_names(list(missing))}",)
    return Libraries(materials, notes)


def _without_comment(name: bytes) -> bytes:
    return name.split(b" #")[0].strip()


def load_materials(
    names: Sequence[bytes], definitions: dict[bytes, Definition]
) -> Loaded:
    """Loads materials by the names that faces have.

    A comment may follow a name, in the library or in the file; but ``#`` may also
    belong to it, so that the whole name is looked for first. The two files may have
    different encodings.
    """
    spelled = {
        spelling: name
        for name in reversed(definitions)
        for form in (_without_comment(name), name)
        for spelling in text.spellings(form)
    }
    images: dict[Path, np.ndarray] = {}
    index, materials, transforms, notes = [], [], [], []
    undefined: list[str] = []
    missing: dict[str, None] = {}
    for name in names:
        forms = [
            form for n in (name, _without_comment(name)) for form in text.spellings(n)
        ]
        keys = (spelled[form] for form in forms if form in spelled)
        key = name if name in definitions else next(keys, None)
        if key is None:
            index.append(-1)
            if definitions and name.lower() not in _NO_MATERIAL:
                undefined.append(text.show(name))
            continue
        definition = definitions[key]
        material, lost = load(definition, images)
        if lost is not None:
            missing[text.show(lost)] = None
        index.append(len(materials))
        materials.append(material)
        transforms.append((definition.scale, definition.offset))
        notes += definition.notes
    if undefined:
        notes.append(f"materials that are not defined: {text.list_names(undefined)}")
    if missing:
        notes.append(f"missing images: {text.list_names(list(missing))}")
    return Loaded(
        np.array(index, int), tuple(materials), tuple(transforms), tuple(notes)
    )
