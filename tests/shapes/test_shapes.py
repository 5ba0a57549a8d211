"""Shapes: solids that are closed, outward and of their volume, in each category."""

import numpy as np
import pytest

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.shapes import placement, polygons, solids
from jaxsoftras.shapes.catalogue import GENERATORS, make_shape
from jaxsoftras.shapes.cubes import voxel_surface


def edge_counts_match(faces: np.ndarray) -> bool:
    starts, ends = faces.astype(int), np.roll(faces, -1, 1).astype(int)
    size = faces.max() + 1
    forward, backward = starts * size + ends, ends * size + starts
    return np.array_equal(np.sort(forward, None), np.sort(backward, None))


def component_volumes(solid: placement.Solid) -> np.ndarray:
    label = np.arange(len(solid.vertices))
    while True:
        lower = label.copy()
        for k in range(3):
            np.minimum.at(lower, solid.faces[:, k], label[solid.faces].min(1))
        if np.array_equal(lower, label):
            break
        label = lower
    a, b, c = np.moveaxis(solid.vertices[solid.faces], 1, 0)
    parts = np.sum(a * np.cross(b, c), -1) / 6
    component = label[solid.faces[:, 0]]
    return np.bincount(component, parts)[np.unique(component)]


def assert_proper(solid: placement.Solid) -> None:
    assert solid.vertices.dtype == np.float64 and solid.faces.dtype == np.int32
    assert np.isfinite(solid.vertices).all()
    assert edge_counts_match(solid.faces)
    assert component_volumes(solid).min() > 0


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
def test_solids_are_closed_outward_and_have_their_volume(solid, volume):
    assert_proper(solid)
    np.testing.assert_allclose(placement.volume(solid), volume, rtol=3e-3)


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


@pytest.mark.parametrize("category", CATEGORIES.values())
def test_every_part_is_closed_and_outward(category):
    shapes = set()
    for seed in range(12):
        parts = GENERATORS[category](np.random.default_rng(seed))
        assert len(parts) >= 2
        for solid in parts.values():
            assert_proper(solid)
        faces = sum(len(solid.faces) for solid in parts.values())
        assert faces <= 1500
        shapes.add((tuple(parts), faces))
    assert len(shapes) >= 4  # the structure varies, not only the sizes


@pytest.mark.parametrize("synset", CATEGORIES)
def test_shapes_are_normalized_and_repeatable(synset):
    shape, again = make_shape(synset, 5, 2), make_shape(synset, 5, 2)
    for first, second in zip(shape, again, strict=True):
        assert first.tobytes() == second.tobytes()
    low, high = shape.vertices.min(0), shape.vertices.max(0)
    np.testing.assert_allclose(low, -high, atol=1e-12)
    assert np.max(high - low) == pytest.approx(1, abs=1e-12)
    assert shape.colors.shape == shape.faces.shape
    assert 0 <= shape.colors.min() and shape.colors.max() <= 1
    other = make_shape(synset, 6, 2)
    assert other.vertices.tobytes() != shape.vertices.tobytes()


def test_voxel_surface_encloses_exactly_the_cells():
    occupied = np.random.default_rng(0).random((32, 32, 32)) < 0.1
    surface = voxel_surface(occupied)
    assert edge_counts_match(surface.faces)
    cell = 1 / 31
    assert placement.volume(surface) == pytest.approx(occupied.sum() * cell**3)

    one = np.zeros((32, 32, 32), bool)
    one[20, 3, 31 - 10] = True  # x 3, y 20, z 10
    corners = voxel_surface(one).vertices
    expected = (np.array([3.5, 20.5, 10.5]) / 32 - 0.5) * 32 / 31
    np.testing.assert_allclose(corners.mean(0), expected)
