"""Cameras of OpenCV against its own formulas, in numpy."""

from typing import Any

import jax
import numpy as np
import pytest

from jaxsoftras import conventions
from tests.support.calibrations import (
    POINTS,
    K,
    assert_same,
    assert_same_pixels,
    each_size,
    opencv_pixels,
    project,
    random_rotation,
)

LENSES = [("brown", n) for n in (4, 5, 8, 12, 14)] + [("fisheye", 4)]
each_lens = pytest.mark.parametrize(("lens", "length"), LENSES)


class TestOpenCV:
    k = K
    rotation = random_rotation(1)
    translation = np.array([0.1, -0.2, 2.5])
    given = k, rotation, translation
    # k1 k2 p1 p2 k3, k4 k5 k6, s1 s2 s3 s4, tilts
    brown = np.array([-0.3, 0.1, 0.02, -0.03, 0.05, 0.2, -0.1, 0.3])
    brown = np.append(brown, [0.03, -0.05, 0.04, 0.06, 0.1, -0.15])
    fisheye = np.array([-0.2, 0.15, 0.1, -0.3])

    @each_size
    @pytest.mark.parametrize("distortion", [None, brown[:5]], ids=["ideal", "lens"])
    def test_pixels_and_back(self, size, distortion, x64):
        cam = conventions.from_opencv(*self.given, size, distortion)
        coefficients = np.zeros(5) if distortion is None else distortion
        expected = opencv_pixels(POINTS, *self.given, "brown", coefficients)
        assert_same_pixels(cam, size, expected)
        back = conventions.to_opencv(cam, size)
        assert_same(back, (*self.given, distortion))
        assert_same(conventions.from_opencv(*back[:3], size, back[3]), cam)

    @each_lens
    def test_every_coefficient_of_every_lens(self, lens, length, x64):
        distortion = (self.brown if lens == "brown" else self.fisheye)[:length]
        cam = conventions.from_opencv(*self.given, (48, 64), distortion, lens=lens)
        expected = opencv_pixels(POINTS, *self.given, lens, distortion)
        assert_same_pixels(cam, (48, 64), expected)
        for index in range(length):  # none is too small to be seen
            less = np.where(np.arange(length) == index, 0, distortion)
            other = opencv_pixels(POINTS, *self.given, lens, less)
            assert np.abs(expected - other).max() > 1e-4
        back = conventions.to_opencv(cam, (48, 64), lens=lens)
        assert_same(back, (*self.given, distortion))

    @each_lens
    def test_shapes_of_a_vector(self, lens, length):
        vector = np.linspace(0.01, 0.02, length)
        expected = conventions.from_opencv(*self.given, 64, vector, lens=lens)
        for shape in [(length, 1), (1, length)]:
            cam = conventions.from_opencv(
                *self.given, 64, vector.reshape(shape), lens=lens
            )
            assert_same(cam, expected)

    def test_batches_of_vectors(self):
        vectors = np.linspace(0, 0.1, 20).reshape(5, 4)
        translations = self.translation + np.arange(5)[:, None]
        given = self.k, self.rotation, translations, 64
        cams: Any = conventions.from_opencv(*given, vectors)
        assert cams.distortion.shape == (5, 4)
        assert_same(conventions.from_opencv(*given, vectors[..., None]), cams)
        one: Any = conventions.from_opencv(*given, vectors[:1])  # of all five
        np.testing.assert_array_equal(one.distortion[3], cams.distortion[0])
        for few in (self.given, (self.k, self.rotation, translations[:4])):
            with pytest.raises(ValueError, match=r"leading axes of distortion, \[5\]"):
                conventions.from_opencv(*few, 64, vectors)

    def test_translations_may_be_columns(self):
        row, column = (
            conventions.from_opencv(K, np.eye(3), t, (8, 8))
            for t in ((0.0, 1, 3), [[0.0], [1], [3]])
        )
        np.testing.assert_array_equal(column.position, row.position)

    def test_skew_is_there_where_it_may_be(self):
        k = self.k * (1 - np.eye(3, k=1))
        assert conventions.from_opencv(k, *self.given[1:], 64).skew is None
        convert = jax.jit(conventions.from_opencv, static_argnums=3)
        assert_same(convert(*self.given, 64).skew, -2 * 3 / 64)

    def test_lenses_are_not_taken_for_each_other(self):
        cam = conventions.from_opencv(*self.given, 64, self.fisheye, lens="fisheye")
        with pytest.raises(ValueError, match="has a fisheye lens, not a brown one"):
            conventions.to_opencv(cam, 64)
        cam = conventions.from_opencv(*self.given, 64, self.fisheye)
        with pytest.raises(ValueError, match="has a brown lens, not a fisheye one"):
            conventions.to_opencv(cam, 64, lens="fisheye")

    def test_centre_of_the_top_left_pixel(self, x64):
        k = np.array([[10.0, 0, 0], [0, 10, 0], [0, 0, 1]])
        cam = conventions.from_opencv(k, np.eye(3), np.zeros(3), (20, 40))
        expected = [[(1 - 40) / 40, (20 - 1) / 20, 2.0]]
        projected = project(cam, np.array([[0.0, 0, 2]]))
        np.testing.assert_allclose(projected, expected, rtol=1e-12)
