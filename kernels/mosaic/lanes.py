"""What the threads of a Pallas kernel for Mosaic GPU do each by itself.

Mosaic works on whole vectors; here every thread of a warpgroup holds one element of
each, its *lane*. Pallas has no loads, stores and additions at a place of the lane's
own, no exchange between lanes and no loop of the lane's own length, so that these are
written out in MLIR and PTX. `mosaic_lanes_interpreted` has the same for Pallas'
interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.mosaic.gpu import FragmentedArray, utils
from jax.experimental.pallas import mosaic_gpu
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import arith, llvm, memref, scf, vector

from jaxsoftras.kernels.mosaic import elementwise as mosaic_elementwise

LANES = 128
"""Threads of a warpgroup, which is what a program has."""

WARP = 32
"""Lanes that can exchange values."""

State = TypeVar("State")

_LAYOUT = mosaic_gpu.Layout.WG_STRIDED((LANES,), vec_size=1)
_REF = mosaic_gpu.RefType()


def _vector(dtype) -> mosaic_gpu.ShapeDtypeStruct:
    return mosaic_gpu.ShapeDtypeStruct((LANES,), dtype, layout=_LAYOUT)


def _own(array: FragmentedArray) -> ir.Value:
    """The element that the running thread holds."""
    (register,) = array.registers.flat
    return vector.extract(
        register,
        dynamic_position=[],
        static_position=ir.DenseI64ArrayAttr.get([0]),
    )


def _index(place: ir.Value) -> ir.Value:
    return arith.index_cast(ir.IndexType.get(), place)


def _where(mask: FragmentedArray) -> ir.InsertionPoint:
    """What is inserted here runs only in lanes with a true mask."""
    block = scf.IfOp(_own(mask)).then_block
    with ir.InsertionPoint(block):
        end = scf.YieldOp([])
    return ir.InsertionPoint(end)


def number() -> jax.Array:
    """``[LANES]`` int32: 0, 1, ..."""
    return mosaic_gpu.broadcasted_iota(jnp.int32, (LANES,), 0, layout=_LAYOUT)


def each(function: Callable[..., Any], *arguments: Any) -> Any:
    """What an elementwise function makes of vectors, with one scalar code for all.

    Args:
        function: of pytrees of vectors; it closes over no arrays.
        *arguments: its arguments, vectors ``[LANES]`` or Python's numbers.

    Returns:
        What it returns; see `mosaic_elementwise` for the precision.
    """
    leaves, arguments_tree = jax.tree.flatten(arguments)
    varies = [isinstance(leaf, jax.Array) for leaf in leaves]
    vectors = [leaf for leaf, varying in zip(leaves, varies, strict=True) if varying]

    def of_vectors(*vectors):
        rest = iter(vectors)
        all_leaves = [
            next(rest) if varying else leaf
            for leaf, varying in zip(leaves, varies, strict=True)
        ]
        return function(*jax.tree.unflatten(arguments_tree, all_leaves))

    types, tree, write = mosaic_elementwise.scalar_code(of_vectors, *vectors)

    @mosaic_gpu.inline_mgpu(
        arg_types=(_LAYOUT,) * len(vectors), return_type=tuple(map(_vector, types))
    )
    def evaluate(_, *vectors):
        like = vectors[0]
        return tuple(
            like.foreach(
                lambda *_, result=result: result,
                create_array=True,
                is_signed=utils.is_signed(dtype),
            )
            for result, dtype in zip(write([*map(_own, vectors)]), types, strict=True)
        )

    return jax.tree.unflatten(tree, evaluate(*vectors))


def load(ref, place: jax.Array) -> jax.Array:
    """``ref[place]``, for a reference to ``[N]`` in global memory."""
    dtype = ref.dtype

    @mosaic_gpu.inline_mgpu(arg_types=(_REF, _LAYOUT), return_type=_vector(dtype))
    def gather(_, ref, place):
        return place.foreach(
            lambda own, _: memref.load(ref, [_index(own)]),
            create_array=True,
            is_signed=utils.is_signed(dtype),
        )

    return gather(ref, place)


def store(ref, place: jax.Array, values: Sequence[jax.Array], mask: jax.Array) -> None:
    """``ref[k, place] = values[k]`` for all k, where the mask is true."""
    layouts = (_LAYOUT,) * len(values)

    @mosaic_gpu.inline_mgpu(arg_types=(_REF, _LAYOUT, layouts, _LAYOUT))
    def scatter(_, ref, place, values, mask):
        with _where(mask):
            for k, value in enumerate(values):
                row = arith.constant(ir.IndexType.get(), k)
                memref.store(_own(value), ref, [row, _index(_own(place))])

    scatter(ref, place, tuple(values), mask)


def _number(ref, place: FragmentedArray) -> ir.Value:
    """The address of a number of two words."""
    word = ir.IntegerType.get_signless(64)
    return utils.getelementptr(utils.memref_ptr(ref), [_own(place)], word)


def _run(code: str, constraints: str, *operands: ir.Value) -> None:
    nothing = ir.Type.parse("!llvm.void")
    llvm.inline_asm(nothing, operands, code, constraints, has_side_effects=True)


def add(ref, place: jax.Array, value: jax.Array, mask: jax.Array) -> None:
    """Adds to 64-bit integers in global memory, in any order.

    Args:
        ref: ``[N, 2]`` uint32, the low and the high word of each integer; a negative
            one is the complement of two.
        place: which of the ``N``; several lanes may name the same.
        value: floats, which are rounded; smaller in size than ``2**63``.
        mask: which lanes add anything.
    """

    @mosaic_gpu.inline_mgpu(arg_types=(_REF, _LAYOUT, _LAYOUT, _LAYOUT))
    def accumulate(_, ref, place, value, mask):
        with _where(mask):
            _run(
                "{ .reg .s64 integer; cvt.rni.s64.f32 integer, $1;"
                " red.relaxed.gpu.global.add.u64 [$0], integer; }",
                "l,f",
                _number(ref, place),
                _own(value),
            )

    accumulate(ref, place, value, mask)


def lower(ref, place: jax.Array, value: jax.Array, mask: jax.Array) -> None:
    """Replaces floats in global memory by lesser ones, in any order.

    Args:
        ref: ``[N]`` uint32, the bits of floats that are not negative; they are in the
            order of the floats.
        place: which of the ``N``; several lanes may name the same.
        value: floats that are not negative.
        mask: which lanes replace anything.
    """

    @mosaic_gpu.inline_mgpu(arg_types=(_REF, _LAYOUT, _LAYOUT, _LAYOUT))
    def replace(_, ref, place, value, mask):
        with _where(mask):
            # Mostly another lane got there first, and reading is cheaper. An old value
            # does no harm: it is larger.
            word = ir.IntegerType.get_signless(32)
            _run(
                "{ .reg .u32 known; .reg .pred less; ld.global.u32 known, [$0];"
                " setp.lt.u32 less, $1, known;"
                " @less red.relaxed.gpu.global.min.u32 [$0], $1; }",
                "l,r",
                utils.getelementptr(utils.memref_ptr(ref), [_own(place)], word),
                arith.bitcast(word, _own(value)),
            )

    replace(ref, place, value, mask)


def lower_key(
    ref, place: jax.Array, value: jax.Array, number: jax.Array, mask: jax.Array
) -> None:
    """Replaces 64-bit integers in global memory by lesser ones, in any order.

    Args:
        ref: ``[N, 2]`` uint32, the low and the high word of each integer.
        place: which of the ``N``; several lanes may name the same.
        value: floats that are not negative, which make the high word.
        number: int32 that are not negative, which make the low word.
        mask: which lanes replace anything.
    """

    @mosaic_gpu.inline_mgpu(arg_types=(_REF, *(_LAYOUT,) * 4))
    def replace(_, ref, place, value, number, mask):
        with _where(mask):
            _run(
                "{ .reg .b64 key, known; .reg .pred less; mov.b64 key, {$2, $1};"
                " ld.global.u64 known, [$0]; setp.lt.u64 less, key, known;"
                " @less red.relaxed.gpu.global.min.u64 [$0], key; }",
                "l,r,r",
                _number(ref, place),
                arith.bitcast(ir.IntegerType.get_signless(32), _own(value)),
                _own(number),
            )

    replace(ref, place, value, number, mask)


def exchange(value: jax.Array, distance: int) -> jax.Array:
    """In lane k what lane ``k ^ distance`` holds, both of the same warp."""

    @mosaic_gpu.inline_mgpu(arg_types=(_LAYOUT,), return_type=_vector(value.dtype))
    def shuffle(_, value):
        return value.foreach(
            lambda own, _: utils.shfl_bfly(own, distance),
            create_array=True,
            is_signed=value.is_signed,
        )

    return shuffle(value)


def repeat(
    count: jax.Array, body: Callable[[jax.Array | bool, State], State], state: State
) -> State:
    """A loop in which each lane takes as many steps as it has to.

    Args:
        count: ``[LANES]`` int32.
        body: ``body(active, state) -> state``; ``active`` is true in the lanes that
            take this step. It may exchange values only if all lanes of a warp take as
            many steps as each other.
        state: before the first step; of vectors.

    Returns:
        The state of each lane after its last step.
    """
    # Mosaic takes a scalar for the same in all lanes. It is not, and nothing minds: the
    # loop becomes one of the thread's own, as in any program for GPUs.
    result = mosaic_gpu.ShapeDtypeStruct(
        (), jnp.int32, layout=mosaic_gpu.Layout.WG_SPLAT(())
    )

    @mosaic_gpu.inline_mgpu(arg_types=(_LAYOUT,), return_type=result)
    def own(_, count):
        return FragmentedArray.splat(_own(count), (), is_signed=True)

    return lax.fori_loop(0, own(count), lambda _, state: body(True, state), state)
