"""Functions of JAX as differentiable functions of PyTorch."""

# where PyTorch is not installed, this folder is taken for it
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import jax
import numpy as np
import torch
from jax.core import Tracer
from torch.autograd.function import once_differentiable

from jaxsoftras.torch import exchange
from jaxsoftras.torch.programs import Form, Layout, Program, merge, select, split


@dataclasses.dataclass
class _Call:
    """One call of a wrapped function.

    Attributes:
        program: the compiled function.
        layout: structure of the arguments.
        is_tensor: which leaves are tensors.
        constants: the other leaves.
        device: device of the tensors.
        double: whether to compute in double precision.
        form: structure of the results, once they are known.
    """

    program: Program
    layout: Layout
    is_tensor: tuple[bool, ...]
    constants: list[Any]
    device: torch.device
    double: bool
    form: Form | None = None

    @property
    def count(self) -> int:
        """Number of results with a derivative."""
        assert self.form is not None
        return sum(self.form.smooth)

    def computing(self):
        """The device and precision of the call."""
        return exchange.computing_on(self.device, double=self.double)

    def split_leaves(self, tensors: Sequence[torch.Tensor]) -> tuple[list, list]:
        """Leaves that need a gradient and the others, as arrays."""
        arrays = map(exchange.to_jax, tensors)
        leaves = merge(list(arrays), self.constants, self.is_tensor)
        return split(leaves, self.layout.wanted)

    def spread(self, gradients: Sequence[Any]) -> list[Any]:
        """A gradient, or None, for each tensor."""
        wanted = select(self.layout.wanted, self.is_tensor)
        return merge(gradients, [None] * len(wanted), wanted)


class _Node(torch.autograd.Function):
    """A call of a wrapped function in the graph of PyTorch's autograd."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: torch.Tensor) -> Any:
        ctx.call, ctx.pullback = call, None
        program = call.program
        with call.computing():
            wanted, others = call.split_leaves(tensors)
            if wanted:
                results, ctx.pullback = program.linearize(call.layout, wanted, others)
            else:
                results = program.evaluate(call.layout, wanted, others)
            smooth, rest, call.form = results
            outputs = exchange.to_torch([*smooth, *rest], call.device)
        if wanted:
            # Residuals of JAX may be in the memory of the tensors: PyTorch notices
            # changes in place of those that are saved.
            ctx.save_for_backward(*tensors)
        ctx.mark_non_differentiable(*outputs[len(smooth) :])
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        call: _Call = ctx.call
        tensors, gradients = ctx.saved_tensors, gradients[: call.count]
        if torch.is_grad_enabled():  # create_graph=True
            found = _GradientNode.apply(call, *gradients, *tensors)
        else:
            with call.computing():
                cotangents = list(map(exchange.to_jax, gradients))
                arrays = call.program.pull(ctx.pullback, cotangents)
                found = exchange.to_torch(arrays, call.device)
        return None, *call.spread(found)


class _GradientNode(torch.autograd.Function):
    """The gradients of a `_Node` in the graph, of its cotangents and its tensors."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *arguments: torch.Tensor) -> Any:
        ctx.call = call
        ctx.save_for_backward(*arguments)
        with call.computing():
            cotangents = list(map(exchange.to_jax, arguments[: call.count]))
            leaves = call.split_leaves(arguments[call.count :])
            arrays = call.program.differentiate(call.layout, *leaves, cotangents)
            return tuple(exchange.to_torch(arrays, call.device))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *directions: torch.Tensor) -> Any:
        call: _Call = ctx.call
        arguments = ctx.saved_tensors
        with call.computing():
            cotangents = list(map(exchange.to_jax, arguments[: call.count]))
            leaves = call.split_leaves(arguments[call.count :])
            along = list(map(exchange.to_jax, directions))
            by_leaves, by_cotangents = call.program.push(
                call.layout, *leaves, cotangents, along
            )
            arrays = [*by_cotangents, *by_leaves]
            found = exchange.to_torch(arrays, call.device)
        return None, *found[: call.count], *call.spread(found[call.count :])


def _check_leaf(name: str, leaf: Any) -> None:
    if isinstance(leaf, torch.Tensor):
        exchange.check_tensor(name, leaf)
    elif isinstance(leaf, Tracer):
        raise ValueError(
            f"{name} is traced: this function of PyTorch computes at once; within "
            "jax.jit call the function of JAX."
        )
    elif not isinstance(leaf, (jax.Array, np.ndarray, np.generic, int, float, complex)):
        raise ValueError(
            f"{name} is a {type(leaf).__name__}, neither a tensor nor an array; name "
            "the argument in static_argnames if it is a constant."
        )


def _check_leaves(leaves: Sequence[Any], arguments: Any, names: Sequence[str]) -> None:
    """Raises a ValueError that names a leaf of the arguments that is no array."""
    for index, leaf in enumerate(leaves):
        try:
            _check_leaf("", leaf)
        except ValueError:
            path, _ = jax.tree_util.tree_flatten_with_path(arguments)[0][index]
            _, top, *rest = path
            if isinstance(top, jax.tree_util.DictKey):
                name = top.key
            elif top.idx < len(names):
                name = names[top.idx]
            else:
                name = f"Argument {top}"
            _check_leaf(f"{name}{jax.tree_util.keystr(tuple(rest))}", leaf)


