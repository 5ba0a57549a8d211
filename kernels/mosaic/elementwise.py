"""Elementwise functions within a Mosaic kernel, as scalar code.

Mosaic knows few of JAX's operations, and finds a layout for the result of each: seconds
of compilation for the gradient of a face. Yet every thread holds one element of each
vector, so that an elementwise function is a program of scalars. It is written out here,
in MLIR, with the GPU's own approximations of reciprocal, exponential and logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental.mosaic.gpu import utils
from jax.extend import core
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import arith, llvm

# a product and a sum become one instruction
_FUSED = {"fastmath": arith.FastMathFlags.contract}
_INLINED = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call")


def _constant(value: Any, like: np.dtype) -> ir.Value:
    kind = utils.dtype_to_ir_type(like)
    number = float(value) if np.issubdtype(like, np.floating) else int(value)
    return arith.constant(kind, number)


def _approximate(name: str, x: ir.Value) -> ir.Value:
    """Calls an intrinsic of LLVM, by the GPU's own approximation."""
    return llvm.call_intrinsic(
        x.type,
        f"llvm.{name}",
        [x],
        op_bundle_operands=[],
        op_bundle_sizes=[],
        fastmath_flags=ir.Attribute.parse("#llvm.fastmath<afn>"),
    )


def _is_float(value: ir.Value) -> bool:
    return isinstance(value.type, ir.FloatType)


def _multiply(x: ir.Value, factor: float) -> ir.Value:
    return arith.mulf(x, arith.constant(x.type, factor), **_FUSED)


def _exp(x: ir.Value) -> ir.Value:
    return _approximate("exp2", _multiply(x, math.log2(math.e)))


def _log(x: ir.Value) -> ir.Value:
    # LLVM has no approximation of this one
    code = "lg2.approx.f32 $0, $1;"
    return _multiply(llvm.inline_asm(x.type, [x], code, "=f,f"), math.log(2))


def _plus_one(x: ir.Value) -> ir.Value:
    return arith.addf(x, arith.constant(x.type, 1.0), **_FUSED)


def _divide(x: ir.Value, y: ir.Value) -> ir.Value:
    if not _is_float(x):
        return arith.divsi(x, y)
    # fewer instructions than an IEEE division
    return arith.mulf(x, _reciprocal(y), **_FUSED)


def _reciprocal(x: ir.Value) -> ir.Value:
    one = arith.constant(x.type, 1.0)
    return arith.divf(one, x, fastmath=ir.Attribute.parse("#arith.fastmath<afn>"))


def _logistic(x: ir.Value) -> ir.Value:
    return _reciprocal(_plus_one(_exp(arith.negf(x))))


def _absolute(x: ir.Value) -> ir.Value:
    if _is_float(x):
        return _approximate("fabs", x)
    return arith.maxsi(x, arith.subi(arith.constant(x.type, 0), x))


def _negate(x: ir.Value) -> ir.Value:
    if _is_float(x):
        return arith.negf(x)
    return arith.subi(arith.constant(x.type, 0), x)


def _not(x: ir.Value) -> ir.Value:
    return arith.xori(x, arith.constant(x.type, -1))


def _by_type(for_floats, for_integers):
    """An operation of numbers; ``for_floats`` may be fused with others."""

    def apply(x: ir.Value, y: ir.Value) -> ir.Value:
        if _is_float(x):
            return for_floats(x, y, **_FUSED)
        return for_integers(x, y)

    return apply


def _subtract(x: ir.Value, y: ir.Value) -> ir.Value:
    return arith.subf(x, y) if _is_float(x) else arith.subi(x, y)


def _comparison(name: str, signed: str):
    def apply(x: ir.Value, y: ir.Value) -> ir.Value:
        if _is_float(x):
            prefix = "U" if name == "NE" else "O"
            return arith.cmpf(arith.CmpFPredicate[prefix + name], x, y)
        return arith.cmpi(arith.CmpIPredicate[signed], x, y)

    return apply


_greater, _less = _comparison("GT", "sgt"), _comparison("LT", "slt")
_maximum = _by_type(arith.maxnumf, arith.maxsi)
_minimum = _by_type(arith.minnumf, arith.minsi)


def _sign(x: ir.Value) -> ir.Value:
    number = float if _is_float(x) else int
    zero, one, minus = (arith.constant(x.type, number(k)) for k in (0, 1, -1))
    negative = arith.select(_less(x, zero), minus, zero)
    return arith.select(_greater(x, zero), one, negative)


