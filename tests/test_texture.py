import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import texture


def slow_sample(image, uv, wrap):
    """Samples an image at one point, one texel at a time."""
    height, width, channels = image.shape
    total = np.zeros(channels)
    x, y = uv[0] * width - 0.5, (1 - uv[1]) * height - 0.5
    for i in range(-height, 2 * height):
        for j in range(-width, 2 * width):
            weight = max(0, 1 - abs(y - i)) * max(0, 1 - abs(x - j))
            if wrap == "repeat":
                texel = image[i % height, j % width]
            else:
                texel = image[np.clip(i, 0, height - 1), np.clip(j, 0, width - 1)]
            total += weight * texel
    return total


class TestSample:
    IMAGE = np.random.default_rng(0).normal(size=(2, 3, 4, 2))
    UV = np.random.default_rng(1).uniform(-0.7, 1.7, (2, 9, 2))

    def test_places_of_texels(self):
        image = jnp.arange(6.0).reshape(2, 3, 1)
        centers = jnp.array([[0.5 / 3, 0.75], [2.5 / 3, 0.75], [0.5 / 3, 0.25]])
        edges = jnp.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
        values = jax.jit(texture.sample)(image, jnp.concatenate([centers, edges]))
        np.testing.assert_allclose(values[:, 0], [0, 2, 3, 0, 2, 5, 2.5], atol=1e-6)

    @pytest.mark.parametrize("wrap", ["clamp", "repeat"])
    def test_against_definition(self, wrap, x64):
        got = jax.jit(texture.sample, static_argnums=2)(self.IMAGE, self.UV, wrap)
        for image, points, values in zip(self.IMAGE, self.UV, got, strict=True):
            expected = [slow_sample(image, uv, wrap) for uv in points]
            np.testing.assert_allclose(values, expected, atol=1e-12)

    @pytest.mark.parametrize("wrap", ["clamp", "repeat"])
    def test_points_beyond_the_range_of_integers(self, wrap, x64):
        far = self.UV[0] + np.array([1e9, -2e9])
        got = texture.sample(self.IMAGE[0], far, wrap)
        if wrap == "repeat":
            expected = texture.sample(self.IMAGE[0], self.UV[0], wrap)
        else:
            expected = np.broadcast_to(self.IMAGE[0, -1, -1], got.shape)
        np.testing.assert_allclose(got, expected, atol=1e-4)

    def test_a_point_that_is_not_finite_has_no_value(self):
        uv = jnp.array([[0.5, np.nan], [0.3, 0.6]])

        def values(image):
            return texture.sample(image, uv)

        got, pullback = jax.vjp(values, jnp.ones((2, 2, 1)))
        np.testing.assert_allclose(got, [[np.nan], [1]], rtol=1e-6)
        assert np.all(np.isfinite(pullback(jnp.array([[0.0], [1.0]]))[0]))

    def test_shared_image_and_shared_points(self):
        @jax.jit
        def differences(image, uv):
            both = texture.sample(image, uv)
            shared_image = texture.sample(image[0], uv)
            shared_points = texture.sample(image, uv[0])
            return (
                both - jax.vmap(texture.sample)(image, uv),
                shared_image[0] - both[0],
                shared_image[1] - texture.sample(image[0], uv[1]),
                shared_points[0] - both[0],
                shared_points[1] - texture.sample(image[1], uv[0]),
            )

        for difference in differences(self.IMAGE, self.UV):
            np.testing.assert_allclose(difference, 0, atol=1e-5)

    def test_derivatives(self, x64):
        def loss(parts):
            image, uv = parts
            repeated = texture.sample(image, uv, "repeat")
            return jnp.sum(texture.sample(image, uv, "clamp") ** 3 + jnp.sin(repeated))

        @jax.jit
        def derivatives(point, direction):
            """Loss and gradient, and the changes of both along a direction."""
            return jax.jvp(jax.value_and_grad(loss), (point,), (direction,))

        point = (jnp.asarray(self.IMAGE), jnp.asarray(self.UV))
        rng = np.random.default_rng(2)
        for direction in (
            (jnp.asarray(rng.normal(size=self.IMAGE.shape)), 0 * point[1]),
            (0 * point[0], jnp.asarray(rng.normal(size=self.UV.shape))),
        ):
            (_, gradient), (slope, product) = derivatives(point, direction)
            ahead, behind = (
                derivatives(
                    jax.tree.map(lambda p, d, e=e: p + e * d, point, direction),
                    direction,
                )[0]
                for e in (1e-6, -1e-6)
            )
            numeric = float(ahead[0] - behind[0]) / 2e-6
            assert float(slope) == pytest.approx(numeric, rel=1e-6)
            exact = sum(np.sum(g * d) for g, d in zip(gradient, direction, strict=True))
            assert float(exact) == pytest.approx(numeric, rel=1e-6)
            for got, a, b in zip(product, ahead[1], behind[1], strict=True):
                np.testing.assert_allclose(got, (a - b) / 2e-6, rtol=1e-5, atol=1e-6)

    def test_refusals(self):
        image = jnp.zeros((2, 2, 3))
        with pytest.raises(ValueError, match="wrap must be one of clamp, repeat, not"):
            texture.sample(image, jnp.zeros((1, 2)), "mirror")  # pyright: ignore
        with pytest.raises(ValueError, match=r"\[\.\.\., N, 2\]; they are \[2, 2, 3\]"):
            texture.sample(image, jnp.zeros((1, 3)))
        with pytest.raises(ValueError, match="at least one texel"):
            texture.sample(jnp.zeros((2, 0, 3)), jnp.zeros((1, 2)))


