"""Building blocks: solids that are closed, outward and of the right volume."""

import numpy as np
import pytest

from jaxsoftras.shapes import placement, polygons, solids
from tests.support.surfaces import assert_proper

L_SHAPE = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 3), (0, 3)]
RING = [(1, 0), (2, 0), (2, 1), (1, 1)]


@pytest.mark.parametrize(
    ("solid", "volume"),
    [
        (solids.box((1, 2, 3), (5, 5, 5)), 6.0),
        (solids.extrude(L_SHAPE, 2, axis="x"), 8.0),
        (solids.extrude(L_SHAPE, 2, axis="y"), 8.0),
        (solids.extrude(L_SHAPE[::-1], 2, axis="z"), 8.0),
        (solids.cylinder(1, 3, sides=200), 3 * np.pi),
        (solids.cylinder(1, 3, top_radius=0, sides=200), np.pi),
        (solids.lathe(RING, sides=200, closed=True), 3 * np.pi),
        (solids.superellipsoid((1, 2, 3), sides=80, rings=61), np.pi),
        (solids.tube([(0, 0, 0), (0, 2, 0)], 1.0, sides=200), 2 * np.pi),
        (solids.beam((1, 0, 0), (4, 4, 0), 0.5, 0.2), 0.5),
        (solids.tapered_box((2, 2), (0, 0), 3), 4.0),
        (placement.mirror(solids.box((1, 1, 1), (1, 1, 1)), "z"), 1.0),
        (placement.radial_copies(solids.box((1, 1, 1), (3, 0, 0)), 5), 5.0),
    ],
)
def test_solids_are_closed_outward_and_of_the_right_volume(solid, volume):
    assert_proper(solid)
    np.testing.assert_allclose(placement.volume(solid), volume, rtol=3e-3)


def test_cross_products_equal_those_of_numpy():
    a, b = np.random.default_rng(0).normal(size=(2, 5, 4, 3))
    np.testing.assert_array_equal(placement.cross(a, b), np.cross(a, b))
    np.testing.assert_array_equal(placement.cross((0, 1, 0), a), np.cross((0, 1, 0), a))


def test_bevels_stay_within_the_extents():
    solid = solids.box((1, 2, 3), bevel=0.1)
    assert_proper(solid)
    np.testing.assert_allclose(np.ptp(solid.vertices, 0), (1, 2, 3))
    assert placement.volume(solid) < 6


def test_rotation_is_right_handed():
    solid = placement.Solid(np.eye(3), np.array([[0, 1, 2]], np.int32))
    turned = placement.rotate(solid, "y", 90).vertices
    np.testing.assert_allclose(turned, [(0, 0, -1), (0, 1, 0), (1, 0, 0)], atol=1e-12)


def test_triangulation_of_a_concave_polygon_keeps_its_area():
    corners = np.array(L_SHAPE, float)
    triangles = corners[polygons.triangulate(corners)]
    areas = [polygons.signed_area(triangle) for triangle in triangles]
    assert min(areas) > 0 and sum(areas) == pytest.approx(4)
    with pytest.raises(ValueError, match="cross itself"):
        polygons.triangulate([(0, 0), (1, 1), (1, 0), (0, 1)])
