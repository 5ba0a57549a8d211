"""Large layers divided among devices, along an axis ``"model"`` of the device mesh.

Device meshes have the axes ``("data", "model")``. Batches are divided along both, so
that every device has images of its own. Every device has all parameters. Of a kernel of
at least ``LARGE`` numbers, the gradient and the optimiser's moments are divided along
its inputs, if they divide evenly: each device of a row computes the gradient of its
part from the features and cotangents of all their images, updates its part of the
kernel, and the parts are sent to the others. For the paper's largest layer, 16,384 x
1,024, a device computes and updates half as many numbers if there are two.

The gradient of another kernel behind the stages of the encoder is computed by each
device for all images, from features and cotangents that the devices send each other.

Layers call the functions here wherever they run: on one device, in a program that XLA
divides, or within `jax.shard_map`, where each device has its own images, and what is of
all devices is asked for by name.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence, Set
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras.models import exchanges

LARGE = 2**22
"""Numbers of a kernel from which on its gradient is divided, 16 MiB in single
precision."""

BATCH = P(("data", "model"))
"""How batches are divided, along their first axis."""


_MOMENTS = {"mu", "nu"}  # of Adam, as Optax names them


def is_divided(
    path: jax.tree_util.KeyPath, shape: tuple[int, ...], mesh: Mesh | AbstractMesh
) -> bool:
    """Whether the gradient by a parameter is divided, along its first axis.

    Args:
        path: of the parameter, in a pytree.
        shape: of the parameter.
        mesh: the devices, with the axes ``("data", "model")``.
    """
    parts = mesh.shape.get("model", 1)
    if parts == 1 or len(shape) != 2 or shape[0] % parts:
        return False
    # tables of features, which are no kernels, are used as a whole
    table = find_names(path) & {"sites", "position"}
    return shape[0] * shape[1] >= LARGE and not table


def place(state: Any, mesh: Mesh) -> Any:
    """Shardings for the arrays of a state, or of the shapes in their place.

    Args:
        state: a pytree of arrays, Adam's moments among them, which are divided as the
            gradients are.
        mesh: the devices, with the axes ``("data", "model")``.
    """

    def choose(path: jax.tree_util.KeyPath, x: Any) -> NamedSharding:
        divided = is_moment(path) and is_divided(path, x.shape, mesh)
        return NamedSharding(mesh, P("model") if divided else P())

    return jax.tree.map_with_path(choose, state)


def is_moment(path: jax.tree_util.KeyPath) -> bool:
    """Whether an array of a state is one of Adam's moments."""
    return bool(find_names(path) & _MOMENTS)


def find_names(path: jax.tree_util.KeyPath) -> set[str]:
    """Names of entries of mappings, and of fields, in a path of a pytree."""
    names = (getattr(e, "key", getattr(e, "name", None)) for e in path)
    return {name for name in names if isinstance(name, str)}


def check(placement: Any, parts: int) -> None:
    """Warns if devices are set apart to divide layers, and no layer is divided.

    Args:
        placement: shardings of a state; see `place`.
        parts: number of devices that are to divide a layer.
    """
    shardings = jax.tree.leaves(placement)
    if parts > 1 and all(each.is_fully_replicated for each in shardings):
        warnings.warn(
            f"devices.model={parts} divides no layer: none has a kernel of {LARGE:,} "
            f"numbers or more and a number of inputs that {parts} divides. Every "
            "device updates the whole network.",
            stacklevel=2,
        )


def multiply(
    features: jax.Array, kernel: jax.Array, *args: Any, **options: Any
) -> jax.Array:
    """Multiplies features by the kernel of a layer.

    Within `jax.shard_map`, features are those of a device's own images. What a device
    has of the gradient follows from how the kernel is marked by `jax.lax.pcast`:

    - As each device's own: the gradient of its own images.
    - As its own along ``"model"`` alone, for a layer with features ``[N, C]``: of all
      images, in the device's part of the inputs; zeros elsewhere. If two devices divide
      it, each has its own half of the kernel first; see `models.halves`.
    - Not at all, for a layer with features ``[N, C]``: the whole gradient.

    Args:
        features: ``[N, ..., C]``.
        kernel: ``[C, D]``.
        *args: further arguments of `jax.lax.dot_general`.
        **options: options of `jax.lax.dot_general`.

    Returns:
        ``[N, ..., D]``.

    Raises:
        ValueError: the kernel is a device's own along ``"model"`` alone, and the
            features are not ``[N, C]``.
    """
    # gradients are traced later, when `jax.default_matmul_precision` may have ended
    precision = cast(Any, jax.config).jax_default_matmul_precision

    def product(features: jax.Array, kernel: jax.Array) -> jax.Array:
        with jax.default_matmul_precision(precision):
            return jax.lax.dot_general(features, kernel, *args, **options)

    if not own_axes():
        return product(features, kernel)
    varying = varying_axes(kernel)
    if varying == {"model"}:
        if features.ndim != 2:
            raise ValueError(
                "A kernel whose gradient is divided multiplies features [N, C], not of "
                f"shape {features.shape}: mark it as each device's own instead."
            )
        return cast(jax.Array, _multiply_divided(product, features, kernel))
    if not varying and features.ndim == 2:
        return cast(jax.Array, _multiply_common(product, features, kernel))
    return product(features, kernel)


