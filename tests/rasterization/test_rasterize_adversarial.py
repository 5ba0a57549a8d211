"""Scenes that are hard to render: very many faces, degenerate ones, none at all."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras.kernels.options import RasterOptions
from jaxsoftras.kernels.reference import blend as reference
from jaxsoftras.kernels.scene import Blend, Scene, Task
from jaxsoftras.kernels.xla import blend as xla
from jaxsoftras.kernels.xla import walk as walks
from jaxsoftras.kernels.xla import worklist
from jaxsoftras.rasterization import attributes
from tests.support import scenes
from tests.support.colored_faces import (
    FACES,
    LIGHT,
    SIZE,
    TEXTURES,
    WEIGHT,
    arguments,
    compiled,
)


class TestAdversarial:
    # by tile as on accelerators; else as lowered for one, but traced without any
    @pytest.mark.parametrize(
        ("colors", "by_tile"),
        [
            pytest.param(None, True, marks=pytest.mark.slow),  # alpha is in the others
            (None, False),
            pytest.param("image", True, marks=pytest.mark.slow),
        ],
    )
    def test_ordered_sums_of_accelerators_equal_the_reference(
        self, x64, colors, by_tile, monkeypatch
    ):
        """Sums in a fixed order, never scatter-adding two values to one element."""
        kernel, lookup = attributes.as_kernel_attributes(
            TEXTURES["image"], None, "clamp", (1,), jnp.asarray(FACES)
        )
        scene = Scene(
            jnp.asarray(FACES),
            jnp.array([0.01]),
            jnp.array([0.1]),
            kernel if colors else None,
        )
        task = Task(*SIZE, RasterOptions(near=1.0), lookup)
        shapes = ((), (), (3,)) if colors else ((),)
        cotangent = Blend(
            *(jnp.asarray(scenes.random_like(1, *c, *SIZE)) for c in shapes)
        )
        monkeypatch.setattr(walks, "add", walks.add_in_order)
        walk = walks.Walk(task, chunk=24, by_tile=by_tile)

        @jax.jit
        def ordered(scene, cotangent):
            blend, softmax = xla._forward(scene, walk=walk)
            return blend, xla._backward(
                scene, blend.color, softmax, cotangent, walk=walk
            )

        @jax.jit
        def expect(scene, cotangent):
            blend, pullback = jax.vjp(lambda scene: reference.blend(scene, task), scene)
            return blend, pullback(cotangent)[0]

        got, expected = (f(scene, cotangent) for f in (ordered, expect))
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)

    def test_many_faces_in_one_tile(self):
        """50,000 faces within 16 x 16 pixels: none is dropped, the nearest is found."""
        rng = np.random.default_rng(0)
        center = rng.uniform(-0.9, 0.9, (50_000, 1, 2))
        corners = center + rng.uniform(-0.01, 0.01, (50_000, 3, 2))
        depth = rng.uniform(2, 3, (50_000, 1, 1)) * np.ones((1, 3, 1))
        faces = np.concatenate([corners, depth], -1).astype(np.float32)
        colors = rng.uniform(size=(50_000, 3)).astype(np.float32)
        draw = jax.jit(
            lambda f, c: jaxsoftras.rasterize(f, c, 16, sigma=1e-6, gamma=1e-2)
        )
        image = np.asarray(draw(faces, colors))
        order = rng.permutation(50_000)
        permuted = np.asarray(draw(faces[order], colors[order]))
        np.testing.assert_allclose(permuted[..., 3], image[..., 3], atol=1e-6)
        np.testing.assert_allclose(permuted, image, atol=1e-4)
        assert np.all((image >= 0) & (image <= 1)) and image[..., 3].max() > 0.5

        @jax.jit
        def by_parts(parts):  # the definition, 1000 faces at a time
            def log_rest(part):
                alpha = jaxsoftras.silhouette(
                    part, 16, sigma=1e-6, implementation="reference"
                )
                return jnp.log1p(-jnp.minimum(alpha, 1 - 1e-7))

            return -jnp.expm1(jnp.sum(jax.lax.map(log_rest, parts), axis=0))

        expected = by_parts(faces.reshape(50, 1000, 3, 3))
        np.testing.assert_allclose(image[..., 3], expected, atol=1e-5)

    def test_degenerate_faces(self):
        """No area, edge-on, coincident, on a pixel centre, off-screen, not finite."""
        faces = np.tile(FACES[0, :1], (8, 1, 1)).astype(np.float32)
        faces[1] = faces[1, 0]  # a point
        faces[2, 2] = (faces[2, 0] + faces[2, 1]) / 2  # a line
        faces[3] = faces[0]  # coincident with the first
        faces[4, 0, :2] = [1 / 9, 1 / 6]  # on a pixel centre
        faces[5, :, 0] += 7  # off-screen
        faces[6, 1, 0] = np.nan
        faces[7, 2, 2] = np.inf
        inputs = (
            faces[None],
            np.tile(TEXTURES["corners"][:, :2], (1, 4, 1, 1)),
            LIGHT,
            1e-3,
            1e-2,  # its gradient is a difference of terms that grow as its square falls
            np.zeros(3),
        )
        inputs = jax.tree.map(lambda a: np.asarray(a, np.float32), inputs)
        got = compiled("corners", "xla", dist_eps=1e-4)(*inputs)
        expected = compiled("corners", "reference", dist_eps=1e-4)(*inputs)
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            assert np.all(np.isfinite(a))
            np.testing.assert_allclose(a, b, atol=2e-4 * max(1, np.abs(b).max()))
        assert np.all(np.asarray(got[1][0])[0, 5:] == 0)
        assert np.all((got[0][..., 3] >= 0) & (got[0][..., 3] <= 1))

    @pytest.mark.parametrize(
        "implementation", [pytest.param("reference", marks=pytest.mark.slow), "xla"]
    )
    def test_a_needle_whose_coordinates_rounding_spoils(self, implementation):
        """Beside it, all three round below 0."""
        needle = [[0.02277777, 0.5070604, 1.3], [0.02177777, 0.5060604, 2.0]]
        faces = jnp.array([[*needle, [639253.44, 366573.81, 3.0]]])

        @jax.jit  # where corners far away are not known
        def run(faces):
            image, pullback = jax.vjp(
                lambda f: jaxsoftras.rasterize(
                    f,
                    jnp.eye(3)[None],
                    32,
                    sigma=1e-2,
                    gamma=3e-2,
                    implementation=implementation,
                ),
                faces,
            )
            return image, pullback(image)[0]

        image, gradient = run(faces)
        assert np.all((image >= 0) & (image <= 1)) and image[..., 3].max() > 0.4
        assert np.all(np.isfinite(gradient))

    @pytest.mark.parametrize("implementation", ["reference", "xla"])
    def test_a_face_of_probability_0_hides_nothing(self, implementation):
        """Within reach of a face in front, on the side where it never covers."""
        front = [[-0.03, -9, 2], [9, -9, 2], [-0.03, 9, 2]]
        behind = [[-9, -9, 4], [9, -9, 4], [0, 12, 4]]
        image = jaxsoftras.rasterize(
            jnp.array([front, behind], jnp.float32),
            jnp.array([[1.0, 0, 0], [0, 1, 0]]),
            1,
            sigma=1.0,
            distribution="levy",
            background=jnp.array([0.0, 0, 1]),
            implementation=implementation,
        )
        np.testing.assert_allclose(image[0, 0, :3], [0, 1, 0], atol=1e-6)

    @pytest.mark.parametrize(
        "implementation", [pytest.param("reference", marks=pytest.mark.slow), "xla"]
    )
    def test_a_corner_close_to_the_camera(self, implementation):
        """The face is drawn, or not at all; gradients are finite."""

        @jax.jit
        def run(depth):
            face = [[-0.5, -0.5, depth], [0.6, -0.4, 2], [0.1, 0.7, 3]]

            def draw(face):
                return jaxsoftras.rasterize(
                    face,
                    jnp.eye(3)[None],
                    4,
                    sigma=1e-3,
                    gamma=1e-3,
                    implementation=implementation,
                )

            image, pullback = jax.vjp(draw, jnp.array([face]))
            return image, pullback(image)[0]

        for depth, drawn in ((1e-3, 1), (1e-17, 1), (1e-20, 0), (1e-38, 0)):
            image, gradient = run(depth)
            assert round(float(image[..., 3].max())) == drawn
            assert np.all(np.isfinite(image)) and np.all(np.isfinite(gradient))
            assert np.any(gradient != 0) == drawn

    @pytest.mark.parametrize("implementation", ["reference", "xla"])
    def test_colors_of_faces_that_are_not_drawn(self, implementation):
        """Not finite, they get into no pixel and no gradient."""
        face = [[-0.9, -0.9, 2], [0.9, -0.9, 2], [0, 0.9, 2]]
        behind = [[-0.9, -0.9, -1], [0.9, -0.9, 2], [0, 0.9, 2]]
        colors = jnp.array([[1.0, 0.5], [np.nan, np.inf]])

        def draw(faces, colors):
            return jaxsoftras.rasterize(
                faces, colors, 4, sigma=1e-3, implementation=implementation
            )

        image, pullback = jax.vjp(draw, jnp.array([face, behind]), colors)
        assert np.all(np.isfinite(image)) and image[2, 2, 0] > 0.9
        for gradient in pullback(jnp.ones_like(image)):
            assert np.all(np.isfinite(gradient)) and np.all(gradient[1] == 0)

    def test_gamma_may_be_tiny(self):
        run = compiled("corners", "xla", dist_eps=1e-4)
        eight = np.arange(8) % 6  # as many as above: one program
        # at 1e-9, depths that differ by their rounding are far apart
        for gamma, rel in ((1e-6, 5e-3), (1e-9, 0.2), (1e-30, 0.2)):
            faces, colors, *rest = arguments("corners", 1e-4, gamma)
            inputs = jax.tree.map(
                lambda a: np.asarray(a, np.float32),
                (faces[:, eight], colors[:, eight], *rest),
            )
            image, gradient = jax.device_get(run(*inputs))
            for leaf in jax.tree.leaves((image, gradient)):
                assert np.all(np.isfinite(leaf))
            # colours are linear in those of faces and background
            _, colors, _, _, _, background = gradient
            exact = np.sum(colors * inputs[1]) + np.sum(background * inputs[5])
            value = np.sum((WEIGHT * image)[..., :3])
            assert float(exact) == pytest.approx(float(value), rel=rel)

    @pytest.mark.parametrize(
        "implementation", [pytest.param("reference", marks=pytest.mark.slow), "xla"]
    )
    def test_nothing_to_draw(self, implementation):
        @jax.jit
        def run(faces):
            image, pullback = jax.vjp(
                lambda f: jaxsoftras.rasterize(
                    f,
                    jnp.ones((len(f), 2)),
                    4,
                    background=jnp.array([0.25, 0.5]),
                    implementation=implementation,
                ),
                faces,
            )
            return image, pullback(image)[0]

        for count in (0, 2):
            image, gradient = run(
                np.tile(FACES[0, 5], (count, 1, 1)).astype(np.float32)
            )
            np.testing.assert_array_equal(image[1, 2], [0.25, 0.5, 0])
            assert np.all(gradient == 0)

    def test_batches_of_nothing(self):
        """No faces in each image of a batch, and no images."""

        def draw(faces, colors, **options):
            return jaxsoftras.rasterize(faces, colors, 4, background=0.5, **options)

        images = jax.vmap(draw)(jnp.ones((3, 0, 3, 3)), jnp.ones((3, 0, 2)))
        blank = np.broadcast_to(np.array([0.5, 0.5, 0]), (3, 4, 4, 3))
        np.testing.assert_array_equal(images, blank)
        draw_none = functools.partial(jaxsoftras.silhouette, jnp.ones((0, 3, 3)), 4)
        assert jax.hessian(lambda sigma: draw_none(sigma=sigma).sum())(1.0) == 0
        faces, texels = jnp.ones((0, 2, 3, 3)), jnp.ones((0, 2, 4, 2))
        for skin in (texels[:, :, 0], jaxsoftras.SurfaceTexture(texels)):
            assert draw(faces, skin, aggregation="hard").shape == (0, 4, 4, 3)
            assert draw(faces, skin).shape == (0, 4, 4, 3)
            assert jax.vmap(draw)(faces, skin).shape == (0, 4, 4, 3)

    @pytest.mark.slow  # silhouettes are divided by the same lines
    def test_items_beyond_32_bits_are_divided(self, repatch):
        """Blocks of faces, each within the counter's range, add up to the whole."""
        faces = jnp.asarray(FACES, jnp.float32)
        colors = jnp.asarray(TEXTURES["faces"], jnp.float32)

        def draw(faces, colors):
            return jaxsoftras.rasterize(faces, colors, (9, 17), gamma=1e-2)

        expected = jax.jit(draw)(faces, colors)
        repatch(walks, "COLOR_CHUNKS", walks.Chunks(16, 16))
        # the image has 9 tiles: blocks of 2 of the 6 faces
        repatch(worklist, "LARGEST_COUNT", 16 + 9 * 2)
        got = jax.jit(lambda *a: draw(*a))(faces, colors)
        np.testing.assert_allclose(got, expected, atol=1e-5)
