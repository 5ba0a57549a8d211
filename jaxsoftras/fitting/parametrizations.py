"""Parametrisations of a mesh: numbers that are optimised, and the vertices they make.

Each begins with the template, a sphere of radius 1/4 around the origin:

* ``softras``: the bias of each coordinate and the centroid, as the heads of
  `jaxsoftras.models.SoftRasDecoder` predict them. Every vertex stays in its octant.
* ``multilevel``, ``flow``: the outputs of the heads of these decoders.
* ``vertices``: coordinates, which nothing confines.

All but ``vertices`` keep the mesh within the unit box ``[-0.5, 0.5]^3``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import config, mesh
from jaxsoftras.models import decoder, flow, templates

Parameters = dict[str, jax.Array]
"""Arrays by name, each with the axis of the objects first."""


class Parametrization(NamedTuple):
    """A family of meshes of one topology.

    Attributes:
        shapes: shape of each array of one object's parameters; the template has zeros.
        place: ``Parameters -> [B, V, 3]`` vertices, world space.
        faces: ``[F, 3]`` vertex indices.
    """

    shapes: dict[str, tuple[int, ...]]
    place: Callable[[Parameters], jax.Array]
    faces: np.ndarray

    def start(self, count: int) -> Parameters:
        """Parameters of the template for each of ``count`` objects."""
        return {
            name: jnp.zeros((count, *shape), jnp.float32)
            for name, shape in self.shapes.items()
        }


def _softras(template: templates.Template, _: config.Model):
    def place(parameters: Parameters) -> jax.Array:
        return decoder.place_by_bias(
            template, parameters["bias"], parameters["centroid"]
        )

    return {"bias": (len(template.predicted), 3), "centroid": (3,)}, place


def _multilevel(template: templates.Template, model: config.Model):
    def place(parameters: Parameters) -> jax.Array:
        return decoder.place_by_levels(
            template,
            parameters["displacement"],
            parameters["shift"],
            model.coarse_level,
            model.template_level,
        )

    return {"displacement": (len(template.predicted), 3), "shift": (3,)}, place


def _flow(template: templates.Template, model: config.Model):
    def place(parameters: Parameters) -> jax.Array:
        return flow.place_by_flow(template, parameters["controls"], model.flow_cells)

    count = flow.count_controls(model.flow_cells, model.symmetric)
    return {"controls": (count,)}, place


def _vertices(template: templates.Template, _: config.Model):
    sphere = template.vertices[template.predicted]

    def place(parameters: Parameters) -> jax.Array:
        offset = parameters["offset"]
        return jnp.asarray(sphere, offset.dtype) + offset

    return {"offset": sphere.shape}, place


_MAKERS = {
    "softras": _softras,
    "multilevel": _multilevel,
    "flow": _flow,
    "vertices": _vertices,
}

PARAMETRIZATIONS = tuple(_MAKERS)
"""Names of the parametrisations."""

LEARNING_RATES = {"softras": 5e-2, "multilevel": 5e-2, "flow": 5e-2, "vertices": 1e-3}
"""Learning rate of Adam by name, unless told otherwise: logits, or world units."""


def make(name: str, model: config.Model) -> Parametrization:
    """Makes a parametrisation.

    Args:
        name: one of `PARAMETRIZATIONS`.
        model: level and symmetry of the template; ``coarse_level`` of ``multilevel``
            and ``flow_cells`` of ``flow``.

    Raises:
        ValueError: an unknown name.
    """
    if name not in _MAKERS:
        raise ValueError(
            f"There is no parametrisation {name!r}: choose one of "
            f"{', '.join(PARAMETRIZATIONS)}."
        )
    template = templates.make(model.template_level, model.symmetric)
    shapes, place_predicted = _MAKERS[name](template, model)
    return Parametrization(
        shapes,
        lambda parameters: template.expand(place_predicted(parameters)),
        np.asarray(mesh.icosphere(model.template_level).faces),
    )
