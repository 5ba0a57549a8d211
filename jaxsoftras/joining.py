"""Several meshes as one, and the meshes of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from jaxsoftras import guesses, texture_joining, texture_parts
from jaxsoftras.mesh import Mesh, checked_faces, checked_mesh
from jaxsoftras.texture import (
    FaceColors,
    SurfaceTexture,
    Texture,
    UVTexture,
    VertexColors,
)

# axes of the arrays of a texture, without those of a batch
_AXES = {
    FaceColors: (2,),
    VertexColors: (2,),
    SurfaceTexture: (3,),
    UVTexture: (3, 3),
}


def _own_axes(texture: Texture) -> list[int]:
    """Number of axes of each array of a texture, without those of a batch."""
    if isinstance(texture, UVTexture) and texture.image_index is not None:
        return [3, *[3] * len(texture.image), 1]
    return list(_AXES[type(texture)])


def _check(index: int, mesh: Mesh) -> None:
    """Raises a ValueError unless an item is no batch, with a texture that fits."""
    if np.ndim(mesh.vertices) != 2 or np.ndim(mesh.faces) != 2:
        raise ValueError(
            f"Meshes to join must have vertices [V, 3] and faces [F, 3]; item {index} "
            f"has {list(np.shape(mesh.vertices))} and {list(np.shape(mesh.faces))}. "
            "unstack_meshes splits a batch."
        )
    checked_faces(mesh.faces, len(mesh.vertices))
    texture = mesh.texture
    if texture is None:
        return
    if isinstance(texture, UVTexture):
        texture_parts.check_images(f"The UVTexture of item {index}", texture)
    arrays = jax.tree.leaves(texture)
    rows = mesh.vertices if isinstance(texture, VertexColors) else mesh.faces
    if [*map(np.ndim, arrays)] != _own_axes(texture) or len(arrays[0]) != len(rows):
        raise ValueError(
            f"The {type(texture).__name__} of item {index} must have {len(rows)} rows "
            "and no batch axes; its arrays have the shapes "
            f"{', '.join(str(list(array.shape)) for array in arrays)}."
        )


@guesses.answers
def join_meshes(meshes: Sequence[Mesh]) -> Mesh:
    """Joins meshes into one, in order, as one scene.

    `stack_meshes` makes a batch instead, which is rendered to an image for each mesh.
    Differentiable in vertices and colours.

    A mesh without a texture becomes white if another has one. Textures of one kind are
    concatenated; surface textures are refined to the largest resolution. Different
    images are packed into one, or become several with an ``image_index`` if it would
    have more than 2**24 texels or coordinates are traced. Textures of several kinds
    become one `UVTexture`, or a `SurfaceTexture` if they are that or `FaceColors`. If
    one is transparent, opaque ones get an opacity of 1. The colours stay exactly the
    same.

    Args:
        meshes: meshes with vertices ``[V, 3]`` and faces ``[F, 3]``; rows of -1 are
            padding, which is kept.

    Returns:
        Vertices ``[sum V, 3]``, faces ``[sum F, 3]`` and a texture; numpy arrays where
        all inputs are.

    Raises:
        ValueError: no mesh, a batch, a texture that does not fit its mesh, textures of
            different numbers of channels, or surface textures with others than
            `FaceColors`.

    Example:
        >>> sphere = jaxsoftras.icosphere(0)
        >>> other = sphere._replace(vertices=sphere.vertices + [3.0, 0.0, 0.0])
        >>> scene = jaxsoftras.join_meshes([sphere, other])
        >>> print(scene.vertices.shape, scene.faces.shape, scene.faces.max())
        (24, 3) (40, 3) 23
    """
    if isinstance(meshes, Mesh):
        raise ValueError(
            "join_meshes takes a list of meshes; unstack_meshes makes one of a batch."
        )
    if not meshes:
        raise ValueError("join_meshes needs at least one mesh.")
    meshes = [checked_mesh(mesh, "join_meshes") for mesh in meshes]
    for index, mesh in enumerate(meshes):
        _check(index, mesh)
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    points = [mesh.vertices for mesh in meshes]
    faces = [mesh.faces for mesh in meshes]
    xp = texture_parts.namespace(faces)
    moved = [
        xp.where(rows >= 0, xp.asarray(rows, np.int32) + first, -1).astype(np.int32)
        for rows, first in zip(faces, starts, strict=False)
    ]
    return Mesh(
        texture_parts.namespace(points).concatenate(points),
        xp.concatenate(moved),
        texture_joining.join_textures(meshes),
    )


@guesses.answers
def unstack_meshes(mesh: Mesh) -> list[Mesh]:
    """Splits a batch into its meshes, with their padding.

    Args:
        mesh: vertices ``[..., V, 3]``, faces ``[F, 3]`` or ``[..., F, 3]`` and a
            texture; leading axes broadcast.

    Returns:
        A mesh with vertices ``[V, 3]`` and faces ``[F, 3]`` for each element of the
        leading axes, in row-major order.

    Raises:
        ValueError: leading axes that do not broadcast.

    Example:
        >>> batch = jaxsoftras.stack_meshes([jaxsoftras.icosphere(k) for k in (0, 1)])
        >>> print([len(mesh.faces) for mesh in jaxsoftras.unstack_meshes(batch)])
        [80, 80]
    """
    mesh = checked_mesh(mesh, "unstack_meshes")
    leaves, tree = jax.tree.flatten(mesh)
    axes = [2, 2]
    if mesh.texture is not None:
        if isinstance(mesh.texture, UVTexture):
            texture_parts.check_images("The UVTexture", mesh.texture)
        axes += _own_axes(mesh.texture)
    batches = [
        np.shape(leaf)[: np.ndim(leaf) - count]
        for leaf, count in zip(leaves, axes, strict=True)
    ]
    try:
        batch = np.broadcast_shapes(*batches)
    except ValueError:
        raise ValueError(
            "The leading axes of vertices, faces and texture must broadcast; they are "
            f"{', '.join(str(list(axes)) for axes in batches)}."
        ) from None

    def pick(leaf, own, index):
        aligned = index[len(batch) - len(own) :]
        place = (0 if n == 1 else k for n, k in zip(own, aligned, strict=True))
        return leaf[tuple(place)]

    return [
        tree.unflatten(
            [pick(*pair, index) for pair in zip(leaves, batches, strict=True)]
        )
        for index in np.ndindex(*batch)
    ]
