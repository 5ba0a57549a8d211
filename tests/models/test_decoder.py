import jax
import jax.numpy as jnp
import numpy as np

from jaxsoftras import mesh, models


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
