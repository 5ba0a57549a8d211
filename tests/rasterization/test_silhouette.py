import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import mesh, rasterization
from jaxsoftras.kernels.reference import blend as reference_blend
from jaxsoftras.kernels.xla import walk, worklist
from tests.support import scenes

IMPLEMENTATIONS = ("reference", "xla")
each_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
reference_is_quick = pytest.mark.parametrize(
    "implementation", ["reference", pytest.param("xla", marks=pytest.mark.slow)]
)
each_scene = pytest.mark.parametrize("name", scenes.SCENES)


def with_bad_corner(faces, bad):
    faces = faces.copy()
    faces[0, 0, 1, 1] = bad
    return faces


@functools.cache
def loss_of_vertices(implementation):
    """Of two faces with up to six vertices: a weighted sum of the image, and slopes."""
    weight = scenes.random_like(6, 6)

    @jax.jit
    @functools.partial(jax.value_and_grad, argnums=(0, 2))
    def loss(vertices, index, sigma):
        alpha = rasterization.silhouette(
            mesh.face_vertices(vertices, index),
            6,
            sigma=sigma,
            # so wide a reach that the cut at dist_eps lies outside of the image
            dist_eps=1e-300,
            implementation=implementation,
        )
        return jnp.sum(weight * alpha)

    return loss


