"""Compiled programs of a function of JAX: its results, gradients, second derivatives.

Complex numbers have the gradients of PyTorch, the conjugates of JAX's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Form:
    """Structure of the results: a pytree without leaves.

    Attributes:
        treedef: of all results.
        smooth: which leaves have a derivative.
    """

    treedef: Any
    smooth: tuple[bool, ...]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Structure of the arguments: what a compiled program depends on, beside shapes.

    Attributes:
        treedef: of positional and keyword arguments.
        wanted: which leaves need a gradient.
        static: keyword arguments that are constants of the program, sorted: name, type
            and value, as 1 equals 1.0 and True.
    """

    treedef: Any
    wanted: tuple[bool, ...]
    static: tuple[tuple[str, type, Any], ...]


def merge(first: Sequence[Any], second: Sequence[Any], where: Sequence[bool]) -> list:
    """Elements of the first sequence where it says so, of the second elsewhere."""
    firsts, seconds = iter(first), iter(second)
    return [next(firsts if is_first else seconds) for is_first in where]


def select(values: Sequence[Any], where: Sequence[bool]) -> list:
    """The values where it says so."""
    return [value for value, chosen in zip(values, where, strict=True) if chosen]


def split(values: Sequence[Any], where: Sequence[bool]) -> tuple[list, list]:
    """The values where it says so, and the others; the inverse of `merge`."""
    return select(values, where), select(values, [not chosen for chosen in where])


def _unshare(*arrays: Any) -> Any:
    """Results that are the arguments, or one another, become arrays of their own.

    PyTorch may change a result in place.
    """
    return jax.lax.optimization_barrier(arrays)


def _conjugate(arrays: list[jax.Array]) -> list[jax.Array]:
    return [jnp.conj(array) for array in arrays]


def _pull(pullback: Callable, cotangents: list[jax.Array]) -> list[jax.Array]:
    (gradients,) = pullback(_conjugate(cotangents))
    return _conjugate(gradients)


class Program:
    """A function of JAX, compiled once for each layout and shape.

    Arguments come as two lists of leaves: those that need a gradient, and the others.

    Attributes:
        evaluate: ``(layout, wanted, others)`` to the results with a derivative, the
            others, and the form of all.
        linearize: the same, and a pullback for ``pull``.
        pull: ``(pullback, cotangents)`` to the gradients of the wanted leaves.
        differentiate: ``(layout, wanted, others, cotangents)`` to the gradients.
        push: ``(layout, wanted, others, cotangents, direction)`` to the derivatives of
            ``sum(gradients * direction)`` by the wanted leaves and by the cotangents.
    """

    def __init__(self, function: Callable):
        """Compiles nothing yet."""
        self.function = function
        self.evaluate = jax.jit(self._evaluate, static_argnums=0)
        self.linearize = jax.jit(self._linearize, static_argnums=0)
        self.pull = jax.jit(lambda *arguments: _unshare(*_pull(*arguments)))
        self.differentiate = jax.jit(
            lambda *arguments: _unshare(*self._differentiate(*arguments)),
            static_argnums=0,
        )
        self.push = jax.jit(self._push, static_argnums=0)

    def _apply(self, layout: Layout, wanted: list, others: list) -> Any:
        """The results with a derivative, and the others with the form of all."""
        leaves = merge(wanted, others, layout.wanted)
        args, kwargs = jax.tree.unflatten(layout.treedef, leaves)
        static = {name: value for name, _, value in layout.static}
        results = self.function(*args, **kwargs, **static)
        results, treedef = jax.tree.flatten(results)
        if not results:
            raise ValueError("A function that is wrapped must return an array.")
        results = [jnp.asarray(result) for result in results]
        smooth = tuple(jnp.issubdtype(r.dtype, jnp.inexact) for r in results)
        found, rest = split(results, smooth)
        return found, (rest, Form(treedef, smooth))

    def _evaluate(self, layout: Layout, wanted: list, others: list) -> Any:
        smooth, (rest, form) = self._apply(layout, wanted, others)
        return *_unshare(smooth, rest), form

    def _vjp(self, layout: Layout, wanted: list, others: list) -> Any:
        return jax.vjp(
            lambda wanted: self._apply(layout, wanted, others), wanted, has_aux=True
        )

    def _linearize(self, layout: Layout, wanted: list, others: list) -> Any:
        smooth, pullback, (rest, form) = self._vjp(layout, wanted, others)
        return (*_unshare(smooth, rest), form), pullback

    def _differentiate(
        self, layout: Layout, wanted: list, others: list, cotangents: list
    ) -> list[jax.Array]:
        _, pullback, _ = self._vjp(layout, wanted, others)
        return _pull(pullback, cotangents)

    def _push(
        self, layout: Layout, wanted: list, others: list, cotangents: list, along: list
    ) -> tuple[list, list]:
        """Forward mode over reverse mode, the only second derivative of some functions.

        The gradients are the derivative of a scalar by the wanted leaves, whose second
        derivative is symmetric: their product with a direction is the change of the
        gradients along it.
        """

        def gradients(wanted):
            return self._differentiate(layout, wanted, others, cotangents)

        def results(wanted):
            return self._apply(layout, wanted, others)[0]

        (_, by_leaves) = jax.jvp(gradients, (wanted,), (along,))
        (_, by_cotangents) = jax.jvp(results, (wanted,), (along,))
        return _unshare(by_leaves, by_cotangents)
