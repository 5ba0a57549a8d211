"""Triton's `backend.Run`, and the launches of kernels that take one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxsoftras.kernels import partitioning, shading
from jaxsoftras.kernels.pallas import colors, fixed_point
from jaxsoftras.kernels.scene import Scene, Task
from jaxsoftras.kernels.triton import call as triton_call
from jaxsoftras.kernels.triton import faces as face_blocks
from jaxsoftras.kernels.triton import fixed_point as exact


class Launch(NamedTuple):
    """Constants of a launch, shared by its programs; static.

    Attributes:
        task: the image to render.
        layout: layout of the attributes.
        block: faces of a program, and lanes for each.
        splits: programs that share a block of faces.
        interpret: whether Pallas interprets the kernel.
    """

    task: Task
    layout: colors.Layout | None
    block: face_blocks.Block
    splits: int
    interpret: bool


class TritonRun:
    """A running program; `backend.Run` says what the methods do.

    A block of arrays has a row for each face, and a column for each lane.
    """

    def __init__(self, launch: Launch, scene: Scene) -> None:
        """Loads the numbers of this image from references to a flat scene."""
        self._launch = launch
        self._scene = scene
        self.task = launch.task
        self.layout = launch.layout
        self.face_count = scene.face_vertices.shape[0]
        image = pl.program_id(0)
        self.sigma, self.gamma = scene.sigma[image], scene.gamma[image]
        self.depth_quantum = exact.DEPTH_QUANTUM
        self.weight_quantum = exact.choose_quantum(self.face_count)

    def each_face(self, visit) -> None:
        """Walks the faces of this program."""
        face_blocks.each_face(
            visit,
            self._scene.face_vertices,
            self.task.options.margin(self.sigma),
            self.task,
            self._launch.block,
            self._launch.splits,
        )

    def map_elementwise(self, function, *arguments):
        """Calls the function: Triton's blocks are arrays like any other."""
        return function(*arguments)

    def broadcast(self, tree, face, lanes):
        """Repeats arrays for the lanes of each face."""
        shape = (face.shape[0], lanes)
        return jax.tree.map(lambda x: jnp.broadcast_to(x, shape), tree)

    def attributes(self, face):
        """Loads the attributes of faces."""
        assert self._scene.attributes is not None and self.layout is not None
        values, _, light = self._scene.attributes
        return colors.Colors(
            colors.split_rows(_load_columns(values, face), self.layout.corners),
            colors.split_rows(_load_columns(light, face), 3 if self.layout.lit else 0),
        )

    def texels(self, index, counts):
        """Loads texels."""

        def load(place, channel):
            place = jnp.where(counts, place, 0)
            assert self._scene.attributes is not None
            texels: Any = self._scene.attributes.texels
            ref = texels.at[place, jnp.full_like(place, channel)]
            return triton.load(ref, mask=counts, other=0)

        channels = range(self.layout.channels) if self.layout else ()
        return [[load(place, c) for c in channels] for place in index]

    def load(self, image, pixels):
        """Loads an image at pixels."""
        place = pixels.row, pixels.column
        place = tuple(jnp.where(pixels.inside, axis, 0) for axis in place)
        return triton.load(image.at[place], mask=pixels.inside, other=0)

    def scale(self, scales, channel):
        """Loads the scale of a channel."""
        return scales[channel]

    def add(self, sums, pixels, channel, values, counts, quantum):
        """Adds to an image, exactly."""
        place = self._pixel_index(sums, pixels, channel)
        self._add(sums, place, values, counts, quantum)

    def atomic_min(self, least, pixels, values, counts):
        """Lowers the values of an image."""
        exact.atomic_min(
            least,
            self._pixel_index(least, pixels),
            values,
            counts,
            interpret=self._launch.interpret,
        )

    def add_to_texels(self, sums, index, channel, values, counts, quantum):
        """Adds to texels, exactly."""
        place = index, jnp.full_like(index, channel)
        self._add(sums, place, values, counts, quantum)

    def write(self, gradients, face, writes, columns, lanes):
        """Writes the sums over the lanes of each face."""
        for ref, values in zip(
            jax.tree.leaves(gradients), filter(None, columns), strict=True
        ):
            for k, value in enumerate(values):
                # past the end for incomplete faces: the interpreter drops it
                place = jnp.where(writes, face, ref.shape[0])
                total = jnp.sum(value, axis=1, keepdims=True)
                triton.store(ref.at[place, jnp.full_like(face, k)], total, mask=writes)

    def _add(self, sums, place, values, counts, quantum):
        interpret = self._launch.interpret
        exact.add(sums, place, values, counts, quantum, interpret=interpret)

    def _pixel_index(self, image, pixels, channel=0):
        """Indices of pixels in an image ``[H, W]`` or ``[C, H, W]``."""
        place = pixels.row, pixels.column
        if len(image.shape) == 2:
            return place
        return jnp.full_like(pixels.row, channel), *place


