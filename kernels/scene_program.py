"""Kernels for Triton that draw a `Scene`: what they know, and how they are called."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxsoftras.kernels import (
    differentiation,
    face_program,
    face_walk,
    pair_color,
    pairs,
    shading,
    triton_call,
)
from jaxsoftras.kernels.blending import Scene, Task


class Program(NamedTuple):
    """What all kernels here need to know; static.

    Attributes:
        task: what to draw.
        layout: of the attributes.
        block: faces of a program, and lanes for each.
        parts: programs that share a block of faces.
        interpret: whether Pallas interprets the kernel.
    """

    task: Task
    layout: pair_color.Layout
    block: face_program.Block
    parts: int
    interpret: bool

    def each_face(self, visit, scene: Scene) -> None:
        """`face_program.each_face` for references to a scene."""
        sigma = scene.sigma[pl.program_id(0)]
        face_program.each_face(
            visit,
            scene.face_vertices,
            self.task.rules.margin(sigma),
            _picture(self.task),
            self.block,
            self.parts,
        )

    def evaluate(
        self, scene: Scene, pixels: face_walk.Pixels, triangle, sigma, gamma
    ) -> pairs.Pair:
        """`pairs.evaluate`."""
        return pairs.evaluate(
            self.task.rules,
            pixels.x,
            pixels.y,
            triangle,
            sigma,
            gamma,
            face_count=scene.face_vertices.shape[0],
        )


def _picture(task: Task) -> differentiation.Picture:
    return differentiation.Picture(task.height, task.width, task.rules.cutoff)


def at_pixels(image_ref, pixels: face_walk.Pixels, *channel: int) -> jax.Array:
    """Loads what an image ``[*channels, H, W]`` has at pixels; 0 elsewhere."""
    place = (
        *(jnp.full_like(pixels.row, c) for c in channel),
        jnp.where(pixels.inside, pixels.row, 0),
        jnp.where(pixels.inside, pixels.column, 0),
    )
    return triton.load(image_ref.at[place], mask=pixels.inside, other=0)


def of_image(numbers_ref) -> jax.Array:
    """The number of this program's image, of ``[B]``."""
    return numbers_ref[pl.program_id(0)]


def _specification(array: jax.Array, images: int) -> pl.BlockSpec:
    """What a program for an image sees of an array: the part for that image.

    Numbers for each image it sees whole, as there are no blocks of a single one.
    """
    if array.ndim == 1:
        return pl.BlockSpec(array.shape, lambda *_: (0,))
    each = images // array.shape[0]  # images share textures
    return pl.BlockSpec(
        (None, *array.shape[1:]),
        lambda image, *_: (lax.div(image, jnp.int32(each)), *[0] * (array.ndim - 1)),
    )


def call(kernel, inputs, sums, by_face=None, *, program: Program, name: str):
    """Runs a kernel for each block of faces.

    Args:
        kernel: takes references to each input, to the sums and to what it finds for
            each face.
        inputs: pytrees of arrays, the first of them a scene.
        sums: arrays that the kernel adds to.
        by_face: a pytree of the numbers of columns, for each face, that it writes.
        program: what all kernels know.
        name: of the kernel.

    Returns:
        The sums, and ``[B, parts, F, columns]`` for each of the columns.
    """
    like = inputs[0].face_vertices
    batch, faces = like.shape[:2]
    leaves, tree = jax.tree.flatten((tuple(inputs), list(sums)))
    columns, columns_tree = jax.tree.flatten(by_face)

    def run(*references):
        arguments, _ = jax.tree.unflatten(tree, references[: len(leaves)])
        results = references[len(leaves) :]
        found = jax.tree.unflatten(columns_tree, results[len(sums) :])
        kernel(*arguments, results[: len(sums)], found, program=program)

    outputs = [
        (triton_call.output(x.shape, x.dtype, like), _specification(x, batch))
        for x in sums
    ]
    for count in columns:
        shape = (batch, program.parts, faces, count)
        whole = pl.BlockSpec(
            (None, None, faces, count), lambda image, _, part: (image, part, 0, 0)
        )
        outputs.append((triton_call.output(shape, jnp.float32, like), whole))
    first = len(leaves) - len(sums)
    results = triton_call.call(
        run,
        *leaves,
        threads=program.block.threads,
        grid=(batch, -(-faces // program.block.faces), program.parts),
        in_specs=[_specification(leaf, batch) for leaf in leaves],
        outputs=outputs,
        input_output_aliases={first + k: k for k in range(len(sums))},
        interpret=program.interpret,
        name=name,
    )
    return results[: len(sums)], jax.tree.unflatten(columns_tree, results[len(sums) :])


def program_for(
    scene: Scene, task: Task, block: face_program.Block, interpret: bool
) -> Program:
    """What the kernels need to know of a batch of faces."""
    attributes = scene.attributes
    if interpret:
        # The interpreter loses all but one of the additions of a block to one place.
        alike = attributes is not None and attributes.texels is not None
        block = face_program.Block(1, 1 if alike else block.lanes)
    layout = None
    if attributes is not None:
        values = attributes.values
        layout = pair_color.Layout(
            task.lookup,
            attributes.channels,
            0 if values is None else values.shape[2],
            attributes.light is not None,
        )
    parts = face_program.parts_of(scene.face_vertices.shape[1], _picture(task), block)
    return Program(task, layout, block, parts, interpret)


def flat(scene: Scene) -> Scene:
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
