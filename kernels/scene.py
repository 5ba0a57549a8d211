"""What every implementation of the soft picture takes and returns."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxsoftras.kernels import pairs, shading


class Scene(NamedTuple):
    """A batch of faces to draw.

    Attributes:
        face_vertices: ``[B, F, 3, 3]`` NDC and depth, or ``[B, F, 3, 2]``.
        sigma: ``[B]`` sharpness of the probability map.
        gamma: ``[B]`` sharpness of the choice among depths.
        attributes: of the faces, or None for alpha alone.
    """

    face_vertices: jax.Array
    sigma: jax.Array
    gamma: jax.Array
    attributes: shading.Attributes | None


class Task(NamedTuple):
    """What to draw; static.

    Attributes:
        height: pixels.
        width: pixels.
        rules: what counts, and how.
        lookup: how attributes become colours.
    """

    height: int
    width: int
    rules: pairs.Rules
    lookup: shading.Lookup


class Blend(NamedTuple):
    """All faces taken together at each pixel, before the background is added.

    With ``q_j = D_j exp(n_j)`` the weight of face j that follows from its
    `pairs.Pair.probability` and `pairs.Pair.nearness`.

    Attributes:
        total: ``[B, H, W]`` sum of the faces' shares in alpha; the others are None
            without attributes.
        logit: ``[B, H, W]`` ``log sum_j q_j``; the lowest number where no face has a
            colour.
        color: ``[B, C, H, W]`` ``sum_j q_j C_j / sum_j q_j``; 0 where no face has a
            colour.
    """

    total: jax.Array
    logit: Any
    color: Any


class Softmax(NamedTuple):
    """What the weights of a pixel's faces are measured against; ``[B, H, W]`` each.

    A weight is ``D exp(nearness - level) / sum``. The two stay apart because nearness
    grows as 1 / gamma, and the logarithm of the sum would lose its digits beside it.

    Attributes:
        level: the greatest nearness, or another number that keeps the exponentials
            small; of no consequence where no face has a colour.
        log_sum: logarithm of the sum, and 0 there.
    """

    level: jax.Array
    log_sum: jax.Array
