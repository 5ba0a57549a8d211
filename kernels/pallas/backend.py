"""The interface of a Pallas backend: launches for the host, a run for each program.

The kernels of `blend_kernels` are the same for Triton and for Mosaic GPU. The backends
differ in how a program of the GPU finds its faces, its pixels and its memory: this is a
`Run`. They also differ in the numbers by which sums are exact: float64 in Triton, pairs
of 32-bit words in Mosaic. Each therefore has its own launches, a `Backend`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax

from jaxsoftras.kernels.pallas import colors
from jaxsoftras.kernels.scene import Scene, Task


class Pixels(Protocol):
    """A pixel for each lane of a run.

    Attributes:
        x: pixel centre, NDC.
        y: pixel centre, NDC.
        inside: whether the lane has a pixel.
    """

    @property
    def x(self) -> jax.Array: ...  # noqa: D102
    @property
    def y(self) -> jax.Array: ...  # noqa: D102
    @property
    def inside(self) -> Any: ...  # noqa: D102


class Run(Protocol):
    """A running program of the GPU.

    Attributes:
        task: the image to render.
        layout: layout of the attributes; None for alpha alone.
        face_count: number of faces of the image.
        sigma: sharpness of the image's probability map.
        gamma: sharpness of the image's choice among depths.
        depth_quantum: sums of all faces' contributions to alpha are exact in multiples
            of this.
        weight_quantum: the same for sums of numbers of at most 1.
    """

    task: Task
    layout: colors.Layout | None
    face_count: int
    sigma: jax.Array
    gamma: jax.Array
    depth_quantum: float
    weight_quantum: float

    def each_face(self, visit: Callable[..., None]) -> None:
        """Visits the faces of this program, a few at a time.

        Args:
            visit: ``visit(face, writes, triangle, walk, lanes)`` with the indices of
                some faces; whether their results are complete and to be written; their
                corners; ``walk(function, state) -> state`` with ``function(state,
                pixels) -> state``; and the number of lanes that walk each face.
        """
        ...

    def map_elementwise(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Evaluates an elementwise function of pytrees of arrays."""
        ...

    def broadcast(self, tree: Any, face: jax.Array, lanes: int) -> Any:
        """Repeats arrays of the faces, or of the image, for each lane of the faces."""
        ...

    def attributes(self, face: jax.Array) -> colors.Colors:
        """Loads the attributes of faces."""
        ...

    def texels(self, index: list[jax.Array], counts: Any) -> list[list[jax.Array]]:
        """Loads, for each texel, each channel."""
        ...

    def load(self, image: Any, pixels: Pixels) -> jax.Array:
        """Loads an image of one channel at pixels."""
        ...

    def scale(self, scales: Any, channel: int) -> jax.Array:
        """Loads the scale of a channel of this image."""
        ...

    def add(
        self, sums: Any, pixels: Pixels, channel: int, values, counts, quantum
    ) -> None:
        """Adds to an image, exactly, values rounded to multiples of a quantum."""
        ...

    def atomic_min(self, least: Any, pixels: Pixels, values, counts) -> None:
        """Lowers the values of an image to these, none of them negative."""
        ...

    def add_to_texels(
        self, sums: Any, index: jax.Array, channel: int, values, counts, quantum
    ) -> None:
        """Adds to texels as `add` does to an image."""
        ...

    def write(
        self, gradients: Any, face: jax.Array, writes, columns, lanes: int
    ) -> None:
        """Writes the sums over each face's lanes, for faces that are complete.

        Args:
            gradients: the references to write to.
            face: indices of the faces.
            writes: which of them are complete.
            columns: lists of values, a list for each array of the scene.
            lanes: number of lanes of a face.
        """
        ...


class Cotangents(NamedTuple):
    """The images that the gradient of a face depends on.

    Attributes:
        total: ``[B, H, W]`` cotangent of `Blend.total`.
        level: ``[B, H, W]`` `Softmax.level`; None, as the following, for alpha alone.
        base: ``[B, H, W]`` cotangent of `Blend.logit`, minus the sum over channels of
            cotangent times colour, over the sum of weights.
        color: for each channel of `Blend.color`, ``[B, H, W]`` its cotangent over the
            sum of weights.
    """

    total: Any
    level: Any = None
    base: Any = None
    color: Any = None


class Backend(NamedTuple):
    """The launches of a backend, functions of the host; hashable, as it is static.

    All take the keyword ``interpret``: whether Pallas interprets the kernels, on any
    device. Scenes have depths, except that silhouettes are drawn from corners ``[B, F,
    3, 2]`` alone.

    Attributes:
        total: ``(scene, task)`` to `Blend.total` and to ``[B, H, W]`` minus the largest
            logarithm of a weight, infinite where no face has a colour; the latter is
            None without attributes.
        color: ``(scene, level, task)`` to the sum of the weights, and each of a few
            channels of `Blend.color`. All are ``[B, H, W]``: XLA fuses what it does to
            arrays of one shape.
        gradient: ``(scene, cotangents, task)`` to the gradient, a `Scene`, through the
            total and through a few channels.
        silhouette: ``(corners, sigma, task)`` to `Blend.total`, where
            `RasterOptions.soft_silhouette`.
        silhouette_gradient: ``(corners, sigma, cotangent, task)`` to the cotangents of
            corners and sigma from the cotangent of `Blend.total`.
        interpreter_effects: whether the interpreter has side effects, which forbid
            partitioning over devices.
    """

    total: Callable[..., tuple[jax.Array, jax.Array | None]]
    color: Callable[..., tuple[jax.Array, list[jax.Array]]]
    gradient: Callable[..., Scene]
    silhouette: Callable[..., jax.Array]
    silhouette_gradient: Callable[..., tuple[jax.Array, jax.Array]]
    interpreter_effects: bool
