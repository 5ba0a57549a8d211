"""The choice of the fits that an object combines."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_COUNTS = (0.15, 0.6, 0.25)  # shares of objects made of one, two and three fits
_NEAR = 0.7  # share of objects that are mostly one fit
_WEIGHTS = ((0.65, 0.95), (0.4, 0.65))  # of the first fit: near it, or in between
_NEAREST = 1 / 3  # of the other fits of a category, which the first is combined with
_FEWEST = 4  # fits to choose among, if there are as many


class Recipe(NamedTuple):
    """Fits that an object combines.

    Attributes:
        parents: ``[k]`` row numbers of the fits, the main one first; k is 1 to 3.
        weights: ``[k]`` float64, positive, of sum 1.
    """

    parents: np.ndarray
    weights: np.ndarray


def rank_neighbors(vertices: np.ndarray) -> np.ndarray:
    """Lists for each fit the others that it may be combined with.

    A mean of fits that differ much, such as rifles that point to different sides, is no
    object of the category.

    Args:
        vertices: ``[n, V, 3]`` of all fits of a category.

    Returns:
        ``[n, m]`` row numbers of the nearest third of the others, nearest first.
    """
    flat = vertices.reshape(len(vertices), -1).astype(float)
    squares = np.sum(flat**2, 1)
    distances = squares[:, None] + squares - 2 * flat @ flat.T
    np.fill_diagonal(distances, -np.inf)  # comes first, whatever rounding does
    others = len(flat) - 1
    count = min(others, max(_FEWEST, round(others * _NEAREST)))
    return np.argsort(distances, 1, kind="stable")[:, 1 : count + 1]


def draw_recipe(rng: np.random.Generator, neighbors: np.ndarray) -> Recipe:
    """Draws the fits that an object combines, and their weights.

    Args:
        rng: source of randomness.
        neighbors: ``[n, m]`` from `rank_neighbors`.
    """
    first = rng.integers(len(neighbors))
    wanted = rng.choice(3, p=_COUNTS)
    others = rng.permutation(neighbors[first])[:wanted]
    weight = rng.uniform(*_WEIGHTS[0 if rng.random() < _NEAR else 1])
    if not len(others):
        return Recipe(np.array([first]), np.ones(1))
    rest = (1 - weight) * rng.dirichlet(np.ones(len(others)))
    return Recipe(np.array([first, *others]), np.array([weight, *rest]))


def blend(parents: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Combines meshes of one topology.

    Args:
        parents: ``[k, V, 3]`` vertices, the main mesh first.
        weights: ``[k]`` of sum 1.

    Returns:
        ``[V, 3]`` float64. The main mesh where the others cancel it, so that a side of
        the bounding box is less than half of what all of them have.
    """
    mean = np.tensordot(weights, parents.astype(float), 1)
    least = np.ptp(parents, axis=1).min(0) / 2
    return mean if np.all(np.ptp(mean, axis=0) >= least) else parents[0].astype(float)
