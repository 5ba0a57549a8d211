"""Differentiable soft rasterization of triangle meshes in JAX."""

from jaxsoftras.camera import Camera as Camera
from jaxsoftras.camera import eye_from_angles as eye_from_angles
from jaxsoftras.camera import look_at as look_at
from jaxsoftras.camera import perspective as perspective
from jaxsoftras.camera import perspective_camera as perspective_camera
from jaxsoftras.camera import project as project
from jaxsoftras.mesh import Mesh as Mesh
from jaxsoftras.mesh import face_vertices as face_vertices
from jaxsoftras.mesh import icosphere as icosphere
from jaxsoftras.rasterize import silhouette as silhouette

__version__ = "0.1.0"
