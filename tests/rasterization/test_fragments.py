"""The face that each pixel shows: its depth, weights and attributes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import geometry
from tests.support import scenes
from tests.support.colored_faces import FACES


class TestFragments:
    def test_depth_normals_and_barycentrics(self, x64):
        faces = FACES[0]
        found, reference = jax.device_get(
            [
                jax.jit(
                    functools.partial(
                        jaxsoftras.find_fragments,
                        image_size=(20, 30),
                        implementation=implementation,
                    )
                )(faces)
                for implementation in ("xla", "reference")
            ]
        )
        for a, b in zip(found, reference, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)
        assert found.face.dtype == np.int32
        seen = np.asarray(found.face) >= 0
        assert set(np.unique(found.face)) >= {-1, 0, 1, 2, 3}
        np.testing.assert_allclose(found.weights.sum(-1), seen)
        with pytest.raises(ValueError, match="has 2 faces, and the fragments show"):
            jaxsoftras.interpolate(found, faces[:2])
        # depth interpolates like any attribute, and position is where the pixel is
        depth = jaxsoftras.interpolate(found, faces[..., 2:], background=100.0)
        np.testing.assert_allclose(depth[..., 0], found.depth)
        plane = jaxsoftras.interpolate(found, faces[..., :2] * faces[..., 2:])
        x, y = geometry.pixel_centers(20, 30, jnp.float64)
        np.testing.assert_allclose(
            (plane[..., 0] / found.depth)[seen], (seen * x)[seen]
        )
        np.testing.assert_allclose(
            (plane[..., 1] / found.depth)[seen], (seen * y[:, None])[seen]
        )

    def test_refuses_textures(self):
        found: Any = jaxsoftras.Fragments(*jnp.zeros((3, 1, 1)))
        wrong: Any = jaxsoftras.VertexColors(np.ones((3, 3)))
        with pytest.raises(ValueError, match="an array .* not a VertexColors"):
            jaxsoftras.interpolate(found, wrong)

    def test_depth_has_a_gradient(self, x64):
        weight = scenes.random_like(12, 12)

        @jax.jit
        @jax.value_and_grad
        def loss(faces):
            return jnp.sum(weight * jaxsoftras.find_fragments(faces, 12, far=9).depth)

        shift = 1e-6 * scenes.random_like(*FACES[0].shape)
        gradient = np.asarray(loss(FACES[0])[1])
        numeric = float(loss(FACES[0] + shift)[0] - loss(FACES[0] - shift)[0])
        assert numeric == pytest.approx(float(2 * np.sum(gradient * shift)), rel=1e-5)
