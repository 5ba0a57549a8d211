"""What kernels for Triton that draw a `Scene` know and do, and their calls."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from jaxsoftras.kernels import shading
from jaxsoftras.kernels.pallas import colors as pair_color
from jaxsoftras.kernels.pallas import differentiation
from jaxsoftras.kernels.scene import Scene, Task
from jaxsoftras.kernels.triton import call as triton_call
from jaxsoftras.kernels.triton import faces as face_program
from jaxsoftras.kernels.triton import fixed_point as triton_fixed_point

# Optical depths are added as multiples of this: exactly, up to 2**13.
_DEPTH_UNIT = 2.0**-40


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
    layout: pair_color.Layout | None
    block: face_program.Block
    parts: int
    interpret: bool


class Run:
    """A running program of the GPU; see `blend_kernels.Run` for its methods.

    A block of arrays has a row for each face, and a column for each lane.
    """

    def __init__(self, program: Program, scene: Scene) -> None:
        """Looks up the numbers of this image in references to a flat scene."""
        self._program = program
        self._scene = scene
        self.task = program.task
        self.layout = program.layout
        self.face_count = scene.face_vertices.shape[0]
        image = pl.program_id(0)
        self.sigma, self.gamma = scene.sigma[image], scene.gamma[image]
        self.depth_unit = _DEPTH_UNIT
        self.weight_unit = triton_fixed_point.unit_for(self.face_count)

    def each_face(self, visit) -> None:
        """Walks the faces of this program."""
        face_program.each_face(
            visit,
            self._scene.face_vertices,
            self.task.rules.margin(self.sigma),
            _picture(self.task),
            self._program.block,
            self._program.parts,
        )

    def each(self, function, *arguments):
        """Evaluates an elementwise function."""
        return function(*arguments)

    def spread(self, tree, face, lanes):
        """Repeats arrays for the lanes of each face."""
        shape = (face.shape[0], lanes)
        return jax.tree.map(lambda x: jnp.broadcast_to(x, shape), tree)

    def attributes(self, face):
        """Loads the attributes of faces."""
        values, _, light = self._scene.attributes
        corners = self.layout.corners
        return pair_color.Colors(
            pair_color.rows(_columns(values, face), corners),
            pair_color.rows(_columns(light, face), 3 if self.layout.lit else 0),
        )

    def texels(self, index, counts):
        """Loads texels."""

        def load(place, channel):
            place = jnp.where(counts, place, 0)
            texels = self._scene.attributes.texels
            ref = texels.at[place, jnp.full_like(place, channel)]
            return triton.load(ref, mask=counts, other=0)

        channels = range(self.layout.channels) if self.layout else ()
        return [[load(place, c) for c in channels] for place in index]

    def at(self, image, pixels):
        """Loads what a picture has at pixels."""
        place = pixels.row, pixels.column
        place = tuple(jnp.where(pixels.inside, axis, 0) for axis in place)
        return triton.load(image.at[place], mask=pixels.inside, other=0)

    def scale(self, numbers, channel):
        """Loads a number of the image."""
        return numbers[channel]

    def add(self, sums, pixels, channel, values, counts, unit):
        """Adds to a picture, exactly."""
        place = self._place(sums, pixels, channel)
        self._add(sums, place, values, counts, unit)

    def lower(self, least, pixels, values, counts):
        """Lowers numbers of a picture."""
        triton_fixed_point.lower(
            least,
            self._place(least, pixels),
            values,
            counts,
            interpret=self._program.interpret,
        )

    def add_to_texels(self, sums, index, channel, values, counts, unit):
        """Adds to texels, exactly."""
        place = index, jnp.full_like(index, channel)
        self._add(sums, place, values, counts, unit)

    def write(self, found, face, due, columns, lanes):
        """Writes the sums over the lanes of each face."""
        for ref, values in zip(
            jax.tree.leaves(found), filter(None, columns), strict=True
        ):
            for k, value in enumerate(values):
                # past the end for faces that are not due: the interpreter drops it
                place = jnp.where(due, face, ref.shape[0])
                total = jnp.sum(value, axis=1, keepdims=True)
                triton.store(ref.at[place, jnp.full_like(face, k)], total, mask=due)

    def _add(self, sums, place, values, counts, unit):
        interpret = self._program.interpret
        triton_fixed_point.add(sums, place, values, counts, unit, interpret=interpret)

    def _place(self, image, pixels, channel=0):
        """Where an image ``[H, W]`` or ``[C, H, W]`` has its pixels."""
        place = pixels.row, pixels.column
        if len(image.shape) == 2:
            return place
        return jnp.full_like(pixels.row, channel), *place


def _columns(ref, face) -> list[jax.Array]:
    """The rows ``[F, columns]`` of faces; those past the end are 0."""
    if ref is None:
        return []
    exists = face < ref.shape[0]
    place = jnp.where(exists, face, 0)

    def load(column):
        index = ref.at[place, jnp.full_like(face, column)]
        return triton.load(index, mask=exists, other=0)

    return [load(column) for column in range(ref.shape[1])]


def _picture(task: Task) -> differentiation.Picture:
    return differentiation.Picture(task.height, task.width, task.rules.cutoff)


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


def call(kernel, scene, inputs, sums, by_face=(), *, program: Program, name: str):
    """Runs a kernel for each block of faces.

    Args:
        kernel: takes a run, and references to each input, to each of the sums and, if
            there are any, to the list of what it finds for each face.
        scene: what to draw.
        inputs: pytrees of arrays.
        sums: pytrees of arrays that the kernel adds to.
        by_face: the numbers of columns, for each face, that it writes.
        program: what all kernels know.
        name: of the kernel.

    Returns:
        The sums, and ``[B, parts, F, columns]`` for each of the columns.
    """
    like = scene.face_vertices
    batch, faces = like.shape[:2]
    leaves, tree = jax.tree.flatten((_flat(scene), tuple(inputs)))
    before, sums_tree = jax.tree.flatten(tuple(sums))

    def body(*references):
        own_scene, arguments = jax.tree.unflatten(tree, references[: len(leaves)])
        results = references[len(leaves) + len(before) :]
        own_sums = jax.tree.unflatten(sums_tree, results[: len(before)])
        found = results[len(before) :]
        kernel(
            Run(program, own_scene), *arguments, *own_sums, *([found] if found else [])
        )

    outputs = [
        (triton_call.output(x.shape, x.dtype, like), _specification(x, batch))
        for x in before
    ]
    for count in by_face:
        shape = (batch, program.parts, faces, count)
        whole = pl.BlockSpec(
            (None, None, faces, count), lambda image, _, part: (image, part, 0, 0)
        )
        outputs.append((triton_call.output(shape, jnp.float32, like), whole))
    results = triton_call.call(
        body,
        *leaves,
        *before,
        threads=program.block.threads,
        grid=(batch, -(-faces // program.block.faces), program.parts),
        in_specs=[_specification(x, batch) for x in (*leaves, *before)],
        outputs=outputs,
        input_output_aliases={len(leaves) + k: k for k in range(len(before))},
        interpret=program.interpret,
        name=name,
    )
    after = jax.tree.unflatten(sums_tree, results[: len(before)])
    return after, results[len(before) :]


def program_for(
    scene: Scene, task: Task, block: face_program.Block, interpret: bool
) -> Program:
    """What the kernels need to know of a batch of faces."""
    attributes = scene.attributes
    if interpret:
        # The interpreter loses all but one of the additions of a block to one place.
        alike = attributes is not None and attributes.texels is not None
        block = face_program.Block(1, 1 if alike else block.lanes)
    parts = face_program.parts_of(scene.face_vertices.shape[1], _picture(task), block)
    layout = pair_color.layout_of(attributes, task.lookup)
    return Program(task, layout, block, parts, interpret)


def _flat(scene: Scene) -> Scene:
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
