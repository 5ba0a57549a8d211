"""Subdivision of meshes: splits every face in four, flat or smooth."""

from __future__ import annotations

import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxsoftras import checks, deterministic, guesses, topology
from jaxsoftras.known import KnownArray
from jaxsoftras.mesh import Mesh, checked_faces, checked_mesh
from jaxsoftras.texture import (
    FaceColors,
    SurfaceTexture,
    Texture,
    UVTexture,
    VertexColors,
    surface_cell,
    texel_centers,
)

SubdivisionScheme = Literal["midpoint", "loop"]
"""Positions of new vertices: midpoints of edges, or Loop's rule, which smooths."""

# Barycentric coordinates of the corners of the four children of a face, in the order of
# `topology.split_faces`.
_CHILDREN = (
    np.array(
        [
            [[2, 0, 0], [1, 1, 0], [1, 0, 1]],
            [[0, 2, 0], [0, 1, 1], [1, 1, 0]],
            [[0, 0, 2], [1, 0, 1], [0, 1, 1]],
            [[1, 1, 0], [0, 1, 1], [1, 0, 1]],
        ]
    )
    / 2
)


def _topology(mesh: Mesh) -> np.ndarray:
    if isinstance(mesh.faces, Tracer):
        raise ValueError(
            "Subdivision needs to know the faces when it is traced; pass them to the "
            "function by closure, as a numpy array, rather than as an argument."
        )
    return np.asarray(checked_faces(mesh.faces, np.shape(mesh.vertices)[-2]))


def _at_midpoints(values: jax.Array, edges: np.ndarray) -> jax.Array:
    """Values at vertices, then at midpoints of edges: ``[..., V + E, C]``."""
    means = jnp.mean(deterministic.take(values, edges), axis=-2)
    return jnp.concatenate([values, means], axis=-2)


def _child_texels(resolution: int) -> np.ndarray:
    """Parent texel that each texel of the four children copies, ``[4, r * r]``.

    An even resolution is halved with the triangles; an odd one stays, and each texel of
    the parent then appears four times.
    """
    child = resolution // 2 if resolution % 2 == 0 else resolution
    weights = np.einsum("tk,jkl->jtl", texel_centers(child), _CHILDREN)
    with jax.ensure_compile_time_eval():
        return np.asarray(surface_cell(weights[..., 0], weights[..., 1], resolution))


def _split_texture(texture: Texture | None, edges: np.ndarray) -> Texture | None:
    """Texture of the children, unchanged on the surface."""
    match texture:
        case None:
            return None
        case VertexColors(values):
            values = _at_midpoints(jnp.asarray(values), edges)
            return texture._replace(values=values)
        case FaceColors(values):
            values = jnp.concatenate([jnp.asarray(values)] * 4, axis=-2)
            return texture._replace(values=values)
        case SurfaceTexture(texels):
            cells = _child_texels(texture.resolution)
            children = [deterministic.take(jnp.asarray(texels), cell) for cell in cells]
            return texture._replace(texels=jnp.concatenate(children, axis=-3))
        case UVTexture(coordinates, image_index=index):
            corners = jnp.asarray(coordinates)
            weights = jnp.asarray(_CHILDREN, corners.dtype)[..., None]
            children = [
                jnp.sum(child * corners[..., None, :, :], axis=-2) for child in weights
            ]
            if index is not None:
                index = jnp.concatenate([jnp.asarray(index)] * 4, axis=-1)
            return texture._replace(
                coordinates=jnp.concatenate(children, axis=-3), image_index=index
            )


def _loop_rule(faces: np.ndarray, edges: np.ndarray, count: int):
    """Loop's rule as a sparse matrix ``[V + E, V]``: rows, columns and values.

    Edges that are not shared by two faces, and the vertices on them, follow the rule
    for boundaries. A vertex on more or fewer than two such edges stays in place.
    """
    interior = topology.interior_edges(faces)
    is_interior = np.isin(edges @ [count, 1], interior[:, :2] @ [count, 1])
    new = count + np.arange(len(edges))
    tail, head = np.concatenate([edges, edges[:, ::-1]]).T
    degree = np.bincount(tail, minlength=count)
    on_crease = np.tile(~is_interior, 2)
    creases = np.bincount(tail[on_crease], minlength=count)

    angle = 2 * np.pi / np.maximum(degree, 1)
    smooth = (5 / 8 - (3 / 8 + np.cos(angle) / 4) ** 2) / np.maximum(degree, 1)
    smooth = np.where(creases == 0, smooth, 0)
    crease = np.where(creases == 2, 1 / 8, 0)
    neighbour = np.where(on_crease, crease[tail], smooth[tail])
    center = 1 - degree * smooth - 2 * crease

    def entries(row, columns, values):
        """Entries ``[n, k]`` of n rows as triples (row, column, value)."""
        return np.stack(np.broadcast_arrays(row[:, None], columns, values)).reshape(
            3, -1
        )

    vertices = np.arange(count)
    rows, columns, values = np.concatenate(
        [
            entries(vertices, vertices[:, None], center[:, None]),
            entries(tail, head[:, None], neighbour[:, None]),
            entries(new[~is_interior], edges[~is_interior], 1 / 2),
            entries(new[is_interior], interior, np.array([3, 3, 1, 1]) / 8),
        ],
        axis=1,
    )
    used = values != 0
    return rows[used].astype(int), columns[used].astype(int), values[used]


