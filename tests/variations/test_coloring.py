"""Colours of meshes without parts."""

from __future__ import annotations

import numpy as np
import pytest

from jaxsoftras.variations import coloring
from tests.support.fit_folders import FACES, VERTICES

BALL = 0.5 * VERTICES.astype(float)
SEEDS = range(200)


def draw(seed: int, vertices: np.ndarray = BALL) -> np.ndarray:
    return coloring.draw_colors(np.random.default_rng(seed), vertices, FACES)


def test_colors_are_in_range_and_differ():
    drawn = [draw(seed) for seed in SEEDS]
    assert all(colors.shape == (80, 3) for colors in drawn)
    assert min(c.min() for c in drawn) >= 0 and max(c.max() for c in drawn) <= 1
    assert len({colors.tobytes() for colors in drawn}) == len(SEEDS)


def test_regions_of_several_hues(monkeypatch):
    monkeypatch.setattr(coloring, "_GRADIENT", 0.0)
    drawn = [draw(seed) for seed in range(600)]
    one = np.mean([np.ptp(colors, axis=0).max() < 1e-9 for colors in drawn])
    # one region, or several of one colour
    assert one == pytest.approx(0.35 + 0.65 * 0.35, abs=0.07)
    sharp = [len(np.unique(colors.round(6), axis=0)) for colors in drawn]
    assert max(sharp) > 3  # faces on borders have a mean


def test_gradients_change_the_brightness_alone(monkeypatch):
    monkeypatch.setattr(coloring, "_REGIONS", (1.0, 0.0, 0.0))
    for seed in range(20):
        colors = draw(seed)
        assert colors.std(0).max() > 1e-3
        ratios = colors / colors.sum(1, keepdims=True)
        if colors.max() < 1:
            np.testing.assert_allclose(ratios, ratios[:1].repeat(80, 0), atol=1e-9)


def test_regions_are_symmetric(monkeypatch):
    monkeypatch.setattr(coloring, "_GRADIENT", 0.0)
    opposite = BALL * (-1, 1, 1)
    for seed in range(20):
        np.testing.assert_allclose(draw(seed), draw(seed, opposite), atol=1e-9)


@pytest.mark.parametrize("size", [1e-9, 1.0])
def test_meshes_of_any_size_have_finite_colors(size):
    assert np.all(np.isfinite([draw(seed, size * BALL) for seed in range(30)]))
