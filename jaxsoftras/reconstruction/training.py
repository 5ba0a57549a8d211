"""The training step: views, renders, gradients, Adam; sharded over devices."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras import camera, config, data, mesh, models, rasterization
from jaxsoftras.data import rig
from jaxsoftras.models import division, exchanges, halves
from jaxsoftras.reconstruction import (
    augmentation,
    coloring,
    data_parallel,
    kept_programs,
    objective,
    optimization,
    untuned,
)


class TrainState(NamedTuple):
    """State of a run, everything that a step changes; a pytree.

    Attributes:
        step: int32 scalar, number of steps taken.
        variables: parameters and batch statistics of the network.
        opt_state: state of the optimiser: Adam's moments, and the moving average of
            the variables if there is one.
    """

    step: jax.Array
    variables: models.Variables
    opt_state: optax.OptState

    @property
    def evaluated(self) -> models.Variables:
        """Variables that the run is evaluated with: the average if there is one."""
        if isinstance(self.opt_state, optimization.Averaged):
            return self.opt_state.average
        return self.variables


_MEASURED = ("loss", *objective.Losses._fields)


class Metrics(NamedTuple):
    """Metrics of one step, scalars; the loss and its terms are means over the batch."""

    loss: jax.Array
    silhouette: jax.Array
    laplacian: jax.Array
    flatten: jax.Array
    normal_consistency: jax.Array
    edge_length: jax.Array
    multiscale: jax.Array
    color: jax.Array
    gradient_norm: jax.Array
    learning_rate: jax.Array
    sigma: jax.Array


def check_image_size(settings: config.Config, split: data.Split | data.Mixture) -> None:
    """Checks that the images of a data set have the size the network is made for.

    Args:
        settings: configuration of the run.
        split: the open data set.

    Raises:
        ConfigError: the sizes differ.
    """
    wanted, found = settings.model.image_size, split.image_size
    if wanted != found:
        sources = settings.data.sources or (settings.data,)
        roots = ", ".join(source.root for source in sources)
        raise config.ConfigError(
            f"model.image_size is {wanted} px, but the {split.name} split in "
            f"{roots} has images of {found} px; set model.image_size={found} for a new "
            "run, or choose another data set by data.root."
        )


class Experiment:
    """Jitted functions of a configuration: initialise, step, infer, render.

    Attributes:
        config: the configuration.
        network: encoder and decoder.
        devices: device mesh with the axes ``("data", "model")``.
        replicated: sharding of what every device has as a whole.
        sharded: sharding of a batch along its first axis, over all devices.
        placement: shardings of the state; see `jaxsoftras.models.division`.
        init: ``seed -> TrainState``, the state before the first step.
        begin: ``Variables -> TrainState``, the same with given variables.
        infer: ``(Variables, [N, 4, S, S] uint8) -> [N, V, 3]`` vertices, model frame.
        reconstruct: the same with colours, `models.Reconstruction`.
        view_losses: `objective.Losses` of k meshes and k views per object.
        render: ``([B, V, 3], B cameras, sigma) -> [B, S, S]`` soft silhouettes.
        cover: ``([B, V, 3], B cameras) -> [B, S, S]`` bool, whether a face covers the
            centre of a pixel.
        colors: renderer of coloured meshes.
        jit: `jax.jit` for further functions of the experiment.
    """

    def __init__(self, settings: config.Config, devices: Mesh, *, tuned: bool = True):
        """Makes an experiment.

        Args:
            settings: the configuration.
            devices: see `accelerators.device_mesh`.
            tuned: whether algorithms are tried on the devices in compiling; see
                `jaxsoftras.reconstruction.untuned`.
        """
        self.config = settings
        platform = devices.devices.flat[0].platform
        options = {} if tuned else untuned.compiler_options(platform)
        self._options = options
        self.jit = untuned.make_jit(options)
        self.network = models.Network(settings.model)
        self.devices = devices
        self.replicated = NamedSharding(devices, P())
        self.sharded = NamedSharding(devices, division.BATCH)
        self._optimizer = optimization.Optimizer(settings, devices)
        self._learning_rate = optimization.learning_rate(settings)
        self._sigma = optimization.sigma(settings)
        state = jax.eval_shape(self._init, 0)
        self.placement: TrainState = division.place(state, devices)
        # `out_shardings` creates the state in place, and each step reuses its memory
        self.init = self.jit(self._init, out_shardings=self.placement)
        self.begin = self.jit(self._begin, out_shardings=self.placement)
        self.infer = self.jit(self._infer, out_shardings=self.sharded)
        self.reconstruct = self.jit(self._reconstruct, out_shardings=self.sharded)
        self.view_losses = self.jit(self._view_losses, out_shardings=self.sharded)
        self.render = self.jit(self._render, out_shardings=self.sharded)
        self.cover = self.jit(self._cover, out_shardings=self.sharded)
        self.colors = coloring.ColorRenderer(
            settings, self.network.faces, devices, self.jit
        )

    @functools.cached_property
    def step_options(self) -> dict[str, Any]:
        """Compiler options of programs that take steps, tried on the devices."""
        return {**self._options, **exchanges.compiler_options(self.devices)}

    @functools.cached_property
    def step(self) -> Callable[..., tuple[TrainState, Metrics]]:
        """``(TrainState, ViewBatch) -> (TrainState, Metrics)``; donates the state."""

        def step(
            state: TrainState, batch: data.ViewBatch
        ) -> tuple[TrainState, Metrics]:
            state, metrics = self.take_step(self.split(state), batch)
            return self.join(state), metrics

        return jax.jit(
            step,
            donate_argnums=0,
            out_shardings=(self.placement, self.replicated),
            compiler_options=self.step_options or None,
        )

    def split(self, state: TrainState) -> TrainState:
        """Splits what steps have in parts; see `models.halves`."""
        return cast(TrainState, halves.split(state, self.devices))

    def join(self, state: TrainState) -> TrainState:
        """Joins what `split` has split."""
        return cast(TrainState, halves.join(state, self.devices))

    def compile(
        self,
        program: Callable[..., Any],
        arguments: Sequence[Any],
        results: Any,
        variant: str = "",
    ) -> Callable[..., Any]:
        """Compiles a program of the experiment; see `kept_programs.compile`.

        Args:
            program: a method of the experiment, or one of what it alone decides on,
                by `jax.jit`.
            arguments: its arguments, or their shapes, dtypes and shardings.
            results: a pytree with the structure of its results, and their shardings
                where its leaves have some.
            variant: what the program follows from beside the configuration.

        Returns:
            The program for such arguments, by position.
        """
        # what subclasses do follows from more than the configuration
        known = type(self) is Experiment
        name = getattr(program, "__qualname__", "")
        return kept_programs.compile(
            program,
            arguments,
            results,
            list(self.devices.devices.flat),
            f"{name} {variant} {self.config!r}" if known and name else None,
        )

    def sigma(self, step: jax.Array | int) -> jax.Array:
        """Sharpness of the rasterizer at a step, NDC squared."""
        return jnp.asarray(self._sigma(step), jnp.float32)

    def _init(self, seed: jax.Array | int) -> TrainState:
        """State before the first step."""
        return self._begin(self.network.init(jax.random.key(seed)))

    def _begin(self, variables: models.Variables) -> TrainState:
        """State before the first step, of given parameters and batch statistics."""
        return TrainState(
            jnp.zeros((), jnp.int32), variables, self._optimizer.init(variables)
        )

    def _render(
        self, vertices: jax.Array, cameras: rig.Viewpoints, sigma: jax.Array
    ) -> jax.Array:
        """Renders silhouettes ``[B, S, S]`` of meshes ``[B, V, 3]`` by B cameras."""
        render = self.config.render
        return self._draw(
            vertices,
            cameras,
            sigma,
            dist_eps=render.dist_eps,
            implementation=render.implementation,
        )

    def _cover(self, vertices: jax.Array, cameras: rig.Viewpoints) -> jax.Array:
        """Pixels ``[B, S, S]`` whose centre a face covers."""
        hard = self._draw(vertices, cameras, jnp.float32(1), distance="hard")
        return hard > 0.5

    def _draw(
        self,
        vertices: jax.Array,
        cameras: rig.Viewpoints,
        sigma: jax.Array,
        **options: Any,
    ) -> jax.Array:
        points = camera.project(rig.as_cameras(cameras), vertices)
        faces = mesh.face_vertices(points, self.network.faces)
        silhouette = functools.partial(
            _silhouette, image_size=self.config.model.image_size, **options
        )
        # Under plain jit, the loop over the items of a sharded batch would first gather
        # the whole batch.
        return division.by_device(silhouette, self.devices, [faces], sigma)

    def _view_losses(
        self,
        vertices: jax.Array,
        silhouettes: jax.Array,
        cameras: rig.Viewpoints,
        sigma: jax.Array,
        colors: jax.Array | None = None,
        images: jax.Array | None = None,
    ) -> objective.Losses:
        """Compares every mesh of each object with every view.

        Args:
            vertices: ``[B, k, V, 3]`` mesh reconstructed from each view, model frame.
            silhouettes: ``[B, k, S, S]`` uint8 alpha of each view.
            cameras: cameras of the views, with leading axes ``[B, k]``.
            sigma: sharpness, NDC squared.
            colors: ``[B, k, ..., 3]`` colours of the meshes; None for no colour term.
            images: ``[B, k, 4, S, S]`` uint8, the views, for the colours.
        """
        batch, views = silhouettes.shape[:2]
        both = (batch, views, views)  # object, mesh, view

        def match_meshes(part: jax.Array) -> jax.Array:
            shape = part.shape[2:]
            part = jnp.broadcast_to(part[:, None], (*both, *shape))
            return part.reshape(-1, *shape)

        def match_views(part: jax.Array) -> jax.Array:
            return jnp.repeat(part, views, axis=1).reshape(-1, *part.shape[2:])

        meshes, cameras = match_views(vertices), jax.tree.map(match_meshes, cameras)
        rendered = self._render(meshes, cameras, sigma)
        rendered = rendered.reshape(*both, *rendered.shape[1:])
        target = silhouettes[:, None].astype(jnp.float32) / 255
        colored = None
        if colors is not None:
            assert images is not None
            if not self.config.loss.color_vertices:
                meshes = jax.lax.stop_gradient(meshes)
            found = self.colors.render(meshes, match_views(colors), cameras, sigma)
            colored = objective.Colored(
                found.reshape(*both, *found.shape[1:]),
                images[:, None].astype(jnp.float32) / 255,
            )
        return objective.compute_terms(
            vertices, self.network.faces, rendered, target, self.config.loss, colored
        )

    def total(self, terms: objective.Losses) -> jax.Array:
        """Total loss ``[B]``: the silhouette term and the others, weighted."""
        return objective.sum_terms(terms, self.config.loss)

    def take_step(
        self, state: TrainState, batch: data.ViewBatch
    ) -> tuple[TrainState, Metrics]:
        """Takes one step of the optimiser, with what is `split`."""
        sigma = self.sigma(state.step)
        batch = augmentation.augment(
            batch, self.config.augment, seed=self.config.seed, step=state.step
        )
        objects, views = batch.images.shape[:2]
        found = data_parallel.differentiate(
            self._measure,
            state.variables,
            self.devices,
            batch,
            sigma,
            images=objects * views,
        )
        variables, opt_state = self._optimizer.update(
            found.gradient,
            state.opt_state,
            state.variables,
            found.batch_stats,
            state.step,
        )
        metrics = Metrics(
            **dict(zip(_MEASURED, found.measured, strict=True)),
            gradient_norm=found.norm,
            learning_rate=jnp.asarray(self._learning_rate(state.step), jnp.float32),
            sigma=sigma,
        )
        return TrainState(state.step + 1, variables, opt_state), metrics

    def _measure(
        self, variables: models.Variables, batch: data.ViewBatch, sigma: jax.Array
    ) -> tuple[jax.Array, tuple[jax.Array, nnx.State]]:
        """Computes the mean loss of objects, and what is measured beside it.

        Returns:
            The loss, its value and the means of its terms, and the batch statistics
            after the step.
        """
        images = jnp.asarray(batch.images)
        # all views of all objects share the batch normalisation
        found, batch_stats = self.network.train(
            variables, models.to_network_input(images.reshape(-1, *images.shape[2:]))
        )
        # by object and view
        meshes = jax.tree.map(
            lambda part: part.reshape(*images.shape[:2], *part.shape[1:]), found
        )
        terms = self._view_losses(
            meshes.vertices,
            images[:, :, 3],
            batch.cameras,
            sigma,
            meshes.colors,
            images,
        )
        loss = jnp.mean(self.total(terms))
        return loss, (jnp.stack([loss, *map(jnp.mean, terms)]), batch_stats)

    def _reconstruct(
        self, variables: models.Variables, images: jax.Array
    ) -> models.Reconstruction:
        """Reconstructs ``[N, 4, S, S]`` uint8 images."""
        with jax.sharding.use_abstract_mesh(self.devices.abstract_mesh):
            return self.network.reconstruct(variables, models.to_network_input(images))

    def _infer(self, variables: models.Variables, images: jax.Array) -> jax.Array:
        """Vertices ``[N, V, 3]`` alone of `_reconstruct`."""
        return self._reconstruct(variables, images).vertices


def _silhouette(faces: jax.Array, sigma: jax.Array, **settings: Any) -> jax.Array:
    """`rasterization.silhouette` with ``sigma`` by position, for `jax.shard_map`."""
    return rasterization.silhouette(faces, sigma=sigma, **settings)
