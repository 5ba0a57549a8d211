"""Meshes and images in notebooks."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from jax.typing import ArrayLike

from jaxsoftras import extras, guesses, images
from jaxsoftras.checks import VectorLike
from jaxsoftras.joining import unstack_meshes
from jaxsoftras.mesh import Mesh
from jaxsoftras.texture import FaceColors, SurfaceTexture, UVTexture, VertexColors
from jaxsoftras.trimesh_conversion import to_trimesh


def _find_display() -> Callable[[Any], None]:
    """Finds the function that shows an object below the cell of a notebook."""
    # a notebook has imported it; elsewhere it need not be installed
    ipython: Any = sys.modules.get("IPython")
    if ipython is None or not hasattr(ipython.get_ipython(), "kernel"):
        raise RuntimeError(
            "show needs a notebook. Elsewhere use save_image(path, image), "
            "save_mesh(path, mesh), or to_trimesh(mesh).show(), which opens a window."
        )
    return ipython.display.display


def drawable(mesh: Mesh) -> Mesh:
    """Makes a mesh that viewers draw, who know neither padding nor colours of faces.

    Args:
        mesh: one mesh.

    Returns:
        Numpy arrays, without padding and without faces that have a corner that is not
        finite. `FaceColors` are `VertexColors` of corners that no two faces share.
    """
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    finite = np.all(np.isfinite(vertices), axis=-1)
    drawn = (faces[:, 0] >= 0) & np.all(finite[faces], axis=-1)
    vertices, texture = np.where(finite[:, None], vertices, 0), mesh.texture
    match texture:
        case FaceColors(values, transparent):
            vertices = vertices[faces[drawn]].reshape(-1, 3)
            corners = np.repeat(np.asarray(values)[drawn], 3, axis=0)
            faces = np.arange(len(vertices)).reshape(-1, 3)
            return Mesh(vertices, faces, VertexColors(corners, transparent))
        case SurfaceTexture(texels):
            texture = texture._replace(texels=np.asarray(texels)[drawn])
        case UVTexture(coordinates, image_index=index):
            texture = texture._replace(
                coordinates=np.asarray(coordinates)[drawn],
                image_index=None if index is None else np.asarray(index)[drawn],
            )
    return Mesh(vertices, faces[drawn], texture)


def _viewable(mesh: Mesh) -> Any:
    """Converts one mesh to trimesh, without faces that cannot be drawn."""
    solid = to_trimesh(drawable(mesh))
    solid.remove_unreferenced_vertices()
    return solid


def _scene(mesh: Mesh) -> Any:
    """Scene of the meshes of a batch, in rows from left to right and downwards."""
    solids = [_viewable(each) for each in unstack_meshes(mesh)]
    cells = [(k, solid) for k, solid in enumerate(solids) if len(solid.faces)]
    if not cells:
        raise ValueError("The mesh has no face with finite vertices to show.")
    step = 1.2 * max(solid.extents.max() for _, solid in cells)
    columns = math.ceil(len(solids) ** 0.5)
    for k, solid in cells:
        row, column = divmod(k, columns)
        solid.apply_translation([step * column, -step * row, 0])
    (_, first), *others = cells
    scene = first.scene()
    for _, solid in others:
        scene.add_geometry(solid)
    return scene


@guesses.answers
def show(
    mesh_or_image: Mesh | ArrayLike,
    *,
    background: VectorLike | None = None,
    scale: int | None = None,
) -> None:
    """Shows a mesh or an image in a notebook, below the cell.

    A mesh can be turned with the mouse, in the viewer of trimesh, with its colours. The
    meshes of a batch lie side by side.

    Args:
        mesh_or_image: a mesh, or an image or batch of images as in `save_image`.
        background: what an image with opacity is laid over, see `save_image`; a
            checkerboard by default.
        scale: pixels on the screen along the side of a pixel of the image; by default
            as many as make the image 256 pixels large.

    Raises:
        RuntimeError: not in a notebook.
        ValueError: as `save_image` and `to_trimesh` raise it.
        MissingExtraError: meshes need trimesh, and images Pillow.

    Example:
        >>> try:
        ...     jaxsoftras.show(jaxsoftras.icosphere(1))
        ... except RuntimeError as error:
        ...     print(str(error).partition(".")[0])
        show needs a notebook
    """
    display = _find_display()
    if isinstance(mesh_or_image, Mesh):
        extras.require("show meshes", "trimesh")
        from trimesh.viewer import scene_to_notebook

        display(scene_to_notebook(_scene(mesh_or_image)))
        return
    pixels = images.to_pixels(mesh_or_image, background=background, scale=scale)
    if pixels.shape[-1] == 4:
        board = images.checkerboard(*pixels.shape[:2])
        pixels = images.to_pixels(pixels, background=board, scale=1)
    display(images.to_pillow(pixels))
