"""Scores of colours: PSNR and SSIM of views that the network did not see.

Meshes are rendered over white, anti-aliased, and compared with the images over white.
Two plain baselines colour the same mesh from the same input: with the mean colour of
its pixels, and with the pixel nearest to the projection of each vertex. All three have
the same outline, whose error is the larger part of that of a whole image where meshes
are coarse: scores of the pixels that mesh and object share are of the colours alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxsoftras import camera, losses
from jaxsoftras.data import rig
from jaxsoftras.models import Reconstruction, color, to_network_input
from jaxsoftras.reconstruction import coloring, training
from jaxsoftras.reconstruction.evaluation_scores import COLOR_BASELINES

INPUTS = 4
"""Input views of each object that are scored, evenly chosen."""

_LEAST_SSIM = 11  # pixels, the size of a window
_COVERED = 128  # coverage from which on a pixel belongs to the object
_WHOLE = 250  # from which on nothing is seen of what is behind


class Quality(NamedTuple):
    """Agreement of renders with images, ``[g, v]``: means over the unseen views.

    Attributes:
        psnr: peak signal-to-noise ratio of the whole images, dB.
        object_psnr: the same of the pixels of the object in the image; NaN if no view
            has any.
        shared_psnr: the same of the pixels that object and mesh both cover entirely,
            where outlines play no part; NaN if no view has any.
        ssim: structural similarity of the whole images; None of images that are smaller
            than its window.
        shared_ssim: the same of the windows around the pixels of ``shared_psnr``.
    """

    psnr: jax.Array
    object_psnr: jax.Array
    shared_psnr: jax.Array
    ssim: jax.Array | None
    shared_ssim: jax.Array | None


class ColorScores(NamedTuple):
    """Qualities of a reconstruction and of the baselines.

    Attributes:
        model: the reconstruction, with the light of the configuration.
        mean_color: its mesh in the mean colour of the input.
        nearest_pixel: its mesh in the colours of `project_pixels`.
    """

    model: Quality
    mean_color: Quality
    nearest_pixel: Quality


_ENDINGS = ("", *(f"_{baseline}" for baseline in COLOR_BASELINES))
NAMES = tuple(name + ending for ending in _ENDINGS for name in Quality._fields)
"""Names of the columns of `score_columns`."""


def average_color(images: jax.Array) -> jax.Array:
    """Mean colours ``[N, 3]`` of the objects in images ``[N, 4, S, S]`` uint8.

    Grey where there is no object.
    """
    pixels = to_network_input(images)
    logits = jnp.zeros((len(images), 1, images.shape[-1] ** 2))
    return color.average_pixels(pixels, logits)[:, 0]


def project_pixels(
    images: jax.Array, vertices: jax.Array, cameras: rig.Viewpoints
) -> jax.Array:
    """Colours of the pixels nearest to the projections of vertices.

    Only pixels at least half of which the object covers are looked at. Vertices at the
    back take the colour that the camera sees in front of them.

    Args:
        images: ``[N, 4, S, S]`` uint8, colours multiplied by coverage.
        vertices: ``[N, V, 3]`` model frame.
        cameras: N cameras.

    Returns:
        ``[N, V, 3]``; the mean colour where there is no such pixel.
    """
    size = images.shape[-1]
    points = camera.project(rig.as_cameras(cameras), vertices)[..., :2]
    row, column = jnp.divmod(jnp.arange(size * size), size)
    centers = jnp.stack([2 * column + 1 - size, size - 1 - 2 * row], -1) / size

    def pick(one: tuple[jax.Array, jax.Array]) -> jax.Array:
        image, points = one
        pixels = image.reshape(4, -1).astype(jnp.float32)
        distances = jnp.sum((points[:, None] - centers) ** 2, axis=-1)
        nearest = jnp.argmin(
            jnp.where(pixels[3] >= _COVERED, distances, jnp.inf), axis=-1
        )
        found = pixels[:, nearest]
        return jnp.minimum(found[:3] / jnp.maximum(found[3], 1), 1).T

    # one image after another: V times S * S distances each
    picked = jax.lax.map(pick, (images, points))
    covered = jnp.any(images[:, 3] >= _COVERED, axis=(1, 2))
    mean = average_color(images)[:, None]
    return jnp.where(covered[:, None, None], picked, mean)


def score_columns(
    experiment: training.Experiment,
    meshes: Reconstruction,
    images: jax.Array,
    cameras: rig.Viewpoints,
    counts: jax.Array,
) -> dict[str, jax.Array]:
    """Scores the colours of objects as a few of their views have them; see `score`.

    Args:
        experiment: see `score`.
        meshes: with leading axes ``[g, N]``, one for each view.
        images: see `score`.
        cameras: see `score`.
        counts: see `score`.

    Returns:
        ``[g, N]`` by name, those of `NAMES` that there are: the fields of `Quality` of
        the model, and of the baselines with ``"_mean_color"`` and ``"_nearest_pixel"``
        behind. NaN for input views that are not scored. Nothing if the meshes have no
        colours.
    """
    if meshes.colors is None:
        return {}
    inputs = jnp.arange(INPUTS) * counts[:, None] // INPUTS
    rows = jnp.arange(len(inputs))[:, None]
    chosen = jax.tree.map(lambda part: part[rows, inputs], meshes)
    scores = score(experiment, chosen, inputs, images, cameras, counts)
    values = (value for quality in scores for value in quality)
    columns = {}
    for name, value in zip(NAMES, values, strict=True):
        if value is not None:
            blank = jnp.full(images.shape[:2], jnp.nan, value.dtype)
            columns[name] = blank.at[rows, inputs].set(value)
    return columns


def score(
    experiment: training.Experiment,
    meshes: Reconstruction,
    inputs: jax.Array,
    images: jax.Array,
    cameras: rig.Viewpoints,
    counts: jax.Array,
) -> ColorScores:
    """Scores the colours of objects in the views that the network did not see.

    Takes 4 N renders for each mesh.

    Args:
        experiment: functions of the configuration.
        meshes: with leading axes ``[g, v]``, model frame.
        inputs: ``[g, v]`` number of the view that each is made from.
        images: ``[g, N, 4, S, S]`` uint8, all views of the objects.
        cameras: of the images, with leading axes ``[g, N]``.
        counts: ``[g]`` number of views; images beyond it count for nothing.

    Returns:
        Qualities ``[g, v]``; NaN for an object with a single view.
    """
    images, cameras, counts = jax.tree.map(jnp.asarray, (images, cameras, counts))
    rows = jnp.arange(len(images))
    targets = to_network_input(images)
    targets = (
        targets[..., :3] + coloring.BACKGROUND * (1 - targets[..., 3:]),
        images[:, :, 3] >= _COVERED,
    )
    whole = images[:, :, 3] >= _WHOLE
    views = jnp.arange(images.shape[1])

    def compare(column: tuple[Reconstruction, jax.Array]) -> ColorScores:
        mesh, view = column
        others = (views < counts[:, None]) & (views != view[:, None])
        shown = images[rows, view]
        seen_by = jax.tree.map(lambda part: part[rows, view], cameras)
        mean = jnp.broadcast_to(average_color(shown)[:, None], mesh.vertices.shape)
        nearest = project_pixels(shown, mesh.vertices, seen_by)
        assert mesh.colors is not None
        shared = whole & _find_covered(experiment, mesh.vertices, cameras)

        def measure(colors: jax.Array, lit: bool | None = None) -> Quality:
            drawn = _draw_views(experiment, mesh.vertices, colors, cameras, lit)
            return _measure(drawn, *targets, shared, others)

        # the light of the input is in its pixels
        baselines = jax.lax.map(
            functools.partial(measure, lit=False), jnp.stack([mean, nearest])
        )
        parts = (jax.tree.map(lambda part, k=k: part[k], baselines) for k in range(2))
        return ColorScores(measure(mesh.colors), *parts)

    # one input view after another, as the renders of all would take v times the memory
    columns = jax.tree.map(lambda part: jnp.moveaxis(part, 1, 0), (meshes, inputs))
    return jax.tree.map(
        lambda part: jnp.moveaxis(part, 0, 1), jax.lax.map(compare, columns)
    )


def _draw_views(
    experiment: training.Experiment,
    vertices: jax.Array,
    colors: jax.Array,
    cameras: rig.Viewpoints,
    lit: bool | None,
) -> jax.Array:
    """Renders meshes ``[g, ...]`` from all views: ``[g, N, S, S, 3]``."""
    (vertices, colors), flat = _match_views((vertices, colors), cameras)
    drawn = experiment.colors.draw(vertices, colors, flat, lit=lit)
    return _group_views(drawn, cameras)


def _find_covered(
    experiment: training.Experiment, vertices: jax.Array, cameras: rig.Viewpoints
) -> jax.Array:
    """Pixels ``[g, N, S, S]`` that meshes ``[g, V, 3]`` cover entirely in all views."""
    black = _draw_views(experiment, vertices, jnp.zeros_like(vertices), cameras, False)
    return jnp.all(black < 1 - _WHOLE / 255, axis=-1)


def _match_views(parts: Any, cameras: rig.Viewpoints) -> tuple[Any, rig.Viewpoints]:
    """Arrays ``[g, ...]`` repeated for each of N views, and the g * N cameras."""
    count = jax.tree.leaves(cameras)[0].shape[1]
    repeated = jax.tree.map(lambda part: jnp.repeat(part, count, axis=0), parts)
    flat = jax.tree.map(lambda part: part.reshape(-1, *part.shape[2:]), cameras)
    return repeated, flat


def _group_views(images: jax.Array, cameras: rig.Viewpoints) -> jax.Array:
    """Images ``[g * N, ...]`` by mesh and view, ``[g, N, ...]``."""
    return images.reshape(*jax.tree.leaves(cameras)[0].shape[:2], *images.shape[1:])


def _measure(
    drawn: jax.Array,
    target: jax.Array,
    covered: jax.Array,
    shared: jax.Array,
    others: jax.Array,
) -> Quality:
    """Means over views ``[g]`` of the qualities of images ``[g, N, S, S, 3]``.

    Args:
        drawn: the renders.
        target: what they should be.
        covered: ``[g, N, S, S]`` bool, pixels of the object.
        shared: ``[g, N, S, S]`` bool, pixels that object and mesh cover entirely.
        others: ``[g, N]`` bool, the views that count.
    """

    def average(score: Callable[..., jax.Array], mask: jax.Array | None) -> jax.Array:
        if mask is None:
            counted, values = others, score(drawn, target)
        else:
            counted = others & jnp.any(mask, axis=(2, 3))
            values = score(drawn, target, mask=mask)
        total = jnp.sum(jnp.where(counted, values, 0), axis=1)
        return total / jnp.sum(counted, axis=1)

    large = drawn.shape[-2] >= _LEAST_SSIM
    # windows lie within the image, so that none is around a pixel of its margin
    margin = _LEAST_SSIM // 2
    inner = jnp.zeros_like(shared).at[..., margin:-margin, margin:-margin].set(True)
    return Quality(
        psnr=average(losses.psnr, None),
        object_psnr=average(losses.psnr, covered),
        shared_psnr=average(losses.psnr, shared),
        ssim=average(losses.ssim, None) if large else None,
        shared_ssim=average(losses.ssim, shared & inner) if large else None,
    )
