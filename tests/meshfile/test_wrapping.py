"""Wrap modes and blocks of texels; that images look the same is tested with glTF."""

import numpy as np
import pytest

from jaxsoftras.meshfile.wrapping import (
    CLAMP,
    AxisLayout,
    Block,
    Layout,
    choose_layout,
    find_block,
)

INSIDE = np.array([[0, 0], [1, 1.0]])
BEYOND = np.array([[-1, 0.5], [0.5, 2.5]])
FAR = np.array([[0, 0], [1e30, 1]])


@pytest.mark.parametrize(
    "wraps, uv, expected",
    [
        (("repeat", "repeat"), FAR, Layout()),
        (("clamp", "clamp"), INSIDE, Layout(wrap="clamp")),
        (("mirror", "clamp"), INSIDE, Layout(wrap="clamp")),
        (("mirror", "repeat"), BEYOND, Layout(AxisLayout(True))),
        (
            ("clamp", "clamp"),
            BEYOND,
            Layout(AxisLayout(False, 9, 1), AxisLayout(False, 1, 7)),
        ),
        (
            ("clamp", "repeat"),
            INSIDE,
            Layout(AxisLayout(False, 1, 1), AxisLayout()),
        ),
        (("clamp", "clamp"), FAR, Layout(wrap="clamp")),
        (("clamp", "repeat"), FAR, None),
        (("clamp", "mirror"), INSIDE[:0], Layout()),
    ],
)
def test_layout(wraps, uv, expected):
    assert choose_layout((4, 8, 3), uv, wraps) == expected


def test_border_of_a_large_image():
    """It may grow fourfold; then the texture must clamp."""
    shape = (1024, 1024, 3)
    found = choose_layout(shape, np.array([[0, 0], [3.9, 0.5]]), CLAMP)
    assert found is not None and found.u.high > 2900
    found = choose_layout(shape, np.array([[0, 0], [4.1, 0.5]]), CLAMP)
    assert found == Layout(wrap="clamp")


@pytest.mark.parametrize(
    "uv, expected",
    [
        ([[0.25, 0.5], [0.75, 0.75]], Block(2, 2, 4, 1)),
        ([[0, 0], [1, 1]], None),  # all of it
        ([[0.25, 0.5], [0.7, 0.75]], None),  # a part of a texel
        ([[0.25, 0.5], [1.25, 0.75]], None),
        ([[0.25, 0.5], [0.25, 0.75]], None),
    ],
)
def test_block(uv, expected):
    assert find_block((4, 8, 3), np.array(uv)) == expected


def test_block_of_an_image():
    image = np.arange(4 * 8 * 3).reshape(4, 8, 3)
    block = Block(2, 1, 4, 2)
    np.testing.assert_array_equal(block.crop(image), image[1:3, 2:6])
    uv = block.change_uv(np.array([[0.25, 0.25], [0.5, 0.75]]), image.shape)
    np.testing.assert_array_equal(uv, [[0, 0], [0.5, 1]])
