"""What kernels for Mosaic GPU that draw a `Scene` know and do, and their calls."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.mosaic import call as mosaic_call
from jaxsoftras.kernels.mosaic import faces as mosaic_faces
from jaxsoftras.kernels.mosaic import fixed_point as mosaic_fixed_point
from jaxsoftras.kernels.mosaic import lanes as mosaic_lanes
from jaxsoftras.kernels.mosaic import lanes_interpreted as mosaic_lanes_interpreted
from jaxsoftras.kernels.mosaic import walk as mosaic_walk
from jaxsoftras.kernels.pallas import colors as pair_color
from jaxsoftras.kernels.pallas import differentiation
from jaxsoftras.kernels.scene import Scene, Task


class Program(NamedTuple):
    """What all kernels here need to know; static.

    Attributes:
        task: what to draw.
        layout: of the attributes.
        plan: how the faces of an image are divided.
        images: that share a texture.
    """

    task: Task
    layout: pair_color.Layout | None
    plan: mosaic_walk.Plan
    images: int


class _Inputs(NamedTuple):
    """A scene as kernels read it: neighbouring lanes load neighbouring faces.

    Attributes:
        faces: corners and boxes.
        sigma: ``[B]``.
        gamma: ``[B]``.
        values: ``[B, n * A, F]`` attributes of the corners, or None.
        light: ``[B, 3 * 2 * C, F]``, or None.
        texels: ``[T, N * C]``, or None.
    """

    faces: mosaic_faces.Faces
    sigma: Any
    gamma: Any
    values: Any = None
    light: Any = None
    texels: Any = None


def _inputs(scene: Scene, task: Task) -> _Inputs:
    def rows(array):
        if array is None:
            return None
        return jnp.swapaxes(array.reshape(*array.shape[:2], -1), 1, 2)

    faces = mosaic_faces.prepare(
        scene.face_vertices, task.rules.margin(scene.sigma), _picture(task), sort=True
    )
    inputs = _Inputs(faces, scene.sigma, scene.gamma)
    if scene.attributes is None:
        return inputs
    values, texels, light = scene.attributes
    texels = None if texels is None else texels.reshape(len(texels), -1)
    return inputs._replace(values=rows(values), light=rows(light), texels=texels)


class Run:
    """A running program of the GPU; see `blend_kernels.Run` for its methods.

    Arrays have an element for each lane. Pictures are flat: ``[B, C * H * W]``, and
    ``[B, C * H * W, 2]`` where they are summed.
    """

    def __init__(self, program: Program, inputs: _Inputs) -> None:
        """Finds out which image this program works on."""
        self._program = program
        self._inputs = inputs
        self._lanes = program.plan.lanes
        self._place = mosaic_call.place(program.plan.blocks, program.plan.team)
        self._image = self._place.image
        self._pixels = program.task.height * program.task.width
        self.task = program.task
        self.layout = program.layout
        self.face_count = program.plan.faces
        self.sigma = self._of_image(inputs.sigma)
        self.gamma = self._of_image(inputs.gamma)
        self.depth_unit = mosaic_fixed_point.depth_unit(self.face_count)
        self.weight_unit = mosaic_fixed_point.unit_for(self.face_count)

    def each_face(self, visit) -> None:
        """Walks the faces of this program."""
        mosaic_walk.each_face(
            visit,
            self._inputs.faces,
            _picture(self.task),
            self._program.plan,
            self._place,
        )

    def each(self, function, *arguments):
        """Evaluates an elementwise function."""
        return self._lanes.each(function, *arguments)

    def spread(self, tree, face, lanes):
        """Repeats arrays for the lanes of each face."""
        del face, lanes
        return tree

    def attributes(self, face):
        """Loads the attributes of faces."""

        def load(ref, corners):
            if ref is None:
                return []
            columns = mosaic_walk.load(ref.at[self._image], face, self._lanes)
            return pair_color.rows(columns, corners)

        values = load(self._inputs.values, self.layout.corners)
        return pair_color.Colors(values, load(self._inputs.light, 3))

    def texels(self, index, counts):
        """Loads texels."""
        if not index:
            return []
        texels = self._inputs.texels.at[self._texture()]
        channels = range(self.layout.channels)

        def places(counts, index):
            index = [jnp.where(counts, i, 0) for i in index]
            return [[self._texel(i, c) for c in channels] for i in index]

        index = self.each(places, counts, index)
        return [[self._lanes.load(texels, i) for i in of_texel] for of_texel in index]

    def at(self, image, pixels):
        """Loads what a picture has at pixels."""
        return self._lanes.load(image.at[self._image], pixels.place)

    def scale(self, numbers, channel):
        """Loads a number of the image."""
        return mosaic_walk.spread(numbers.at[self._image], channel, self._lanes)

    def add(self, sums, pixels, channel, values, counts, unit):
        """Adds to a picture, exactly."""
        self._add(
            sums.at[self._image], self._of_pixels(pixels, channel), values, counts, unit
        )

    def lower(self, least, pixels, values, counts):
        """Lowers numbers of a picture."""
        self._lanes.lower(least.at[self._image], pixels.place, values, counts)

    def lower_key(self, least, pixels, values, numbers, counts) -> None:
        """Lowers pairs of a number that is not negative and an integer to these."""
        self._lanes.lower_key(
            least.at[self._image], pixels.place, values, numbers, counts
        )

    def add_to_texels(self, sums, index, channel, values, counts, unit):
        """Adds to texels, exactly."""
        place = self._texel(index, channel)
        self._add(sums.at[self._texture()], place, values, counts, unit)

    def write(self, found, face, due, columns, lanes):
        """Writes the sums over the lanes of each face."""
        rows = [
            mosaic_walk.sum_of_group(value, lanes, self._lanes)
            for values in columns
            for value in values
        ]
        first = (self._lanes.number() & (lanes - 1)) == 0
        self._lanes.store(
            found.at[self._place.part, self._image], face, rows, due & first
        )

    def _add(self, sums, place, values, counts, unit):
        self._lanes.add(sums, place, values * (1 / unit), counts)

    def _of_image(self, numbers):
        return mosaic_walk.spread(numbers, self._image, self._lanes)

    def _of_pixels(self, pixels, channel):
        return pixels.place + channel * self._pixels

    def _texel(self, index, channel):
        return index * self.layout.channels + channel

    def _texture(self):
        return lax.div(self._image, jnp.int32(self._program.images))


def _picture(task: Task) -> differentiation.Picture:
    return differentiation.Picture(task.height, task.width, task.rules.cutoff)


def call(
    kernel,
    scene: Scene,
    inputs,
    sums,
    by_face: int = 0,
    *,
    task: Task,
    group: int,
    team: int = 1,
    interpret: bool,
    name: str,
):
    """Runs a kernel for each block of faces.

    Args:
        kernel: takes a run, and references to each input, to each of the sums and, if
            there are any, to what it finds for each face.
        scene: what to draw.
        inputs: pytrees of arrays.
        sums: pytrees of arrays that the kernel adds to.
        by_face: how many numbers it writes for each face.
        task: what to draw.
        group: lanes that walk one face.
        team: programs that the GPU starts as one.
        interpret: whether Pallas interprets the kernel.
        name: of the kernel.

    Returns:
        The sums, and ``[B, by_face, F]`` unless that is 0.
    """
    batch, faces = scene.face_vertices.shape[:2]
    lanes = mosaic_lanes_interpreted if interpret else mosaic_lanes
    # the interpreter would lose what all but one of the members of a team write
    team = 1 if interpret else team
    plan = mosaic_walk.plan(faces, _picture(task), group, lanes, team)
    layout = pair_color.layout_of(scene.attributes, task.lookup)
    shared = scene.attributes is not None and scene.attributes.texels is not None
    images = batch // len(scene.attributes.texels) if shared else 1
    program = Program(task, layout, plan, images)
    leaves, tree = jax.tree.flatten((_inputs(scene, task), tuple(inputs)))
    before, sums_tree = jax.tree.flatten(tuple(sums))
    last = len(leaves) + len(before)

    def body(*references):
        own, arguments = jax.tree.unflatten(tree, references[: len(leaves)])
        own_sums = jax.tree.unflatten(sums_tree, references[len(leaves) : last])
        kernel(Run(program, own), *arguments, *own_sums, *references[last:])

    after = mosaic_call.call(
        body,
        *leaves,
        changing=before,
        outputs=[(plan.parts, batch, by_face, faces)] if by_face else [],
        grid=(plan.parts, batch * plan.blocks),
        team=plan.team,
        interpret=interpret,
        name=name,
    )
    found = mosaic_walk.sum_parts(after[-1]) if by_face else None
    return jax.tree.unflatten(sums_tree, after[: len(before)]), found
