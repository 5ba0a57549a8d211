import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import ndimage

from jaxsoftras import losses
from tests.support.derivatives import check_gradient


def images(*shape, seed=0):
    """Two images that are a little alike."""
    rng = np.random.default_rng(seed)
    first = rng.random(shape)
    return first, 0.7 * first + 0.3 * rng.random(shape)


class TestSilhouetteIou:
    def test_by_hand(self):
        predicted = jnp.array([[[1.0, 1.0, 0.0, 0.0]], [[0.5, 0.0, 0.0, 0.0]]])
        target = jnp.array([[[0.0, 1.0, 1.0, 0.0]], [[0.5, 1.0, 0.0, 0.0]]])
        np.testing.assert_allclose(
            losses.silhouette_iou(predicted, target), [1 / 3, 0.25 / 1.75], rtol=1e-5
        )

    def test_two_empty_images_are_finite(self):
        empty = jnp.zeros((8, 8))
        value, gradient = jax.value_and_grad(losses.silhouette_iou)(empty, empty)
        assert value == 0 and np.all(np.isfinite(gradient))

    def test_half_precision_and_integers(self):
        ones = np.ones((300, 300))
        for dtype in (jnp.float16, jnp.uint8, bool):
            iou = losses.silhouette_iou(jnp.asarray(ones, dtype), ones)
            assert iou == pytest.approx(1) and iou.dtype == jnp.float32

    def test_sizes_that_differ(self):
        with pytest.raises(ValueError, match=r"\[\.\.\., 8, 8\] like predicted"):
            losses.silhouette_iou(jnp.zeros((8, 8)), jnp.zeros((8, 1)))
        with pytest.raises(ValueError, match="leading axes must broadcast"):
            losses.silhouette_iou(jnp.zeros((2, 8, 8)), jnp.zeros((3, 8, 8)))

    @pytest.mark.parametrize("wrong, given", [(255.0, "0 to 255"), (-1.0, "-1 to 1")])
    def test_values_out_of_range(self, wrong, given):
        image = np.ones((8, 8), np.float32)
        image[0, 0], other = wrong, np.ones((8, 8))
        image[0, 1] = 0
        for loss in (losses.silhouette_iou, losses.multiscale_silhouette_iou):
            with pytest.raises(ValueError, match=f"target must .* not from {given};"):
                loss(other, image)
            with pytest.raises(ValueError, match="predicted must have values from 0"):
                loss(jnp.asarray(image), other)
            with pytest.raises(ValueError, match="target must have values from 0"):
                jax.grad(lambda p, loss=loss: loss(p, image))(other)

    def test_rounding_is_in_range_and_nan_shows(self):
        ones = jnp.ones((8, 8))
        rounded = (ones * 1.005).astype(jnp.bfloat16)
        assert rounded.max() > 1
        assert losses.silhouette_iou(rounded, ones) == pytest.approx(1, abs=0.01)
        for image in (ones.at[0, 0].set(jnp.nan), jnp.full((8, 8), jnp.nan)):
            assert np.isnan(losses.silhouette_iou(image, ones))