class TestValues:
    @each_implementation
    def test_equals_a_loop_over_faces_and_pixels(self, implementation, x64):
        height, width, sigma, dist_eps = 5, 7, 3e-2, 1e-3
        faces = scenes.scene("overlapping")
        expected = np.zeros((height, width))
        for i in range(height):
            for j in range(width):
                pixel = np.array(
                    [(2 * j + 1 - width) / width, (height - 1 - 2 * i) / height]
                )
                outside = 1.0
                for triangle in faces[0]:
                    ends = list(zip(triangle, np.roll(triangle, -1, 0), strict=True))
                    distances, sides = [], []
                    for a, b in ends:
                        t = np.clip(
                            np.dot(pixel - a, b - a) / np.dot(b - a, b - a), 0, 1
                        )
                        distances.append(np.sum((pixel - a - t * (b - a)) ** 2))
                        (ex, ey), (dx, dy) = b - a, pixel - a
                        sides.append(ex * dy - ey * dx)
                    inside = min(sides) > 0 or max(sides) < 0
                    signed = min(distances) if inside else -min(distances)
                    if signed > -sigma * math.log(1 / dist_eps - 1):
                        outside *= 1 - 1 / (1 + math.exp(-signed / sigma))
                expected[i, j] = 1 - outside
        alpha = rasterization.silhouette(
            faces[0],
            (height, width),
            sigma=sigma,
            dist_eps=dist_eps,
            implementation=implementation,
        )
        np.testing.assert_allclose(alpha, expected, atol=1e-12)

    @each_implementation
    def test_row_0_is_at_the_top(self, implementation):
        upper = np.array([[[-0.9, 0.3], [0.9, 0.3], [0.0, 0.9]]], np.float32)
        alpha = rasterization.silhouette(upper, 16, implementation=implementation)
        assert alpha[:8].sum() > 10 and alpha[8:].max() < 1e-3

    @reference_is_quick  # the precision is chosen before the implementation
    def test_half_precision_is_computed_in_single(self, implementation):
        faces = scenes.scene("overlapping").astype(jnp.bfloat16)
        alpha, gradient = scenes.silhouette_and_gradient(
            faces, jnp.ones((1, 24, 24), jnp.bfloat16), implementation=implementation
        )
        expected, _ = scenes.silhouette_and_gradient(
            faces.astype(np.float32),
            np.ones((1, 24, 24), np.float32),
            implementation=implementation,
        )
        assert alpha.dtype == gradient.dtype == jnp.bfloat16
        np.testing.assert_allclose(alpha.astype(np.float32), expected, atol=4e-3)

    def test_order_of_faces_does_not_matter(self):
        faces = scenes.sphere(1, level=2)[0].astype(np.float32)
        permuted = np.random.default_rng(0).permutation(faces)
        np.testing.assert_allclose(
            rasterization.silhouette(faces, 32),
            rasterization.silhouette(permuted, 32),
            atol=1e-6,
        )

    def test_many_faces_in_one_tile(self):
        rng = np.random.default_rng(0)
        # 50,000 specks of 1/50 px: a bounded list of any usual size would drop most
        center = rng.uniform(0.08, 0.88, (50_000, 1, 2))
        specks = rng.uniform(-2.4e-3, 2.4e-3, (50_000, 3, 2))
        faces = (center + specks).astype(np.float32)
        alpha = rasterization.silhouette(faces, 8, sigma=6.4e-6)
        depth = np.zeros((8, 8))
        reference = jax.jit(
            lambda part: rasterization.silhouette(
                part, 8, sigma=6.4e-6, implementation="reference"
            )
        )
        for part in np.split(faces, 50):
            some = reference(part)
            depth -= np.log1p(-np.asarray(some, np.float64).clip(max=1 - 1e-7))
        np.testing.assert_allclose(alpha, -np.expm1(-depth), atol=1e-5)
        assert alpha.max() > 0.5

    @each_implementation
    @each_scene
    def test_finite_and_within_bounds(self, name, implementation):
        faces = scenes.scene(name).astype(np.float32)
        alpha, gradient = scenes.silhouette_and_gradient(
            faces,
            scenes.random_like(1, 24, 24).astype(np.float32),
            implementation=implementation,
        )
        assert np.all((alpha >= 0) & (alpha <= 1))
        assert np.all(np.isfinite(gradient))

    @pytest.mark.parametrize(
        ("name", "size"),
        [
            *((name, (24, 24)) for name in scenes.SCENES),
            pytest.param("overlapping", (17, 30), marks=pytest.mark.slow),
            # the image of the loop over faces and pixels is smaller than a tile too
            pytest.param("huge", (1, 1), marks=pytest.mark.slow),
        ],
    )
    def test_xla_equals_reference(self, name, size, x64):
        faces, weight = scenes.scene(name), scenes.random_like(1, *size)
        expected = scenes.silhouette_and_gradient(
            faces, weight, sigma=1e-3, implementation="reference"
        )
        got = scenes.silhouette_and_gradient(
            faces, weight, sigma=1e-3, implementation="xla"
        )
        np.testing.assert_allclose(got[0], expected[0], atol=1e-12)
        np.testing.assert_allclose(
            got[1], expected[1], atol=1e-12 + 1e-9 * np.abs(expected[1]).max()
        )

    @each_implementation
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
    def test_face_that_is_not_finite_is_left_out(self, bad, implementation):
        faces = scenes.scene("overlapping").astype(np.float32)
        weight = scenes.random_like(1, 24, 24).astype(np.float32)
        gone = faces.copy()
        gone[0, 0] += 90  # far off the screen
        expected, got = (
            scenes.silhouette_and_gradient(x, weight, implementation=implementation)
            for x in (gone, with_bad_corner(faces, bad))
        )
        np.testing.assert_allclose(got[0], expected[0], atol=1e-6)
        np.testing.assert_allclose(got[1], expected[1], rtol=1e-4, atol=1e-5)
        assert np.all(got[1][:, 0] == 0) and np.any(got[1][:, 1] != 0)

    @each_implementation
    def test_vertex_on_a_pixel_center(self, implementation, x64):
        # pixel centres of a 24 px image lie at odd multiples of 1/24
        triangle = np.array([[-0.125, 0.125], [0.625, 0.125], [0.125, 0.875]])
        faces = np.stack([triangle, triangle + 90])[None]  # one far off the screen
        alpha, gradient = scenes.silhouette_and_gradient(
            faces, np.ones((1, 24, 24)), sigma=1e-2, implementation=implementation
        )
        assert alpha[0, 10, 10] == pytest.approx(0.5)
        assert np.all(np.isfinite(gradient))

    @each_implementation
    def test_no_faces(self, implementation):
        faces = jnp.zeros((2, 0, 3, 2))
        alpha, gradient = scenes.silhouette_and_gradient(
            faces, jnp.ones((2, 8, 8)), implementation=implementation
        )
        assert np.all(alpha == 0) and gradient.shape == (2, 0, 3, 2)

    @pytest.mark.slow  # test_rasterize_adversarial divides that of colours
    def test_item_numbers_beyond_32_bits_are_divided(self, repatch):
        """Blocks of faces, each within the counter's range, add up to the whole."""
        faces = scenes.sphere(3).astype(np.float32)
        weight = scenes.random_like(3, 16, 16).astype(np.float32)
        expected = scenes.silhouette_and_gradient(
            faces, weight, implementation="reference"
        )
        repatch(walk, "ALPHA_CHUNKS", walk.Chunks(64, 64))
        # the image has 8 tiles: blocks of 50 of the 240 faces
        repatch(worklist, "LARGEST_COUNT", 64 + 8 * 50)
        got = scenes.silhouette_and_gradient(faces, weight)
        np.testing.assert_allclose(got[0], expected[0], atol=1e-6)
        np.testing.assert_allclose(got[1], expected[1], rtol=1e-4, atol=1e-4)


