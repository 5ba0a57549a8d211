"""The GPU kernels in tests: interpreted and lowered on a CPU, run on a GPU."""

import importlib
import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, AxisType
from jax.sharding import PartitionSpec as P

from jaxsoftras.kernels import dispatch, shading
from jaxsoftras.kernels.options import RasterOptions
from jaxsoftras.kernels.scene import Scene, Task

NAMES = [name for name, backend in dispatch.BACKENDS.items() if backend.capability]
INTERPRET = jax.default_backend() != "gpu"
# Triton's lowering warns that the backend will go
IGNORE_DEPRECATION = pytest.mark.filterwarnings(
    "ignore:The Pallas Triton backend is deprecated:DeprecationWarning"
)


class Kernels(NamedTuple):
    """A backend of GPU kernels.

    Attributes:
        name: name of the backend.
        blend: the kernels of `dispatch`, for this machine.
        visible: likewise.
        lowered_call: text of a call of a kernel in a lowered program.
        limits: the module whose ``LARGE`` says which faces are walked by many lanes.
    """

    name: str
    blend: Callable[..., Any]
    visible: Callable[..., Any]
    lowered_call: str
    limits: ModuleType


def load(name: str) -> Kernels:
    """The kernels of a backend; skips the test where they are missing."""
    try:
        blend, visible = dispatch.load(name, "blend"), dispatch.load(name, "visible")
    except ImportError as error:
        pytest.skip(f"no kernels for {name}: {error}")
    package = f"jaxsoftras.kernels.{name}"
    limits = {"triton": "faces", "mosaic": "walk"}[name]
    calls = {"triton": "custom_call @__gpu$xla.gpu.triton", "mosaic": "mosaic_gpu_v2"}
    return Kernels(
        name,
        blend,
        visible,
        calls[name],
        importlib.import_module(f"{package}.{limits}"),
    )


HEIGHT, WIDTH = 9, 13  # no multiple of anything
FLAT = 4  # index of a face without area, of which two corners coincide
FLAT_TEXELS = slice(FLAT * 4, FLAT * 4 + 4)  # of a surface texture


def make_faces() -> np.ndarray:
    """``[2, 9, 3, 3]``: overlapping faces, and all that can be wrong with a face."""
    rng = np.random.default_rng(0)
    faces = np.concatenate(
        [rng.uniform(-0.8, 0.8, (2, 9, 3, 2)), rng.uniform(2, 2.02, (2, 9, 3, 1))], -1
    )
    faces[:, 1] = faces[:, 0]  # coincident
    faces[:, 2, 0] = np.nan
    faces[:, 3, 2, 2] = -1  # behind the camera
    faces[:, FLAT, 2] = faces[:, FLAT, 1]  # without area
    faces[:, 5, 0, 2] = 0.5  # partly nearer than near
    faces[0, 6, :, 0] += 5  # off-screen
    faces[1, 6, :, :2] *= 60  # huge
    return faces.astype(np.float32)


def make_scene(
    kind: str, channels: int = 3, light: bool = False
) -> tuple[Scene, shading.Lookup]:
    """A scene with colours of a kind, and how to look them up."""
    rng = np.random.default_rng(1)
    images, count = make_faces().shape[:2]

    def random(*shape):
        return jnp.asarray(rng.uniform(-1, 1, shape), jnp.float32)

    values = texels = None
    lookup = shading.Lookup()
    if kind == "surface":
        lookup = shading.Lookup("surface", (2, 2))
        texels = random(images, count * 4, channels)
    elif kind == "image":
        lookup = shading.Lookup("image", (5, 4), "repeat")
        values, texels = random(images, count, 3, 2), random(1, 20, channels)
    else:
        values = random(images, count, {"corners": 3, "face": 1}[kind], channels)
    lit = random(images, count, 3, 2 * channels) if light else None
    # rounding decides which of the corners in the same place a pixel is nearest to
    if kind == "surface" and texels is not None:
        texels = texels.at[:, FLAT_TEXELS].set(texels[:, FLAT_TEXELS][:, :1])
    values, lit = (
        x if x is None or x.shape[2] < 3 else x.at[:, FLAT, 2].set(x[:, FLAT, 1])
        for x in (values, lit)
    )
    return Scene(
        jnp.asarray(make_faces()),
        jnp.asarray([1e-3, 3e-4], jnp.float32),
        jnp.asarray([1e-3, 1e-4], jnp.float32),
        shading.Attributes(values, texels, lit),
    ), lookup


def make_task(
    lookup: shading.Lookup | None = None,
    height: int = HEIGHT,
    width: int = WIDTH,
    **options: Any,
) -> Task:
    """A task with near = 1 and clockwise front faces, as in the original."""
    options = {"near": 1.0, "front_face": "clockwise"} | options
    return Task(height, width, RasterOptions(**options), lookup or shading.Lookup())


def with_gradients(draw, task):
    """A function of a scene to its image and the gradient of a weighted sum."""

    def run(scene):
        blend, pullback = jax.vjp(lambda scene: draw(scene, task), scene)
        rng = np.random.default_rng(2)
        weights = jax.tree.map(
            # sharded as the image is
            lambda x: (
                jnp.ones_like(x) * rng.normal(size=x.shape[1:]).astype(np.float32)
            ),
            blend,
        )
        return blend, pullback(weights)[0]

    return run


def add_coincident_corners(result):
    """Rounding decides which of two edges in the same place is the nearest."""
    blend, gradient = result
    count = make_faces().shape[1]

    def add(x):
        x = jnp.asarray(np.asarray(x))  # from all devices
        if x.ndim == 3 and x.shape[1] == count * 4:
            total = x[:, FLAT_TEXELS].sum(axis=1, keepdims=True)
            return x.at[:, FLAT_TEXELS].set(total)
        if x.ndim < 4:
            return x
        return x.at[:, FLAT, 1].add(x[:, FLAT, 2]).at[:, FLAT, 2].set(0)

    return blend, jax.tree.map(add, gradient)


def assert_close(got, expected, rtol=1e-4):
    """Each array within a part of its largest number."""
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        g, e = np.asarray(g), np.asarray(e)
        assert np.isfinite(g).all()
        covered = np.abs(e) < 1e30  # the logit of no face is the lowest number
        np.testing.assert_array_equal(g[~covered], e[~covered])
        largest = np.abs(e[covered]).max(initial=0)
        np.testing.assert_allclose(g[covered], e[covered], rtol=0, atol=rtol * largest)


def assert_same_bytes(got, expected):
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))


def lowered(function, *arguments, devices=1, **shard_map) -> str:
    """The program for GPUs, without one; with arguments of `jax.shard_map`, sharded."""
    device = AbstractDevice("NVIDIA H100 80GB HBM3", num_cores=132, platform="cuda")
    mesh = AbstractMesh(
        (devices,), ("data",), axis_types=(AxisType.Auto,), abstract_device=device
    )
    if shard_map:
        function = jax.shard_map(
            function, mesh=mesh, in_specs=P("data"), out_specs=P("data"), **shard_map
        )
    arguments = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), arguments
    )
    with jax.sharding.use_abstract_mesh(mesh):
        traced = jax.jit(function).trace(*arguments)
        return traced.lower(lowering_platforms=("cuda",)).as_text()


def unexpected(warnings) -> list[str]:
    """The messages of recorded warnings, but for Triton's deprecation."""
    messages = (str(warning.message) for warning in warnings)
    return list(
        itertools.filterfalse(
            lambda text: "Triton backend is deprecated" in text, messages
        )
    )
