"""Cameras that did not take the images are found by the space that they carve."""

import functools
import types
from typing import Any

import numpy as np
import pytest

from jaxsoftras.data import agreement, npz, zbuffer
from jaxsoftras.data.rig import SOFTRAS_RIG, Orbit
from jaxsoftras.data.split import Split
from jaxsoftras.shapes.catalogue import make_shape

AIRPLANE = "02691156"


@functools.cache
def render(distance: float, elevation: float) -> np.ndarray:
    vertices, faces, _ = make_shape(AIRPLANE, index=3)
    eyes = zbuffer.view_eyes(distance, elevation)
    return zbuffer.render_views(vertices, faces, eyes, image_size=32)


def open_images(images: np.ndarray, orbit: Orbit) -> Split:
    store: Any = types.SimpleNamespace(
        num_objects=1,
        num_views=len(images),
        image_size=images.shape[-1],
        has_voxels=False,
        images=lambda _, views: images[views],
        voxels=None,
    )
    return Split("train", {AIRPLANE: store}, cameras=orbit)


@pytest.mark.parametrize("distance, elevation", [(2.732, 30.0), (2.2, 0.0), (3.0, -50)])
def test_own_cameras_agree(distance, elevation):
    orbit = Orbit(distance=distance, elevation=elevation)
    split = open_images(render(distance, elevation), orbit)
    assert agreement.measure_agreement(split) > 0.99
    agreement.check_agreement(split)  # a warning would be an error


@pytest.mark.parametrize(
    "wrong",
    [
        {"elevation": 90.0},
        {"azimuth_step": 0.0},
        {"distance": 30.0},
        {"half_fov": 60.0},
    ],
)
def test_other_cameras_are_refused(wrong):
    split = open_images(render(2.732, 30.0), Orbit(**wrong))
    with pytest.raises(
        ValueError, match=r"cameras of the train split .* data.elevatio"
    ):
        agreement.check_agreement(split)


def test_cameras_that_agree_in_part_are_told():
    split = open_images(render(2.732, 30.0), Orbit(elevation=0.0))
    with pytest.warns(UserWarning, match=r"fills [789]\d% of them"):
        agreement.check_agreement(split)


def test_empty_images_are_refused():
    empty = np.zeros((3, 4, 8, 8), np.uint8)
    with pytest.raises(ValueError, match="images of the train split are empty"):
        agreement.check_agreement(open_images(empty, SOFTRAS_RIG))


def test_an_object_that_the_border_cuts_off_is_no_contradiction():
    images = render(2.732, 30.0)[..., 8:24, 8:24]
    closer = np.rad2deg(np.arctan(np.tan(np.deg2rad(15)) / 2))
    split = open_images(images, Orbit(half_fov=float(closer)))
    assert agreement.measure_agreement(split) > 0.97


def test_real_data(shared):
    root = shared / "data" / "real13"
    own = npz.open_npz(root, "val", ["03001627"])
    assert agreement.measure_agreement(own) > 0.99
    wrong = npz.open_npz(root, "val", ["03001627"], Orbit(elevation=90.0))
    assert agreement.measure_agreement(wrong) < 0.7
