"""Triangle meshes: the sphere template, gathering of face corners, batches."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxsoftras import (
    checks,
    deterministic,
    guesses,
    known,
    summaries,
    texture_stacking,
)
from jaxsoftras.texture import Texture
from jaxsoftras.topology import edges as edges
from jaxsoftras.topology import interior_edges as interior_edges
from jaxsoftras.topology import split_faces


@guesses.answers
class Mesh(NamedTuple):
    """A triangle mesh, or a batch of meshes; a pytree.

    Attributes:
        vertices: ``[..., V, 3]`` positions, world space.
        faces: ``[F, 3]`` int32 vertex indices, counter-clockwise seen from outside in a
            right-handed world; or ``[..., F, 3]``, a topology for each mesh. Rows of -1
            are padding: faces that do not exist.
        texture: colours of the surface, or None.
    """

    vertices: jax.Array | np.ndarray
    faces: jax.Array | np.ndarray
    texture: Texture | None = None

    def __repr__(self) -> str:
        vertices = summaries.rows(self.vertices, "vertices")
        extent = summaries.extent(self.vertices)
        faces = summaries.rows(self.faces, "faces")
        return f"Mesh({vertices}{extent}, {faces}, {summaries.texture(self.texture)})"


def checked_mesh(mesh: Mesh, owner: str) -> Mesh:
    """Checks that an argument is a mesh, and makes arrays of lists in it.

    The message of a ValueError names the function that has the argument, ``owner``.
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(
            f"{owner} takes a Mesh(vertices, faces, texture), not a "
            f"{type(mesh).__name__}; load_mesh reads a file, from_trimesh converts."
        )
    skin = mesh.texture
    if skin is not None:
        if not isinstance(skin, get_args(Texture)):
            raise ValueError(
                "texture must be FaceColors, VertexColors, a SurfaceTexture or a "
                f"UVTexture, not a {type(skin).__name__}."
            )
        names = (name for name in skin._fields if name != "image")
        skin = skin._replace(
            **{name: checks.as_argument(getattr(skin, name)) for name in names}
        )
    vertices, faces = map(checks.as_argument, (mesh.vertices, mesh.faces))
    if isinstance(vertices, (jax.Array, np.ndarray)):  # not of another library
        checks.check_real("vertices", vertices)
    return Mesh(vertices, faces, skin)


def _icosahedron() -> tuple[np.ndarray, np.ndarray]:
    """Regular icosahedron in the unit sphere, with vertices at y = -1 and 1."""
    ring = np.deg2rad(72.0 * np.arange(5))
    height, radius = 1 / np.sqrt(5), 2 / np.sqrt(5)

    def circle(angles, y):
        return np.stack(
            [radius * np.cos(angles), np.full(5, y), radius * np.sin(angles)], -1
        )

    vertices = np.concatenate(
        [
            [[0.0, 1.0, 0.0]],
            circle(ring, height),
            circle(ring + np.pi / 5, -height),
            [[0.0, -1.0, 0.0]],
        ]
    )
    k = np.arange(5)
    upper, upper_next = 1 + k, 1 + (k + 1) % 5
    lower, lower_next = 6 + k, 6 + (k + 1) % 5
    top, bottom = np.zeros(5, int), np.full(5, 11)
    faces = np.concatenate(
        [
            np.stack([top, upper_next, upper], -1),
            np.stack([upper, upper_next, lower], -1),
            np.stack([upper_next, lower_next, lower], -1),
            np.stack([lower, lower_next, bottom], -1),
        ]
    )
    return vertices, faces.astype(np.int32)


@guesses.answers
def icosphere(level: int = 3) -> Mesh:
    """Unit sphere of nearly equal triangles, poles on the y axis; numpy arrays.

    Each level splits the flat triangles of an icosahedron in four; at the end all
    vertices are moved onto the sphere: ``10 * 4**level + 2`` vertices and ``20 *
    4**level`` faces. Level 3 (642 vertices, 1280 faces) is the template of Soft
    Rasterizer.

    Args:
        level: number of subdivisions, 0 to 7.

    Returns:
        Vertices ``[V, 3]`` float64 of norm 1 and faces ``[F, 3]`` int32, read-only.

    Raises:
        ValueError: a level that is no integer, or out of range.

    Example:
        >>> sphere = jaxsoftras.icosphere(3)
        >>> print(sphere.vertices.shape, sphere.faces.shape)
        (642, 3) (1280, 3)
    """
    if (
        not isinstance(level, (int, np.integer))
        or isinstance(level, bool)
        or not 0 <= level <= 7
    ):
        raise ValueError(f"icosphere level must be an int from 0 to 7, not {level!r}.")
    return _icosphere(int(level))


