"""Losses outside of `jax.jit`: each compiles once for each shape."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import losses
from tests.support.compilations import check_compiles_once, compilations

SPHERE = jaxsoftras.icosphere(0)
VERTICES = np.float32(SPHERE.vertices)
TOPOLOGIES = np.stack([SPHERE.faces, np.where(SPHERE.faces > 9, -1, SPHERE.faces)])
TOPOLOGIES[1, np.any(TOPOLOGIES[1] < 0, axis=-1)] = -1
IMAGE = np.float32(np.random.default_rng(0).random((12, 12, 3)))
POINTS = np.float32(np.random.default_rng(1).normal(size=(7, 3)))


def on_meshes(loss, **options):
    """Functions of the vertices of one mesh, and of two of different topology."""
    return {
        "known": lambda v: loss(v, SPHERE.faces, **options),
        "batch": lambda v: loss(v, TOPOLOGIES, **options),
    }


def chamfer(points):
    found = losses.chamfer_distance(
        points, VERTICES, first_normals=points, second_normals=VERTICES
    )
    return jnp.stack(jax.tree.leaves(found))


FUNCTIONS = {
    "silhouette_iou": (lambda x: losses.silhouette_iou(x, IMAGE), IMAGE),
    "multiscale": (
        lambda x: losses.multiscale_silhouette_iou(x, IMAGE, levels=2),
        IMAGE,
    ),
    "ssim": (lambda x: losses.ssim(x, IMAGE), IMAGE / 2),
    "psnr": (lambda x: losses.psnr(x, IMAGE), IMAGE / 2),
    "nearest_points": (lambda x: losses.nearest_points(x, VERTICES).distances, POINTS),
    "chamfer_distance": (chamfer, POINTS),
    "f_score": (lambda x: losses.f_score(x, VERTICES, 0.5).score, POINTS),
    "nearest_surface_points": (
        lambda x: losses.nearest_surface_points(x, VERTICES, SPHERE.faces).points,
        POINTS,
    ),
    "point_mesh_distance": (
        lambda x: losses.point_mesh_distance(x, VERTICES, SPHERE.faces),
        POINTS,
    ),
}
for name, loss in (
    ("laplacian", losses.laplacian),
    ("cotangent", functools.partial(losses.laplacian, weights="cotangent")),
    ("normal_consistency", losses.normal_consistency),
    ("edge_length", functools.partial(losses.edge_length, target=0.5)),
    ("flatten", losses.flatten),
):
    for kind, function in on_meshes(loss).items():
        FUNCTIONS[f"{name}-{kind}"] = function, VERTICES


# another function of the same search, or of the same handling of topologies, is there
SLOW = {"nearest_points", "nearest_surface_points"}
SLOW |= {f"{name}-batch" for name in ("normal_consistency", "edge_length", "flatten")}


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        pytest.param(*case, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name, case in FUNCTIONS.items()
    ],
)
def test_second_call_compiles_nothing(function, argument, caplog):
    check_compiles_once(caplog, function, argument)


def test_every_loss_is_here():
    names = {name.partition("-")[0] for name in FUNCTIONS} | {
        "multiscale_silhouette_iou"
    }
    functions = {name for name in vars(losses) if callable(getattr(losses, name))}
    assert {name for name in functions if name.islower()} <= names


def test_numbers_are_traced(caplog):
    for loss in (
        lambda x: losses.edge_length(VERTICES, SPHERE.faces, target=x),
        lambda x: losses.f_score(POINTS, VERTICES, x).score,
    ):
        loss(0.5)
        assert compilations(caplog, loss, 0.25) == 0


def test_topologies_of_a_batch_are_traced(caplog):
    losses.laplacian(VERTICES, TOPOLOGIES)
    assert (
        compilations(caplog, losses.laplacian, VERTICES, TOPOLOGIES[::-1].copy()) == 0
    )


def test_another_topology_of_the_same_shape_is_another_mesh():
    whole, fewer = (losses.flatten(VERTICES, faces) for faces in TOPOLOGIES)
    assert fewer < 0.9 * whole
