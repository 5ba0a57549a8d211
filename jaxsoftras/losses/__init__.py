"""Losses and metrics: images, smoothness of meshes, point sets, and surfaces.

All take arrays, return one number per image, mesh or point set of the leading axes, and
compute at least in single precision. Rows of -1 among the faces, and vertices that no
face uses, as `jaxsoftras.stack_meshes` adds them, do not count. docs/losses.md has a
table of formulas.
"""

from jaxsoftras.guesses import answer_module as _answer_module
from jaxsoftras.losses.image import (
    multiscale_silhouette_iou as multiscale_silhouette_iou,
)
from jaxsoftras.losses.image import psnr as psnr
from jaxsoftras.losses.image import silhouette_iou as silhouette_iou
from jaxsoftras.losses.image import ssim as ssim
from jaxsoftras.losses.points import ChamferDistance as ChamferDistance
from jaxsoftras.losses.points import FScore as FScore
from jaxsoftras.losses.points import NearestPoints as NearestPoints
from jaxsoftras.losses.points import chamfer_distance as chamfer_distance
from jaxsoftras.losses.points import f_score as f_score
from jaxsoftras.losses.points import nearest_points as nearest_points
from jaxsoftras.losses.smoothness import LaplacianWeights as LaplacianWeights
from jaxsoftras.losses.smoothness import edge_length as edge_length
from jaxsoftras.losses.smoothness import flatten as flatten
from jaxsoftras.losses.smoothness import laplacian as laplacian
from jaxsoftras.losses.smoothness import normal_consistency as normal_consistency
from jaxsoftras.losses.surface import nearest_surface_points as nearest_surface_points
from jaxsoftras.losses.surface import point_mesh_distance as point_mesh_distance

_answer_module(__name__)