class TestGradients:
    @pytest.mark.parametrize(
        ("name", "implementation"),
        [
            *((name, "reference") for name in scenes.SCENES),
            pytest.param("overlapping", "xla", marks=pytest.mark.slow),
            ("coincident vertices", "xla"),
        ],
    )
    def test_against_finite_differences(self, name, implementation, x64):
        # coincident corners are one vertex: alone, a corner of an edge of no length
        # moves the boundary to one side only, and has no derivative
        faces = scenes.scene(name)[0]
        vertices, index = np.unique(faces.reshape(-1, 2), axis=0, return_inverse=True)
        index = index.reshape(-1, 3)
        vertices = np.pad(vertices, ((0, 6 - len(vertices)), (0, 0)))
        run = loss_of_vertices(implementation)
        _, slopes = run(vertices, index, 2e-2)
        shift = 1e-6 * scenes.random_like(6, 2), 1e-6
        above, below = (
            float(run(vertices + s * shift[0], index, 2e-2 + s * shift[1])[0])
            for s in (1, -1)
        )
        exact = 2 * (np.sum(slopes[0] * shift[0]) + slopes[1] * shift[1])
        assert above - below == pytest.approx(float(exact), rel=1e-5)

    @reference_is_quick  # both have the same gradients
    def test_pulls_a_triangle_towards_its_target(self, implementation):
        target = rasterization.silhouette(
            np.array([[[-0.2, -0.5], [0.8, -0.5], [0.3, 0.5]]], np.float32), 16
        )
        corners = jnp.array([[[-0.6, -0.4], [0.4, -0.4], [-0.1, 0.6]]])

        @jax.jit
        @jax.value_and_grad
        def loss(shift):
            alpha = rasterization.silhouette(
                corners + shift, 16, sigma=3e-3, implementation=implementation
            )
            return jnp.mean((alpha - target) ** 2)

        shift = jnp.zeros(2)
        for _ in range(40):
            shift = shift - 0.2 * loss(shift)[1]
        np.testing.assert_allclose(shift, [0.4, -0.1], atol=0.02)


class TestArguments:
    FACES = np.zeros((2, 5, 3, 2), np.float32)

    @pytest.mark.parametrize(
        ("faces", "size", "settings", "message"),
        [
            (FACES[..., :1], 8, {}, r"\[\.\.\., F, 3, 2\]"),
            (FACES[0, 0], 8, {}, r"it has \[3, 2\]"),
            (FACES.astype(int), 8, {}, "floating-point"),
            (FACES, 0, {}, "image_size"),
            (FACES, (8, -1), {}, "image_size"),
            (FACES, 1.5, {}, "image_size"),
            (FACES, (8, 8, 8), {}, "image_size"),
            (FACES, 100_000, {}, "image_size"),
            (FACES, 8, {"sigma": 0.0}, "sigma must be positive"),
            (FACES, 8, {"sigma": np.nan}, "sigma must be positive"),
            (FACES, 8, {"sigma": "1e-4"}, "sigma must be a number or an array, not '1"),
            (FACES, 8, {"sigma": None}, "sigma must be a number or an array, not None"),
            (FACES, 8, {"sigma": np.ones(3)}, r"shape \[2\]"),
            (FACES, 8, {"dist_eps": 0.7}, "dist_eps"),
            (FACES, 8, {"implementation": "cuda"}, "one of reference, xla"),
        ],
    )
    def test_one_clear_error(self, faces, size, settings, message):
        with pytest.raises(ValueError, match=message) as caught:
            rasterization.silhouette(faces, size, **settings)
        assert "\n" not in str(caught.value)

    def test_reference_refuses_what_would_take_gigabytes(self):
        faces = np.zeros((8, 1280, 3, 2), np.float32)
        with pytest.raises(ValueError, match="use implementation='xla'"):
            rasterization.silhouette(faces, 64, implementation="reference")
        assert 8 * 1280 * 64 * 64 > reference_blend.LIMIT

    def test_depth_counts_only_behind_the_camera(self):
        faces = scenes.sphere(1).astype(np.float32)
        depth = np.full((*faces.shape[:-1], 1), 200, np.float32)
        depth[0, :40, 1] = -1e-3
        draw = jax.jit(functools.partial(rasterization.silhouette, image_size=16))
        ahead = np.where(depth.min(-2, keepdims=True) > 0, faces, np.inf)
        np.testing.assert_array_equal(
            draw(np.concatenate([faces, depth], -1)), draw(ahead)
        )
        assert np.abs(draw(ahead) - draw(faces)).max() > 0.1
