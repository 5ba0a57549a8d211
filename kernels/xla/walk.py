"""A walk over the work list of a scene, by which XLA renders images and finds faces."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import deterministic
from jaxsoftras.kernels import batching, devices, pairs, partitioning, shading
from jaxsoftras.kernels.scene import Scene, Task
from jaxsoftras.kernels.xla import worklist


class Chunks(NamedTuple):
    """Items visited at a time, on a CPU and on an accelerator.

    Measured: on a CPU a chunk should stay within a core's cache. On an H200, with 64
    silhouettes of 1280 faces at 64 px, 2**14 items take 9.1 ms, 2**17 2.5 ms, 2**18 1.9
    ms, 2**20 2.6 ms.
    """

    cpu: int
    accelerator: int


ALPHA_CHUNKS = Chunks(1 << 12, 1 << 18)
COLOR_CHUNKS = Chunks(1 << 11, 1 << 16)
# every pixel of an item adds to texels of its own, which are sorted
TEXEL_CHUNKS = Chunks(1 << 11, 1 << 13)


def choose_chunks(scene: Scene) -> Chunks:
    """Chunks that suit the attributes of a scene."""
    if scene.attributes is None:
        return ALPHA_CHUNKS
    return COLOR_CHUNKS if scene.attributes.texels is None else TEXEL_CHUNKS


class ItemFaces(NamedTuple):
    """The faces of a chunk of ``K`` items."""

    vertices: jax.Array  # [K, 3, D]
    sigma: jax.Array  # [K]
    gamma: jax.Array  # [K]
    values: jax.Array | None  # [K, n, A]
    light: jax.Array | None  # [K, 3, 2 C]


class Walk(NamedTuple):
    """How the items are visited; static.

    Attributes:
        task: the image to render.
        chunk: items at a time.
        by_tile: whether the items of a chunk are visited in the order of their tiles,
            for which accelerators add to tiles fast.
    """

    task: Task
    chunk: int
    by_tile: bool

    @property
    def grid(self) -> worklist.Grid:
        """The tiles of an image."""
        return worklist.Grid(self.task.height, self.task.width)

    def add_to_tiles(
        self, total: jax.Array, items: worklist.Items, values: jax.Array
    ) -> jax.Array:
        """Adds values ``[K, ...]`` of items to their tiles, ``[tiles, ...]``."""
        return add(total, items.tile, values, index_sorted=self.by_tile)

    def fold(
        self,
        visit: Callable[..., Any],
        carry: Any,
        scene: Scene,
        *,
        windows: bool = False,
    ) -> Any:
        """`worklist.fold` with ``visit(carry, items, faces)``, by tile or windows."""
        safe, valid = pairs.drawable_faces(scene.face_vertices)
        flat = safe.reshape(-1, *safe.shape[2:])
        values, _, light = scene.attributes or (None, None, None)
        values, light = (
            None if a is None else a.reshape(-1, *a.shape[2:]) for a in (values, light)
        )

        def visit_items(carry, items: worklist.Items):
            faces = ItemFaces(
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
            valid,
            self.task.options.margin(scene.sigma),
            self.grid,
            chunk=self.chunk,
            by_tile=self.by_tile and not windows,
            windows=windows,
        )

    def cover(self, items: worklist.Items, faces: ItemFaces) -> pairs.Cover:
        """Computes how faces cover all pixels of their items."""
        return pairs.cover(
            self.task.options,
            items.x,
            items.y,
            pairs.triangle(faces.vertices[:, None, None]),
            faces.sigma[:, None, None],
        )

    def contribute(
        self, scene: Scene, faces: ItemFaces, covered: pairs.Cover
    ) -> pairs.Pair:
        """Computes the contributions of faces from how they cover pixels."""
        gamma, count = faces.gamma[:, None, None], scene.face_vertices.shape[1]
        return pairs.contribute(self.task.options, covered, gamma, face_count=count)

    def shade(
        self,
        scene: Scene,
        faces: ItemFaces,
        covered: pairs.Cover,
        texels: shading.Texels | None,
    ) -> tuple[pairs.Pair, jax.Array]:
        """Computes the contributions of faces, and their colours ``[K, C, h, w]``."""
        lookup = self.task.lookup
        color = shading.color(
            lookup, covered.weights, faces.values, texels, faces.light
        )
        if lookup.transparent:
            color, opacity = color[:, :-1], color[:, -1]
            covered = pairs.fade(covered, opacity)
        return self.contribute(scene, faces, covered), color

    def footprint(
        self,
        scene: Scene,
        items: worklist.Items,
        faces: ItemFaces,
        covered: pairs.Cover,
    ) -> jax.Array | None:
        """Finds the texels that pairs need: indices among those of all textures."""
        attributes = scene.attributes
        if attributes is None or attributes.texels is None:
            return None
        images, faces_each = scene.face_vertices.shape[:2]
        textures, texels_each = attributes.texels.shape[:2]
        texture = items.image // (images // textures)
        index = shading.footprint(
            self.task.lookup,
            covered.weights,
            faces.values,
            (items.face % faces_each)[:, None, None],
        )
        return texture[:, None, None] * texels_each + index

    def look_up(
        self, scene: Scene, footprint: jax.Array | None
    ) -> shading.Texels | None:
        """Looks up the texels of a footprint."""
        attributes = scene.attributes
        if footprint is None or attributes is None or attributes.texels is None:
            return None
        return shading.look_up(
            self.task.lookup, attributes.texels, footprint, lambda a, k: a[k]
        )

    def blank(self, scene: Scene, *channels: int, fill: float = 0) -> jax.Array:
        """``[tiles, *channels, h, w]``, of the type and mesh axes of the scene."""
        tiles = scene.face_vertices.shape[0] * self.grid.rows * self.grid.columns
        shape = (tiles, *channels, worklist.TILE_HEIGHT, worklist.TILE_WIDTH)
        return jnp.full_like(scene.face_vertices, fill, shape=shape)


def add(
    total: jax.Array, index: jax.Array, values: jax.Array, *, index_sorted: bool
) -> jax.Array:
    """Adds values ``[K, ...]`` to rows of ``[N, ...]``, in an order that is fixed.

    On a CPU one thread adds at a time, and every order is. The choice is made when the
    platform is known: at lowering.
    """

    def as_they_come(total, index, values):
        return total.at[index].add(values, mode="drop")

    in_order = functools.partial(add_in_order, index_sorted=index_sorted)
    return lax.platform_dependent(
        total, index, values, cpu=as_they_come, default=in_order
    )


def add_in_order(
    total: jax.Array, index: jax.Array, values: jax.Array, *, index_sorted: bool
) -> jax.Array:
    """`add` for platforms where many threads add at a time."""
    if not index_sorted:
        order = jnp.argsort(index, stable=True)
        index, values = index[order], values[order]
    return deterministic.add_in_order(total, index, values)


def walk_by_image(
    function: Callable[..., Any],
    task: Task,
    chunks: Chunks,
    outputs: Callable[..., Any],
) -> Callable[..., Any]:
    """Prepares a walk for batches, several devices and the default device.

    Args:
        function: ``function(*arguments, walk=walk)``.
        task: the image to render.
        chunks: items at a time. Programs for a platform other than that of the default
            device are right, but not the fastest.
        outputs: maps the arguments to arrays with as many axes as the results have.

    Returns:
        A function of the arguments, sharded by image.
    """
    if devices.default_device().platform == "cpu":
        walk = Walk(task, chunks.cpu, by_tile=False)
    else:
        walk = Walk(task, chunks.accelerator, by_tile=True)
    return batching.fold_batch(
        partitioning.shard_by_image(
            functools.partial(function, walk=walk), outputs, differentiable=True
        )
    )
