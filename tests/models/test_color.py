# arrays of NumPy stand in for those of JAX
# pyright: reportArgumentType=false, reportOptionalMemberAccess=false

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxsoftras import config, models
from jaxsoftras.models import color
from tests.support.derivatives import check_gradient

SIZE, SITES, CODES = 8, 42, 4
SMALL = {
    "image_size": SIZE,
    "channels": (4, 4),
    "hidden": (8,),
    "latent": 8,
    "decoder_hidden": (16,),
    "template_level": 1,
}


def make_images(count=CODES, seed=0):
    """RGBA ``[N, S, S, 4]``, colours multiplied by a coverage that is 0 in places."""
    rng = np.random.default_rng(seed)
    coverage = np.clip(rng.uniform(-1, 2, (count, SIZE, SIZE, 1)), 0, 1)
    colors = rng.random((count, SIZE, SIZE, 3))
    return np.concatenate([coverage * colors, coverage], -1).astype(np.float32)


class TestAveragePixels:
    def test_by_loops(self):
        images = make_images(2)
        logits = np.random.default_rng(1).normal(0, 3, (2, 3, SIZE * SIZE))
        expected = np.zeros((2, 3, 3))
        for n in range(2):
            for k in range(3):
                total = 0.0
                for p, (*rgb, alpha) in enumerate(images[n].reshape(-1, 4)):
                    weight = np.exp(logits[n, k, p])
                    expected[n, k] += weight * np.array(rgb)
                    total += weight * alpha
                expected[n, k] /= total
        got = color.average_pixels(images, jnp.asarray(logits))
        np.testing.assert_allclose(got, expected, atol=1e-5)

    def test_one_pixel_can_be_selected(self):
        image = make_images(1)
        place = int(np.argmax(image[0, ..., 3].ravel() > 0.5))
        logits = np.zeros((1, 1, SIZE * SIZE), np.float32)
        logits[0, 0, place] = 200
        pixel = image[0].reshape(-1, 4)[place]
        got = color.average_pixels(image, logits)[0, 0]
        np.testing.assert_allclose(got, pixel[:3] / pixel[3], rtol=1e-5)

    @pytest.mark.parametrize("logit", [-1e30, 0.0, 1e30, 88.0, 1e4])
    def test_background_counts_for_nothing(self, logit):
        """Whatever its colours and its logits."""
        images = make_images(2)
        logits = np.zeros((2, 1, SIZE * SIZE), np.float32)
        expected = color.average_pixels(images, logits)
        uncovered = images[..., 3] == 0
        images[uncovered, :3] = 1e6
        logits[:, 0][uncovered.reshape(2, -1)] = logit
        np.testing.assert_array_equal(color.average_pixels(images, logits), expected)

    def test_nothing_covered_is_grey(self):
        empty = np.zeros((1, SIZE, SIZE, 4), np.float32)
        logits = np.ones((1, 2, SIZE * SIZE), np.float32)
        value, gradient = jax.value_and_grad(
            lambda x: jnp.sum(color.average_pixels(empty, x))
        )(logits)
        assert value == 3 and np.all(gradient == 0)

    def test_colors_that_exceed_coverage_stay_in_range(self):
        """As in files whose colours are not multiplied by coverage."""
        images = np.full((1, SIZE, SIZE, 4), 0.25, np.float32)
        images[..., :3] = [1.0, 0.2, 0.0]
        got = color.average_pixels(images, np.zeros((1, 1, SIZE * SIZE)))
        np.testing.assert_allclose(got[0, 0], [1, 0.8, 0], rtol=1e-6)

    def test_gradient(self, x64):
        images, rng = make_images(2).astype(float), np.random.default_rng(2)
        logits = rng.normal(size=(2, 3, SIZE * SIZE))
        check_gradient(lambda x: color.average_pixels(images, x), (logits,))


VARIANTS = [("palette", 0), ("palette", 2), ("direct", 0)]


