"""Measurements on triangle surfaces, independent of the library."""

from __future__ import annotations

import numpy as np

from jaxsoftras.shapes import placement


def has_matching_edges(faces: np.ndarray) -> bool:
    """Whether each directed edge has an opposite one: a closed, oriented surface."""
    starts, ends = faces.astype(int), np.roll(faces, -1, 1).astype(int)
    size = faces.max() + 1
    forward, backward = starts * size + ends, ends * size + starts
    return np.array_equal(np.sort(forward, None), np.sort(backward, None))


def enclosed_volumes(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Signed volume within each connected component of a closed surface."""
    label = np.arange(len(vertices))
    while True:
        lower = label.copy()
        for k in range(3):
            np.minimum.at(lower, faces[:, k], label[faces].min(1))
        if np.array_equal(lower, label):
            break
        label = lower
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    parts = np.sum(a * np.cross(b, c), -1) / 6
    component = label[faces[:, 0]]
    return np.bincount(component, parts)[np.unique(component)]


def assert_proper(solid: placement.Solid) -> None:
    """Asserts that every component of a solid is closed and oriented outwards."""
    assert solid.vertices.dtype == np.float64 and solid.faces.dtype == np.int32
    assert np.isfinite(solid.vertices).all()
    assert has_matching_edges(solid.faces)
    assert enclosed_volumes(*solid).min() > 0