_OPERATIONS: dict[str, Callable[..., ir.Value]] = {
    "add": _by_type(arith.addf, arith.addi),
    "add_any": _by_type(arith.addf, arith.addi),
    "sub": _by_type(arith.subf, arith.subi),
    "mul": _by_type(arith.mulf, arith.muli),
    "max": _maximum,
    "min": _minimum,
    "div": _divide,
    "rem": arith.remsi,
    "neg": _negate,
    "abs": _absolute,
    "sign": _sign,
    "floor": lambda x: _approximate("floor", x),
    "exp": _exp,
    "log": _log,
    "log1p": lambda x: _log(_plus_one(x)),
    "logistic": _logistic,
    "sqrt": lambda x: _approximate("sqrt", x),
    "square": lambda x: arith.mulf(x, x, **_FUSED),
    "and": arith.andi,
    "or": arith.ori,
    "xor": arith.xori,
    "not": _not,
    "eq": _comparison("EQ", "eq"),
    "ne": _comparison("NE", "ne"),
    "lt": _less,
    "le": _comparison("LE", "sle"),
    "gt": _greater,
    "ge": _comparison("GE", "sge"),
    "select_n": lambda which, no, yes: arith.select(which, yes, no),
    "clamp": lambda low, x, high: _minimum(_maximum(x, low), high),
}
# scalars have no shape, and there is nothing for a barrier to order
_UNCHANGED = {
    "broadcast_in_dim",
    "reshape",
    "squeeze",
    "copy",
    "stop_gradient",
    "optimization_barrier",
    "reshard",
}


def _power(x: ir.Value, exponent: int) -> ir.Value:
    if exponent < 0:
        return _power(_reciprocal(x), -exponent)
    result = arith.constant(x.type, 1.0)
    for _ in range(exponent):
        result = arith.mulf(result, x, **_FUSED)
    return result


def _convert(x: ir.Value, old: np.dtype, new: np.dtype) -> ir.Value:
    if old == new:
        return x
    kind = utils.dtype_to_ir_type(new)
    to_float = np.issubdtype(new, np.floating)
    if old == np.bool_:
        return (arith.uitofp if to_float else arith.extui)(kind, x)
    if new == np.bool_:
        zero = _constant(0, old)
        return _comparison("NE", "ne")(x, zero)
    return (arith.sitofp if to_float else arith.fptosi)(kind, x)


def _evaluate(jaxpr, constants: Sequence[Any], arguments: Sequence[ir.Value]):
    """Writes the outputs of a jaxpr, with a scalar for every array."""
    values: dict[Any, ir.Value] = dict(zip(jaxpr.invars, arguments, strict=True))
    for variable, number in zip(jaxpr.constvars, constants, strict=True):
        values[variable] = _constant(number, variable.aval.dtype)

    def read(atom) -> ir.Value:
        if isinstance(atom, core.Literal):
            return _constant(atom.val, atom.aval.dtype)
        return values[atom]

    products = set()
    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        if equation.primitive.name == "mul":
            products.update(equation.outvars)
        if equation.primitive.name == "sub" and all(
            not isinstance(atom, core.Literal) and atom in products
            for atom in equation.invars
        ):
            # rounded as it is written, so that a b - b a is 0: the area of a line
            outputs = [_subtract(*inputs)]
        else:
            outputs = _apply(equation, inputs)
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation, inputs: list[ir.Value]) -> list[ir.Value]:
    name, parameters = equation.primitive.name, equation.params
    if name in _INLINED:
        inner = parameters.get("jaxpr") or parameters["call_jaxpr"]
        return _evaluate(inner.jaxpr, inner.consts, inputs)
    if name in _UNCHANGED:
        return inputs
    if name == "integer_pow":
        return [_power(*inputs, parameters["y"])]
    if name == "convert_element_type":
        old = equation.invars[0].aval.dtype
        return [_convert(*inputs, old, np.dtype(parameters["new_dtype"]))]
    if name not in _OPERATIONS:
        raise NotImplementedError(f"no scalar code for {name}")
    return [_OPERATIONS[name](*inputs)]


def scalar_code(function: Callable[..., Any], *arguments: jax.Array):
    """Translates an elementwise function to code for one element.

    Args:
        function: of vectors and pytrees of them; it may close over numbers, but not
            over arrays.
        *arguments: the arguments of later calls, for their types.

    Returns:
        Types of the flat outputs, their tree, and a function that takes the elements of
        all arguments, in order, and writes the code of all outputs.
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    outputs, tree = jax.tree.flatten(shapes)

    def write(elements: Sequence[ir.Value]) -> list[ir.Value]:
        return _evaluate(closed.jaxpr, closed.consts, elements)

    return [output.dtype for output in outputs], tree, write
