"""The optimiser of a run, its schedules, and the moving average of parameters."""

from __future__ import annotations

import functools
import warnings
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxsoftras import config, models
from jaxsoftras.models import division, exchanges, halves


def learning_rate(settings: config.Config) -> optax.Schedule:
    """Learning rate by the number of steps taken.

    ``"piecewise"``, with r = ``decay_factor``: the initial rate, and r times that from
    ``decay_step`` D on. ``"cosine"``: ``r + (1 - r) (1 + cos(pi t)) / 2`` times the
    initial rate, t from 0 at the end of the warm-up to 1 at D, and r times it
    afterwards. The step of number s, from 0, within a warm-up of W steps has ``(s + 1)
    / W`` times the initial rate.

    Args:
        settings: the configuration.
    """
    optim = settings.optim
    peak, end = optim.learning_rate, optim.decay_step
    if optim.schedule == "cosine":
        steps = end - optim.warmup_steps
        later = optax.cosine_decay_schedule(peak, steps, optim.decay_factor)
    else:
        # in the number of steps after the warm-up
        drop = {end - optim.warmup_steps: optim.decay_factor}
        later = optax.piecewise_constant_schedule(peak, drop)
    if not optim.warmup_steps:
        return later
    first = peak / optim.warmup_steps
    warmup = optax.linear_schedule(first, peak, max(optim.warmup_steps - 1, 1))
    return optax.join_schedules([warmup, later], [optim.warmup_steps])


def check_end(settings: config.Config) -> None:
    """Warns if a run ends before its cosine schedule does."""
    optim = settings.optim
    if optim.schedule == "cosine" and optim.steps < optim.decay_step:
        warnings.warn(
            f"The run ends at step {optim.steps}, before its cosine schedule does: "
            f"that is set by optim.decay_step={optim.decay_step}.",
            stacklevel=2,
        )


def sigma(settings: config.Config) -> optax.Schedule:
    """Sharpness of the rasterizer by the number of steps taken, NDC squared.

    Annealed, from s to ``final_sigma`` f, it is ``s (f / s)^t`` with t from 0 to 1 at
    ``anneal_steps``. Otherwise it shares the drop of a piecewise learning rate, as in
    the original, and is constant beside another.

    Args:
        settings: the configuration.
    """
    render, optim = settings.render, settings.optim
    if render.final_sigma is not None:
        return optax.exponential_decay(
            render.sigma,
            render.anneal_steps,
            render.final_sigma / render.sigma,
            end_value=render.final_sigma,
        )
    if optim.schedule == "piecewise":
        drop = {optim.decay_step: optim.decay_factor}
        return optax.piecewise_constant_schedule(render.sigma, drop)
    return optax.constant_schedule(render.sigma)


class Averaged(NamedTuple):
    """State of an `Optimizer` with a moving average.

    Attributes:
        optimizer: state of the optimiser itself.
        average: moving average of parameters and batch statistics.
    """

    optimizer: optax.OptState
    average: models.Variables


class Optimizer:
    """Adam with what the configuration adds to it, and the moving average.

    The gradient is clipped first: scaled to ``clip_norm`` where its norm is larger.
    Weight decay is decoupled (AdamW; Loshchilov and Hutter, 2019) and acts on arrays
    named ``kernel`` alone, matrices and convolutions: not on biases, scales of
    normalisations or learnt positions.

    The average a of the variables v becomes ``a + (1 - d) (v - a)`` in each step, with
    ``d = min(ema, (1 + n) / (10 + n))`` after n steps, so that the initial variables
    are soon forgotten.
    """

    def __init__(
        self,
        settings: config.Config,
        devices: Mesh,
        rate: optax.Schedule | None = None,
    ):
        """Makes an optimiser.

        Args:
            settings: the configuration.
            devices: with the axes ``("data", "model")``; see `models.division`.
            rate: learning rate by the number of steps taken; that of the configuration
                if None.
        """
        self._settings, self._devices = settings.optim, devices
        self._rate = rate or learning_rate(settings)
        # the rest is added by hand, so that the state is that of earlier checkpoints
        self._adam = optax.adam(
            self._rate, b1=settings.optim.beta1, b2=settings.optim.beta2
        )

    def init(self, variables: models.Variables) -> optax.OptState:
        """Makes the state before the first step."""
        state = self._adam.init(variables.params)
        if not self._settings.ema:
            return state
        # a copy, for steps are donated both
        return Averaged(state, jax.tree.map(jnp.copy, variables))

    def update(
        self,
        gradient: nnx.State,
        state: optax.OptState,
        variables: models.Variables,
        batch_stats: nnx.State,
        step: jax.Array,
    ) -> tuple[models.Variables, optax.OptState]:
        """Takes a step.

        Args:
            gradient: of the loss by the parameters.
            state: state before the step.
            variables: variables before the step.
            batch_stats: batch statistics after the step.
            step: number of steps taken before.

        Returns:
            Variables and state after the step.
        """
        inner = state.optimizer if isinstance(state, Averaged) else state
        optim, params = self._settings, variables.params
        if optim.clip_norm:
            clip = optax.clip_by_global_norm(optim.clip_norm)
            gradient = cast(nnx.State, clip.update(gradient, optax.EmptyState())[0])
        updates, inner = self._adam.update(gradient, inner)
        if optim.weight_decay:
            part = optim.weight_decay * self._rate(step)
            updates = jax.tree.map_with_path(
                lambda path, u, p: u - part * p if _is_kernel(path) else u,
                updates,
                halves.keep_own(params),
            )
        params = _apply_updates(params, updates, self._devices)
        variables = models.Variables(params, batch_stats)
        if not isinstance(state, Averaged):
            return variables, inner
        variables = halves.hold(variables)
        count = step.astype(jnp.float32)
        rest = 1 - jnp.minimum(optim.ema, (1 + count) / (10 + count))
        average = jax.tree.map(
            lambda a, v: a + (rest * (v - a)).astype(a.dtype), state.average, variables
        )
        return variables, Averaged(inner, average)


def _is_kernel(path: jax.tree_util.KeyPath) -> bool:
    """Whether an array of parameters is a kernel."""
    return "kernel" in division.find_names(path)


def _apply_updates(params: nnx.State, updates: Any, devices: Mesh) -> nnx.State:
    """Adds updates to parameters, which every device has.

    Each device adds its part of those that are divided, and sends it to the others.
    """

    @functools.partial(
        jax.shard_map, mesh=devices, in_specs=(P(), P("model")), out_specs=P()
    )
    def add_part(kernel: jax.Array, update: jax.Array) -> jax.Array:
        part = optax.apply_updates(division.own_part(kernel), update)
        return exchanges.gather(cast(jax.Array, part), ["model"])

    permute = jax.shard_map(
        lambda half: exchanges.permute(half, ["model"]),
        mesh=devices,
        in_specs=P("model"),
        out_specs=P("model"),
    )

    def add(path: jax.tree_util.KeyPath, param: Any, update: Any) -> Any:
        if halves.is_halved(param):
            own = cast(jax.Array, optax.apply_updates(param.own, update))
            return halves.Halves(own, permute(own))
        divided = division.is_divided(path, param.shape, devices)
        return (add_part if divided else optax.apply_updates)(param, update)

    return jax.tree.map_with_path(add, params, updates, is_leaf=halves.is_halved)
