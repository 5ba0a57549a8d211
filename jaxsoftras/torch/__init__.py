"""The renderer for PyTorch: tensors in and out, with gradients by autograd.

The functions have the names and arguments of the package's own, and take tensors where
those take arrays; `wrap` does the same for any function of JAX. Meshes, cameras, lights
and textures are those of `jaxsoftras`, whose fields may be tensors. Nothing is copied
that need not be (docs/interop.md). Needs PyTorch, which is no dependency.
"""

from jaxsoftras import extras

extras.require("give tensors to the renderer", "torch")

from jaxsoftras.guesses import answer_module as _answer_module
from jaxsoftras.torch.geometry import face_vertices as face_vertices
from jaxsoftras.torch.geometry import perspective_camera as perspective_camera
from jaxsoftras.torch.geometry import project as project
from jaxsoftras.torch.rendering import rasterize as rasterize
from jaxsoftras.torch.rendering import render as render
from jaxsoftras.torch.rendering import silhouette as silhouette
from jaxsoftras.torch.wrapping import wrap as wrap

_answer_module(__name__)