_Product = Callable[[jax.Array, jax.Array], jax.Array]
_Residuals = tuple[jax.Array, jax.Array]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _multiply_common(
    product: _Product, features: jax.Array, kernel: jax.Array
) -> jax.Array:
    """`multiply` by a kernel whose whole gradient each device computes."""
    return product(features, kernel)


def _multiply_forward(
    product: _Product, features: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, _Residuals]:
    return product(features, kernel), (features, kernel)


def _multiply_common_backward(
    product: _Product, residuals: _Residuals, cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    features, kernel = residuals
    _, to_features = jax.vjp(lambda features: product(features, kernel), features)
    by_features = to_features(cotangent)
    features, cotangent = (
        exchanges.gather(part, own_axes()) for part in (features, cotangent)
    )
    _, to_kernel = jax.vjp(lambda kernel: product(features, kernel), kernel)
    return *by_features, *to_kernel(cotangent)


_multiply_common.defvjp(_multiply_forward, _multiply_common_backward)


def _multiply_by_parts(
    product: _Product, features: jax.Array, kernel: jax.Array
) -> jax.Array:
    """The product, by each half of the kernel if a device has its own first."""
    if jax.lax.axis_size("model") != 2:
        return product(features, kernel)
    columns = exchanges.split(features, ["model"])
    halves = zip(columns, jnp.split(kernel, 2), strict=True)
    own, other = (product(*half) for half in halves)
    return own + other


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _multiply_divided(
    product: _Product, features: jax.Array, kernel: jax.Array
) -> jax.Array:
    """`multiply` by a kernel of whose gradient each device computes a part."""
    return _multiply_by_parts(product, features, kernel)


def _multiply_divided_forward(
    product: _Product, features: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, _Residuals]:
    return _multiply_by_parts(product, features, kernel), (features, kernel)


def _multiply_divided_backward(
    product: _Product, residuals: _Residuals, cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    features, kernel = residuals
    _, to_features = jax.vjp(
        lambda features: _multiply_by_parts(product, features, kernel), features
    )
    by_features = to_features(cotangent)
    parts = jax.lax.axis_size("model")
    rows = len(kernel) // parts
    start = 0 if parts == 2 else jax.lax.axis_index("model") * rows  # own half first
    part = jax.lax.dynamic_slice_in_dim(kernel, start, rows, 0)
    columns, cotangents = exchanges.collect(features, cotangent, "model")
    _, to_part = jax.vjp(lambda part: product(columns, part), part)
    (by_part,) = to_part(cotangents)
    # the part is cut out again, which XLA knows to leave out with the zeros
    zeros = jnp.zeros(kernel.shape, by_part.dtype)
    by_kernel = jax.lax.dynamic_update_slice_in_dim(zeros, by_part, start, 0)
    return *by_features, by_kernel


_multiply_divided.defvjp(_multiply_divided_forward, _multiply_divided_backward)


def own_part(array: jax.Array) -> jax.Array:
    """Cuts out a device's part of an array that is divided, within `jax.shard_map`."""
    rows = len(array) // jax.lax.axis_size("model")
    start = jax.lax.axis_index("model") * rows
    return jax.lax.dynamic_slice_in_dim(array, start, rows, 0)


def by_device(
    function: Callable[..., jax.Array], mesh: Mesh, batch: Sequence[Any], *shared: Any
) -> jax.Array:
    """Calls a function of a batch on each device, with the items that it has.

    Args:
        function: maps arrays ``[N, ...]``, and what is shared, to ``[N, ...]``.
        mesh: the devices, with the axes ``("data", "model")``.
        batch: its first arguments, pytrees of arrays ``[N, ...]``.
        *shared: its further arguments, pytrees of arrays that all devices have.
    """
    if own_axes():
        return function(*batch, *shared)
    specs = (*(BATCH for _ in batch), *(P() for _ in shared))
    divided = jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=BATCH)
    return divided(*batch, *shared)


def vary(array: jax.Array, axes: Set[str]) -> jax.Array:
    """Marks an array as each device's own along axes, within `jax.shard_map`."""
    missing = tuple(sorted(axes - varying_axes(array)))
    return jax.lax.pcast(array, missing, to="varying") if missing else array


def own_axes() -> tuple[str, ...]:
    """Axes of the devices, within a `jax.shard_map` over them; none elsewhere."""
    return tuple(jax.sharding.get_abstract_mesh().manual_axes)


def varying_axes(array: jax.Array) -> frozenset[str]:
    """Axes of the devices along which an array is each device's own."""
    return jax.typeof(array).manual_axis_type.varying


def average(moments: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """Means over the devices within `jax.shard_map`; the same elsewhere."""
    axes = own_axes()
    return tuple(jax.lax.pmean(jnp.stack(moments), axes)) if axes else moments


def own(moments: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """Marks what the devices have in common as each device's own.

    Within `jax.shard_map`, derivatives by it are then those of one device, and are
    summed where it is marked.
    """
    axes = own_axes()
    if not axes:
        return moments
    return tuple(jax.lax.pcast(jnp.stack(moments), axes, to="varying"))
