"""The silhouette under the transformations of JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras import rasterization
from tests.support import scenes


class TestComposition:
    @pytest.mark.slow  # test_composition has it of colours
    def test_vmap_equals_loop_equals_batch(self):
        faces = scenes.sphere(3).astype(np.float32)
        sigma = np.array([1e-4, 3e-4, 1e-3], np.float32)
        weight = scenes.random_like(3, 16, 16).astype(np.float32)

        def gradient(faces, sigma, weight):
            def loss(faces, sigma):
                return jnp.sum(
                    weight * rasterization.silhouette(faces, 16, sigma=sigma)
                )

            return jax.grad(loss, argnums=(0, 1))(faces, sigma)

        batch = jax.jit(gradient)(faces, sigma, weight)
        vmapped = jax.jit(jax.vmap(gradient))(faces, sigma, weight)
        looped = [
            jax.jit(gradient)(*row) for row in zip(faces, sigma, weight, strict=True)
        ]
        for k in range(2):
            np.testing.assert_array_equal(vmapped[k], batch[k])
            # an image alone falls into other chunks than within a batch
            np.testing.assert_allclose(
                np.stack([row[k] for row in looped]), batch[k], rtol=1e-4, atol=1e-4
            )

    def test_vmap_over_sigma_alone(self):
        faces = scenes.sphere(1)[0].astype(np.float32)
        sigma = jnp.array([1e-4, 1e-3])
        got = jax.vmap(lambda s: rasterization.silhouette(faces, 16, sigma=s))(sigma)
        for k in range(2):
            np.testing.assert_array_equal(
                got[k], rasterization.silhouette(faces, 16, sigma=sigma[k])
            )

    def test_a_schedule_of_sigma_compiles_once(self):
        traces = []

        @jax.jit
        def render(faces, sigma):
            traces.append(None)
            return rasterization.silhouette(faces, 16, sigma=sigma)

        faces = scenes.sphere(1).astype(np.float32)
        totals = {float(render(faces, sigma).sum()) for sigma in (1e-3, 1e-4, 1e-5)}
        assert len(traces) == 1 and len(totals) == 3

    def test_repeats_bit_for_bit(self):
        faces = scenes.sphere(2, level=2).astype(np.float32)
        weight = scenes.random_like(2, 32, 32).astype(np.float32)
        first = scenes.silhouette_and_gradient(faces, weight)
        second = scenes.silhouette_and_gradient(faces, weight)
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.slow  # test_composition has it of colours
    def test_shard_map_over_devices(self):
        devices = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
        faces = scenes.sphere(4).astype(np.float32)
        weight = scenes.random_like(4, 16, 16).astype(np.float32)

        def gradient(faces, sigma, weight):
            def loss(faces, sigma):
                return jnp.sum(
                    weight * rasterization.silhouette(faces, 16, sigma=sigma)
                )

            return jax.grad(loss, argnums=(0, 1))(faces, sigma)

        sharded = jax.jit(
            jax.shard_map(
                gradient,
                mesh=devices,
                in_specs=(P("data"), P(), P("data")),
                out_specs=(P("data"), P()),
            )
        )
        arguments = jax.device_put((faces, weight), NamedSharding(devices, P("data")))
        compiled = sharded.lower(arguments[0], 1e-3, arguments[1]).compile()
        assert "all-gather" not in str(compiled.as_text())
        got = sharded(arguments[0], 1e-3, arguments[1])
        expected = gradient(faces, 1e-3, weight)
        np.testing.assert_allclose(got[0], expected[0], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(got[1], expected[1], rtol=1e-4)

    @pytest.mark.parametrize("platform", ["cuda", "tpu"])
    def test_lowers_for_accelerators(self, platform):
        shape = jax.ShapeDtypeStruct((2, 20, 3, 2), jnp.float32)
        loss = jax.grad(lambda faces: rasterization.silhouette(faces, 16).sum())
        lowered = jax.jit(loss).trace(shape).lower(lowering_platforms=(platform,))
        assert "while" in lowered.as_text()
