"""Base colours of glTF 2.0 materials: factors, images, transforms, wrap modes, opacity.

By the standard, factors and vertex colours are linear and images sRGB-encoded, and
their product is taken in linear light.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np

from jaxsoftras.meshfile import imagefile, srgb
from jaxsoftras.meshfile.gltf_document import Document, decode_data_uri, find_file
from jaxsoftras.meshfile.gltf_json import Item, show
from jaxsoftras.meshfile.surface import Material
from jaxsoftras.meshfile.wrapping import (
    CLAMP,
    AxisWrap,
    Layout,
    choose_layout,
    find_block,
)

_WRAPS: dict[int, AxisWrap] = {33071: "clamp", 33648: "mirror", 10497: "repeat"}
_NEAREST = 9728
# maps of a material that change its shading, which a mesh does not have
_MAPS = {
    "normalTexture": "normals",
    "occlusionTexture": "occlusion",
    "metallicRoughnessTexture": "metal and roughness",
    "specularGlossinessTexture": "gloss",
}
_IMAGE_FORMATS = ("EXT_texture_webp", "EXT_texture_avif", "MSFT_texture_dds")


class ImageUse(NamedTuple):
    """An image, and how a material shows it.

    Attributes:
        image: ``[H, W, 3 or 4]`` in [0, 1], as in the file.
        coordinate_set: n of the attribute ``TEXCOORD_n``.
        transform: ``[2, 3]`` of texture coordinates, v down.
        is_part: whether the transform selects a part of the image.
        wraps: continuation along u and v.
    """

    image: np.ndarray
    coordinate_set: int
    transform: np.ndarray
    is_part: bool
    wraps: tuple[AxisWrap, AxisWrap]


class BaseColor(NamedTuple):
    """Base colour of a material.

    Attributes:
        name: name of the material.
        factor: ``[4]`` linear red, green and blue, and opacity.
        use: the image, if there is one.
        alpha_mode: ``"OPAQUE"``, ``"MASK"`` or ``"BLEND"``.
        cutoff: opacity from which on a masked surface exists.
        plain: whether the file gives neither a factor nor an image.
    """

    name: str = ""
    factor: np.ndarray = np.ones(4)
    use: ImageUse | None = None
    alpha_mode: str = "OPAQUE"
    cutoff: float = 0.5
    plain: bool = True

    def opacity(self, alpha: np.ndarray) -> np.ndarray:
        """Opacity of the surface by the product of all values for it; elementwise."""
        if self.alpha_mode == "OPAQUE":
            return np.ones_like(alpha)
        if self.alpha_mode == "MASK":
            return (alpha >= self.cutoff).astype(alpha.dtype)
        return alpha


class Materials:
    """Materials of a file; each image is read once."""

    def __init__(self, document: Document):
        """Reads nothing yet."""
        self._document = document
        self._images: dict[str, np.ndarray | None] = {}
        self._colors: dict[str, BaseColor] = {}
        self._made: dict[tuple, Material] = {}

    def read(self, primitive: Item) -> BaseColor:
        """Reads the base colour of the material of a primitive."""
        if "material" not in primitive:
            return BaseColor()
        item = self._document.refer(primitive, "material", "materials")
        if item.place not in self._colors:
            self._colors[item.place] = self._read_color(item)
        return self._colors[item.place]

    def _read_color(self, item: Item) -> BaseColor:
        glossy = item.extension("KHR_materials_pbrSpecularGlossiness")
        if glossy is None:
            values = item.item("pbrMetallicRoughness")
            factor_key, texture_key = "baseColorFactor", "baseColorTexture"
        else:
            values, factor_key, texture_key = glossy, "diffuseFactor", "diffuseTexture"
        mode = item.text("alphaMode", "OPAQUE")
        if mode not in ("OPAQUE", "MASK", "BLEND"):
            raise ValueError(f"{item.place}.alphaMode should not be {show(mode)}")
        if np.any(item.numbers("emissiveFactor", 3, (0, 0, 0))):
            self._document.notes["the light that materials emit is left out"] = None
        maps = [noun for key, noun in _MAPS.items() if key in item or key in values]
        if maps:
            self._document.notes[f"maps of {' and '.join(maps)} are left out"] = None
        use = None
        if texture_key in values:
            use = self._read_use(values.item(texture_key))
        return BaseColor(
            show(item.text("name", item.place)),
            np.clip(values.numbers(factor_key, 4, (1, 1, 1, 1)), 0, 1),
            use,
            mode,
            item.number("alphaCutoff", 0.5),
            use is None and factor_key not in values,
        )

    def _read_use(self, info: Item) -> ImageUse | None:
        """Reads a reference to a texture; None if its image is missing."""
        texture = self._document.refer(info, "index", "textures")
        image = self._read_source(texture)
        if image is None:
            return None
        sampler = Item({}, "")
        if "sampler" in texture:
            sampler = self._document.refer(texture, "sampler", "samplers")
        wraps = []
        for key in ("wrapS", "wrapT"):
            code = sampler.integer(key, 10497)
            if code not in _WRAPS:
                raise ValueError(f"{sampler.place}.{key} should not be {code}")
            wraps.append(_WRAPS[code])
        nearest = sampler.integer("magFilter", 9729) == _NEAREST
        if nearest and np.any(image != image[0, 0]):
            note = "images to be shown without interpolation are interpolated"
            self._document.notes[note] = None
        coordinate_set, matrix = info.integer("texCoord", 0), np.eye(2, 3)
        transform = info.extension("KHR_texture_transform")
        if transform is not None:
            coordinate_set = transform.integer("texCoord", coordinate_set)
            angle = transform.number("rotation", 0)
            # counter-clockwise as v runs down
            cosine, sine = np.cos(angle), np.sin(angle)
            matrix[:, :2] = [[cosine, sine], [-sine, cosine]]
            matrix[:, :2] *= transform.numbers("scale", 2, (1, 1))
            matrix[:, 2] = transform.numbers("offset", 2, (0, 0))
        is_part = transform is not None
        return ImageUse(image, coordinate_set, matrix, is_part, (wraps[0], wraps[1]))

    def _read_source(self, texture: Item) -> np.ndarray | None:
        """Reads the image of a texture; None if it is missing."""
        source = texture
        if "source" not in texture:
            others = map(texture.extension, _IMAGE_FORMATS)
            source = next((item for item in others if item is not None), None)
            if source is None:
                # KHR_texture_basisu, or a texture that another extension defines
                note = f"{texture.place} has no image in a known format"
                self._document.notes[note] = None
                return None
        item = self._document.refer(source, "source", "images")
        if item.place not in self._images:
            self._images[item.place] = self._read_image(item)
        return self._images[item.place]

    def _read_image(self, item: Item) -> np.ndarray | None:
        """Reads an image; None if its file is missing."""
        if "uri" not in item:
            content, _ = self._document.view(item)
            return _decode_image(bytes(content), item.place)
        uri = item.text("uri")
        if uri.lower().startswith("data:"):
            return _decode_image(decode_data_uri(uri, item.place), item.place)
        path = find_file(self._document.folder, uri)
        if path is None:
            self._document.missing[show(uri)] = None
            return None
        return imagefile.read(path)

    def make(
        self, base: BaseColor, uv: np.ndarray | None, used: np.ndarray
    ) -> tuple[Material, np.ndarray | None]:
        """Makes the material of a primitive.

        Args:
            base: its base colour, multiplied by a colour of all vertices.
            uv: ``[V, 2]`` coordinates, v up, if there are any.
            used: indices of the vertices that have faces.

        Returns:
            The material, and coordinates that fit its image.
        """
        color = np.append(srgb.encode(base.factor[:3]), base.opacity(base.factor[3]))
        if base.use is None:
            return Material(base.name, color), None
        image, wraps, block = base.use.image, base.use.wraps, None
        looked_up = np.zeros((0, 2)) if uv is None else uv[used]
        looked_up = looked_up[np.all(np.isfinite(looked_up), axis=1)]
        if base.use.is_part:  # of which the neighbours are other images
            block = find_block(image.shape, looked_up)
        if block is not None and uv is not None:
            uv, looked_up = (block.change_uv(x, image.shape) for x in (uv, looked_up))
            image, wraps = block.crop(image), CLAMP
        layout = choose_layout(image.shape, looked_up, wraps)
        if layout is None:
            note = f"the image of {base.name} is repeated instead of clamped"
            self._document.notes[note] = None
            layout = Layout()
        key = (base.name, id(base.use.image), *base.factor)
        key += (base.alpha_mode, base.cutoff, block, layout)
        if key not in self._made:
            shown = layout.change_image(_tint(image, base))
            self._made[key] = Material(base.name, color, shown, layout.wrap)
        uv = None if uv is None else layout.change_uv(uv, image.shape)
        return self._made[key], uv


def _tint(image: np.ndarray, base: BaseColor) -> np.ndarray:
    """Multiplies an image by a factor in linear light, and applies the alpha mode.

    Returns:
        ``[H, W, 3]`` or, where it is not opaque everywhere, ``[H, W, 4]``.
    """
    colors = image[..., :3]
    if np.any(base.factor[:3] != 1):
        factor = base.factor[:3].astype(np.float32)
        colors = srgb.encode(srgb.decode(colors) * factor)
    alpha = image[..., 3:] if image.shape[-1] == 4 else np.ones_like(image[..., :1])
    alpha = base.opacity(alpha * base.factor[3].astype(np.float32))
    return colors if np.all(alpha == 1) else np.concatenate([colors, alpha], axis=-1)


def _decode_image(content: bytes, place: str) -> np.ndarray:
    """Decodes the content of an image file."""
    try:
        return imagefile.decode(io.BytesIO(content))
    except ValueError as error:
        raise ValueError(f"{place} cannot be read as an image: {error}") from error
