"""Per-thread operations of a Mosaic kernel.

Mosaic works on whole vectors; here every thread of a warpgroup holds one element of
each, its *lane*. Pallas has no loads, stores or atomics at per-lane addresses, no
shuffles and no loops with a per-lane trip count; they are written here in MLIR and PTX.
`lanes_interpreted` has the same for Pallas' interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.mosaic.gpu import FragmentedArray, utils
from jax.experimental.pallas import mosaic_gpu
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import arith, llvm, memref, scf, vector

from jaxsoftras.kernels.mosaic import elementwise

LANES = 128
"""Threads of a warpgroup."""

WARP = 32
"""Lanes that can exchange values."""

State = TypeVar("State")

_LAYOUT = mosaic_gpu.Layout.WG_STRIDED((LANES,), vec_size=1)
_REF = mosaic_gpu.RefType()


class Lanes(Protocol):
    """Operations of the lanes of a warpgroup; hashable, as plans are static."""

    def lane_id(self) -> jax.Array:
        """``[LANES]`` int32: 0, 1, ..."""
        ...

    def map_elementwise(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Evaluates an elementwise function of vectors, with one scalar code for all.

        Args:
            function: takes pytrees of vectors; it closes over no arrays.
            *arguments: its arguments, vectors ``[LANES]`` or Python's numbers.

        Returns:
            The function's result; `elementwise` states the precision.
        """
        ...

    def load(self, ref: Any, place: jax.Array) -> jax.Array:
        """``ref[place]``, for a reference to ``[N]`` in global memory."""
        ...

    def store(
        self, ref: Any, place: jax.Array, values: Sequence[jax.Array], mask: jax.Array
    ) -> None:
        """``ref[k, place] = values[k]`` for all k, where the mask is true."""
        ...

    def add(
        self, ref: Any, place: jax.Array, value: jax.Array, mask: jax.Array
    ) -> None:
        """Adds to 64-bit integers in global memory, in any order.

        Args:
            ref: ``[N, 2]`` uint32, the low and the high word of each integer, in
                two's complement.
            place: indices among the ``N``; several lanes may name the same.
            value: floats, which are rounded; smaller in size than ``2**63``.
            mask: lanes that add anything.
        """
        ...

    def atomic_min(
        self, ref: Any, place: jax.Array, value: jax.Array, mask: jax.Array
    ) -> None:
        """Replaces floats in global memory by lesser ones, in any order.

        Args:
            ref: ``[N]`` uint32, the bits of floats that are not negative; they are in
                the order of the floats.
            place: indices among the ``N``; several lanes may name the same.
            value: floats that are not negative.
            mask: lanes that replace anything.
        """
        ...

    def atomic_min_key(
        self,
        ref: Any,
        place: jax.Array,
        value: jax.Array,
        number: jax.Array,
        mask: jax.Array,
    ) -> None:
        """Replaces 64-bit integers in global memory by lesser ones, in any order.

        Args:
            ref: ``[N, 2]`` uint32, the low and the high word of each integer.
            place: indices among the ``N``; several lanes may name the same.
            value: floats that are not negative, which make the high word.
            number: int32 that are not negative, which make the low word.
            mask: lanes that replace anything.
        """
        ...

    def shuffle_xor(self, value: jax.Array, distance: int) -> jax.Array:
        """In lane k the value of lane ``k ^ distance``, both of the same warp."""
        ...

    def lane_loop(
        self,
        count: jax.Array,
        body: Callable[[jax.Array | bool, State], State],
        state: State,
    ) -> State:
        """A loop in which each lane takes a number of steps of its own.

        Args:
            count: ``[LANES]`` int32, the steps of each lane.
            body: ``body(active, state) -> state``; ``active`` is true in the lanes that
                take this step. It may exchange values only if all lanes of a warp take
                as many steps as each other.
            state: vectors before the first step.

        Returns:
            The state of each lane after its last step.
        """
        ...


def _vector(dtype) -> mosaic_gpu.ShapeDtypeStruct:
    return mosaic_gpu.ShapeDtypeStruct((LANES,), dtype, layout=_LAYOUT)


def _element(array: FragmentedArray) -> ir.Value:
    """The element that the running thread holds."""
    (register,) = array.registers.flat
    return vector.extract(
        register,
        dynamic_position=[],
        static_position=ir.DenseI64ArrayAttr.get([0]),
    )


def _index(place: ir.Value) -> ir.Value:
    return arith.index_cast(ir.IndexType.get(), place)


def _if_mask(mask: FragmentedArray) -> ir.InsertionPoint:
    """Code inserted here runs only in lanes with a true mask."""
    block = scf.IfOp(_element(mask)).then_block
    with ir.InsertionPoint(block):
        end = scf.YieldOp([])
    return ir.InsertionPoint(end)


def _address(ref, place: FragmentedArray) -> ir.Value:
    """The address of an integer of two words."""
    word = ir.IntegerType.get_signless(64)
    return utils.getelementptr(utils.memref_ptr(ref), [_element(place)], word)


def _run(code: str, constraints: str, *operands: ir.Value) -> None:
    nothing = ir.Type.parse("!llvm.void")
    llvm.inline_asm(nothing, operands, code, constraints, has_side_effects=True)


