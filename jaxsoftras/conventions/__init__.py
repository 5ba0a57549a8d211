"""Conversions of cameras from and to OpenCV, OpenGL, PyTorch3D, Blender and MuJoCo.

These programs take unmirrored images of a right-handed world: the cameras made here are
right-handed, and only right-handed cameras can be converted to another program's
(docs/conventions.md compares the conventions). Everything is differentiable. The values
of arguments are checked where they are known, hence not under `jax.jit`.
"""

from jaxsoftras.conventions.blender import SensorFit as SensorFit
from jaxsoftras.conventions.blender import from_blender as from_blender
from jaxsoftras.conventions.blender import to_blender as to_blender
from jaxsoftras.conventions.common import ImageSize as ImageSize
from jaxsoftras.conventions.mujoco import from_mujoco as from_mujoco
from jaxsoftras.conventions.mujoco import to_mujoco as to_mujoco
from jaxsoftras.conventions.opencv import from_opencv as from_opencv
from jaxsoftras.conventions.opencv import to_opencv as to_opencv
from jaxsoftras.conventions.opengl import from_opengl as from_opengl
from jaxsoftras.conventions.opengl import to_opengl as to_opengl
from jaxsoftras.conventions.pytorch3d import from_pytorch3d as from_pytorch3d
from jaxsoftras.conventions.pytorch3d import to_pytorch3d as to_pytorch3d
from jaxsoftras.guesses import answer_module as _answer_module

_answer_module(__name__)
