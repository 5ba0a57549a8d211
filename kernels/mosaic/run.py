"""Mosaic's `backend.Run`, and the launches of kernels that take one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsoftras.kernels.mosaic import call as mosaic_call
from jaxsoftras.kernels.mosaic import faces as prepared
from jaxsoftras.kernels.mosaic import fixed_point as exact
from jaxsoftras.kernels.mosaic import lanes_interpreted
from jaxsoftras.kernels.mosaic import walk as walks
from jaxsoftras.kernels.pallas import colors, fixed_point
from jaxsoftras.kernels.scene import Scene, Task


class Launch(NamedTuple):
    """Constants of a launch, shared by its programs; static.

    Attributes:
        task: the image to render.
        layout: layout of the attributes.
        plan: how the faces of an image are divided.
        images: images that share a texture.
    """

    task: Task
    layout: colors.Layout | None
    plan: walks.Plan
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

    faces: prepared.PreparedFaces
    sigma: Any
    gamma: Any
    values: Any = None
    light: Any = None
    texels: Any = None


def _prepare(scene: Scene, task: Task) -> _Inputs:
    def rows(array):
        if array is None:
            return None
        return jnp.swapaxes(array.reshape(*array.shape[:2], -1), 1, 2)

    margin = task.options.margin(scene.sigma)
    faces = prepared.prepare(scene.face_vertices, margin, task, sort=True)
    inputs = _Inputs(faces, scene.sigma, scene.gamma)
    if scene.attributes is None:
        return inputs
    values, texels, light = scene.attributes
    texels = None if texels is None else texels.reshape(len(texels), -1)
    return inputs._replace(values=rows(values), light=rows(light), texels=texels)


class MosaicRun:
    """A running program; `backend.Run` says what the methods do.

    Arrays have an element for each lane. Images are flat: ``[B, C * H * W]``, and ``[B,
    C * H * W, 2]`` where they are summed.
    """

    def __init__(self, launch: Launch, inputs: _Inputs) -> None:
        """Finds out which image this program works on."""
        self._launch = launch
        self._inputs = inputs
        self._lanes = launch.plan.lanes
        self._program = mosaic_call.program_id(
            launch.plan.blocks, launch.plan.warpgroups
        )
        self._image = self._program.image
        self._pixels = launch.task.height * launch.task.width
        self.task = launch.task
        self.layout = launch.layout
        self.face_count = launch.plan.faces
        self.sigma = self._load_for_image(inputs.sigma)
        self.gamma = self._load_for_image(inputs.gamma)
        self.depth_quantum = exact.choose_depth_quantum(self.face_count)
        self.weight_quantum = exact.choose_quantum(self.face_count)

    def each_face(self, visit) -> None:
        """Walks the faces of this program."""
        walks.each_face(
            visit, self._inputs.faces, self.task, self._launch.plan, self._program
        )

    def map_elementwise(self, function, *arguments):
        """Evaluates the function as scalar code."""
        return self._lanes.map_elementwise(function, *arguments)

    def broadcast(self, tree, face, lanes):
        """Returns the arrays, which have an element for each lane already."""
        del face, lanes
        return tree

    def attributes(self, face):
        """Loads the attributes of faces."""
        assert self.layout is not None

        def load(ref, corners):
            if ref is None:
                return []
            columns = walks.load_rows(ref.at[self._image], face, self._lanes)
            return colors.split_rows(columns, corners)

        values = load(self._inputs.values, self.layout.corners)
        return colors.Colors(values, load(self._inputs.light, 3))

    def texels(self, index, counts):
        """Loads texels."""
        if not index:
            return []
        assert self.layout is not None
        texels = self._inputs.texels.at[self._texture()]
        channels = range(self.layout.channels)

        def places(counts, index):
            index = [jnp.where(counts, i, 0) for i in index]
            return [[self._texel(i, c) for c in channels] for i in index]

        index = self.map_elementwise(places, counts, index)
        return [[self._lanes.load(texels, i) for i in row] for row in index]

    def load(self, image, pixels):
        """Loads an image at pixels."""
        return self._lanes.load(image.at[self._image], pixels.place)

    def scale(self, scales, channel):
        """Loads the scale of a channel."""
        return walks.broadcast(scales.at[self._image], channel, self._lanes)

    def add(self, sums, pixels, channel, values, counts, quantum):
        """Adds to an image, exactly."""
        place = pixels.place + channel * self._pixels
        self._add(sums.at[self._image], place, values, counts, quantum)

    def atomic_min(self, least, pixels, values, counts):
        """Lowers the values of an image."""
        self._lanes.atomic_min(least.at[self._image], pixels.place, values, counts)

    def atomic_min_key(self, least, pixels, values, numbers, counts) -> None:
        """Lowers pairs of a number that is not negative and an integer to these."""
        self._lanes.atomic_min_key(
            least.at[self._image], pixels.place, values, numbers, counts
        )

    def add_to_texels(self, sums, index, channel, values, counts, quantum):
        """Adds to texels, exactly."""
        place = self._texel(index, channel)
        self._add(sums.at[self._texture()], place, values, counts, quantum)

    def write(self, gradients, face, writes, columns, lanes):
        """Writes the sums over the lanes of each face."""
        rows = [
            walks.sum_lanes(value, lanes, self._lanes)
            for values in columns
            for value in values
        ]
        first = (self._lanes.lane_id() & (lanes - 1)) == 0
        ref = gradients.at[self._program.split, self._image]
        self._lanes.store(ref, face, rows, writes & first)

    def _add(self, sums, place, values, counts, quantum):
        self._lanes.add(sums, place, values * (1 / quantum), counts)

    def _load_for_image(self, numbers):
        return walks.broadcast(numbers, self._image, self._lanes)

    def _texel(self, index, channel):
        assert self.layout is not None
        return index * self.layout.channels + channel

    def _texture(self):
        return lax.div(self._image, jnp.int32(self._launch.images))


def launch_kernel(
    kernel: Callable[..., None],
    scene: Scene,
    inputs: Sequence[Any],
    sums: Sequence[Any],
    columns: int = 0,
    *,
    task: Task,
    lanes_per_face: int,
    warpgroups: int = 1,
    interpret: bool,
    name: str,
) -> tuple[Any, jax.Array | None]:
    """Runs a kernel for each block of faces.

    Args:
        kernel: takes a run, and references to each input, to each of the sums and, if
            there are any columns, to the gradients of the faces.
        scene: a batch of faces.
        inputs: pytrees of arrays.
        sums: pytrees of arrays that the kernel adds to.
        columns: numbers in the gradient of a face.
        task: the image to render.
        lanes_per_face: lanes that walk one face.
        warpgroups: warpgroups per thread block, see `call.call`.
        interpret: whether Pallas interprets the kernel.
        name: name of the kernel.

    Returns:
        The sums, and ``[B, columns, F]`` gradients unless there are no columns.
    """
    batch, faces = scene.face_vertices.shape[:2]
    # the interpreter would lose the writes of all but one warpgroup
    warpgroups = 1 if interpret else warpgroups
    lanes = lanes_interpreted.choose_lanes(interpret)
    plan = walks.make_plan(faces, task, lanes_per_face, lanes, warpgroups)
    layout = colors.choose_layout(scene.attributes, task.lookup)
    texels = None if scene.attributes is None else scene.attributes.texels
    images = 1 if texels is None else batch // len(texels)
    launch = Launch(task, layout, plan, images)
    leaves, tree = jax.tree.flatten((_prepare(scene, task), tuple(inputs)))
    before, sums_tree = jax.tree.flatten(tuple(sums))
    last = len(leaves) + len(before)

    def body(*references):
        scene_refs, arguments = jax.tree.unflatten(tree, references[: len(leaves)])
        sums_refs = jax.tree.unflatten(sums_tree, references[len(leaves) : last])
        kernel(
            MosaicRun(launch, scene_refs), *arguments, *sums_refs, *references[last:]
        )

    after = mosaic_call.call(
        body,
        *leaves,
        accumulators=before,
        outputs=[(plan.splits, batch, columns, faces)] if columns else [],
        grid=(plan.splits, batch * plan.blocks),
        warpgroups=plan.warpgroups,
        interpret=interpret,
        name=name,
    )
    gradients = fixed_point.tree_sum(after[-1], axis=0) if columns else None
    return jax.tree.unflatten(sums_tree, after[: len(before)]), gradients
