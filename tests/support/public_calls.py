"""A small call of every public function, as the tests count its compilations."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxsoftras
from jaxsoftras import (
    conorm,
    images,
    lenses,
    losses,
    mesh,
    normals,
    pose,
    probability,
    self_intersections,
    texture,
    topology,
    voxels,
)

SPHERE = jaxsoftras.icosphere(0)
FACES = SPHERE.faces
VERTICES = np.asarray(SPHERE.vertices, np.float32)
EYE = np.array([0.5, 0.3, 3.0], np.float32)
SETTINGS = jaxsoftras.Settings(image_size=8, sigma=1e-3)
# NDC, seen from afar
CORNERS = np.asarray(0.6 * VERTICES + [0, 0, 3], np.float32)[FACES]
RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.random((12, 12, 3), np.float32)
POINTS = RANDOM.normal(size=(7, 3)).astype(np.float32)
UV = RANDOM.random((20, 3, 2), np.float32)
NUMBERS = np.linspace(0.1, 0.9, 9, dtype=np.float32)
GRID = np.arange(32**3).reshape(32, 32, 32) % 3 == 0
SIGNS = (1, -1, 1)  # of OpenCV's axes


class Call(NamedTuple):
    """A call of a public function.

    Attributes:
        function: maps one array to a pytree of arrays.
        argument: the array.
        traced: whether the function may be called within `jax.jit`. Others need values
            that are known, or are of numpy.
        smooth: whether the result has a derivative.
    """

    function: Callable[[Any], Any]
    argument: Any
    traced: bool = True
    smooth: bool = True


# Each worker collects the tests: what must be compiled is made when a test needs it.
@functools.cache
def camera() -> jaxsoftras.Camera:
    """Sees the sphere."""
    return jaxsoftras.perspective_camera(EYE)


@functools.cache
def _pose() -> jaxsoftras.Pose:
    return jaxsoftras.look_at(EYE)


@functools.cache
def _fragments() -> jaxsoftras.Fragments:
    return jaxsoftras.find_fragments(CORNERS, 8)


@functools.cache
def _rotation() -> np.ndarray:
    return np.asarray(_turned(np.float32(0.1)))


@functools.cache
def _opengl() -> tuple[np.ndarray, np.ndarray]:
    """Matrices of view and projection."""
    view, projection = jaxsoftras.to_opengl(camera(), 0.1, 10.0)
    return np.asarray(view), np.asarray(projection)


@functools.cache
def _blender() -> np.ndarray:
    """``matrix_world``."""
    return np.asarray(jaxsoftras.to_blender(camera(), 16)[0])


def _from_opengl(scale: Any) -> Any:
    view, projection = _opengl()
    projection = jnp.asarray(projection).at[0, 0].multiply(scale)
    return jaxsoftras.from_opengl(view, projection).focal_length


def _mesh(vertices: Any) -> jaxsoftras.Mesh:
    return SPHERE._replace(vertices=vertices)


def _pair(vertices: Any) -> list[jaxsoftras.Mesh]:
    return [_mesh(vertices), _mesh(2 * vertices)]


def _save_and_load(vertices: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sphere.off"
        jaxsoftras.save_mesh(path, _mesh(vertices))
        return jaxsoftras.load_mesh(path).vertices


def _save_image(image: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        jaxsoftras.save_image(Path(folder) / "image.png", image)


def _pixels(image: Any) -> np.ndarray:
    """Pixels that a notebook would show."""
    return images.to_pixels(image, background=(1.0, 1.0, 1.0), scale=1)


def _turned(angle: Any) -> Any:
    return jaxsoftras.rotation_from_axis_angle(angle * np.ones(3, np.float32))


SURFACE_LIGHTS = (
    jaxsoftras.AmbientLight(0.3),
    jaxsoftras.DirectionalLight(np.array([0.0, 1.0, 0.0]), 0.5, 0.2),
    jaxsoftras.PointLight(np.array([0.0, 2.0, 0.0]), 0.5, 0.2),
)
UNION = jaxsoftras.Conorm()
LOGISTIC = jaxsoftras.Distribution()

INTRINSICS = np.array([[20, 0, 8], [0, 20, 8], [0, 0, 1]], np.float32)


def _moved(position: Any) -> jaxsoftras.Camera:
    return dataclasses.replace(camera(), position=position)


RENDERING = {
    "renderer.render": Call(
        lambda x: jaxsoftras.render(_mesh(x), camera(), settings=SETTINGS), VERTICES
    ),
    "rasterization.rasterize": Call(
        lambda x: jaxsoftras.rasterize(x, x, 8, sigma=1e-3), CORNERS
    ),
    "rasterization.silhouette": Call(
        lambda x: jaxsoftras.silhouette(x, 8, sigma=1e-3), CORNERS
    ),
    "rasterization.find_fragments": Call(
        lambda x: jaxsoftras.find_fragments(x, 8).depth, CORNERS
    ),
    "rasterization.interpolate": Call(
        lambda x: jaxsoftras.interpolate(_fragments(), x), CORNERS
    ),
    "lighting.illuminate": Call(
        lambda x: jaxsoftras.illuminate(x, VERTICES, SURFACE_LIGHTS, EYE), VERTICES
    ),
}
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
        lambda x: jaxsoftras.unstack_meshes(_mesh(x))[1].vertices, CORNERS
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
        lambda x: jaxsoftras.subdivide(_mesh(x), 1, "loop").vertices, VERTICES
    ),
    "surface_sampling.sample_points": Call(
        lambda x: jaxsoftras.sample_points(jax.random.key(0), _mesh(x), 8).points,
        VERTICES,
    ),
    "framing.frame": Call(
        lambda x: jaxsoftras.frame(_mesh(x)).position,
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
        lambda x: np.asarray(jaxsoftras.to_trimesh(_mesh(x)).vertices),
        VERTICES,
        traced=False,
        smooth=False,
    ),
    "trimesh_conversion.from_trimesh": Call(
        lambda x: jaxsoftras.from_trimesh(jaxsoftras.to_trimesh(_mesh(x))).vertices,
        VERTICES,
        traced=False,
        smooth=False,
    ),
    "meshfile.save_mesh": Call(_save_and_load, VERTICES, traced=False, smooth=False),
    "meshfile.load_mesh": Call(_save_and_load, VERTICES, traced=False, smooth=False),
    "images.save_image": Call(_save_image, IMAGE / 2, traced=False, smooth=False),
    "looking.show": Call(_pixels, IMAGE / 2, traced=False, smooth=False),
}
TEXTURES = {
    "texture.sample": Call(lambda x: texture.sample(x, UV[:, 0]), IMAGE),
    "texture.bake": Call(
        lambda x: texture.bake(jaxsoftras.UVTexture(UV, x), 2).texels, IMAGE
    ),
    "texture.surface_cell": Call(
        lambda x: texture.surface_cell(x, x / 4, 3), NUMBERS, smooth=False
    ),
    "texture.texel_centers": Call(lambda x: x * texture.texel_centers(2), NUMBERS[0]),
    "texture.first_of_two": Call(
        lambda x: texture.first_of_two(jnp.asarray(x), jnp.zeros(9), 4, "repeat"),
        NUMBERS,
    ),
    "texture.with_places": Call(
        lambda x: texture.with_places(jnp.asarray(x).reshape(1, -1, 3), 12), IMAGE
    ),
}
CAMERAS = {
    "camera_model.camera_from_axes": Call(
        lambda x: jaxsoftras.camera_from_axes(_pose().axes, x, (2.0, 2.0)).position, EYE
    ),
    "camera.camera_to_ndc": Call(lambda x: jaxsoftras.camera_to_ndc(x), VERTICES + 3),
    "camera.orthographic_camera": Call(
        lambda x: jaxsoftras.orthographic_camera(x).axes, EYE
    ),
    "camera.perspective_camera": Call(
        lambda x: jaxsoftras.perspective_camera(x).axes, EYE
    ),
    "camera.project": Call(lambda x: jaxsoftras.project(camera(), x), VERTICES),
    "lenses.distort": Call(
        lambda x: lenses.distort(jnp.asarray(x), jnp.full(8, 0.01), "brown"),
        VERTICES[:, :2],
    ),
    "pose.axes_from_direction": Call(
        lambda x: pose.axes_from_direction(jnp.asarray(x), jnp.array([0.0, 1, 0])), EYE
    ),
    "pose.eye_from_angles": Call(
        lambda x: jaxsoftras.eye_from_angles(3.0, x, 2 * x), NUMBERS
    ),
    "pose.from_extrinsics": Call(
        lambda x: (
            pose.from_extrinsics(
                jnp.asarray(_rotation()), jnp.asarray(x), SIGNS
            ).position
        ),
        EYE,
    ),
    "pose.look_at": Call(lambda x: jaxsoftras.look_at(x).axes, EYE),
    "pose.rotation_from_axis_angle": Call(jaxsoftras.rotation_from_axis_angle, EYE),
    "pose.to_extrinsics": Call(
        lambda x: pose.to_extrinsics(_pose().axes, jnp.asarray(x), SIGNS)[1], EYE
    ),
    "pose.world_to_camera": Call(
        lambda x: jaxsoftras.world_to_camera(x, EYE), VERTICES
    ),
    "conventions.from_blender": Call(
        lambda x: jaxsoftras.from_blender(_blender(), x, 16).focal_length,
        np.float32(35),
    ),
    "conventions.from_mujoco": Call(
        lambda x: jaxsoftras.from_mujoco(x, _rotation(), 16, fovy=60.0).position, EYE
    ),
    "conventions.from_opencv": Call(
        lambda x: jaxsoftras.from_opencv(INTRINSICS, _rotation(), x, 16).position, EYE
    ),
    "conventions.from_opengl": Call(_from_opengl, NUMBERS[0]),
    "conventions.from_pytorch3d": Call(
        lambda x: jaxsoftras.from_pytorch3d(_rotation(), x, 16, fov=60.0).position, EYE
    ),
    "conventions.to_blender": Call(
        lambda x: jaxsoftras.to_blender(_moved(x), 16)[0], EYE
    ),
    "conventions.to_mujoco": Call(
        lambda x: jaxsoftras.to_mujoco(_moved(x), 16)[0], EYE
    ),
    "conventions.to_opencv": Call(
        lambda x: jaxsoftras.to_opencv(_moved(x), 16)[2], EYE
    ),
    "conventions.to_opengl": Call(
        lambda x: jaxsoftras.to_opengl(_moved(x), 0.1, 10.0)[0], EYE
    ),
    "conventions.to_pytorch3d": Call(
        lambda x: jaxsoftras.to_pytorch3d(_moved(x), 16)[1], EYE
    ),
}
PROBABILITIES = {
    "conorm.aggregate": Call(
        lambda x: conorm.aggregate(UNION, jnp.asarray(x)), NUMBERS
    ),
    "conorm.generator": Call(
        lambda x: conorm.generator(UNION, jnp.asarray(x), jnp.log1p(-x), 2), NUMBERS
    ),
    "probability.cdf": Call(
        lambda x: probability.cdf(LOGISTIC, jnp.asarray(x)), NUMBERS
    ),
    "probability.log_cdf": Call(
        lambda x: probability.log_cdf(LOGISTIC, jnp.asarray(x)), NUMBERS
    ),
    "probability.log_survival": Call(
        lambda x: probability.log_survival(LOGISTIC, jnp.asarray(x)), NUMBERS
    ),
    "probability.reach": Call(
        lambda x: probability.reach(LOGISTIC, float(x)),
        NUMBERS[0] / 10,
        traced=False,
        smooth=False,
    ),
}
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
CALLS: dict[str, Call] = (
    RENDERING | MESHES | TEXTURES | CAMERAS | PROBABILITIES | LOSSES
)


def gradient(call: Call) -> Callable[[Any], Any]:
    """The gradient of the sum of the results of a call."""

    def total(argument):
        results = jax.tree.leaves(call.function(argument))
        return sum(jnp.sum(x) for x in results if jnp.issubdtype(x.dtype, np.floating))

    return jax.grad(total)
