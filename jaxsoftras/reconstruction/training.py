"""The training step: two views, four renders, gradients, Adam; sharded over devices."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras import camera, config, data, losses, mesh, models, rasterization


class TrainState(NamedTuple):
    """All that changes in a run; a pytree."""

    step: jax.Array  # [] int32, steps taken
    variables: models.Variables
    opt_state: optax.OptState


class Losses(NamedTuple):
    """Terms of the loss, ``[B]`` each, before weighting."""

    silhouette: jax.Array  # mean of the four 1 - IoU
    laplacian: jax.Array  # mean over the two meshes
    flatten: jax.Array  # the same


class Metrics(NamedTuple):
    """What a step reports, scalars."""

    loss: jax.Array
    silhouette: jax.Array
    laplacian: jax.Array
    flatten: jax.Array
    gradient_norm: jax.Array
    learning_rate: jax.Array
    sigma: jax.Array


def device_mesh(batch_size: int, devices: Sequence[Any] | None = None) -> Mesh:
    """Devices along one axis, "data".

    Args:
        batch_size: objects in a batch.
        devices: which ones; all if None.

    Raises:
        ValueError: a batch does not divide evenly among the devices.
    """
    devices = jax.devices() if devices is None else devices
    count = len(devices)
    if batch_size % count:
        raise ValueError(
            f"A batch of {batch_size} objects does not divide evenly among {count} "
            f"devices; set optim.batch_size to a multiple of {count}."
        )
    return jax.make_mesh(
        (count,), ("data",), axis_types=(AxisType.Auto,), devices=devices
    )


class Experiment:
    """A configuration as functions: how to start, to step, and to look at the result.

    Attributes:
        config: the configuration.
        network: encoder and decoder.
        devices: with an axis "data", along which batches are divided.
        replicated: sharding of the state.
        sharded: sharding of a batch, along its first axis.
    """

    def __init__(self, settings: config.Config, image_size: int, devices: Mesh):
        """Makes an experiment.

        Args:
            settings: the configuration.
            image_size: side of the images, pixels.
            devices: see `device_mesh`.
        """
        self.config = settings
        self.image_size = image_size
        self.network = models.Network(settings.model, image_size)
        self.devices = devices
        self.replicated = NamedSharding(devices, P())
        self.sharded = NamedSharding(devices, P("data"))
        self._optimizer = optax.adam(
            self._schedule(settings.optim.learning_rate),
            b1=settings.optim.beta1,
            b2=settings.optim.beta2,
        )
        # the state is born where it lives, and each step reuses its memory
        self.init = jax.jit(self._init, out_shardings=self.replicated)
        self.step = jax.jit(
            self._step,
            donate_argnums=0,
            out_shardings=(self.replicated, self.replicated),
        )
        self.infer = jax.jit(self._infer, out_shardings=self.sharded)
        self.view_losses = jax.jit(self._view_losses, out_shardings=self.sharded)
        self.render = jax.jit(self._render, out_shardings=self.sharded)

    def _schedule(self, initial: float) -> optax.Schedule:
        optim = self.config.optim
        return optax.piecewise_constant_schedule(
            initial, {optim.decay_step: optim.decay_factor}
        )

    def sigma(self, step: jax.Array) -> jax.Array:
        """Sharpness of the rasterizer at a step, NDC squared."""
        return jnp.asarray(self._schedule(self.config.render.sigma)(step), jnp.float32)

    def _init(self, seed: jax.Array | int) -> TrainState:
        """The state before the first step."""
        variables = self.network.init(jax.random.key(seed))
        return TrainState(
            jnp.zeros((), jnp.int32), variables, self._optimizer.init(variables.params)
        )

    def _render(
        self, vertices: jax.Array, views: jax.Array, sigma: jax.Array
    ) -> jax.Array:
        """Silhouettes ``[B, S, S]`` of ``[B, V, 3]`` meshes from ``[B]`` views."""
        data, render = self.config.data, self.config.render
        azimuth = data.azimuth_step * views.astype(jnp.float32)
        eye = camera.eye_from_angles(data.distance, data.elevation, azimuth)
        cam = camera.perspective_camera(eye, half_fov=data.half_fov, handedness="left")
        faces = mesh.face_vertices(camera.project(cam, vertices), self.network.faces)
        # Each device renders its own images: under plain jit, the loop over all items
        # of a sharded batch would gather the whole batch first.
        silhouette = jax.shard_map(
            functools.partial(
                _silhouette,
                image_size=self.image_size,
                dist_eps=render.dist_eps,
                implementation=render.implementation,
            ),
            mesh=self.devices,
            in_specs=(P("data"), P()),
            out_specs=P("data"),
        )
        return silhouette(faces[..., :2], sigma)

    def _view_losses(
        self,
        vertices: jax.Array,
        silhouettes: jax.Array,
        views: jax.Array,
        sigma: jax.Array,
    ) -> Losses:
        """Compares either mesh of each object with either view.

        Args:
            vertices: ``[B, 2, V, 3]`` the mesh made from each view, model frame.
            silhouettes: ``[B, 2, S, S]`` uint8 alpha of each view.
            views: ``[B, 2]`` their numbers.
            sigma: sharpness, NDC squared.
        """
        batch, pair = views.shape
        both = (batch, pair, pair)  # object, mesh, view
        rendered = self._render(
            jnp.repeat(vertices, pair, axis=1).reshape(-1, *vertices.shape[2:]),
            jnp.broadcast_to(views[:, None], both).reshape(-1),
            sigma,
        )
        rendered = rendered.reshape(*both, *rendered.shape[1:])
        target = silhouettes[:, None].astype(jnp.float32) / 255
        iou = losses.silhouette_iou(rendered, target)
        faces = self.network.faces
        return Losses(
            silhouette=jnp.mean(1 - iou, axis=(1, 2)),
            laplacian=jnp.mean(losses.laplacian(vertices, faces), axis=1),
            flatten=jnp.mean(losses.flatten(vertices, faces), axis=1),
        )

    def total(self, terms: Losses) -> jax.Array:
        """The loss ``[B]``: silhouettes plus weighted regularisers."""
        weight = self.config.loss
        return (
            terms.silhouette
            + weight.laplacian * terms.laplacian
            + weight.flatten * terms.flatten
        )

    def _step(
        self, state: TrainState, batch: data.PairBatch
    ) -> tuple[TrainState, Metrics]:
        """One step of the optimiser."""
        sigma = self.sigma(state.step)
        pictures = jnp.stack([batch.images_a, batch.images_b], axis=1)
        views = jnp.stack([batch.views_a, batch.views_b], axis=1)

        def loss(params: nnx.State):
            # both views of all objects share the batch normalisation
            vertices, batch_stats = self.network.train(
                state.variables._replace(params=params),
                models.to_network_input(pictures.reshape(-1, *pictures.shape[2:])),
            )
            terms = self._view_losses(
                vertices.reshape(*views.shape, *vertices.shape[1:]),
                pictures[:, :, 3],
                views,
                sigma,
            )
            return jnp.mean(self.total(terms)), (batch_stats, terms)

        (value, (batch_stats, terms)), gradient = jax.value_and_grad(
            loss, has_aux=True
        )(state.variables.params)
        updates, opt_state = self._optimizer.update(gradient, state.opt_state)
        params = optax.apply_updates(state.variables.params, updates)
        metrics = Metrics(
            loss=value,
            silhouette=jnp.mean(terms.silhouette),
            laplacian=jnp.mean(terms.laplacian),
            flatten=jnp.mean(terms.flatten),
            gradient_norm=optax.tree.norm(gradient),
            learning_rate=jnp.asarray(
                self._schedule(self.config.optim.learning_rate)(state.step), jnp.float32
            ),
            sigma=sigma,
        )
        variables = models.Variables(cast(nnx.State, params), batch_stats)
        return TrainState(state.step + 1, variables, opt_state), metrics

    def _infer(self, variables: models.Variables, images: jax.Array) -> jax.Array:
        """Vertices ``[N, V, 3]``, model frame, of ``[N, 4, S, S]`` uint8 images."""
        return self.network.infer(variables, models.to_network_input(images))


def _silhouette(faces, sigma, **settings):
    return rasterization.silhouette(faces, sigma=sigma, **settings)