def _list_parameters(function: Callable, static: frozenset[str]) -> list[str]:
    """Names of the positional parameters; none where a function does not tell them.

    Raises:
        TypeError: the function cannot be called.
        ValueError: a constant that is no parameter of the function.
    """
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # some functions written in C
        return []
    kinds = [parameter.kind for parameter in parameters.values()]
    unknown = static.difference(parameters)
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        raise ValueError(
            f"static_argnames has {min(unknown)!r}, which is no argument of the "
            f"function; it has {', '.join(parameters)}."
        )
    by_place = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    return [n for n, kind in zip(parameters, kinds, strict=True) if kind in by_place]


def _pass_by_name(
    args: tuple[Any, ...], names: Sequence[str], static: frozenset[str]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Turns positional arguments into keywords, from the first constant on."""
    constant = [name in static for name in names[: len(args)]]
    if True not in constant or len(args) > len(names):
        return args, {}
    first = constant.index(True)
    return args[:first], dict(zip(names[first:], args[first:], strict=False))


def _prepare(
    program: Program, arguments: Any, static: dict[str, Any], positional: Sequence[str]
) -> tuple[_Call, list[torch.Tensor]]:
    """The call of a program, and its tensors."""
    leaves, treedef = jax.tree.flatten(arguments)
    _check_leaves(leaves, arguments, positional)
    for name, value in static.items():
        # a tensor is hashed by its identity, whatever its values
        if isinstance(value, torch.Tensor) or not isinstance(value, Hashable):
            raise ValueError(
                f"{name} is a constant of the compiled program: a number, a name or "
                f"another value with a hash, not a {type(value).__name__}."
            )
    is_tensor = tuple(isinstance(leaf, torch.Tensor) for leaf in leaves)
    tensors, constants = split(leaves, is_tensor)
    device = exchange.find_device(tensors)
    tensors = [tensor.to(device) for tensor in tensors]
    tracked = torch.is_grad_enabled()
    wanted = [tracked and tensor.requires_grad for tensor in tensors]
    wanted = tuple(merge(wanted, [False] * len(constants), is_tensor))
    constant = tuple(
        (name, type(static[name]), static[name]) for name in sorted(static)
    )
    layout = Layout(treedef, wanted, constant)
    double = exchange.are_double(tensors)
    return _Call(program, layout, is_tensor, constants, device, double), tensors


def wrap(
    function: Callable[..., Any], *, static_argnames: str | Sequence[str] = ()
) -> Callable[..., Any]:
    """Makes a function of JAX a differentiable function of PyTorch.

    The function is compiled once for each shape of its arguments, as by `jax.jit`, with
    further programs for its gradient. It computes on the device of the tensors, in
    their memory; see `jaxsoftras.torch.exchange` for streams. Derivatives of gradients
    (``create_graph=True``) take forward mode over reverse mode, once.

    Tensors of float64 are computed in double precision, whatever JAX's settings are;
    integers of 64 bits become 32 bits otherwise, and are checked for it.

    Args:
        function: takes and returns pytrees of arrays, such as a `jaxsoftras.Mesh` or a
            `jaxsoftras.Camera`.
        static_argnames: name or names of arguments that are hashable constants of the
            compiled program, such as the size of an image.

    Returns:
        A function whose arguments are the same pytrees with tensors in place of arrays,
        which may be mixed with arrays and numbers; these have no gradient. It returns
        tensors in the pytree that the function returns. It raises a ValueError for
        tensors on several devices, on one that JAX does not have, or of a kind that JAX
        does not know.

    Example:
        >>> import jax.numpy as jnp, torch, jaxsoftras.torch
        >>> length = jaxsoftras.torch.wrap(jnp.linalg.norm)
        >>> vector = torch.tensor([3.0, 4.0], requires_grad=True)
        >>> length(vector).backward()
        >>> vector.grad
        tensor([0.6000, 0.8000])
    """
    if isinstance(static_argnames, str):
        static_argnames = (static_argnames,)
    program, names = Program(function), frozenset(static_argnames)
    positional = _list_parameters(function, names)

    def call_it(*args: Any, **kwargs: Any) -> Any:
        args, named = _pass_by_name(args, positional, names)
        if twice := named.keys() & kwargs.keys():
            raise TypeError(f"{min(twice)} is given twice, by place and by name.")
        kwargs = named | kwargs
        static = {name: value for name, value in kwargs.items() if name in names}
        given = {name: value for name, value in kwargs.items() if name not in names}
        call, tensors = _prepare(program, (args, given), static, positional)
        outputs = _Node.apply(call, *tensors)
        assert call.form is not None
        results = merge(outputs[: call.count], outputs[call.count :], call.form.smooth)
        return jax.tree.unflatten(call.form.treedef, results)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():  # its compiler cannot look into JAX
            return torch.compiler.disable(call_it)(*args, **kwargs)
        return call_it(*args, **kwargs)

    return wrapped
