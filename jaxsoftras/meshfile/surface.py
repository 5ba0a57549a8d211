"""Contents of a mesh file, whatever its format, and their conversion to a `Mesh`.

Readers return a `Surface`, which holds colours of several kinds side by side. A `Mesh`
has one texture; `to_mesh` chooses the simplest kind that shows the same colours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxsoftras.mesh import Mesh
from jaxsoftras.meshfile import atlas, text
from jaxsoftras.texture import FaceColors, Texture, UVTexture, VertexColors, Wrap


class Material(NamedTuple):
    """Appearance of some of the faces.

    Colours and images may have opacity as a fourth channel.

    Attributes:
        name: name in the file, for messages.
        color: ``[3 or 4]`` in [0, 1], sRGB-encoded as images are; the colour of faces
            that do not show the image.
        image: ``[H, W, 3 or 4]`` float32 in [0, 1], already multiplied by all that the
            format multiplies it by; row 0 is at the top.
        wrap: continuation of the image beyond its edges.
    """

    name: str = ""
    color: np.ndarray = np.ones(3)
    image: np.ndarray | None = None
    wrap: Wrap = "repeat"


class Surface(NamedTuple):
    """Triangles of a mesh file, with all their colours.

    The colour of a point is the product of the vertex colours, the face colours and
    the material; so is its opacity, the fourth channel of those that have it.

    Attributes:
        vertices: ``[V, 3]`` float64.
        faces: ``[F, 3]`` vertex indices.
        vertex_colors: ``[V, 3 or 4]`` in [0, 1], sRGB-encoded; NaN where there is none.
        face_colors: ``[F, 3 or 4]`` in [0, 1], sRGB-encoded; NaN where there is none.
        uvs: ``[F, 3, 2]`` u (right) and v (up) of the corners; NaN where a face has
            none.
        material_index: ``[F]`` index of the material of each face, -1 for none.
        materials: all materials.
        notes: contents of the file that are left out, such as "images are missing:
            a.png"; the loader makes one warning of them.
    """

    vertices: np.ndarray
    faces: np.ndarray
    vertex_colors: np.ndarray | None = None
    face_colors: np.ndarray | None = None
    uvs: np.ndarray | None = None
    material_index: np.ndarray | None = None
    materials: tuple[Material, ...] = ()
    notes: tuple[str, ...] = ()


def with_opacity(colors: np.ndarray) -> np.ndarray:
    """Adds an opacity of 1 to colours ``[..., 3]`` that have none: ``[..., 4]``."""
    if colors.shape[-1] == 4:
        return colors
    return np.concatenate([colors, np.ones_like(colors[..., :1])], axis=-1)


def _stack(
    rows: Sequence[np.ndarray | None], shapes: Sequence[tuple[int, ...]], fill: float
) -> np.ndarray | None:
    """Concatenates arrays, of which missing ones are filled; None if all are."""
    if all(row is None for row in rows):
        return None
    return np.concatenate(
        [
            np.full(shape, fill) if row is None else row
            for row, shape in zip(rows, shapes, strict=True)
        ]
    )


def _stack_colors(
    rows: Sequence[np.ndarray | None], counts: Sequence[int]
) -> np.ndarray | None:
    """Concatenates colours; with opacity if some have it. Missing ones are white."""
    given = [row for row in rows if row is not None]
    channels = max((row.shape[1] for row in given), default=3)
    if channels == 4:
        rows = [None if row is None else with_opacity(row) for row in rows]
    return _stack(rows, [(count, channels) for count in counts], 1)


def join(surfaces: Sequence[Surface]) -> Surface:
    """Joins surfaces into one, in order.

    Colours, coordinates and materials that only some of them have are white, NaN and
    -1 on the others. Materials that are the same object are kept once.
    """
    vertices = [surface.vertices for surface in surfaces]
    starts = np.cumsum([0, *map(len, vertices)])
    counts = [len(surface.faces) for surface in surfaces]

    materials: dict[int, Material] = {}
    rank: dict[int, int] = {}
    indices = []
    for surface in surfaces:
        for material in surface.materials:
            materials.setdefault(id(material), material)
            rank.setdefault(id(material), len(rank))
        table = np.array([*(rank[id(m)] for m in surface.materials), -1])
        index = surface.material_index
        indices.append(None if index is None else table[index])
    index = _stack(indices, [(count,) for count in counts], -1)
    return Surface(
        np.concatenate([np.zeros((0, 3)), *vertices]),
        np.concatenate(
            [
                np.zeros((0, 3), int),
                *(s.faces + k for s, k in zip(surfaces, starts[:-1], strict=True)),
            ]
        ),
        _stack_colors([s.vertex_colors for s in surfaces], [len(v) for v in vertices]),
        _stack_colors([s.face_colors for s in surfaces], counts),
        _stack([s.uvs for s in surfaces], [(n, 3, 2) for n in counts], np.nan),
        None if index is None else index.astype(int),
        tuple(materials.values()),
        tuple(dict.fromkeys(note for s in surfaces for note in s.notes)),
    )


def _filled(colors: np.ndarray) -> np.ndarray:
    """Clips colours to [0, 1]; those that are missing, NaN, become white."""
    return np.where(np.isnan(colors), 1, np.clip(colors, 0, 1))


def _corner_colors(surface: Surface, shows: np.ndarray) -> np.ndarray:
    """Colours and opacities of the corners of the faces: ``[F, 3, 4]``.

    Args:
        surface: the surface.
        shows: ``[F]`` whether a face shows the image of its material; its corners then
            have what the image is multiplied by.
    """
    product = np.ones((len(surface.faces), 3, 4))
    if surface.vertex_colors is not None:
        product *= _filled(with_opacity(surface.vertex_colors))[surface.faces]
    if surface.face_colors is not None:
        product *= _filled(with_opacity(surface.face_colors))[:, None]
    if surface.material_index is not None:
        index = np.where(shows, -1, surface.material_index)
        colors = np.ones((len(surface.materials) + 1, 4))
        for k in np.unique(index[index >= 0]):
            colors[k] = _mean_color(surface.materials[k])
        product *= colors[index][:, None]
    return product


def _mean_color(material: Material) -> np.ndarray:
    """Colour ``[4]`` of a material on faces that do not show its image."""
    if material.image is None:
        return _filled(with_opacity(np.asarray(material.color, float)))
    texels = with_opacity(material.image)
    alpha = texels[..., 3:]
    total = alpha.sum(dtype=float)
    weights = alpha if total else np.ones_like(alpha)  # transparent texels do not count
    color = (texels[..., :3] * weights).sum(axis=(0, 1), dtype=float) / weights.sum()
    return np.append(color, total / alpha.size)


def _drop_opacity(colors: np.ndarray, transparent: bool) -> np.ndarray:
    return colors if transparent else colors[..., :3]


def _plain_texture(surface: Surface, corners: np.ndarray) -> Texture:
    """Chooses the texture of a surface without images from its corners' colours."""
    transparent = bool(np.any(corners[..., 3] < 1))
    if surface.vertex_colors is not None:
        values = _filled(with_opacity(surface.vertex_colors))
        values[surface.faces] = corners
        if np.array_equal(values[surface.faces], corners):
            return VertexColors(_drop_opacity(values, transparent), transparent)
    corners = _drop_opacity(corners, transparent)
    if np.all(corners == corners[:, :1]):
        return FaceColors(corners[:, 0], transparent)
    return UVTexture(*atlas.paint(corners), "clamp", transparent)


