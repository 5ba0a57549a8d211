"""Mesh files: OBJ, OFF, PLY, STL, GLB and glTF, with their colours.

* `loading`: `load_mesh`; `saving`: `save_mesh`; `formats`: the table of formats.
* `surface`: what all readers return, and how it becomes a `Mesh`.
* `obj` (with `mtl`), `off`, `stl`, `ply`, `gltf`: readers.
* `obj_writing`, `off`, `gltf_writing`, `trimesh_writing` (PLY and STL): writers.
* `text`, `polygons`, `weld`: lines and names of files, triangulation, merging of
  vertices.
* `imagefile`, `srgb`: image files as arrays, and their encoding of colours.
* `atlas`, `wrapping`: several images, texels or colours in one image; its continuation.
"""

from jaxsoftras.meshfile.loading import load_mesh
from jaxsoftras.meshfile.saving import save_mesh

__all__ = ["load_mesh", "save_mesh"]