@functools.cache
def _icosphere(level: int) -> Mesh:
    """`icosphere` of a level that has been checked, made once."""
    vertices, faces = _icosahedron()
    for _ in range(level):
        ends, faces = split_faces(faces, len(vertices))
        vertices = np.concatenate([vertices, vertices[ends].mean(axis=1)])
    vertices = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    vertices[np.abs(vertices) < 1e-12] = 0  # on a plane of symmetry
    # cached, so shared by all callers
    vertices.setflags(write=False)
    faces.setflags(write=False)
    return Mesh(vertices, faces)


def checked_faces(faces: ArrayLike, count: int) -> jax.Array | np.ndarray:
    """Checks the faces of a mesh, and returns them as an array.

    Args:
        faces: ``[..., F, 3]`` vertex indices; rows of -1 are padding.
        count: V, the number of vertices.

    Raises:
        ValueError: a wrong shape or dtype, or a vertex that does not exist, in place of
            which JAX would silently take another. Under a transformation, where values
            are not known, indices are not checked.

    Example:
        >>> print(mesh.checked_faces([[0, 1, 2], [-1, -1, -1]], count=3).shape)
        (2, 3)
    """
    array = faces if isinstance(faces, jax.Array) else np.asarray(faces)
    if array.ndim < 2 or array.shape[-1] != 3:
        raise ValueError(
            "faces must have the shape [..., F, 3], three vertex indices each; they "
            f"have {list(array.shape)}."
        )
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise ValueError(f"faces must be integers, vertex indices, not {array.dtype}.")
    if isinstance(array, Tracer):
        return array
    values = np.asarray(array)
    padding = np.all(values == -1, axis=-1, keepdims=True)
    if np.any(values >= count) or np.any((values < 0) & ~padding):
        raise ValueError(
            f"faces must hold indices of the {count} vertices, from 0 to {count - 1}, "
            f"or rows of -1 for padding; they range from {values.min()} "
            f"to {values.max()}."
        )
    return array


def _table_index(faces, batch: tuple[int, ...], count: int):
    """Rows of face corners in the table of all vertices, and a mask of real faces.

    The table of vertices ``[*batch, V, C]`` is ``[prod(batch) * V, C]``; padding gets
    an arbitrary row of it.
    """
    xp = np if isinstance(faces, np.ndarray) else jnp
    first = np.arange(math.prod(batch), dtype=np.int32).reshape(*batch, 1, 1) * count
    exists = faces[..., :1] >= 0
    return xp.where(exists, faces, 0) + first, exists


def face_vertices(
    vertices: ArrayLike, faces: ArrayLike, padding: float = math.inf
) -> jax.Array:
    """Gathers the corners of each face.

    Args:
        vertices: ``[..., V, C]`` positions, in any space, or other vertex attributes.
        faces: ``[F, 3]`` vertex indices, or ``[..., F, 3]``, a topology for each mesh,
            whose leading axes broadcast against those of ``vertices``; rows of -1 are
            padding. A numpy array differentiates fastest.
        padding: value at the corners of padding, which receives no gradient. The
            rasterizer does not draw a face with a corner that is not finite.

    Returns:
        ``[..., F, 3, C]``.

    Raises:
        ValueError: a wrong shape or dtype, or a vertex that does not exist.

    Example:
        >>> sphere = jaxsoftras.icosphere(0)
        >>> print(jaxsoftras.face_vertices(sphere.vertices, sphere.faces).shape)
        (20, 3, 3)
    """
    vertices = checks.as_argument(vertices)
    if isinstance(vertices, np.ndarray):  # of a dtype that JAX may not have
        checks.check_real("vertices", vertices)
    vertices = jnp.asarray(vertices)
    if vertices.ndim < 2:
        raise ValueError(
            f"vertices must have the shape [..., V, C], not {list(vertices.shape)}."
        )
    faces = checked_faces(faces, vertices.shape[-2])
    return _face_vertices(vertices, known.as_topology(faces, vertices), padding)


@jax.jit
def _face_vertices(
    vertices: jax.Array, faces: known.KnownArray | known.Array, padding: ArrayLike
) -> jax.Array:
    """`face_vertices` of faces that have been checked, compiled once."""
    return gather_corners(vertices, known.as_faces(faces), padding)