def _image_texture(
    surface: Surface, shows: np.ndarray, corners: np.ndarray
) -> tuple[UVTexture, list[str]]:
    """Puts the images of a surface, and the colours of other faces, into a texture.

    Args:
        surface: the surface, with materials and coordinates.
        shows: ``[F]`` whether a face shows the image of its material.
        corners: ``[F, 3, 4]``; see `_corner_colors`.

    Returns:
        The texture, and notes on colours that it does not have.
    """
    assert surface.material_index is not None and surface.uvs is not None
    coordinates, index = np.array(surface.uvs), np.full(len(shows), -1)
    images: list[np.ndarray] = []
    wraps: list[Wrap] = []
    found: dict[tuple, int] = {}
    lost = 0
    several = len(np.unique(surface.material_index[shows])) > 1
    for k, material in enumerate(surface.materials):
        faces = shows & (surface.material_index == k)
        if not np.any(faces) or material.image is None:
            continue
        image, tint = material.image, corners[faces]
        if not np.all(tint == tint[0, 0]):
            lost += len(tint)
        elif np.any(tint != 1):
            image = with_opacity(image) if tint[0, 0, 3] < 1 else image
            image = image * tint[0, 0, : image.shape[-1]].astype(np.float32)
        # objects often have copies of one image
        pixels = (
            hashlib.sha256(np.ascontiguousarray(image).data).digest()
            if several
            else b""
        )
        key = (pixels, image.shape, material.wrap)
        if key not in found:
            found[key] = len(images)
            images.append(image)
            wraps.append(material.wrap)
        index[faces] = found[key]
    plain = ~shows
    transparent = bool(np.any(corners[plain, :, 3] < 1)) or any(
        image.shape[-1] == 4 and np.any(image[..., 3] < 1) for image in images
    )
    images = [
        with_opacity(image) if transparent else image[..., :3] for image in images
    ]
    if np.any(plain):
        colors = _drop_opacity(corners[plain], transparent)
        coordinates[plain], painted = atlas.paint(colors)
        index[plain] = len(images)
        images.append(painted.astype(np.float32))
        wraps.append("clamp")
    notes = [f"colours of faces with an image: {lost}, left out"] if lost else []
    merged = atlas.merge(coordinates, index, images, wraps)
    return merged._replace(transparent=transparent), notes


