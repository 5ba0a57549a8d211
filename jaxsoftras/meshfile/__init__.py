"""Mesh files: OBJ, OFF, PLY, STL, GLB and glTF, with their colours.

* `loading`: `load_mesh`; `saving`: `save_mesh`; `formats`: the table of formats.
* `surface`: what all readers return, and how it becomes a `Mesh`.
* `obj` (with `mtl` and `mtl_images`), `off`, `stl`, `ply`, `gltf`: readers.
* `obj_writing`, `off`, `gltf_writing`, `trimesh_writing` (PLY and STL): writers.
* `text`, `polygons`, `weld`: lines and names of files, triangulation, merging of
  vertices.
* `imagefile`, `srgb`, `colors`: image files as arrays, their encoding of colours, and
  textures as files hold them.
* `atlas`, `wrapping`: several images, texels or colours in one image; its continuation.
"""

from jaxsoftras.guesses import answer_module as _answer_module
from jaxsoftras.meshfile.loading import load_mesh
from jaxsoftras.meshfile.saving import save_mesh

__all__ = ["load_mesh", "save_mesh"]

_answer_module(__name__)
