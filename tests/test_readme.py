"""The README: its twelve lines do what it says."""

import functools

import numpy as np
import pytest

import jaxsoftras
from tests.support import pages

README = pages.find_pages()["README.md"]


@pytest.mark.parametrize("size", [64, pytest.param(256, marks=pytest.mark.slow)])
def test_the_lines_of_the_readme_fit_a_mesh(size, monkeypatch):
    settings = jaxsoftras.Settings(image_size=size)
    small = functools.partial(jaxsoftras.render, settings=settings)
    monkeypatch.setattr(jaxsoftras, "render", small)
    names = README.run_python()
    assert names["target"].shape == (size, size, 4)
    start = 0.4 * np.asarray(names["sphere"].vertices)
    image, target = names["draw"](names["vertices"]), names["target"]
    before = np.mean((names["draw"](start) - target) ** 2)
    assert np.mean((image - target) ** 2) < 0.2 * before


def test_the_readme_is_short():
    assert len(README.text.splitlines()) < 150
    (block,) = (b for b in README.blocks if b.language == "python")
    assert len([line for line in block.text.splitlines() if line]) == 12