class TestMultiscaleSilhouetteIou:
    @pytest.mark.parametrize("shape", [(2, 16, 16), (13, 5)])
    def test_by_loops(self, shape, x64):
        p, t = images(*shape)
        expected = []
        first, second = p, t
        for _ in range(3):
            union = np.maximum(first, second).sum(axis=(-2, -1)) + 1e-6
            expected.append(np.minimum(first, second).sum(axis=(-2, -1)) / union)
            first, second = map(self.halve, (first, second))
        got = losses.multiscale_silhouette_iou(p, t, levels=3)
        np.testing.assert_allclose(got, np.mean(expected, axis=0))

    @staticmethod
    def halve(image):
        *batch, height, width = image.shape
        half = np.zeros((*batch, (height + 1) // 2, (width + 1) // 2))
        for i in range(height):
            for j in range(width):
                half[..., i // 2, j // 2] += image[..., i, j] / 4
        return half

    def test_one_level_of_binary_silhouettes_is_the_iou(self):
        p, t = (x > 0.5 for x in images(16, 16))
        got = losses.multiscale_silhouette_iou(p, t, levels=1)
        assert got == pytest.approx(losses.silhouette_iou(p, t))

    def test_largest_for_equal_silhouettes(self):
        soft, other = images(16, 16)
        assert losses.multiscale_silhouette_iou(soft, soft) == pytest.approx(1)
        assert losses.multiscale_silhouette_iou(soft, other) < 0.95

    def test_silhouettes_apart_overlap_at_coarser_levels(self):
        def square(left):
            return jnp.zeros((16, 16)).at[6:8, left : left + 2].set(1)

        far, near, nearer = (
            losses.multiscale_silhouette_iou(square(left), square(8))
            for left in (2, 12, 10)
        )
        assert far == 0 and 0.1 < near < 0.9 * nearer

    def test_gradient(self, x64):
        p, t = images(12, 9)
        check_gradient(lambda p: losses.multiscale_silhouette_iou(p, t, levels=3), (p,))

    @pytest.mark.parametrize("levels", [0, 5, 1.0, jnp.ones(())])
    def test_levels_out_of_range(self, levels):
        with pytest.raises(ValueError, match="levels must be an int from 1 to 4"):
            losses.multiscale_silhouette_iou(
                np.zeros((3, 16)), np.zeros((3, 16)), levels=levels
            )


class TestSsim:
    def test_by_scipy(self, x64):
        p, t = images(2, 21, 17, 3)

        def means(image):
            # a radius of 3.5 sigma, rounded, is that of the window
            blurred = ndimage.gaussian_filter(
                image, 1.5, truncate=3.5, axes=(1, 2), mode="constant"
            )
            return blurred[:, 5:-5, 5:-5]

        mp, mt = means(p), means(t)
        vp, vt = means(p * p) - mp**2, means(t * t) - mt**2
        covariance = means(p * t) - mp * mt
        expected = (2 * mp * mt + 1e-4) * (2 * covariance + 9e-4)
        expected /= (mp**2 + mt**2 + 1e-4) * (vp + vt + 9e-4)
        got = losses.ssim(p, t)
        np.testing.assert_allclose(got, expected.mean(axis=(1, 2, 3)))
        assert 0.2 < got[0] < 0.95

    def test_range(self):
        p, _ = images(2, 16, 16, 1)
        np.testing.assert_allclose(losses.ssim(p, p), 1, rtol=1e-6)
        checks = np.indices((16, 16, 1)).sum(axis=0) % 2
        assert losses.ssim(checks / 1.0, 1.0 - checks) < -0.9

    def test_constant_images(self):
        """Without variance, the factor of the means remains."""
        grey = np.full((11, 11, 3), 0.25)
        got = losses.ssim(grey, 2 * grey)
        assert got == pytest.approx((2 * 0.125 + 1e-4) / (0.3125 + 1e-4), rel=1e-4)

    def test_gradient(self, x64):
        p, t = images(12, 13, 2)
        loss = jax.jit(lambda p, t: losses.ssim(p, t))
        check_grads(loss, (p, t), order=1, modes=["fwd", "rev"])
        gradient = jax.grad(loss)(jnp.zeros_like(p), jnp.zeros_like(p))
        assert np.all(gradient == 0)

    def test_small_images(self):
        with pytest.raises(ValueError, match="at least 11 x 11 pixels, not 11 x 10"):
            losses.ssim(np.zeros((11, 10, 3)), np.zeros((11, 10, 3)))


class TestPsnr:
    def test_by_numpy(self, x64):
        p, t = images(2, 5, 6, 4)
        expected = -10 * np.log10(np.mean((p - t) ** 2, axis=(1, 2, 3)))
        np.testing.assert_allclose(losses.psnr(p, t), expected)
        np.testing.assert_allclose(
            losses.psnr(p, t[:1]), losses.psnr(p, np.stack([t[0]] * 2))
        )

    def test_gradient(self, x64):
        p, t = images(5, 6, 3)
        check_grads(losses.psnr, (p, t), order=1, modes=["fwd", "rev"])

    def test_equal_images(self):
        value, gradient = jax.value_and_grad(losses.psnr)(*[jnp.ones((4, 4, 3))] * 2)
        assert value == 100 and np.all(gradient == 0)

    def test_half_precision(self):
        p, t = (jnp.asarray(x, jnp.float16) for x in images(300, 300, 3))
        single = losses.psnr(p.astype(jnp.float32), t)
        assert losses.psnr(p, t) == single and single.dtype == jnp.float32


class TestMask:
    def test_psnr_by_numpy(self, x64):
        p, t = images(2, 5, 6, 3)
        mask = np.random.default_rng(1).random((2, 5, 6)) < 0.5
        expected = [
            -10 * np.log10(np.mean((p[n][mask[n]] - t[n][mask[n]]) ** 2))
            for n in range(2)
        ]
        np.testing.assert_allclose(losses.psnr(p, t, mask=mask), expected)

    def test_ssim_averages_windows_around_its_pixels(self, x64):
        p, t = images(13, 12, 3)
        mask = np.zeros((13, 12), bool)
        mask[[5, 7], [6, 5]] = True
        mask[0] = True  # no window has its middle there
        expected = [
            losses.ssim(
                p[i - 5 : i + 6, j - 5 : j + 6], t[i - 5 : i + 6, j - 5 : j + 6]
            )
            for i, j in ((5, 6), (7, 5))
        ]
        got = losses.ssim(p, t, mask=mask)
        np.testing.assert_allclose(got, np.mean(expected))

    def test_of_nothing(self):
        p, t = images(5, 6, 3)
        assert np.isnan(losses.psnr(p, t, mask=np.zeros((5, 6), bool)))

    @pytest.mark.parametrize(
        ("mask", "message"),
        [
            (np.ones((5, 6)), "mask must be bool, not float64; pass coverage > 0.5"),
            (np.ones((5, 6, 3), bool), r"mask must have the shape \[..., 5, 6\] like"),
            (np.ones((3, 5, 6), bool), "leading axes must broadcast"),
        ],
    )
    def test_wrong_masks(self, mask, message):
        p, t = images(2, 5, 6, 3)
        with pytest.raises(ValueError, match=message):
            losses.psnr(p, t, mask=mask)


@pytest.mark.parametrize(
    "metric", [losses.silhouette_iou, losses.multiscale_silhouette_iou]
)
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((16, 16), 255, np.uint8), "predicted .* 255 to 255; divide 8-bit"),
        (np.ones((16, 16, 1)), r"image\[\.\.\., -1\], the alpha"),
    ],
)
def test_wrong_silhouettes(metric, image, message):
    with pytest.raises(ValueError, match=message):
        metric(image, image)


@pytest.mark.parametrize("metric", [losses.ssim, losses.psnr])
@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [
        (np.zeros((2, 64, 64)), np.zeros((2, 64, 64)), r"alpha\[\.\.\., None\]"),
        (np.zeros((64, 64)), np.zeros((64, 64)), "1 to 4 channels"),
        (np.zeros((16, 16, 3)), np.zeros((16, 16, 1)), r"\[\.\.\., 16, 16, 3\] like"),
        (np.zeros((16, 16, 3)), np.zeros((16, 16, 3), np.uint8), "8-bit images by 255"),
        (np.zeros((0, 16, 3)), np.zeros((0, 16, 3)), "must have the shape"),
        (np.zeros((16, 16, 3)), np.full((16, 16, 3), 255.0), "from 255 to 255; divide"),
        (np.full((16, 16, 3), -1.0), np.zeros((16, 16, 3)), r"\(-0.5 to 2\), not from"),
    ],
)
def test_wrong_images(metric, predicted, target, message):
    with pytest.raises(ValueError, match=message):
        metric(predicted, target)
