"""Mesh files: OBJ, OFF, PLY, STL and GLB, with their colours.

* `loading`: `load_mesh`; `saving`: `save_mesh`; `formats`: the list.
* `obj`, `off`: two text formats; `scene`: the others, by way of trimesh.
* `atlas`: one image for several, or for the texels of a `SurfaceTexture`; `image`:
  image files.
"""

from jaxsoftras.meshfile.loading import load_mesh
from jaxsoftras.meshfile.saving import save_mesh

__all__ = ["load_mesh", "save_mesh"]
