"""Soft images: both implementations, all options, values and derivatives."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import conorm, probability, texture
from jaxsoftras.rasterization import attributes
from tests.support import scenes
from tests.support.colored_faces import (
    FACES,
    SIZE,
    TEXTURES,
    WEIGHT,
    arguments,
    compiled,
)

OPTIONS: dict[str, Any] = {
    "corners": {},
    "faces": {"supersampling": 2},
    "surface": {"double_sided": False},
    "image": {"double_sided": False, "front_face": "counterclockwise"},
    "light": {"squared": False, "interpolation": "orthographic"},
}


def check_gradient(run, inputs, directions=2, step=1e-6, rel=1e-4):
    """Against differences along random directions, all inputs moved at once."""
    _, gradient = jax.device_get(run(*inputs))
    leaves, tree = jax.tree.flatten(inputs)
    rng = np.random.default_rng(3)
    for moved in [*range(len(leaves)), *[None] * directions]:
        shift = [
            step * rng.normal(size=leaf.shape) * (moved in (None, k))
            for k, leaf in enumerate(leaves)
        ]
        values = [
            np.vdot(
                WEIGHT,
                run(
                    *jax.tree.unflatten(
                        tree, [a + s * b for a, b in zip(leaves, shift, strict=True)]
                    )
                )[0],
            )
            for s in (1, -1)
        ]
        exact = sum(
            np.sum(g * b) for g, b in zip(jax.tree.leaves(gradient), shift, strict=True)
        )
        numeric = float(values[0] - values[1]) / 2
        assert numeric == pytest.approx(float(exact), rel=rel, abs=1e-9)


class TestValuesAndGradients:
    @pytest.mark.parametrize(
        "name",
        [
            # the others are compared in test_transparency, as far as they differ
            pytest.param(name, marks=pytest.mark.slow) if name != "light" else name
            for name in TEXTURES
        ],
    )
    def test_gradients_and_agreement(self, name, x64):
        """The reference has the derivative of its image, and xla equals both."""
        reference = compiled(name, "reference", **OPTIONS[name])
        check_gradient(reference, arguments(name))
        if name in ("faces", "image"):  # the others have all that these have
            return
        expected = reference(*arguments(name))
        got = compiled(name, "xla", **OPTIONS[name])(*arguments(name))
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9 * max(1, np.abs(b).max()))
        assert np.all(np.asarray(got[1][0])[:, 5] == 0)  # behind the camera
        assert np.abs(np.asarray(got[1][0])[:, 3]).max() > 1e-3  # before near

    @pytest.mark.slow  # fragments and golden scenes have the nearest face as well
    @pytest.mark.parametrize("name", ["image"])
    def test_nearest_face(self, name, x64):
        reference = compiled(name, "reference", aggregation="hard")
        check_gradient(reference, arguments(name, sigma=0.05))
        got = compiled(name, "xla", aggregation="hard")(*arguments(name, sigma=0.05))
        for a, b in zip(
            jax.tree.leaves(got),
            jax.tree.leaves(reference(*arguments(name, sigma=0.05))),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, atol=1e-9)

    @pytest.mark.slow  # recorded scenes have it too
    def test_barycentric_distance(self, x64):
        # barycentric coordinates have no unit: the cut lies at another place
        options: dict[str, Any] = {"distance": "barycentric", "dist_eps": 1e-300}
        reference = compiled("corners", "reference", **options)
        check_gradient(reference, arguments("corners", sigma=0.5))
        got = compiled("corners", "xla", **options)(*arguments("corners", sigma=0.5))
        for a, b in zip(
            jax.tree.leaves(got),
            jax.tree.leaves(reference(*arguments("corners", sigma=0.5))),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, atol=1e-9)

    def test_an_image_by_hand(self, x64):
        """Two faces that cover the image: the softmax of eq. 2 and 3."""
        corner = [[-9.0, -9.0], [9.0, -9.0], [0.0, 18.0]]
        faces = np.array([np.c_[corner, np.full(3, z)] for z in (2.0, 5.0)])
        colors = np.array([[1.0, 0.0, 0.2], [0.0, 1.0, 0.4]])
        draw = functools.partial(
            jaxsoftras.rasterize,
            image_size=1,
            gamma=0.1,
            near=1,
            far=11,
            background=0.5,
            implementation="reference",
        )
        image = jax.jit(draw)(faces, colors)
        nearness = (11 - np.array([2.0, 5.0])) / 10
        weight = np.exp([*nearness / 0.1, 1e-3 / 0.1])
        weight /= weight.sum()
        expected = weight[:2] @ colors + weight[2] * 0.5
        np.testing.assert_allclose(image[0, 0], [*expected, 1], atol=1e-9)

    def test_interpolation_is_perspective_correct(self, x64):
        # one face through the whole image, z = 1 / (0.6 + 0.3 x): its attribute is the
        # depth itself, which is linear on the face and not on the screen
        x = np.array([-3.0, 3.0, 0.0])
        z = 1 / (0.6 + 0.19 * x)
        face = np.stack([x, [-3.0, -3.0, 6.0], z], -1)[None]
        options: dict[str, Any] = {"sigma": 1e-6, "near": 0.1, "gamma": 1e-3}
        options["implementation"] = "reference"
        draw = functools.partial(jaxsoftras.rasterize, image_size=(1, 5), **options)
        image = jax.jit(draw)(face, z[None, :, None])
        pixels = np.array([-0.8, -0.4, 0, 0.4, 0.8])
        np.testing.assert_allclose(image[0, :, 0], 1 / (0.6 + 0.19 * pixels))
        draw = functools.partial(draw, interpolation="affine")
        image = jax.jit(draw)(face, z[None, :, None])
        across = pixels / 6 * (z[1] - z[0])
        np.testing.assert_allclose(image[0, :, 0], z.mean() + across)

    # each is tested on its own elsewhere
    @pytest.mark.slow
    @pytest.mark.parametrize("name", probability.DISTRIBUTIONS)
    def test_distributions(self, name, x64):
        """The image's gradient, at a scale at which the whole image is in reach."""
        squared = name not in ("uniform", "cubic_hermite", "wigner_semicircle", "levy")
        sigma = 1e-3 if name == "levy_reversed" else 0.9
        self._check_alpha(sigma, distribution=name, dist_eps=1e-9, squared=squared)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", sorted(set(conorm.CONORMS) - {"hard"}))
    def test_conorms(self, name, x64):
        self._check_alpha(0.1, conorm=name, dist_eps=1e-12)

    @staticmethod
    def _check_alpha(sigma, **options: Any):
        weight = WEIGHT[..., 0]

        @jax.jit
        def run(faces, sigma):
            alpha, pullback = jax.vjp(
                lambda f, s: jaxsoftras.silhouette(
                    f, SIZE, sigma=s, implementation="reference", **options
                ),
                faces,
                sigma,
            )
            return alpha, pullback(jnp.asarray(weight))

        alpha, gradient = run(FACES, sigma)
        assert np.all((alpha >= 0) & (alpha <= 1)) and np.ptp(alpha) > 1e-3
        for seed in range(2):
            shift = 1e-6 * scenes.random_like(*FACES.shape, seed=seed)
            above, below = (run(FACES + s * shift, sigma)[0] for s in (1, -1))
            exact = 2 * float(np.sum(gradient[0] * shift))
            numeric = float(np.sum(weight * (above - below)))
            assert numeric == pytest.approx(exact, rel=1e-4, abs=1e-10)


