"""Materials of OBJ files (MTL): their colours, images and opacity."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsoftras.meshfile import imagefile, mtl_images, srgb, text
from jaxsoftras.meshfile.mtl_images import ImageMap
from jaxsoftras.meshfile.surface import Material

# what a mesh does not have, by the keywords of its images
_LEFT_OUT = {
    b"map_bump": "bump maps",
    b"bump": "bump maps",
    b"norm": "normal maps",
    b"disp": "displacement maps",
    b"decal": "decals",
    b"map_ke": "the light that materials emit",
    b"map_tr": "images of transparency (map_Tr)",
}

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
        image: its image, or None.
        opacity: 1 for an opaque material.
        opacity_image: image that the opacity is multiplied by, or None.
        notes: what is not supported.
    """

    name: bytes
    folder: Path
    color: np.ndarray | None = None
    image: ImageMap | None = None
    opacity: float = 1.0
    opacity_image: ImageMap | None = None
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


def _parse_image(material: Definition, rest: bytes) -> ImageMap | None:
    """Parses an image, and notes what is left out of it."""
    image = mtl_images.parse_image(rest)
    if image is not None and image.turbulent:
        material.notes.append("the turbulence of images (-t) is left out")
    return image


def _parse_opacity(words: list[bytes]) -> float:
    """Parses an opacity or a transparency, perhaps with the option ``-halo``."""
    opacity = text.parse_float(words[words[:1] == [b"-halo"]])
    if not np.isfinite(opacity):
        raise ValueError
    return float(np.clip(opacity, 0, 1))


def _emits(words: Sequence[bytes]) -> bool:
    """Whether the colour of the light that a material emits is not black."""
    numbers = words if words[:1] not in ([b"xyz"], [b"spectral"]) else words[1:]
    return any(number.strip(b"+-0.") for number in numbers)


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
                material.image = _parse_image(material, rest)
            elif keyword == b"d":
                material.opacity, opaque_by = _parse_opacity(words), material
            elif keyword == b"tr" and opaque_by is not material:
                material.opacity = 1 - _parse_opacity(words)
            elif keyword == b"map_d":
                material.opacity_image = _parse_image(material, rest)
            elif keyword in _LEFT_OUT or (keyword == b"ke" and _emits(words)):
                noun = _LEFT_OUT.get(keyword, _LEFT_OUT[b"map_ke"])
                material.notes.append(f"{noun}: left out")
        except (ValueError, IndexError):
            shown = text.show(statement)
            raise ValueError(
                f"line {number} of {path.name} is not understood: {shown[:60]!r}"
            ) from None
    return materials


def _read_image(
    definition: Definition, image: ImageMap | None, images: dict[Path, np.ndarray]
) -> np.ndarray | None:
    """Reads an image; None if there is none or it is missing."""
    path = None if image is None else text.find_file(definition.folder, image.name)
    if path is None:
        return None
    if path not in images:
        images[path] = imagefile.read(path)
    return images[path]


def _tint_image(
    definition: Definition, image: ImageMap, pixels: np.ndarray
) -> np.ndarray:
    """Multiplies an image by the colour of the material: ``[H, W, 3]``.

    Many programs write black beside an image that is meant to be seen; it is then shown
    as it is.
    """
    color = np.ones(3) if definition.color is None else definition.color
    name = text.show(definition.name)
    if not np.any(color):
        definition.notes.append(
            f"black material {name}: its image is not multiplied by its colour"
        )
        color = np.ones(3)
    if pixels.shape[-1] == 4 and definition.opacity_image is None:
        definition.notes.append(
            f"the opacity of the image of {name} is left out; a line map_d in its "
            "material would use it"
        )
    return mtl_images.tint(pixels, image, color)


class Appearance(NamedTuple):
    """A material, the use of its image, and the names of images that are missing."""

    material: Material
    placed: ImageMap
    missing: list[bytes]


def load(definition: Definition, images: dict[Path, np.ndarray]) -> Appearance:
    """Loads the images of a material.

    By the format, the image is multiplied by the colour, and the opacity by another
    image. The alpha channel of the first one has no part in it.

    Args:
        definition: the material; notes are added to it.
        images: images read so far, by their files.

    Raises:
        ValueError: a damaged image, or images that do not fit together.
    """
    color = np.ones(3) if definition.color is None else definition.color
    name, image, other = (
        text.show(definition.name),
        definition.image,
        definition.opacity_image,
    )
    plain = Material(name, np.append(color, definition.opacity))
    found = [_read_image(definition, use, images) for use in (image, other)]
    missing = [
        use.name
        for use, pixels in zip((image, other), found, strict=True)
        if use is not None and pixels is None
    ]
    colors, alpha = None, np.full((1, 1, 1), definition.opacity, np.float32)
    if image is not None and found[0] is not None:
        colors = _tint_image(definition, image, found[0])
    if other is not None and found[1] is not None:
        if colors is None or image is None or other.is_placed_as(image):
            alpha = mtl_images.read_opacity(found[1], other, definition.opacity)
        else:
            definition.notes.append(
                f"the opacity image of {name} is left out, as its options place it "
                "elsewhere than the image"
            )
            other = None
    placed = image if colors is not None else other if found[1] is not None else None
    if placed is None:
        return Appearance(plain, ImageMap(), missing)
    if colors is None:
        colors = color.astype(np.float32)[None, None]
    if np.any(alpha < 1):
        colors = mtl_images.combine(colors, alpha, placed.wrap)
    material = plain._replace(image=colors, wrap=placed.wrap)
    return Appearance(material, placed, missing)


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
        placed: the use of the image of each.
        notes: what is missing or not supported.
    """

    index: np.ndarray
    materials: tuple[Material, ...]
    placed: tuple[ImageMap, ...]
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
    index, materials, placed, notes = [], [], [], []
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
        loaded = load(definition, images)
        missing |= dict.fromkeys(map(text.show, loaded.missing))
        index.append(len(materials))
        materials.append(loaded.material)
        placed.append(loaded.placed)
        notes += definition.notes
    if undefined:
        notes.append(f"materials that are not defined: {text.list_names(undefined)}")
    if missing:
        notes.append(f"missing images: {text.list_names(list(missing))}")
    return Loaded(np.array(index, int), tuple(materials), tuple(placed), tuple(notes))
