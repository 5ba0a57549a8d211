"""Fields of a configuration that say what training minimises."""

from __future__ import annotations

import dataclasses
from typing import Literal

from jaxsoftras.config.ranges import COUNTABLE, require


@dataclasses.dataclass(frozen=True)
class Render:
    """Settings of the soft rasterizer during training."""

    sigma: float = 1e-4
    """Initial sharpness, NDC squared."""
    final_sigma: float | None = None
    """Sharpness that ``sigma`` changes to within ``anneal_steps``, by equal factors.
    None: sigma drops with the learning rate if ``optim.schedule`` is ``piecewise``, and
    is constant otherwise."""
    anneal_steps: int = 100_000
    """Number of steps in which sigma becomes ``final_sigma``."""
    gamma: float = 1e-4
    """Sharpness of the choice among depths where colours are rendered; see
    `jaxsoftras.rasterize`."""
    shading: Literal["none", "lambert"] = "none"
    """Light on colours. ``none``: rendered as they are, so that they include the light
    of the images; ``lambert``: multiplied by the light that this project's own data
    sets are made with, 0.5 + 0.5 |n . l| (see docs/color.md)."""
    dist_eps: float = 1e-10
    """Probability below which a face no longer influences a pixel."""
    implementation: Literal["reference", "xla", "pallas", "triton", "mosaic"] | None = (
        None
    )
    """Implementation of the rasterizer; None chooses the fastest on the device."""

    def __post_init__(self):
        require(self.sigma > 0, "render.sigma must be positive.")
        require(
            self.final_sigma is None or self.final_sigma > 0,
            "render.final_sigma must be positive, or None.",
        )
        require(self.gamma > 0, "render.gamma must be positive.")
        require(
            0 < self.anneal_steps < COUNTABLE,
            f"render.anneal_steps must be from 1 to {COUNTABLE - 1}.",
        )
        require(0 < self.dist_eps < 0.5, "render.dist_eps must lie between 0 and 0.5.")


@dataclasses.dataclass(frozen=True)
class Loss:
    """Weights of the regularisers; the silhouette loss has weight 1."""

    laplacian: float = 5e-3
    """Weight of `jaxsoftras.losses.laplacian`."""
    flatten: float = 5e-4
    """Weight of `jaxsoftras.losses.flatten`."""
    normal_consistency: float = 0.0
    """Weight of `jaxsoftras.losses.normal_consistency`. The paper does without this
    term and the next two, which are not computed if their weight is 0."""
    edge_length: float = 0.0
    """Weight of `jaxsoftras.losses.edge_length`, the mean squared length."""
    multiscale: float = 0.0
    """Weight of one minus `jaxsoftras.losses.multiscale_silhouette_iou`, of 4 scales,
    or as many as the image has."""
    color: float = 0.0
    """Weight of the difference between renders in colour and the images, for a model
    with ``model.color``; it takes as many renders as the silhouettes, k^2 an object."""
    color_norm: Literal["l1", "l2"] = "l1"
    """Absolute or squared difference of colours."""
    color_vertices: bool = False
    """Whether the gradient of the colour term reaches the vertices, beside the
    colours."""

    def __post_init__(self):
        numbers = [f.name for f in dataclasses.fields(self) if f.type == "float"]
        require(
            min(getattr(self, name) for name in numbers) >= 0,
            "Loss weights must not be negative.",
        )
