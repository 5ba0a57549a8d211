"""A walk over the work list of a scene: what XLA draws soft pictures and faces with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import deterministic as gather
from jaxsoftras.kernels import batching, pairs, partitioning, shading
from jaxsoftras.kernels.scene import Scene, Task
from jaxsoftras.kernels.xla import worklist

_CPU_CHUNK = 1 << 11
_ACCELERATOR_CHUNK = 1 << 16
# every pixel of an item adds to texels of its own, which are sorted
_ACCELERATOR_TEXEL_CHUNK = 1 << 13


class Faces(NamedTuple):
    """What is known of the faces of a chunk of ``K`` items."""

    vertices: jax.Array  # [K, 3, D]
    sigma: jax.Array  # [K]
    gamma: jax.Array  # [K]
    values: jax.Array | None  # [K, n, A]
    light: jax.Array | None  # [K, 3, 2 C]


class Walk(NamedTuple):
    """How the items are visited; static.

    Attributes:
        task: what to draw.
        chunk: items at a time.
        ordered: whether sums are brought into a fixed order; where one thread adds at a
            time, they have one.
    """

    task: Task
    chunk: int
    ordered: bool

    @property
    def grid(self) -> worklist.Grid:
        """The tiles of a picture."""
        return worklist.Grid(self.task.height, self.task.width)

    def add(self, total: jax.Array, index: jax.Array, values: jax.Array) -> jax.Array:
        """Adds values ``[K, ...]`` to places of ``[N, ...]``, of ordered index."""
        if self.ordered:
            return gather.add_in_order(total, index, values)
        return total.at[index].add(values, mode="drop")

    def add_anywhere(
        self, total: jax.Array, index: jax.Array, values: jax.Array
    ) -> jax.Array:
        """The same for an index in no order."""
        if self.ordered:
            order = jnp.argsort(index, stable=True)
            index, values = index[order], values[order]
        return self.add(total, index, values)

    def fold(self, visit: Callable, carry, scene: Scene, *, windows: bool = False):
        """`worklist.fold` with ``visit(carry, items, faces)``, by tile or windows."""
        safe, drawn = pairs.contained(scene.face_vertices)
        flat = safe.reshape(-1, *safe.shape[2:])
        values, _, light = scene.attributes or (None, None, None)
        values, light = (
            None if a is None else a.reshape(-1, *a.shape[2:]) for a in (values, light)
        )

        def visit_items(carry, items: worklist.Items):
            faces = Faces(
                flat[items.face],
                scene.sigma[items.image],
                scene.gamma[items.image],
                None if values is None else values[items.face],
                None if light is None else light[items.face],
            )
            return visit(carry, items, faces)

        return worklist.fold(
            visit_items,
            carry,
            safe[..., :2],
            drawn,
            self.task.rules.margin(scene.sigma),
            self.grid,
            chunk=self.chunk,
            by_tile=self.ordered and not windows,
            windows=windows,
        )

    def evaluate(self, scene: Scene, items: worklist.Items, faces: Faces) -> pairs.Pair:
        """What the faces give to all pixels of their items."""
        return pairs.evaluate(
            self.task.rules,
            items.x,
            items.y,
            pairs.triangle(faces.vertices[:, None, None]),
            faces.sigma[:, None, None],
            faces.gamma[:, None, None],
            face_count=scene.face_vertices.shape[1],
        )

    def footprint(
        self, scene: Scene, items: worklist.Items, faces: Faces, pair: pairs.Pair
    ) -> shading.Footprint | None:
        """The texels that pairs need, among those of all textures."""
        if not has_texels(scene):
            return None
        images, faces_each = scene.face_vertices.shape[:2]
        textures, texels_each = scene.attributes.texels.shape[:2]
        texture = items.image // (images // textures)
        index, first = shading.footprint(
            self.task.lookup,
            pair.weights,
            faces.values,
            (items.face % faces_each)[:, None, None],
        )
        return shading.Footprint(texture[:, None, None] * texels_each + index, first)

    def color(self, faces: Faces, pair: pairs.Pair, texels, footprint) -> jax.Array:
        """``[K, C, h, w]``."""
        return shading.color(
            self.task.lookup,
            pair.weights,
            faces.values,
            texels,
            None if footprint is None else footprint.first,
            faces.light,
        )

    def blank(self, scene: Scene, *channels: int, fill: float = 0) -> jax.Array:
        """``[tiles, *channels, h, w]``, of the type and mesh axes of the scene."""
        tiles = scene.face_vertices.shape[0] * self.grid.rows * self.grid.columns
        shape = (tiles, *channels, worklist.TILE_HEIGHT, worklist.TILE_WIDTH)
        return jnp.full_like(scene.face_vertices, fill, shape=shape)


def has_texels(scene: Scene) -> bool:
    """Whether there is a texture."""
    return scene.attributes is not None and scene.attributes.texels is not None


def texels_of(scene: Scene, footprint: shading.Footprint | None) -> jax.Array | None:
    """Those of a footprint, ``[n, K, C, h, w]``."""
    if footprint is None:
        return None
    table = scene.attributes.texels
    table = table.reshape(-1, table.shape[-1])
    return jnp.moveaxis(table[footprint.index], -1, -3)


def on_each_platform(function, task: Task, adds_texels: bool, outputs):
    """Chooses chunk size and summation when the platform is known: at lowering.

    Args:
        function: ``function(*arguments, walk=walk)``.
        task: what to draw.
        adds_texels: whether it adds to texels.
        outputs: makes arrays of as many axes as its results of its arguments.

    Returns:
        A function of the arguments, which devices share by image.
    """
    chunk = _ACCELERATOR_TEXEL_CHUNK if adds_texels else _ACCELERATOR_CHUNK

    def call(*arguments):
        return lax.platform_dependent(
            *arguments,
            cpu=functools.partial(function, walk=Walk(task, _CPU_CHUNK, False)),
            default=functools.partial(function, walk=Walk(task, chunk, True)),
        )

    return batching.fold_batch(
        partitioning.trees_by_image(call, outputs, differentiable=True)
    )
