"""Linear functions with a transpose of their own, in forward and in reverse mode.

`jax.custom_vjp` allows reverse mode alone, and `jax.custom_jvp` needs derivatives that
JAX can transpose, which a loop of data-dependent length is not. `call` serves both: a
rule of `jax.custom_jvp` calls it with the derivative and with its transpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.custom_partitioning import custom_partitioning
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import PartitionSpec as P

Function = Callable[..., tuple[jax.Array, ...]]
"""Takes arrays, and returns a tuple of arrays."""

_linear = Primitive("linear_with_transpose")
_linear.multiple_results = True

_divided = custom_partitioning(lambda x: x)
_divided.def_partition(lambda *_: None, sharding_rule="->")

# A program that may be divided among devices must know them when it is lowered. JAX
# looks for such programs in the parameters of a primitive, but not in functions: this
# parameter, which nothing runs, stands for those that the functions of `call` hold.
_NEEDS_DEVICES = jax.make_jaxpr(_divided)(jax.ShapeDtypeStruct((), jnp.float32))


def _bind(*arrays: jax.Array, **parameters: Any) -> list[jax.Array]:
    return _linear.bind(*arrays, **parameters, needs_devices=_NEEDS_DEVICES)


def call(
    function: Callable[[Any, Any], Any],
    transpose: Callable[[Any, Any], Any],
    residuals: Any,
    values: Any,
    like: Any,
) -> Any:
    """Calls a function that is linear in its second argument.

    Forward mode and `jax.vmap` follow the function, to any order. Reverse mode takes
    the transpose, and does not trace the function.

    Args:
        function: maps residuals and values to the result.
        transpose: maps residuals and the cotangent of the result to that of the values.
        residuals: pytree of arrays.
        values: pytree of floating-point arrays.
        like: pytree of arrays of the result's types.

    Returns:
        The result.

    Example:
        >>> def scale(factor, x):
        ...     return factor * x
        >>> def scaled(x):
        ...     return linear.call(scale, scale, jnp.float32(3), x, like=x)
        >>> print(jax.grad(scaled)(2.0), jax.jvp(scaled, (2.0,), (1.0,))[1])
        3.0 3.0
    """
    known, known_tree = jax.tree.flatten(residuals)
    given, given_tree = jax.tree.flatten(values)
    results, result_tree = jax.tree.flatten(like)

    def forward(*arrays):
        first, second = arrays[: len(known)], arrays[len(known) :]
        result = function(known_tree.unflatten(first), given_tree.unflatten(second))
        return tuple(jax.tree.leaves(result))

    def backward(*arrays):
        first, second = arrays[: len(known)], arrays[len(known) :]
        result = transpose(known_tree.unflatten(first), result_tree.unflatten(second))
        return tuple(jax.tree.leaves(result))

    out = _bind(
        *known,
        *given,
        forward=forward,
        backward=backward,
        known=len(known),
        types=tuple(jax.typeof(result).to_tangent_aval() for result in results),
    )
    return result_tree.unflatten(out)


_ONE_REVERSE = (
    "Reverse mode over a derivative of the rasterizer is not supported, because JAX "
    "cannot transpose a loop of data-dependent length; take forward mode over reverse "
    "mode (jax.jvp of jax.grad, jax.hessian), or implementation='reference'."
)


def refuse(*_):
    """The transpose of a derivative that has none.

    Raises:
        NotImplementedError: always, with what to do.
    """
    raise NotImplementedError(_ONE_REVERSE)


def _run(*arrays, forward: Function, **_) -> tuple[jax.Array, ...]:
    return forward(*arrays)


def _jvp(
    primals, tangents, *, forward: Function, backward: Function, known, types, **_
):
    parameters = {
        "forward": forward,
        "backward": backward,
        "known": known,
        "types": types,
    }
    result = _bind(*primals, **parameters)
    moving = [k for k in range(known) if not isinstance(tangents[k], ad.Zero)]
    along = None
    if not all(isinstance(tangent, ad.Zero) for tangent in tangents[known:]):
        changes = [ad.instantiate_zeros(tangent) for tangent in tangents[known:]]
        along = _bind(*primals[:known], *changes, **parameters)
    if moving:
        # the function of the residuals is not linear; its derivative is
        def by_residuals(*arrays):
            fixed, changes = arrays[: len(primals)], arrays[len(primals) :]

            def at(*some):
                inputs = list(fixed)
                for k, value in zip(moving, some, strict=True):
                    inputs[k] = value
                return forward(*inputs)

            return jax.jvp(at, tuple(fixed[k] for k in moving), changes)[1]

        others = _bind(
            *primals,
            *(tangents[k] for k in moving),
            forward=by_residuals,
            backward=refuse,
            known=len(primals),
            types=types,
        )
        along = others if along is None else [*map(jnp.add, along, others)]
    if along is None:
        along = [ad.Zero(kind) for kind in types]
    return result, along


def _transpose(cotangents, *inputs, backward: Function, known: int, types, **_):
    residuals, values = inputs[:known], inputs[known:]
    if all(isinstance(cotangent, ad.Zero) for cotangent in cotangents):
        return [None] * len(inputs)
    cotangents = [ad.instantiate_zeros(cotangent) for cotangent in cotangents]
    results = backward(*residuals, *cotangents)
    wanted = map(ad.is_undefined_primal, values)
    return [
        *(None for _ in residuals),
        *(r if w else None for r, w in zip(results, wanted, strict=True)),
    ]


def _batched_type(kind, size: int):
    sharding = kind.sharding
    spec = P(None, *sharding.spec)
    return kind.update(shape=(size, *kind.shape), sharding=sharding.update(spec=spec))


def _batch(
    arrays: Sequence[jax.Array],
    axes: Sequence[int | None],
    *,
    forward: Function,
    backward: Function,
    known: int,
    types,
    **_,
):
    size = next(
        array.shape[axis]
        for array, axis in zip(arrays, axes, strict=True)
        if axis is not None
    )
    residual_axes = tuple(axes[:known])
    values = [
        jnp.broadcast_to(array, (size, *array.shape))
        if axis is None
        else jnp.moveaxis(array, axis, 0)
        for array, axis in zip(arrays[known:], axes[known:], strict=True)
    ]
    in_axes = (*residual_axes, *(0 for _ in values))
    out = _bind(
        *arrays[:known],
        *values,
        forward=jax.vmap(forward, in_axes, axis_size=size),
        backward=jax.vmap(
            backward, (*residual_axes, *(0 for _ in types)), axis_size=size
        ),
        known=known,
        types=tuple(_batched_type(kind, size) for kind in types),
    )
    return out, [0] * len(out)


_linear.def_impl(lambda *arrays, **parameters: list(_run(*arrays, **parameters)))
_linear.def_abstract_eval(lambda *_, types, **__: list(types))
mlir.register_lowering(_linear, mlir.lower_fun(_run, multiple_results=True))
ad.primitive_jvps[_linear] = _jvp
ad.primitive_transposes[_linear] = _transpose
batching.primitive_batchers[_linear] = _batch