@functools.cache
def run_head(kind, texture_size):
    """Colours of a head, their gradient by its parameters and codes, and images."""
    settings = config.Model(
        **SMALL, color=kind, texture_size=texture_size, palette_size=3
    )
    images, rng = make_images(), np.random.default_rng(3)
    codes = rng.random((CODES, 8)).astype(np.float32)

    @jax.jit
    def run(key):
        head = color.Colors(settings, rngs=nnx.Rngs(params=key))
        graph, params = nnx.split(head, nnx.Param)

        def colors(params, codes):
            return nnx.merge(graph, params)(codes, jnp.asarray(images))

        found, pullback = jax.vjp(colors, params, codes)
        weights = jax.random.normal(jax.random.key(1), found.shape)
        return found, pullback(weights)

    return *run(jax.random.key(0)), images


@pytest.mark.parametrize(("kind", "texture_size"), VARIANTS)
class TestColors:
    def test_shape_and_range(self, kind, texture_size):
        colors = run_head(kind, texture_size)[0]
        wanted = (80, texture_size**2, 3) if texture_size else (SITES, 3)
        assert colors.shape == (CODES, *wanted)
        assert 0 <= float(colors.min()) and float(colors.max()) <= 1
        assert float(colors.std(axis=0).min()) > 0  # no two images have the same

    def test_every_parameter_matters(self, kind, texture_size):
        _, (gradient, codes), _ = run_head(kind, texture_size)
        assert np.all(np.isfinite(codes)) and np.any(codes != 0)
        for path, leaf in nnx.to_flat_state(gradient):
            values = np.asarray(leaf[...])
            assert np.all(np.isfinite(values)), path
            # a bias of all pixels alike cancels in the softmax over them
            cancelled = "pixels" in path and "bias" in path
            assert cancelled or np.abs(values).max() > 0, path


@pytest.mark.parametrize("texture_size", [0, 2])
def test_a_palette_has_colours_of_the_image(texture_size):
    colors, _, images = run_head("palette", texture_size)
    for found, image in zip(np.asarray(colors), images, strict=True):
        pixels = image[image[..., 3] > 0]
        pixels = pixels[:, :3] / pixels[:, 3:]
        rng = np.random.default_rng(0)
        for direction in rng.normal(size=(20, 3)):  # supporting planes of the hull
            assert (found @ direction).max() <= (pixels @ direction).max() + 1e-5


class TestNetwork:
    @staticmethod
    def init(**more):
        network = models.Network(config.Model(**SMALL, **more))
        return network, jax.jit(network.init)(jax.random.key(0))

    def test_other_parameters_are_those_of_a_network_without_colours(self):
        _, plain = self.init()
        _, colored = self.init(color="direct")
        for part in ("encoder", "decoder"):
            jax.tree.map(
                np.testing.assert_array_equal, plain.params[part], colored.params[part]
            )
        assert set(plain.params) == {"encoder", "decoder"}
        assert set(colored.params) == {"encoder", "decoder", "color"}
        jax.tree.map(
            np.testing.assert_array_equal, plain.batch_stats, colored.batch_stats
        )

    def test_infer_returns_the_vertices_of_reconstruct(self):
        network, variables = self.init(color="palette", palette_size=2)
        images = jnp.asarray(make_images())
        found, vertices = jax.jit(
            lambda v, x: (network.reconstruct(v, x), network.infer(v, x))
        )(variables, images)
        assert found.colors.shape == (CODES, SITES, 3)
        np.testing.assert_array_equal(found.vertices, vertices)

    @pytest.mark.parametrize(
        ("kind", "count"), [("palette", 4875488), ("direct", 6570886)]
    )
    def test_parameters_at_full_size(self, kind, count):
        network = models.Network(config.Model(color=kind))
        params = jax.eval_shape(network.init, jax.random.key(0)).params["color"]
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count
        assert f"{count:,} " in " ".join((color.HEADS[kind].__doc__ or "").split())
