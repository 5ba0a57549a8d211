"""Mesh files: OBJ, OFF, PLY, STL and GLB, with their colours.

* `loading`: `load_mesh`; `saving`: `save_mesh`; `formats`: the table of formats.
* `obj`, `off`: readers and writers of two text formats.
* `scene`: PLY, STL and GLB, through trimesh.
* `atlas`: packs several images, or the texels of a `SurfaceTexture`, into one image.
* `imagefile`: image files as arrays.
"""

from jaxsoftras.meshfile.loading import load_mesh
from jaxsoftras.meshfile.saving import save_mesh

__all__ = ["load_mesh", "save_mesh"]
