"""Calls of losses and metrics."""

from __future__ import annotations

from jaxsoftras import losses
from tests.support.public_calls.inputs import (
    FACES,
    IMAGE,
    POINTS,
    VERTICES,
    Call,
)

LOSSES = {
    "losses.chamfer_distance": Call(
        lambda x: losses.chamfer_distance(
            x, VERTICES, first_normals=x, second_normals=VERTICES
        ),
        POINTS,
    ),
    "losses.edge_length": Call(
        lambda x: losses.edge_length(x, FACES, target=0.5), VERTICES
    ),
    "losses.f_score": Call(lambda x: losses.f_score(x, VERTICES, 0.5).score, POINTS),
    "losses.flatten": Call(lambda x: losses.flatten(x, FACES), VERTICES),
    "losses.laplacian": Call(lambda x: losses.laplacian(x, FACES), VERTICES),
    "losses.multiscale_silhouette_iou": Call(
        lambda x: losses.multiscale_silhouette_iou(x, IMAGE, levels=2), IMAGE
    ),
    "losses.nearest_points": Call(
        lambda x: losses.nearest_points(x, VERTICES).distances, POINTS
    ),
    "losses.nearest_surface_points": Call(
        lambda x: losses.nearest_surface_points(x, VERTICES, FACES).points, POINTS
    ),
    "losses.normal_consistency": Call(
        lambda x: losses.normal_consistency(x, FACES), VERTICES
    ),
    "losses.point_mesh_distance": Call(
        lambda x: losses.point_mesh_distance(x, VERTICES, FACES), POINTS
    ),
    "losses.psnr": Call(lambda x: losses.psnr(x, IMAGE), IMAGE / 2),
    "losses.silhouette_iou": Call(lambda x: losses.silhouette_iou(x, IMAGE), IMAGE),
    "losses.ssim": Call(lambda x: losses.ssim(x, IMAGE), IMAGE / 2),
}