def _name_invisible(surface: Surface, corners: np.ndarray) -> list[str]:
    """Notes on materials, or else a whole surface, with nothing to be seen."""
    names = []
    for k, material in enumerate(surface.materials):
        colors = material.color if material.image is None else material.image
        clear = colors.shape[-1] == 4 and not np.any(colors[..., 3])
        if clear and np.any(surface.material_index == k):
            names.append(material.name or "one without a name")
    if names:
        return [f"materials of opacity 0: {text.list_names(names)}, invisible"]
    if len(corners) and not np.any(corners[..., 3]):
        return ["it is invisible, with an opacity of 0"]
    return []


def to_mesh(surface: Surface) -> tuple[Mesh, tuple[str, ...]]:
    """Converts a surface to a mesh with one texture.

    In this order: an `UVTexture` if a face shows an image, with all images and all
    colours of other faces packed into one unless it would be too large; `VertexColors`
    if every vertex has one colour; `FaceColors` if every face has; an `UVTexture` with
    a few texels for each face otherwise. Texture coordinates without images get a white
    texel. The texture has opacity if one of its faces is not opaque.

    Args:
        surface: faces must be in range.

    Returns:
        The mesh, numpy arrays, and the notes of the surface with those on what a mesh
        cannot hold.

    Raises:
        ValueError: images that cannot be laid out; the message is meant to follow the
            name of the file.
    """
    notes = list(surface.notes)
    uvs, index = surface.uvs, surface.material_index
    placed = np.zeros(len(surface.faces), bool)
    if uvs is not None:
        # as `not <=`, this also leaves out NaN
        placed = np.all(np.abs(uvs) <= np.finfo(np.float32).max, axis=(1, 2))
    shows = np.zeros_like(placed)
    used = index is not None and np.any(index >= 0)
    texture: Texture | None = None
    if used or surface.vertex_colors is not None or surface.face_colors is not None:
        if used:
            pictured = [m.image is not None for m in surface.materials]
            pictured = np.array([*pictured, False])[index]
            shows = pictured & placed
            if bare := np.sum(pictured & ~placed):
                notes.append(
                    f"faces with an image but no texture coordinates: {bare}, shown in "
                    "its mean colour"
                )
        corners = _corner_colors(surface, shows)
        notes += _name_invisible(surface, corners)
        if np.any(shows):
            texture, lost = _image_texture(surface, shows, corners)
            notes += lost
        else:
            texture = _plain_texture(surface, corners)
    elif uvs is not None and np.any(placed):
        # keeps the coordinates for an image that is set later
        white = np.ones((1, 1, 3))
        texture = UVTexture(np.where(placed[:, None, None], uvs, 0), white, "repeat")
    return Mesh(surface.vertices, surface.faces, texture), tuple(notes)