F4 = np.zeros((2, 5, 3, 3), np.float32) + 1
COLORS = np.ones((2, 5, 3), np.float32)


@pytest.mark.parametrize(
    ("faces", "colors", "options", "message"),
    [
        (F4[..., :2], COLORS, {}, r"\[\.\.\., F, 3, 3\]"),
        (F4.astype(int), COLORS, {}, "floating-point"),
        (F4, COLORS[:, :4], {}, r"face_attributes must have the shape \[\.\.\., 5, 1"),
        (F4, np.ones((2, 5, 2, 3), np.float32), {}, r"\[\.\.\., 5, 1, C\]"),
        (F4, COLORS.astype(int), {}, "divide 8-bit colours by 255"),
        (F4, texture.VertexColors(COLORS), {}, "must be gathered for the faces"),
        (
            F4,
            texture.SurfaceTexture(np.ones((2, 5, 3, 3), np.float32)),
            {},
            r"R \* R",
        ),
        (F4, texture.UVTexture(F4[..., :2], F4[0, 0]), {}, r"\[\.\.\., H, W, C\]"),
        (F4, COLORS, {"background": np.ones(4)}, "background must be a scalar"),
        (F4, COLORS[..., :0], {}, "at least one channel"),
        (F4, COLORS, {"sigma": -1.0}, "sigma must be positive"),
        (F4, COLORS, {"gamma": 0.0}, "gamma must be positive"),
        (F4, COLORS, {"sigma": np.inf}, "sigma must be positive and finite"),
        (F4, COLORS, {"near": 5.0, "far": 5.0}, "near < far"),
        (F4, COLORS, {"background_epsilon": 0.0}, "background_epsilon"),
        (F4, COLORS, {"supersampling": 0}, "supersampling"),
        (F4, COLORS, {"aggregation": "max"}, "softmax, hard"),
        (F4, COLORS, {"distance": "taxi"}, "euclidean, barycentric, hard"),
        (F4, COLORS, {"front_face": "left"}, "clockwise"),
        (F4, COLORS, {"interpolation": "cubic"}, "perspective, affine, orthographic"),
        (F4, COLORS, {"distribution": "poisson"}, "must be one of"),
        (F4, COLORS, {"conorm": "max"}, "must be one of"),
        (F4, COLORS, {"wrap": "mirror"}, "clamp, repeat"),
        (F4, COLORS, {"background": np.uint8(9)}, "divide 8-bit colours by 255"),
        (jaxsoftras.icosphere(0), COLORS, {}, "corners in NDC, not a Mesh; render"),
        (F4, COLORS, {"conorm": 3}, "conorm must be a name or a Conorm"),
        (F4, COLORS, {"distribution": None}, "a name or a Distribution"),
        (F4, COLORS, {"image_size": True}, "image_size"),
        (F4, COLORS, {"implementation": "cuda"}, "reference"),
        (F4, COLORS, {"image_size": 0}, "image_size"),
        (
            F4,
            COLORS,
            {"face_light": attributes.FaceLight(COLORS, COLORS)},
            "face_light.diffuse",
        ),
    ],
)
def test_one_clear_error(faces, colors, options, message):
    options = {"image_size": 8, **options}
    with pytest.raises(ValueError, match=message) as caught:
        jaxsoftras.rasterize(faces, colors, **options)
    assert "\n" not in str(caught.value)
