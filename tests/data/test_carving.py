"""Bounding boxes from silhouettes."""

from __future__ import annotations

import numpy as np
import pytest

from jaxsoftras.data import carving
from tests.support import picture_folders as pictures

ALL_AROUND = [(30 * k, 25 - 50 * (k % 2)) for k in range(12)]


def silhouette(
    azimuth: float, elevation: float, cut: int | None = None
) -> carving.Silhouette:
    """The ellipsoid on a square, of which only the columns up to ``cut`` are known."""
    view = pictures.pose(azimuth, elevation)
    mask = np.zeros((pictures.WIDTH, pictures.WIDTH), bool)
    mask[: pictures.HEIGHT] = pictures.mask(*view)
    known = None
    if cut is not None:
        known = np.arange(len(mask)) < np.full((len(mask), 1), cut)
        mask &= known
    return carving.Silhouette(mask, known, pictures.INTRINSICS, *view)


@pytest.mark.parametrize("cut", [None, 24])
def test_box_of_an_ellipsoid(cut):
    """Also where one picture shows the left half of it only."""
    views = [silhouette(*angles) for angles in ALL_AROUND[:-1]]
    views.append(silhouette(*ALL_AROUND[-1], cut=cut))
    low, high = carving.find_box(views)
    radii = (high - low) / 2
    np.testing.assert_allclose((low + high) / 2, pictures.CENTER, atol=0.1)
    # never smaller than the object, but for the size of a pixel
    assert np.all(radii > pictures.RADII - 0.08)
    assert np.all(radii < pictures.RADII * 1.3)


def test_cut_off_pictures_carve_nothing_beyond_their_border():
    whole = carving.find_box([silhouette(*angles) for angles in ALL_AROUND])
    cut = [silhouette(*angles, cut=24) for angles in ALL_AROUND[:2]]
    wrong = [view._replace(known=None) for view in cut]
    others = [silhouette(*angles) for angles in ALL_AROUND[2:]]
    low, high = carving.find_box(cut + others)
    assert np.all(low <= whole[0] + 0.03) and np.all(high >= whole[1] - 0.03)
    low, high = carving.find_box(wrong + others)
    assert np.max(whole[1] - whole[0] - (high - low)) > 0.3


@pytest.mark.parametrize(
    ("angles", "message"),
    [
        ([(0, 0)], "within 30 degrees"),
        ([(0, 0), (10, 5), (-10, 5)], "within 30 degrees"),
        ([(0, 0), (180, 0)], "within 30 degrees"),
    ],
)
def test_cameras_that_do_not_tell_the_size(angles, message):
    with pytest.raises(ValueError, match=message):
        carving.find_box([silhouette(*pair) for pair in angles])


def test_cameras_that_do_not_agree():
    views = [silhouette(*angles) for angles in ALL_AROUND]
    views[0] = views[0]._replace(translation=views[0].translation + [5.0, 0, 0])
    with pytest.raises(ValueError, match="do not agree"):
        carving.find_box(views)