def _smooth(vertices: jax.Array, faces: np.ndarray, edges: np.ndarray) -> jax.Array:
    """Moves V vertices and adds E on the edges by Loop's rule: ``[..., V + E, 3]``."""
    count = vertices.shape[-2]
    rows, columns, values = _loop_rule(faces, edges, count)
    weights = jnp.asarray(values, vertices.dtype)[:, None]
    terms = weights * deterministic.take(vertices, columns)
    return deterministic.segment_sum(terms, rows, count + len(edges))


@guesses.answers
def subdivide(
    mesh: Mesh, levels: int = 1, scheme: SubdivisionScheme = "midpoint"
) -> Mesh:
    """Splits every triangle in four, ``levels`` times.

    New vertices lie on the edges. ``"midpoint"`` puts them in the middle, which does
    not change the surface. ``"loop"`` smooths: with n neighbours p_k around a vertex p,
    and a, b the ends of an edge between the faces (a, b, c) and (b, a, d),

        p' = (1 - n s) p + s sum_k p_k,  s = (5/8 - (3/8 + cos(2 pi / n) / 4)^2) / n
        e' = 3/8 (a + b) + 1/8 (c + d)

    and on boundaries ``p' = 3/4 p + 1/8 (p_1 + p_2)``, ``e' = (a + b) / 2`` (Loop,
    *Smooth Subdivision Surfaces Based on Triangles*, 1987). Both are linear in the
    vertices, and differentiable.

    A texture looks the same on the new faces: values of vertices and UV coordinates are
    interpolated linearly, values of faces are repeated. A `SurfaceTexture` of even
    resolution is divided among the children.

    Args:
        mesh: vertices ``[..., V, 3]`` and one topology ``[F, 3]``, known when tracing.
        levels: number of subdivisions.
        scheme: see `SubdivisionScheme`.

    Returns:
        A mesh of V + E vertices and 4 F faces after each level, with E the number of
        edges, in the order of `jaxsoftras.topology.split_faces`.

    Raises:
        ValueError: an unknown scheme, a negative number of levels, or faces of several
            meshes or unknown when tracing.

    Example:
        >>> fine = jaxsoftras.subdivide(jaxsoftras.icosphere(0), levels=1)
        >>> print(fine.vertices.shape, fine.faces.shape)
        (42, 3) (80, 3)
    """
    checks.check_choice("scheme", scheme, SubdivisionScheme)
    if not isinstance(levels, (int, np.integer)) or levels < 0:
        raise ValueError(f"levels must be an integer of at least 0, not {levels}.")
    if levels == 0:
        return mesh
    mesh = checked_mesh(mesh, "subdivide")
    faces = _topology(mesh)
    for _ in range(levels):
        _, children = topology.split_faces(faces, np.shape(mesh.vertices)[-2])
        vertices, texture = _split(
            mesh.vertices, _without_image(mesh.texture), KnownArray.of(faces), scheme
        )
        if isinstance(mesh.texture, UVTexture):  # its image stays as it is
            texture = texture._replace(image=mesh.texture.image)
        mesh, faces = Mesh(vertices, children, texture), children
    return mesh


def _without_image(texture: Texture | None) -> Texture | None:
    return texture._replace(image=()) if isinstance(texture, UVTexture) else texture


@functools.partial(jax.jit, static_argnames="scheme")
def _split(
    vertices: jax.Array,
    texture: Texture | None,
    known_faces: KnownArray,
    scheme: SubdivisionScheme,
) -> tuple[jax.Array, Any]:
    """Vertices and texture after one subdivision, compiled once for a topology."""
    faces = known_faces.array
    edges, _ = topology.split_faces(faces, vertices.shape[-2])
    if scheme == "midpoint":
        vertices = _at_midpoints(vertices, edges)
    else:
        vertices = _smooth(vertices, faces, edges)
    return vertices, _split_texture(texture, edges)
