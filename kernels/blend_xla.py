"""The soft picture over an exact work list: portable, and the fast path on a CPU."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras import gather
from jaxsoftras.kernels import batching, pairs, partitioning, shading, worklist
from jaxsoftras.kernels.blending import Blend, Scene, Softmax, Task

_CPU_CHUNK = 1 << 11
_ACCELERATOR_CHUNK = 1 << 16
# every pixel of an item adds to texels of its own, which are sorted
_ACCELERATOR_TEXEL_CHUNK = 1 << 13


class _Faces(NamedTuple):
    """What is known of the faces of a chunk of ``K`` items."""

    vertices: jax.Array  # [K, 3, D]
    sigma: jax.Array  # [K]
    gamma: jax.Array  # [K]
    values: jax.Array | None  # [K, n, A]
    light: jax.Array | None  # [K, 3, 2 C]


class _Walk(NamedTuple):
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
            faces = _Faces(
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

    def evaluate(
        self, scene: Scene, items: worklist.Items, faces: _Faces
    ) -> pairs.Pair:
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
        self, scene: Scene, items: worklist.Items, faces: _Faces, pair: pairs.Pair
    ) -> shading.Footprint | None:
        """The texels that pairs need, among those of all textures."""
        if not _has_texels(scene):
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

    def relative(
        self, pair: pairs.Pair, items: worklist.Items, level: jax.Array
    ) -> jax.Array:
        """Nearness against a level ``[K, h, w]``; -inf where there is no colour."""
        colored = pair.colored & items.valid[:, None, None] & (pair.probability > 0)
        relative = pair.nearness - level
        # The level is the greatest, but for the rounding of a second computation.
        relative = relative - lax.stop_gradient(jnp.maximum(relative, 0))
        # Its exponential is lost in the rounding of the sum, and is among the numbers
        # below the smallest normal one, with which a CPU computes a hundred times
        # slower.
        lost = 0.9 * math.log(jnp.finfo(relative.dtype).tiny)
        return jnp.where(colored & (relative > lost), relative, -jnp.inf)

    def color(self, faces: _Faces, pair: pairs.Pair, texels, footprint) -> jax.Array:
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


def _log(probability: jax.Array) -> jax.Array:
    """The logarithm, and 0 for 0, so that there is a derivative."""
    return jnp.log(jnp.where(probability > 0, probability, 1))


def _has_texels(scene: Scene) -> bool:
    return scene.attributes is not None and scene.attributes.texels is not None


def _texels(scene: Scene, footprint: shading.Footprint | None) -> jax.Array | None:
    """``[n, K, C, h, w]``."""
    if footprint is None:
        return None
    table = scene.attributes.texels
    table = table.reshape(-1, table.shape[-1])
    return jnp.moveaxis(table[footprint.index], -1, -3)


def _forward(scene: Scene, walk: _Walk) -> tuple[Blend, Softmax | None]:
    lowest = float(jnp.finfo(scene.face_vertices.dtype).min)

    def first_pass(carry, items, faces):
        total, highest = carry
        pair = walk.evaluate(scene, items, faces)
        total = walk.add(total, items.tile, pair.share)
        if highest is not None:
            nearness = lax.stop_gradient(pair.nearness)
            nearness = jnp.where(pair.colored, nearness, lowest)
            highest = highest.at[items.tile].max(nearness, mode="drop")
        return total, highest

    has_color = scene.attributes is not None
    highest = walk.blank(scene, fill=lowest) if has_color else None
    total, highest = walk.fold(first_pass, (walk.blank(scene), highest), scene)
    if highest is None:
        return Blend(worklist.from_tiles(total, walk.grid), None, None), None

    def second_pass(sums, items, faces):
        pair = walk.evaluate(scene, items, faces)
        footprint = walk.footprint(scene, items, faces, pair)
        color = walk.color(faces, pair, _texels(scene, footprint), footprint)
        level = worklist.of_items(highest, items)
        relative = walk.relative(pair, items, level)
        # XLA computes an exponential once, and a product again for each channel.
        weight = jnp.exp(relative + _log(pair.probability))[:, None]
        values = jnp.concatenate([weight, weight * color], axis=1)
        return walk.add(sums, items.tile, values)

    sums = walk.blank(scene, 1 + scene.attributes.channels)
    sums = walk.fold(second_pass, sums, scene)
    weight, color = sums[:, :1], sums[:, 1:]
    any_face = weight > 0
    divisor = jnp.where(any_face, weight, 1)
    log_sum = jnp.log(divisor[:, 0])
    logit = jnp.where(any_face[:, 0], highest + log_sum, lowest)
    blend = Blend(
        worklist.from_tiles(total, walk.grid),
        worklist.from_tiles(logit, walk.grid),
        worklist.from_tiles(color / divisor, walk.grid),
    )
    level, log_sum = (worklist.from_tiles(a, walk.grid) for a in (highest, log_sum))
    return blend, Softmax(level, log_sum)


def _backward(
    scene: Scene,
    color: jax.Array | None,
    softmax: Softmax | None,
    cotangent: Blend,
    walk: _Walk,
) -> Scene:
    """The cotangent of the scene.

    With D_j the probability, n_j the nearness and C_j the colour of face j, e_j =
    exp(n_j - logit) and p_j = D_j e_j: ``d color / d C_j = p_j``, ``d logit / d n_j =
    p_j``, ``d color / d n_j = p_j (C_j - color)``, and the same for D_j with e_j in
    place of p_j. The rest is the derivative of one pair, which JAX takes.
    """
    by_total, by_logit, by_color, color, level, log_sum = (
        None if image is None else worklist.for_windows(image)
        for image in (*cotangent, color, *(softmax or (None, None)))
    )

    def visit(carry, items: worklist.Items, faces: _Faces):
        gradients, texel_gradients = carry

        def pair_values(faces, texels):
            pair = walk.evaluate(scene, items, faces)
            if color is None:
                return (pair.share,), pair
            shade = walk.color(faces, pair, texels, footprint)
            return (pair.share, pair.probability, pair.nearness, shade), pair

        def at(image):
            return worklist.of_windows(image, items)

        footprint = walk.footprint(
            scene, items, faces, walk.evaluate(scene, items, faces)
        )
        values, pullback, pair = jax.vjp(
            pair_values, faces, _texels(scene, footprint), has_aux=True
        )
        cotangents = (jnp.where(items.valid[:, None, None], at(by_total), 0),)
        if color is not None:
            own = at(by_color)
            pull = at(by_logit) + jnp.sum(own * (values[3] - at(color)), axis=1)
            relative = walk.relative(pair, items, at(level)) - at(log_sum)
            part = jnp.exp(relative + _log(values[1]))
            cotangents += (jnp.exp(relative) * pull, part * pull, part[:, None] * own)
        by_faces, by_texels = pullback(lax.optimization_barrier(cotangents))
        gradients = jax.tree.map(
            lambda total, new: walk.add(total, items.face, new), gradients, by_faces
        )
        if texel_gradients is not None:
            by_texels = jnp.moveaxis(by_texels, -3, -1)
            in_use = items.valid[:, None, None]
            index = jnp.where(in_use, footprint.index, len(texel_gradients))
            texel_gradients = walk.add_anywhere(
                texel_gradients,
                index.reshape(-1),
                by_texels.reshape(-1, by_texels.shape[-1]),
            )
        return gradients, texel_gradients

    batch, count = scene.face_vertices.shape[:2]
    attributes = scene.attributes or shading.Attributes(None)

    def zeros(like, *shape):
        if like is None:
            return None
        return jnp.zeros_like(scene.face_vertices, shape=shape)

    per_face = batch * count
    texels = attributes.texels
    faces, texel_gradients = walk.fold(
        visit,
        (
            _Faces(
                zeros(scene.face_vertices, per_face, *scene.face_vertices.shape[2:]),
                zeros(scene.sigma, per_face),
                zeros(scene.gamma, per_face),
                *(
                    None if a is None else zeros(a, per_face, *a.shape[2:])
                    for a in (attributes.values, attributes.light)
                ),
            ),
            None
            if texels is None
            else zeros(texels, texels.shape[0] * texels.shape[1], texels.shape[2]),
        ),
        scene,
        windows=True,
    )

    def shaped(gradient, like):
        return None if gradient is None else gradient.reshape(like.shape)

    return Scene(
        shaped(faces.vertices, scene.face_vertices),
        jnp.sum(faces.sigma.reshape(batch, count), axis=1),
        jnp.sum(faces.gamma.reshape(batch, count), axis=1),
        None
        if scene.attributes is None
        else shading.Attributes(
            shaped(faces.values, attributes.values),
            shaped(texel_gradients, attributes.texels),
            shaped(faces.light, attributes.light),
        ),
    )


def _on_each_platform(function, task: Task, has_texels: bool, outputs):
    """Chooses chunk size and summation when the platform is known: at lowering.

    ``outputs`` makes arrays of as many axes as the function's results of its arguments.
    """
    chunk = _ACCELERATOR_TEXEL_CHUNK if has_texels else _ACCELERATOR_CHUNK

    def call(*arguments):
        return lax.platform_dependent(
            *arguments,
            cpu=functools.partial(function, walk=_Walk(task, _CPU_CHUNK, False)),
            default=functools.partial(function, walk=_Walk(task, chunk, True)),
        )

    return batching.fold_batch(
        partitioning.trees_by_image(call, outputs, differentiable=True)
    )


def like_forward(scene: Scene) -> tuple[Blend, Softmax | None]:
    """As many axes as the picture of a scene has, and what its weights relate to."""
    image = scene.sigma[:, None, None]
    if scene.attributes is None:
        return Blend(image, None, None), None
    return Blend(image, image, image[None]), Softmax(image, image)


def forward(scene: Scene, task: Task) -> tuple[Blend, Softmax | None]:
    """The picture of `blend_xla`, and what its weights relate to.

    JAX can differentiate it forwards only.
    """
    run = _on_each_platform(_forward, task, _has_texels(scene), like_forward)
    return run(scene)


def backward(
    scene: Scene,
    color: jax.Array | None,
    softmax: Softmax | None,
    cotangent: Blend,
    task: Task,
) -> Scene:
    """The cotangent of the scene from that of its picture; differentiable likewise."""
    run = _on_each_platform(
        _backward, task, _has_texels(scene), lambda scene, *_: scene
    )
    return run(scene, color, softmax, cotangent)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _blend(scene: Scene, task: Task) -> Blend:
    return forward(scene, task)[0]


def _blend_forward(scene: Scene, task: Task):
    blend, softmax = forward(scene, task)
    return blend, (scene, blend.color, softmax)


def _blend_backward(task: Task, residuals, cotangent: Blend):
    return (backward(*residuals, cotangent, task),)


_blend.defvjp(_blend_forward, _blend_backward)


def blend_xla(scene: Scene, task: Task) -> Blend:
    """Soft pictures, equal to `blend_reference` in value and gradient.

    Args:
        scene: a batch of faces.
        task: what to draw.

    Returns:
        See `Blend`.
    """
    return _blend(scene, task)


def _visible(scene: Scene, walk: _Walk) -> jax.Array:
    nobody = jnp.iinfo(jnp.int32).max

    def visit(carry, items, faces):
        nearest, winner = carry
        pair = walk.evaluate(scene, items, faces)
        shown = pair.visible & items.valid[:, None, None]
        # compared with itself below: it must not be computed twice, rounded differently
        depth = lax.optimization_barrier(jnp.where(shown, pair.depth, jnp.inf))
        nearer = nearest.at[items.tile].min(depth, mode="drop")
        first = shown & (depth <= worklist.of_items(nearer, items))
        candidate = jnp.where(first, items.face[:, None, None], nobody)
        winner = jnp.where(nearer < nearest, nobody, winner)
        return nearer, winner.at[items.tile].min(candidate, mode="drop")

    carry = (
        walk.blank(scene, fill=jnp.inf),
        jnp.full_like(walk.blank(scene), nobody, jnp.int32),
    )
    _, winner = walk.fold(visit, carry, scene)
    winner = worklist.from_tiles(winner, walk.grid)
    faces = scene.face_vertices.shape[1]
    return jnp.where(winner < nobody, winner % max(faces, 1), -1)


def visible_xla(scene: Scene, task: Task) -> jax.Array:
    """The nearest face at each pixel, equal to `visible_reference`.

    Args:
        scene: a batch of faces; attributes are not needed.
        task: what to draw.

    Returns:
        ``[B, H, W]`` int32, -1 where there is none; the first of faces at equal depth.
    """
    scene = jax.tree.map(lax.stop_gradient, scene._replace(attributes=None))
    find = _on_each_platform(
        _visible, task, False, lambda scene: scene.sigma[:, None, None]
    )
    return find(scene)
