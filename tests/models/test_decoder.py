import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxsoftras import config, mesh, models, topology
from jaxsoftras.models import decoder


class TestDeform:
    SPHERE = 0.5 * np.asarray(mesh.icosphere(2).vertices)

    def test_zero_gives_the_template(self, x64):
        got = models.deform(self.SPHERE, jnp.zeros((162, 3)), jnp.zeros(3))
        np.testing.assert_allclose(got, self.SPHERE, atol=1e-12)

    def test_stays_within_the_cube_and_on_its_side_of_the_centroid(self):
        bias = 5 * jax.random.normal(jax.random.key(0), (4, 162, 3))
        centroid = jnp.tanh(jax.random.normal(jax.random.key(1), (4, 3)))
        got = models.deform(self.SPHERE, bias, centroid)
        assert float(jnp.max(jnp.abs(got))) <= 1
        side = np.sign(self.SPHERE) * np.asarray(got - centroid[:, None])
        assert side.min() >= -1e-6

    def test_by_hand(self, x64):
        template = np.array([[0.2, -0.5, 0.0]])
        got = models.deform(
            template, jnp.full((1, 3), np.log(2.0)), jnp.array([0.1, 0.4, -0.3])
        )
        # odds of 1/4 and 1 double to 1/2 and 2: 1/3 and 2/3
        expected = [1 / 3 * 0.9 + 0.1, -2 / 3 * 1.4 + 0.4, -0.3]
        np.testing.assert_allclose(got[0], expected)

    def test_gradient_is_finite_where_the_template_is_zero(self):
        gradient = jax.grad(
            lambda b: jnp.sum(models.deform(self.SPHERE, b, jnp.zeros(3)) ** 2)
        )(jnp.zeros((162, 3)))
        assert np.all(np.isfinite(gradient))
        assert np.all(np.asarray(gradient)[self.SPHERE == 0] == 0)


class TestDisplace:
    SPHERE = 0.5 * np.asarray(mesh.icosphere(1).vertices)

    def test_zero_gives_the_template(self, x64):
        got = decoder.displace(self.SPHERE, jnp.zeros((42, 3)))
        np.testing.assert_allclose(got, self.SPHERE, atol=1e-15)

    def test_reaches_any_octant(self, x64):
        target = np.random.default_rng(0).uniform(-0.99, 0.99, (42, 3))
        displacement = 2 * (np.arctanh(target) - np.arctanh(self.SPHERE))
        got = decoder.displace(self.SPHERE, jnp.asarray(displacement))
        np.testing.assert_allclose(got, target, atol=1e-12)


class TestAccumulate:
    OWN = np.random.default_rng(0).normal(size=(162, 3))

    def reference(self, coarse_level):
        """Displacement after displacement, with edges found by their midpoints."""
        total = {v: self.OWN[v] for v in range(10 * 4**coarse_level + 2)}
        faces = np.asarray(mesh.icosphere(coarse_level).faces)
        for step in range(1, 3 - coarse_level):
            edges, children = topology.split_faces(faces, len(total))
            for a, b in edges:
                own = self.OWN[len(total)] * 0.5**step
                total[len(total)] = (total[a] + total[b]) / 2 + own
            faces = children
        return np.stack(list(total.values()))

    @pytest.mark.parametrize("coarse_level", range(3))
    def test_matches_the_reference(self, x64, coarse_level):
        got = decoder.accumulate(jnp.asarray(self.OWN), coarse_level, 2)
        np.testing.assert_allclose(got, self.reference(coarse_level), atol=1e-14)

    def test_a_single_level_leaves_displacements_alone(self):
        own = jnp.asarray(self.OWN)
        assert decoder.accumulate(own, 2, 2).shape == own.shape
        np.testing.assert_array_equal(decoder.accumulate(own, 2, 2), own)

    def test_a_coarse_vertex_moves_its_neighbourhood_linearly(self, x64):
        own = jnp.zeros((162, 3)).at[0, 0].set(1)
        moved = np.asarray(decoder.accumulate(own, 0, 2))[:, 0]
        values, counts = np.unique(moved[moved > 0], return_counts=True)
        # vertices at quarters of the five edges, and within the five faces
        np.testing.assert_allclose(values, [0.25, 0.5, 0.75, 1])
        assert counts.tolist() == [15, 10, 5, 1]


SETTINGS = {"latent": 4, "decoder_hidden": (8,), "template_level": 2}
CODES = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
KINDS = [(name, symmetric) for name in models.DECODERS for symmetric in (False, True)]


@functools.cache
def made(name, symmetric):
    """A decoder, and its call as a jitted function of parameters and codes."""
    settings = config.Model(decoder=name, symmetric=symmetric, **SETTINGS)
    structure, params = nnx.split(
        models.DECODERS[name](settings, rngs=nnx.Rngs(params=0)), nnx.Param
    )
    return params, jax.jit(lambda params, codes: nnx.merge(structure, params)(codes))


@pytest.mark.parametrize(("name", "symmetric"), KINDS)
class TestDecoders:
    def test_shape_and_bounds(self, name, symmetric):
        params, call = made(name, symmetric)
        for scale in (1, 1e3, 1e30):  # outputs that saturate
            got = np.asarray(call(params, scale * CODES))
            assert got.shape == (5, 162, 3) and np.all(np.abs(got) <= 0.5)

    def test_zero_heads_give_the_sphere(self, name, symmetric):
        params, call = made(name, symmetric)
        got = call(jax.tree.map(jnp.zeros_like, params), CODES)
        np.testing.assert_allclose(np.linalg.norm(got, axis=-1), 0.25, atol=1e-6)

    def test_symmetry_is_exact(self, name, symmetric):
        params, call = made(name, symmetric)
        for vertices in np.asarray(call(params, 10 * CODES)):
            points = {tuple(vertex) for vertex in (vertices + 0.0).tolist()}
            mirrored = {(-x, y, z) for x, y, z in points}
            assert (points == mirrored) == symmetric

    def test_codes_are_alone(self, name, symmetric):
        params, call = made(name, symmetric)
        alone = np.concatenate([call(params, np.tile(c, (5, 1)))[:1] for c in CODES])
        np.testing.assert_allclose(call(params, CODES), alone, atol=1e-6)


@pytest.mark.parametrize("name", models.DECODERS)
def test_begins_near_the_sphere(name):
    settings = config.Model(
        decoder=name, latent=64, decoder_hidden=(1024,), template_level=2
    )
    made = models.DECODERS[name](settings, rngs=nnx.Rngs(params=0))
    codes = np.random.default_rng(0).uniform(0, 0.1, (4, 64)).astype(np.float32)
    radius = np.linalg.norm(jax.jit(lambda codes: made(codes))(codes), axis=-1)
    assert 0 < np.abs(radius / 0.25 - 1).max() < 0.2