def _load_columns(ref, face) -> list[jax.Array]:
    """The rows ``[F, columns]`` of faces; those past the end are 0."""
    if ref is None:
        return []
    exists = face < ref.shape[0]
    place = jnp.where(exists, face, 0)

    def load(column):
        index = ref.at[place, jnp.full_like(face, column)]
        return triton.load(index, mask=exists, other=0)

    return [load(column) for column in range(ref.shape[1])]


def _specification(array: jax.Array, images: int) -> pl.BlockSpec:
    """The block of an array that belongs to the program's image.

    Programs see arrays with one number for each image whole, as there are no blocks of
    a single number.
    """
    if array.ndim == 1:
        return pl.BlockSpec(array.shape, lambda *_: (0,))
    each = images // array.shape[0]  # images share textures
    return pl.BlockSpec(
        (None, *array.shape[1:]),
        lambda image, *_: (lax.div(image, jnp.int32(each)), *[0] * (array.ndim - 1)),
    )


def launch_kernel(
    kernel: Callable[..., None],
    scene: Scene,
    inputs: Sequence[Any],
    sums: Sequence[Any],
    columns: Sequence[int] = (),
    *,
    launch: Launch,
    name: str,
) -> tuple[Any, list[jax.Array]]:
    """Runs a kernel for each block of faces.

    Args:
        kernel: takes a run, and references to each input, to each of the sums and, if
            there are any columns, to the list of the gradients of each face.
        scene: a batch of faces.
        inputs: pytrees of arrays.
        sums: pytrees of arrays that the kernel adds to.
        columns: numbers of columns of the gradients.
        launch: constants of the launch.
        name: name of the kernel.

    Returns:
        The sums, and ``[B, F, columns]`` for each of the columns.
    """
    like = scene.face_vertices
    batch, faces = like.shape[:2]
    leaves, tree = jax.tree.flatten((_flatten(scene), tuple(inputs)))
    before, sums_tree = jax.tree.flatten(tuple(sums))

    def body(*references):
        scene_refs, arguments = jax.tree.unflatten(tree, references[: len(leaves)])
        results = references[len(leaves) + len(before) :]
        sums_refs = jax.tree.unflatten(sums_tree, results[: len(before)])
        gradients = results[len(before) :]
        run = TritonRun(launch, scene_refs)
        kernel(run, *arguments, *sums_refs, *([gradients] if gradients else []))

    outputs = [
        (partitioning.kernel_output(x.shape, x.dtype, like), _specification(x, batch))
        for x in before
    ]
    for count in columns:
        shape = (batch, launch.splits, faces, count)
        whole = pl.BlockSpec(
            (None, None, faces, count), lambda image, _, split: (image, split, 0, 0)
        )
        outputs.append((partitioning.kernel_output(shape, jnp.float32, like), whole))
    results = triton_call.call(
        body,
        *leaves,
        *before,
        threads=launch.block.threads,
        grid=(batch, -(-faces // launch.block.faces), launch.splits),
        in_specs=[_specification(x, batch) for x in (*leaves, *before)],
        outputs=outputs,
        input_output_aliases={len(leaves) + k: k for k in range(len(before))},
        interpret=launch.interpret,
        name=name,
    )
    after = jax.tree.unflatten(sums_tree, results[: len(before)])
    return after, [fixed_point.tree_sum(x, axis=1) for x in results[len(before) :]]


def plan_launch(
    scene: Scene, task: Task, block: face_blocks.Block, interpret: bool
) -> Launch:
    """Chooses how programs share a batch of faces."""
    attributes = scene.attributes
    if interpret:
        # The interpreter loses all but one of the additions of a block to one element.
        alike = attributes is not None and attributes.texels is not None
        block = face_blocks.Block(1, 1 if alike else block.lanes)
    splits = face_blocks.choose_splits(scene.face_vertices.shape[1], task, block)
    layout = colors.choose_layout(attributes, task.lookup)
    return Launch(task, layout, block, splits, interpret)


def _flatten(scene: Scene) -> Scene:
    """A scene with a row of columns for each face."""

    def rows(array):
        return None if array is None else array.reshape(*array.shape[:2], -1)

    attributes = scene.attributes
    if attributes is not None:
        attributes = shading.Attributes(
            rows(attributes.values), attributes.texels, rows(attributes.light)
        )
    return scene._replace(
        face_vertices=rows(scene.face_vertices), attributes=attributes
    )
