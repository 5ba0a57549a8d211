"""Fits the camera and the code of a mesh to the silhouette of one picture.

A silhouette says nothing about depth, and a wrong camera makes a fit squeeze or stretch
the mesh. The camera is therefore fitted as well, and the mesh moves only as the network
lets it: by its code, the numbers that the decoder makes a mesh of. Sides that are not
seen then change with those that are, as they do in the objects of the training.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxsoftras import config
from jaxsoftras.fitting import engine
from jaxsoftras.prediction import viewpoints
from jaxsoftras.prediction.viewpoints import Orbit, Pose

# lengths of the first steps of Adam
_UNITS = Pose(azimuth=0.2, elevation=0.2, zoom=0.003, shift=0.003)
_CODE = 0.007  # relative to the root mean square of the predicted code

_HELD = 2.0  # weight of the mean square of the code's change, relative to its own
_ELEVATIONS = (-30.0, -15.0, 0.0, 15.0)  # that are tried, degrees from the usual one
_HIGHEST = 89.0  # degrees; at 90 there is no azimuth


class Refined(NamedTuple):
    """A mesh that was fitted to a picture, and how the picture shows it.

    Attributes:
        vertices: ``[V, 3]`` right-handed frame.
        pose: the camera's.
    """

    vertices: jax.Array
    pose: Pose


def refine(
    decode: Callable[[jax.Array], jax.Array],
    code: jax.Array,
    faces: np.ndarray,
    orbit: Orbit,
    coverage: jax.Array,
    steps: jax.Array | int,
    settings: config.Config,
    *,
    hold_elevation: bool = False,
) -> Refined:
    """Fits a mesh and its camera to a silhouette.

    The camera begins where `viewpoints.search_poses` finds it, the code where the
    encoder put it. Adam then moves azimuth, elevation, zoom, shift and code z to
    minimise the loss of training plus ``2 mean((z - z0)^2) / mean(z0^2)``, which holds
    the code near the predicted z0 however many steps there are.

    Args:
        decode: makes vertices ``[V, 3]``, right-handed frame, of a code ``[latent]``.
        code: ``[latent]`` z0.
        faces: ``[F, 3]`` vertex indices.
        orbit: distance and field of view of the camera, and its usual elevation.
        coverage: ``[S, S]`` the silhouette, 0 to 1.
        steps: number of steps.
        settings: weights of the loss, and settings of the rasterizer; where sigma is
            annealed, its last value counts.
        hold_elevation: whether the elevation is known to be that of the orbit.

    Returns:
        The mesh and the pose.
    """
    elevations = jnp.asarray(orbit.elevation, code.dtype)[None]
    units = _UNITS
    if hold_elevation:
        units = units._replace(elevation=0.0)
    else:
        elevations = _limit(elevations + np.array(_ELEVATIONS))
    start = viewpoints.search_poses(
        decode(code),
        faces,
        orbit,
        elevations,
        coverage >= 0.5,
        settings.render.implementation,
    )
    size = jnp.sqrt(jnp.mean(code**2))
    annealed, constant = settings.render.final_sigma, settings.render.sigma
    sigma = constant if annealed is None else annealed

    def place(moves: tuple[jax.Array, Pose]) -> Refined:
        """Mesh and pose after moves in units of the steps."""
        change, turn = moves
        pose = jax.tree.map(lambda x, unit, move: x + unit * move, start, units, turn)
        if not hold_elevation:
            pose = pose._replace(elevation=_limit(pose.elevation))
        return Refined(decode(code + _CODE * size * change), pose)

    def loss(moves: tuple[jax.Array, Pose], _: jax.Array) -> jax.Array:
        vertices, pose = place(moves)
        view = viewpoints.place_cameras(orbit, pose)
        views = engine.Views(
            coverage[None, None],
            jax.tree.map(lambda part: part[None, None], view),
            jnp.ones((1, 1), vertices.dtype),
        )
        fit = engine.compute_loss(vertices[None], faces, views, sigma, settings)
        return fit + _HELD * jnp.mean((_CODE * moves[0]) ** 2)

    optimizer = optax.adam(1.0)  # in units of the steps
    moves = jax.tree.map(jnp.zeros_like, (code, start))
    moves, _ = engine.descend(loss, optimizer, (moves, optimizer.init(moves)), 0, steps)
    return place(moves)


def _limit(elevation: jax.Array) -> jax.Array:
    return jnp.clip(elevation, -_HIGHEST, _HIGHEST)
