"""The options of the rasterizer, one record for public functions and kernels."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxsoftras import checks, probability, texture
from jaxsoftras import conorm as conorms

Distance = Literal["euclidean", "barycentric", "hard"]
"""Distance from a pixel to a face: ``"euclidean"``, to its boundary; ``"barycentric"``,
the least barycentric coordinate; ``"hard"``, only whether the face covers the pixel."""

FrontFace = Literal["clockwise", "counterclockwise"]
"""Order of a face's corners on the screen when its front is seen."""

Aggregation = Literal["softmax", "hard"]
"""Colour over depth: blended by softmax, or the colour of the nearest face."""

Interpolation = Literal["perspective", "affine", "orthographic"]
"""Interpolation within a face. ``"perspective"``: linear on the face. ``"affine"``: of
attributes, linear on the screen. ``"orthographic"``: of attributes and depth, linear on
both, as an orthographic camera sees them."""

Implementation = Literal["reference", "xla", "pallas", "triton", "mosaic"]
"""``"reference"``: the definition, dense, for small scenes. ``"xla"``: an exact work
list, on any device. ``"triton"`` and ``"mosaic"``: Pallas kernels for NVIDIA GPUs, by
the backend of that name. ``"pallas"``: the better of these two on this device."""


def _static(default: Any) -> Any:
    return dataclasses.field(default=default, metadata={"static": True})


@dataclasses.dataclass(frozen=True, kw_only=True)
class RasterOptions:
    """Options of the rasterizer that are known at compile time; hashable.

    The keywords of `jaxsoftras.rasterize` fill this record, `jaxsoftras.Settings`
    extends it, and the kernels read it.

    Attributes:
        distance: argument of the probability map, see `Distance`.
        squared: whether the probability is a function of the squared distance.
        distribution: a name in `probability.DISTRIBUTIONS`, or a
            `probability.Distribution`; its CDF is the probability map.
        conorm: T-conorm that aggregates the probabilities to alpha: a name in
            `conorm.CONORMS` or a `conorm.Conorm`.
        dist_eps: probability at which a face's influence ends, in (0, 0.5); larger is
            faster.
        near: least depth at which a face has a colour, world units; None stands for 0
            (every face in front of the camera), and for 1 with ``match_softras``.
        far: greatest such depth; None stands for 100.
        aggregation: see `Aggregation`.
        interpolation: see `Interpolation`.
        double_sided: whether faces have a colour seen from behind; alpha does not
            depend on it.
        front_face: order of the corners on the screen seen from the front; None stands
            for ``"counterclockwise"`` (right-handed cameras), and for ``"clockwise"``
            with ``match_softras``, whose cameras mirror the image.
        background_epsilon: nearness of the background, in (0, 1).
        wrap: continuation of a texture image beyond its edges; None stands for the
            texture's own, or else ``"clamp"``.
        supersampling: the image is rendered at this multiple of its size and averaged.
        match_softras: render as the original code does: affine interpolation, its
            weight of the background (epsilon counts twice), and no gradient through
            depth and attributes as a face slides, nor to alpha from faces out of
            [near, far].
        implementation: see `Implementation`; None chooses the fastest that runs on the
            default device.

    Raises:
        ValueError: a value out of its range, or an unknown name.
    """

    distance: Distance = _static("euclidean")
    squared: bool = _static(True)
    distribution: str | probability.Distribution = _static("logistic")
    conorm: str | conorms.Conorm = _static("probabilistic")
    dist_eps: float = _static(1e-4)
    near: float | None = _static(None)
    far: float | None = _static(None)
    aggregation: Aggregation = _static("softmax")
    interpolation: Interpolation = _static("perspective")
    double_sided: bool = _static(True)
    front_face: FrontFace | None = _static(None)
    background_epsilon: float = _static(1e-3)
    wrap: texture.Wrap | None = _static(None)
    supersampling: int = _static(1)
    match_softras: bool = _static(False)
    implementation: Implementation | None = _static(None)

    def __post_init__(self) -> None:
        """Checks all fields, and looks up the names of families."""
        for name, choices in (
            ("distance", Distance),
            ("aggregation", Aggregation),
            ("interpolation", Interpolation),
        ):
            checks.check_choice(name, getattr(self, name), choices)
        for name, choices in (
            ("wrap", texture.Wrap),
            ("front_face", FrontFace),
            ("implementation", Implementation),
        ):
            if getattr(self, name) is not None:
                checks.check_choice(name, getattr(self, name), choices)
        for name, family in (
            ("distribution", probability.Distribution),
            ("conorm", conorms.Conorm),
        ):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, family(value))
            elif not isinstance(value, family):
                raise ValueError(
                    f"{name} must be a name or a {family.__name__}, not {value!r}."
                )
        for name in ("dist_eps", "background_epsilon", "near", "far"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, self._known_number(name))
        if not 0 < self.dist_eps < 0.5:
            raise ValueError(
                f"dist_eps must lie between 0 and 0.5, not {self.dist_eps}."
            )
        if not 0 < self.background_epsilon < 1:
            raise ValueError(
                "background_epsilon must lie between 0 and 1, not "
                f"{self.background_epsilon}."
            )
        if not isinstance(self.supersampling, int) or self.supersampling < 1:
            raise ValueError(
                "supersampling must be an integer of at least 1, not "
                f"{self.supersampling!r}."
            )
        near, far = self.depth_range
        if not 0 <= near < far < math.inf:
            raise ValueError(
                f"near and far must be depths with 0 <= near < far, not {near} and "
                f"{far}."
            )

    def _known_number(self, name: str) -> float:
        """A field as a float, of which arrays are no static numbers."""
        value = getattr(self, name)
        if isinstance(value, Tracer):
            raise ValueError(
                f"{name} is a static number, and is traced here; make it a constant of "
                "the compiled function."
            )
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{name} must be a number, not {value!r}.") from None

    @property
    def depth_range(self) -> tuple[float, float]:
        """Least and greatest depth at which a face has a colour, world units."""
        near = float(self.match_softras) if self.near is None else float(self.near)
        return near, 100.0 if self.far is None else float(self.far)

    @property
    def winding(self) -> FrontFace:
        """Order of the corners of a front face on the screen."""
        if self.front_face is not None:
            return self.front_face
        return "clockwise" if self.match_softras else "counterclockwise"

    @property
    def perspective(self) -> bool:
        """Whether attributes are linear on the face, not on the screen."""
        return self.interpolation == "perspective" and not self.match_softras

    @property
    def parallel(self) -> bool:
        """Whether lines of sight are parallel: depth is linear on the screen."""
        return self.interpolation == "orthographic" and not self.match_softras

    @property
    def cutoff(self) -> float:
        """Reach of a face in units of sigma."""
        assert isinstance(self.distribution, probability.Distribution)
        return probability.reach(self.distribution, self.dist_eps)

    @property
    def soft_silhouette(self) -> bool:
        """Whether alpha is ``1 - prod_j (1 - sigmoid(s_j / sigma))``.

        Kernels have a formula of their own for the gradient of this alpha, with ``s_j``
        the signed squared distance; see `geometry.nearest`.
        """
        alpha = RasterOptions()
        names = ("distance", "squared", "distribution", "conorm", "match_softras")
        return all(getattr(self, name) == getattr(alpha, name) for name in names)

    def margin(self, sigma: jax.Array) -> jax.Array:
        """Distance that a face reaches beyond its bounding box, NDC."""
        if self.distance == "hard":
            return jnp.zeros_like(sigma)
        reach = sigma * self.cutoff
        return jnp.sqrt(reach) if self.squared else reach
