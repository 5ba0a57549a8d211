"""Colours and materials of trimesh, read into fields of a `Surface`."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxsoftras.meshfile import imagefile, srgb, surface

# maps of a PBRMaterial, which change what is seen and are no colours
_MAPS = {
    "normalTexture": "normals",
    "occlusionTexture": "occlusion",
    "metallicRoughnessTexture": "metal and roughness",
}


def _material(given: Any) -> surface.Material:
    """Converts a material of trimesh; SimpleMaterial and PBRMaterial are its kinds."""
    from trimesh.visual.color import DEFAULT_COLOR
    from trimesh.visual.material import PBRMaterial

    name = str(given.name or "")
    pictured = getattr(given, "baseColorTexture", getattr(given, "image", None))
    image = None if pictured is None else imagefile.from_pillow(pictured)
    if not isinstance(given, PBRMaterial):
        color = np.asarray(given.main_color) / 255
        if image is not None or np.array_equal(given.main_color, DEFAULT_COLOR):
            color = np.ones(4)  # trimesh does not multiply by it, or it is not set
        return surface.Material(name, color, image)
    factor = given.baseColorFactor
    factor = np.ones(4) if factor is None else np.asarray(factor) / 255
    color = np.append(srgb.encode(factor[:3]), _cut(factor[3], given))
    # a factor of linear light, as in glTF
    if image is not None:
        image = surface.with_opacity(image.astype(float))
        light = srgb.decode(image[..., :3]) * factor[:3]
        alpha = _cut(image[..., 3:] * factor[3], given)
        image = np.concatenate([srgb.encode(light), alpha], axis=-1)
    return surface.Material(name, color, image)


def _cut(alpha: np.ndarray, given: Any) -> np.ndarray:
    """Opacity of a PBRMaterial by the product of all values for it; elementwise."""
    if given.alphaMode == "BLEND":
        return alpha
    if given.alphaMode != "MASK":
        return np.ones_like(alpha)
    cutoff = 0.5 if given.alphaCutoff is None else given.alphaCutoff
    return (alpha >= cutoff).astype(float)


def _list_omissions(materials: list[Any]) -> tuple[str, ...]:
    """Notes on what materials have and a mesh does not, as the glTF reader's."""
    notes = []
    factors = [getattr(each, "emissiveFactor", None) for each in materials]
    if any(factor is not None and np.any(factor) for factor in factors):
        notes.append("the light that materials emit is left out")
    maps = [
        noun
        for name, noun in _MAPS.items()
        if any(getattr(each, name, None) is not None for each in materials)
    ]
    if maps:
        notes.append(f"maps of {' and '.join(maps)} are left out")
    return tuple(notes)


def _check_rows(name: str, values: np.ndarray, rows: int, columns: int) -> None:
    """Raises a ValueError unless there are rows of at least so many columns."""
    if values.ndim != 2 or len(values) != rows or values.shape[1] < columns:
        raise ValueError(
            f"The Trimesh must have {name} [{rows}, {columns}], not "
            f"{list(values.shape)}."
        )


def _index_materials(index: Any, faces: int, count: int) -> np.ndarray:
    """Index of the material of each face, ``[F]``; -1 for none."""
    if index is None:
        return np.zeros(faces, int)
    index = np.array(index)
    if index.shape != (faces,) or np.any(index >= count) or np.any(index < -1):
        raise ValueError(
            f"The Trimesh must have face_materials [{faces}], one of its {count} "
            f"materials for each face, or -1; they have {list(index.shape)}, up to "
            f"{index.max(initial=-1)}."
        )
    return index


def read_visual(geometry: Any) -> dict[str, Any]:
    """Reads the colours of a ``trimesh.Trimesh`` as fields of a `Surface`.

    Args:
        geometry: the ``trimesh.Trimesh``.

    Raises:
        ValueError: colours, coordinates or materials that do not fit the mesh.
    """
    visual = geometry.visual
    vertices, faces = len(geometry.vertices), len(geometry.faces)
    if visual.kind in ("vertex", "face"):
        name = f"{visual.kind}_colors"
        values = np.asarray(getattr(visual, name))
        rows = vertices if visual.kind == "vertex" else faces
        _check_rows(name, values, rows, 3)
        return {name: values / 255}
    if visual.kind != "texture":
        return {}
    several = getattr(visual.material, "materials", [visual.material])
    materials = tuple(map(_material, several))
    found: dict[str, Any] = {"notes": _list_omissions(several)}
    found["material_index"] = _index_materials(
        visual.face_materials, faces, len(materials)
    )
    if visual.uv is not None:
        uv = np.asarray(visual.uv, float)
        _check_rows("texture coordinates", uv, vertices, 2)
        # the third coordinate, which some files have, is for images of three axes
        found["uvs"] = uv[:, :2][geometry.faces]
        wrap = "repeat" if np.any(np.abs(found["uvs"] - 0.5) > 0.5) else "clamp"
        materials = tuple(m._replace(wrap=wrap) for m in materials)
    if "color" in visual.vertex_attributes:
        values = np.asarray(visual.vertex_attributes["color"])
        _check_rows("vertex colours", values, vertices, 3)
        top = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else 1
        found["vertex_colors"] = values[:, :4] / top
    return found | {"materials": materials}