class TestSurfaceTexture:
    cell = staticmethod(jax.jit(texture.surface_cell, static_argnums=2))

    def test_layout_of_the_original(self):
        """Texel indices for R = 3, from the original's kernels."""

        def cell(w0, w1):
            return int(self.cell(w0, w1, 3))

        assert [cell(0, 0), cell(1, 0), cell(0, 1)] == [0, 2, 6]  # corners 2, 0, 1
        assert [cell(k / 3 + 0.1, 0) for k in range(3)] == [0, 1, 2]
        assert [cell(0, k / 3 + 0.1) for k in range(3)] == [0, 3, 6]
        assert cell(2 / 9, 2 / 9) == 8
        assert cell(5 / 9, 2 / 9) == 7
        assert cell(2 / 9, 5 / 9) == 5
        assert cell(0.45, 0.45) == 4

    @pytest.mark.parametrize("resolution", [1, 2, 3, 5, 7])
    def test_edges_belong_to_the_texels_along_them(self, resolution):
        along = np.linspace(0, 1, 1201, dtype=np.float32)
        cell = self.cell
        rows = np.minimum((along * resolution).astype(int), resolution - 1)
        np.testing.assert_array_equal(cell(along, 0 * along, resolution), rows)
        np.testing.assert_array_equal(
            cell(0 * along, along, resolution), rows * resolution
        )
        # with weights that add up to a little more or less than 1
        for w1 in (1 - along, (1 - along) * (1 + 1e-6), (1 - along) * (1 - 1e-6)):
            cells = np.asarray(cell(along, w1, resolution))
            b, a = np.divmod(cells, resolution)
            upright = (a + b == resolution - 1) & (abs(a - along * resolution) <= 1.01)
            # within rounding of the edge the texel above may answer as well
            np.testing.assert_array_less(0.97, np.mean(upright))
            assert cells.min() >= 0 and cells.max() < resolution**2

    @pytest.mark.parametrize("resolution", [1, 2, 3, 6])
    def test_centers(self, resolution):
        centers = texture.texel_centers(resolution)
        np.testing.assert_allclose(centers.sum(axis=1), 1)
        cells = self.cell(centers[:, 0], centers[:, 1], resolution)
        np.testing.assert_array_equal(cells, np.arange(resolution**2))

    def test_texels_share_the_area(self):
        weights = np.random.default_rng(0).dirichlet([1, 1, 1], 20000)
        cells = np.asarray(self.cell(weights[:, 0], weights[:, 1], 4))
        counts = np.bincount(cells, minlength=16)
        np.testing.assert_allclose(counts, 1250, atol=5 * 1250**0.5)

    def test_resolution(self):
        assert texture.SurfaceTexture(np.zeros((7, 25, 3))).resolution == 5
        with pytest.raises(ValueError, match=r"R \* R, C\].* \[7, 24, 3\]"):
            _ = texture.SurfaceTexture(np.zeros((7, 24, 3))).resolution


