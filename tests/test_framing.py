from typing import Any

import jax
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import framing, mesh

RNG = np.random.default_rng(0)
FACES = RNG.permutation(60).reshape(20, 3)
SOUP = mesh.Mesh(RNG.normal(size=(60, 3)) * [3, 1, 0.3], FACES)


def reach(shown, camera):
    """Largest coordinate in NDC, and least depth, for each camera."""
    points = np.asarray(jaxsoftras.project(camera, shown.vertices))
    return np.abs(points[..., :2]).max(axis=(-1, -2)), points[..., 2].min(axis=-1)


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("place", [0.0, 100.0])
def test_touches_the_margin(projection, scale, place):
    shown = SOUP._replace(vertices=scale * (SOUP.vertices + place))
    for margin, fov, aspect, angles in [
        (0.0, 30.0, 1.0, (0.0, 0.0)),
        (0.05, 60.0, 2.0, (130.0, 90.0)),
        (0.5, 120.0, 0.5, (-77.0, -33.0)),
    ]:
        camera = framing.frame(
            shown,
            azimuth=angles[0],
            elevation=angles[1],
            fov=fov,
            margin=margin,
            aspect=aspect,
            projection=projection,
        )
        largest, nearest = reach(shown, camera)
        # single precision has seven digits of the place
        assert largest == pytest.approx(1 - margin, abs=1e-5 * (1 + place))
        assert nearest > 0


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_silhouette_is_within_the_margin_and_reaches_it(projection):
    size, margin = 32, 0.25
    for scale in (1e-3, 1e6):
        vertices = np.asarray(scale * SOUP.vertices, np.float32)
        camera = framing.frame(
            mesh.Mesh(vertices, FACES), margin=margin, projection=projection
        )
        corners = jaxsoftras.face_vertices(jaxsoftras.project(camera, vertices), FACES)
        alpha = jaxsoftras.silhouette(corners, size, sigma=1e-7)
        rows, columns = np.nonzero(np.asarray(alpha) > 0.5)
        edge = min(
            rows.min(), columns.min(), size - 1 - rows.max(), size - 1 - columns.max()
        )
        assert margin * size / 2 - 1 <= edge <= margin * size / 2 + 2


def test_looks_from_the_angles_at_the_centre():
    for azimuth, elevation in [(0.0, 0.0), (90.0, 0.0), (200.0, 60.0)]:
        camera = framing.frame(SOUP, azimuth=azimuth, elevation=elevation)
        low, high = np.min(SOUP.vertices, axis=0), np.max(SOUP.vertices, axis=0)
        offset = np.asarray(camera.position) - (low + high) / 2
        eye = jaxsoftras.eye_from_angles(1.0, elevation, azimuth)
        np.testing.assert_allclose(offset / np.linalg.norm(offset), eye, atol=1e-5)
        expected = jaxsoftras.look_at(eye).axes
        np.testing.assert_allclose(camera.axes, expected, atol=1e-5)


@pytest.mark.parametrize("handedness, sign", [("right", -1), ("left", 1)])
@pytest.mark.parametrize("elevation", [90.0, -90.0, 0.0])
def test_handedness_at_the_poles(handedness, sign, elevation):
    camera = framing.frame(SOUP, elevation=elevation, handedness=handedness)
    assert np.linalg.det(camera.axes) == pytest.approx(sign, abs=1e-5)


def test_cameras_of_one_mesh_keep_their_distance():
    cameras = framing.frame(SOUP, azimuth=np.arange(0, 360, 15.0), margin=0.1)
    largest, _ = reach(SOUP, cameras)
    assert cameras.position.shape == (24, 3)
    assert largest.max() == pytest.approx(0.9, abs=1e-5) and largest.min() < 0.6
    center = np.asarray(cameras.position).mean(axis=0)
    distances = np.linalg.norm(cameras.position - center, axis=1)
    np.testing.assert_allclose(distances, distances[0], rtol=1e-4)


def test_meshes_of_a_batch_have_their_own_cameras():
    scales = np.array([1.0, 10.0, 0.01])[:, None, None]
    batch = SOUP._replace(vertices=scales * SOUP.vertices)
    largest, _ = reach(batch, framing.frame(batch, margin=0.1))
    np.testing.assert_allclose(largest, 0.9, atol=1e-5)
    cameras = framing.frame(batch, azimuth=np.array([[0.0], [90.0]]), margin=0.1)
    largest, _ = reach(batch, cameras)
    assert largest.shape == (2, 3)
    np.testing.assert_allclose(largest.max(axis=0), 0.9, atol=1e-5)


def test_only_faces_that_are_drawn_count():
    vertices = np.concatenate([SOUP.vertices, [[1e9, 0, 0], [np.nan] * 3, [50.0] * 3]])
    faces = np.concatenate([FACES, [[-1, -1, -1], [61, 62, 0]]])
    expected = framing.frame(SOUP)
    camera = framing.frame(mesh.Mesh(vertices, faces))
    jax.tree.map(np.testing.assert_array_equal, camera, expected)


def test_flat_and_thin_meshes_lie_in_front():
    needle = mesh.Mesh(
        np.array([[0, 0, 0], [0, 0, 1.0], [0, 0, 2.0]]), np.arange(3)[None]
    )
    for projection in ("perspective", "orthographic"):
        camera = framing.frame(
            needle, azimuth=0.0, elevation=0.0, projection=projection
        )
        largest, nearest = reach(needle, camera)
        assert largest < 1e-5 and nearest > 0


@pytest.mark.parametrize(
    "change, options, message",
    [
        ({"faces": FACES[:0]}, {}, "no faces to show"),
        ({"vertices": np.zeros((0, 3)), "faces": FACES[:0]}, {}, "no faces to show"),
        ({"faces": np.full((2, 3), -1)}, {}, "no face with finite vertices"),
        ({"vertices": np.full((60, 3), np.nan)}, {}, "no face with finite vertices"),
        ({"vertices": np.ones((60, 3))}, {}, "coincide"),
        ({"vertices": np.ones((60, 2))}, {}, r"\[..., V, 3\], not \[60, 2\]"),
        ({"faces": FACES + 1}, {}, "indices of the 60 vertices"),
        ({}, {"margin": 1.0}, "margin must be"),
        ({}, {"fov": 180.0}, "fov must lie"),
        ({}, {"aspect": 0.0}, "aspect must be"),
        ({}, {"azimuth": np.nan}, "must be finite"),
        ({}, {"projection": "oblique"}, "projection must be one of"),
        ({"vertices": np.ones((2, 60, 3))}, {"azimuth": [0.0] * 3}, "coincide"),
        (
            {"vertices": np.stack([SOUP.vertices] * 2)},
            {"azimuth": [0.0] * 3},
            r"the mesh, \[2\], and those of the angles, \[3\]",
        ),
    ],
)
def test_refusals(change, options: Any, message):
    with pytest.raises(ValueError, match=message):
        framing.frame(SOUP._replace(**change), **options)


def test_refuses_traced_vertices():
    with pytest.raises(ValueError, match="outside of jit"):
        jax.jit(lambda v: framing.frame(SOUP._replace(vertices=v)))(SOUP.vertices)