class GpuLanes:
    """`Lanes` as code for the GPU."""

    def lane_id(self):
        """See `Lanes.lane_id`."""
        return mosaic_gpu.broadcasted_iota(jnp.int32, (LANES,), 0, layout=_LAYOUT)

    def map_elementwise(self, function, *arguments):
        """See `Lanes.map_elementwise`."""
        leaves, arguments_tree = jax.tree.flatten(arguments)
        varies = [isinstance(leaf, jax.Array) for leaf in leaves]
        vectors = [
            leaf for leaf, varying in zip(leaves, varies, strict=True) if varying
        ]

        def call(*vectors):
            rest = iter(vectors)
            all_leaves = [
                next(rest) if varying else leaf
                for leaf, varying in zip(leaves, varies, strict=True)
            ]
            return function(*jax.tree.unflatten(arguments_tree, all_leaves))

        types, tree, write = elementwise.scalar_code(call, *vectors)

        @mosaic_gpu.inline_mgpu(
            arg_types=(_LAYOUT,) * len(vectors), return_type=tuple(map(_vector, types))
        )
        def evaluate(_, *vectors):
            like = vectors[0]
            results = write([*map(_element, vectors)])
            return tuple(
                like.foreach(
                    lambda *_, result=result: result,
                    create_array=True,
                    is_signed=utils.is_signed(dtype),
                )
                for result, dtype in zip(results, types, strict=True)
            )

        return jax.tree.unflatten(tree, evaluate(*vectors))

    def load(self, ref, place):
        """See `Lanes.load`."""
        dtype = ref.dtype

        @mosaic_gpu.inline_mgpu(arg_types=(_REF, _LAYOUT), return_type=_vector(dtype))
        def gather(_, ref, place):
            return place.foreach(
                lambda element, _: memref.load(ref, [_index(element)]),
                create_array=True,
                is_signed=utils.is_signed(dtype),
            )

        return gather(ref, place)

    def store(self, ref, place, values, mask):
        """See `Lanes.store`."""
        layouts = (_LAYOUT,) * len(values)

        @mosaic_gpu.inline_mgpu(arg_types=(_REF, _LAYOUT, layouts, _LAYOUT))
        def scatter(_, ref, place, values, mask):
            with _if_mask(mask):
                for k, value in enumerate(values):
                    row = arith.constant(ir.IndexType.get(), k)
                    memref.store(_element(value), ref, [row, _index(_element(place))])

        scatter(ref, place, tuple(values), mask)

    def add(self, ref, place, value, mask):
        """See `Lanes.add`."""

        @mosaic_gpu.inline_mgpu(arg_types=(_REF, _LAYOUT, _LAYOUT, _LAYOUT))
        def accumulate(_, ref, place, value, mask):
            with _if_mask(mask):
                _run(
                    "{ .reg .s64 integer; cvt.rni.s64.f32 integer, $1;"
                    " red.relaxed.gpu.global.add.u64 [$0], integer; }",
                    "l,f",
                    _address(ref, place),
                    _element(value),
                )

        accumulate(ref, place, value, mask)

    def atomic_min(self, ref, place, value, mask):
        """See `Lanes.atomic_min`."""

        @mosaic_gpu.inline_mgpu(arg_types=(_REF, _LAYOUT, _LAYOUT, _LAYOUT))
        def replace(_, ref, place, value, mask):
            with _if_mask(mask):
                # Mostly another lane got there first, and reading is cheaper. An old
                # value does no harm: it is larger.
                word = ir.IntegerType.get_signless(32)
                _run(
                    "{ .reg .u32 known; .reg .pred less; ld.global.u32 known, [$0];"
                    " setp.lt.u32 less, $1, known;"
                    " @less red.relaxed.gpu.global.min.u32 [$0], $1; }",
                    "l,r",
                    utils.getelementptr(utils.memref_ptr(ref), [_element(place)], word),
                    arith.bitcast(word, _element(value)),
                )

        replace(ref, place, value, mask)

    def atomic_min_key(self, ref, place, value, number, mask):
        """See `Lanes.atomic_min_key`."""

        @mosaic_gpu.inline_mgpu(arg_types=(_REF, *(_LAYOUT,) * 4))
        def replace(_, ref, place, value, number, mask):
            with _if_mask(mask):
                _run(
                    "{ .reg .b64 key, known; .reg .pred less; mov.b64 key, {$2, $1};"
                    " ld.global.u64 known, [$0]; setp.lt.u64 less, key, known;"
                    " @less red.relaxed.gpu.global.min.u64 [$0], key; }",
                    "l,r,r",
                    _address(ref, place),
                    arith.bitcast(ir.IntegerType.get_signless(32), _element(value)),
                    _element(number),
                )

        replace(ref, place, value, number, mask)

    def shuffle_xor(self, value, distance):
        """See `Lanes.shuffle_xor`."""

        @mosaic_gpu.inline_mgpu(arg_types=(_LAYOUT,), return_type=_vector(value.dtype))
        def shuffle(_, value):
            return value.foreach(
                lambda element, _: utils.shfl_bfly(element, distance),
                create_array=True,
                is_signed=value.is_signed,
            )

        return shuffle(value)

    def lane_loop(self, count, body, state):
        """See `Lanes.lane_loop`."""
        # Mosaic assumes that a scalar is uniform across lanes. This one is not, which
        # is harmless: each thread loops as often as its own count says, as in any CUDA
        # program.
        result = mosaic_gpu.ShapeDtypeStruct(
            (), jnp.int32, layout=mosaic_gpu.Layout.WG_SPLAT(())
        )

        @mosaic_gpu.inline_mgpu(arg_types=(_LAYOUT,), return_type=result)
        def steps(_, count):
            return FragmentedArray.splat(_element(count), (), is_signed=True)

        return lax.fori_loop(0, steps(count), lambda _, state: body(True, state), state)


GPU: Lanes = GpuLanes()
