"""Calls of meshes, their topology, voxels and files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxsoftras
from jaxsoftras import mesh, normals, self_intersections, topology, voxels
from tests.support.public_calls.inputs import (
    CORNERS,
    FACES,
    NUMBERS,
    VERTICES,
    Call,
    make_mesh,
)

GRID = np.arange(32**3).reshape(32, 32, 32) % 3 == 0


def _pair(vertices: Any) -> list[jaxsoftras.Mesh]:
    return [make_mesh(vertices), make_mesh(2 * vertices)]


def _save_and_load(vertices: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sphere.off"
        jaxsoftras.save_mesh(path, make_mesh(vertices))
        return jaxsoftras.load_mesh(path).vertices


MESHES = {
    "mesh.face_vertices": Call(lambda x: jaxsoftras.face_vertices(x, FACES), VERTICES),
    "mesh.gather_corners": Call(
        lambda x: mesh.gather_corners(jnp.asarray(x), FACES), VERTICES
    ),
    "mesh.vertex_sums": Call(
        lambda x: mesh.vertex_sums(jnp.asarray(x), FACES, 12), CORNERS
    ),
    "mesh.checked_faces": Call(
        lambda x: mesh.checked_faces(x, 12), FACES, smooth=False
    ),
    "mesh.icosphere": Call(lambda x: x * jaxsoftras.icosphere(0).vertices, NUMBERS[0]),
    "mesh.stack_meshes": Call(
        lambda x: jaxsoftras.stack_meshes(_pair(x)).vertices, VERTICES
    ),
    "joining.join_meshes": Call(
        lambda x: jaxsoftras.join_meshes(_pair(x)).vertices, VERTICES
    ),
    "joining.unstack_meshes": Call(
        lambda x: jaxsoftras.unstack_meshes(make_mesh(x))[1].vertices, CORNERS
    ),
    "normals.area_vectors": Call(normals.area_vectors, CORNERS),
    "normals.face_normals": Call(jaxsoftras.face_normals, CORNERS),
    "normals.vertex_normals": Call(
        lambda x: jaxsoftras.vertex_normals(x, FACES), VERTICES
    ),
    "normals.vertex_normals_from_corners": Call(
        lambda x: normals.vertex_normals_from_corners(jnp.asarray(x), FACES, 12),
        CORNERS,
    ),
    "subdivision.subdivide": Call(
        lambda x: jaxsoftras.subdivide(make_mesh(x), 1, "loop").vertices, VERTICES
    ),
    "surface_sampling.sample_points": Call(
        lambda x: jaxsoftras.sample_points(jax.random.key(0), make_mesh(x), 8).points,
        VERTICES,
    ),
    "framing.frame": Call(
        lambda x: jaxsoftras.frame(make_mesh(x)).position,
        VERTICES,
        traced=False,
        smooth=False,
    ),
    "voxels.voxelize": Call(
        lambda x: voxels.voxelize(x, FACES), VERTICES / 3, smooth=False
    ),
    "voxels.iou": Call(lambda x: voxels.iou(x, GRID), GRID, smooth=False),
    "voxels.voxel_surface": Call(
        lambda x: tuple(voxels.voxel_surface(x)), GRID, traced=False, smooth=False
    ),
    "self_intersections.self_intersecting_faces": Call(
        lambda x: self_intersections.self_intersecting_faces(x, FACES),
        VERTICES,
        traced=False,
        smooth=False,
    ),
    "self_intersections.self_intersecting_share": Call(
        lambda x: self_intersections.self_intersecting_share(x, FACES),
        VERTICES,
        traced=False,
        smooth=False,
    ),
    "topology.boundary_edges": Call(
        topology.boundary_edges, FACES, traced=False, smooth=False
    ),
    "topology.edges": Call(topology.edges, FACES, traced=False, smooth=False),
    "topology.interior_edges": Call(
        topology.interior_edges, FACES, traced=False, smooth=False
    ),
    "topology.is_watertight": Call(
        topology.is_watertight, FACES, traced=False, smooth=False
    ),
    "topology.split_faces": Call(
        lambda x: topology.split_faces(x, 12), FACES, traced=False, smooth=False
    ),
    "topology.unreferenced_vertices": Call(
        lambda x: topology.unreferenced_vertices(x, 12),
        FACES,
        traced=False,
        smooth=False,
    ),
    "trimesh_conversion.to_trimesh": Call(
        lambda x: np.asarray(jaxsoftras.to_trimesh(make_mesh(x)).vertices),
        VERTICES,
        traced=False,
        smooth=False,
    ),
    "trimesh_conversion.from_trimesh": Call(
        lambda x: jaxsoftras.from_trimesh(jaxsoftras.to_trimesh(make_mesh(x))).vertices,
        VERTICES,
        traced=False,
        smooth=False,
    ),
    "meshfile.save_mesh": Call(_save_and_load, VERTICES, traced=False, smooth=False),
    "meshfile.load_mesh": Call(_save_and_load, VERTICES, traced=False, smooth=False),
}