def gather_corners(
    vertices: jax.Array, faces: jax.Array | np.ndarray, padding: ArrayLike = math.inf
) -> jax.Array:
    """Gathers the corners of each face as `face_vertices` does, without its checks.

    A check of faces that are not a numpy array copies them from their device; code that
    gathers from the same faces several times checks them once.

    Args:
        vertices: ``[..., V, C]``.
        faces: ``[F, 3]`` or ``[..., F, 3]``, as `checked_faces` returns them.
        padding: value at the corners of padding.

    Returns:
        ``[..., F, 3, C]``.

    Example:
        >>> sphere = jaxsoftras.icosphere(0)
        >>> print(mesh.gather_corners(jnp.asarray(sphere.vertices), sphere.faces).shape)
        (20, 3, 3)
    """
    if isinstance(faces, np.ndarray) and faces.ndim == 2 and faces.min(initial=0) >= 0:
        return deterministic.take(vertices, faces)
    if faces.ndim == 2:  # one topology: batch axes stay out of the index
        index, exists = _table_index(faces, (), vertices.shape[-2])
        corners = deterministic.take(vertices, index)
    else:
        *batch, count, channels = vertices.shape
        index, exists = _table_index(faces, tuple(batch), count)
        corners = deterministic.take(vertices.reshape(-1, channels), index)
    return jnp.where(exists[..., None], corners, padding)


def vertex_sums(
    values: jax.Array, faces: jax.Array | np.ndarray, count: int
) -> jax.Array:
    """Sums the values of the corners that meet in each vertex.

    The transpose of `face_vertices`, summed in a fixed order.

    Args:
        values: ``[..., F, 3, C]``; values of padding are ignored.
        faces: ``[F, 3]`` or ``[..., F, 3]`` vertex indices; rows of -1 are padding.
        count: V, the number of vertices.

    Returns:
        ``[..., V, C]``.

    Example:
        >>> faces = np.array([[0, 1, 2], [2, 1, 3]])
        >>> print(mesh.vertex_sums(jnp.ones((2, 3, 1)), faces, count=4)[:, 0])
        [1. 2. 2. 1.]
    """
    channels = values.shape[-1]
    batch = jnp.broadcast_shapes(values.shape[:-3], faces.shape[:-2])
    tables = () if faces.ndim == 2 else batch
    index, exists = _table_index(faces, tables, count)
    values = jnp.where(exists[..., None], values, 0)
    values = jnp.broadcast_to(values, (*batch, *values.shape[-3:]))
    own = batch[: len(batch) - len(tables)]
    rows = values.reshape(*own, index.size, channels)
    sums = deterministic.segment_sum(rows, index.reshape(-1), math.prod(tables) * count)
    return sums.reshape(*batch, count, channels)


@guesses.answers
def stack_meshes(meshes: Sequence[Mesh]) -> Mesh:
    """Makes one batch of meshes of different topology.

    Vertices are padded by repeating the first, which keeps every extent; faces by rows
    of -1; textures by zeros. If one is transparent, opaque ones get an opacity of 1.
    Images of different sizes, or several of a mesh, become images of the whole batch,
    with an ``image_index``. Differentiable in vertices and textures.

    Args:
        meshes: B meshes, each with vertices ``[V, 3]``, faces ``[F, 3]`` and a texture
            of the same kind, number of channels and texel resolution.

    Returns:
        Vertices ``[B, V, 3]``, faces ``[B, F, 3]`` and a texture ``[B, ...]``, with the
        largest V and F of all meshes; numpy arrays where all inputs are.

    Raises:
        ValueError: no mesh, a mesh that is a batch or has no vertices, or textures that
            do not fit together.

    Example:
        >>> batch = jaxsoftras.stack_meshes([jaxsoftras.icosphere(k) for k in (0, 1)])
        >>> print(batch.vertices.shape, batch.faces.shape)
        (2, 42, 3) (2, 80, 3)
    """
    if isinstance(meshes, Mesh):
        raise ValueError("stack_meshes takes a list of meshes, not a Mesh.")
    if not meshes:
        raise ValueError("stack_meshes needs at least one mesh.")
    meshes = [checked_mesh(mesh, "stack_meshes") for mesh in meshes]
    for mesh in meshes:
        if (
            np.ndim(mesh.vertices) != 2
            or np.ndim(mesh.faces) != 2
            or not len(mesh.vertices)
        ):
            raise ValueError(
                "Meshes to stack must have vertices [V, 3], V > 0, and faces [F, 3]; "
                f"one has {list(np.shape(mesh.vertices))} and "
                f"{list(np.shape(mesh.faces))}."
            )
    # unsigned integers have no -1, and a vertex that one mesh lacks others have
    faces = [
        checked_faces(mesh.faces, len(mesh.vertices)).astype(np.int32)
        for mesh in meshes
    ]
    return Mesh(
        texture_stacking.stack_rows([mesh.vertices for mesh in meshes], None),
        texture_stacking.stack_rows(faces, -1),
        texture_stacking.stack_textures([mesh.texture for mesh in meshes]),
    )