class TestBake:
    def test_linear_image_and_gradient(self, x64):
        # u and v themselves are the colours, up to the border
        u, v = np.meshgrid((np.arange(8) + 0.5) / 8, 1 - (np.arange(8) + 0.5) / 8)
        image = jnp.asarray(np.stack([u, v], axis=-1))
        corners = jnp.asarray(np.random.default_rng(0).uniform(0.1, 0.9, (2, 5, 3, 2)))

        def total(image):
            baked = texture.bake(texture.UVTexture(corners, image), 3)
            return jnp.sum(baked.texels), baked

        gradient, baked = jax.jit(jax.grad(total, has_aux=True))(image)
        assert baked.resolution == 3
        expected = np.einsum("tk,bfkc->bftc", texture.texel_centers(3), corners)
        np.testing.assert_allclose(baked.texels, expected, atol=1e-12)
        assert gradient.sum() == pytest.approx(baked.texels.size)

    def test_several_images(self):
        corners = np.random.default_rng(0).random((5, 3, 2), np.float32)
        images = tuple(np.full((k + 1, 2, 3), k + 0.5, np.float32) for k in range(3))
        index = np.array([2, 0, 1, 1, 2])
        several = texture.UVTexture(
            corners, images, transparent=True, image_index=index
        )
        baked = texture.bake(several, 2)
        expected = np.broadcast_to(index[:, None, None] + 0.5, (5, 4, 3))
        np.testing.assert_allclose(baked.texels, expected, rtol=1e-6)
        assert baked.transparent
        with pytest.raises(ValueError, match="image_index must be from 0 to 2"):
            texture.bake(several._replace(image_index=index + 1), 2)

    def test_refuses_no_texels(self):
        with pytest.raises(ValueError, match="at least 1, not 0"):
            texture.bake(texture.UVTexture(np.zeros((1, 3, 2)), np.zeros((2, 2, 3))), 0)
        bytes_ = texture.UVTexture(np.zeros((1, 3, 2)), np.zeros((2, 2, 3), np.uint8))
        with pytest.raises(ValueError, match="not uint8; divide 8-bit colours"):
            texture.bake(bytes_, 1)


class TestWrapOfATexture:
    def test_is_static(self):
        """A name is no leaf: it survives transformations, and is part of the type."""
        tiled = texture.UVTexture(np.zeros((1, 3, 2)), np.ones((2, 2, 3)), "repeat")
        assert len(jax.tree.leaves(tiled)) == 2
        assert jax.jit(lambda t: t)(tiled).wrap == "repeat"
        assert jax.tree.structure(tiled) != jax.tree.structure(
            tiled._replace(wrap="clamp")
        )
        paths = [str(path[0]) for path, _ in jax.tree_util.tree_leaves_with_path(tiled)]
        assert paths == [".coordinates", ".image"]

    def test_holds_unless_told_otherwise(self):
        corners = np.array([[[1.0, -1], [3, -1], [1, 1]]], np.float32)
        checks = np.array([[[0.0], [1.0]]], np.float32)
        faces = np.array([[[-1.0, -1, 2], [3, -1, 2], [-1, 3, 2]]], np.float32)

        def draw(own, told):
            return jaxsoftras.rasterize(
                faces,
                texture.UVTexture(corners, checks, own),
                8,
                wrap=told,
                implementation="reference",
            )

        clamped, tiled = draw(None, None), draw("repeat", None)
        assert np.abs(clamped - tiled).max() > 0.5
        np.testing.assert_array_equal(draw(None, "repeat"), tiled)
        np.testing.assert_array_equal(draw("repeat", "clamp"), clamped)
        baked = texture.bake(texture.UVTexture(corners, checks, "repeat"), 2)
        np.testing.assert_array_equal(
            baked.texels,
            texture.bake(texture.UVTexture(corners, checks), 2, "repeat").texels,
        )

    def test_of_a_batch(self):
        sphere = jaxsoftras.icosphere(0)
        meshes = [
            sphere._replace(
                texture=texture.UVTexture(np.zeros((20, 3, 2)), np.ones((2, 2, 3)), w)
            )
            for w in ("repeat", None)
        ]
        batch = jaxsoftras.stack_meshes(meshes[:1] * 2)
        assert isinstance(batch.texture, texture.UVTexture)
        assert batch.texture.wrap == "repeat"
        with pytest.raises(ValueError, match="one continuation .* 'repeat' and None"):
            jaxsoftras.stack_meshes(meshes)


@pytest.mark.parametrize("implementation", ["reference", "xla"])
def test_edges_through_texel_centers(implementation):
    """The index of a texel and its weight never disagree on the texel before a point.

    Pixels beside an edge that runs through texel centres sample exactly there.
    """
    image = np.random.default_rng(0).random((2, 2, 3), np.float32)
    image[1, 1] = image[0, 1] + image[1, 0] - image[0, 0]  # linear over the face
    corners = np.array([[[0.25, 0.75], [0.75, 0.75], [0.25, 0.25]]], np.float32)
    faces = np.array([[[-0.7, -0.7, 4], [0.7, -0.7, 4], [0, 0.7, 4]]], np.float32)
    draw = functools.partial(
        jaxsoftras.rasterize,
        faces,
        image_size=32,
        sigma=1e-3,
        implementation=implementation,
    )
    colors = np.stack([image[0, 0], image[0, 1], image[1, 0]])[None]
    np.testing.assert_allclose(
        draw(texture.UVTexture(corners, image)), draw(colors), atol=1e-5
    )
