"""Opacity in the soft blend, against closed forms and finite differences."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras

RNG = np.random.default_rng(3)
# two sheets over the whole image, and one over its right half
FAR, NEAR = 3.0, 2.0
BIG = [[-9, -9], [9, -9], [0, 18]]
SHEETS = np.array([[[*xy, NEAR] for xy in BIG], [[*xy, FAR] for xy in BIG]], np.float64)
SOUP = np.concatenate(
    [RNG.uniform(-1, 1, (7, 3, 2)), RNG.uniform(1, 3, (7, 3, 1))], axis=-1
)
SKINS = {
    "corners": RNG.uniform(size=(7, 3, 4)),
    "faces": RNG.uniform(size=(7, 4)),
    "image": jaxsoftras.UVTexture(
        RNG.uniform(0, 2, (7, 3, 2)), RNG.uniform(size=(4, 5, 4)), "repeat", True
    ),
    "images": jaxsoftras.UVTexture(
        RNG.uniform(0, 2, (7, 3, 2)),
        (RNG.uniform(size=(4, 5, 4)), RNG.uniform(size=(2, 3, 4))),
        "repeat",
        True,
        np.arange(7) % 2,
    ),
    "surface": jaxsoftras.SurfaceTexture(RNG.uniform(size=(7, 4, 4)), True),
}


SLOW = pytest.mark.slow


def draw(faces, attributes, **options):
    given: dict[str, Any] = {"implementation": "reference", "transparent": True}
    given |= {"sigma": 3e-3, "gamma": 1e-2, **options}
    return jaxsoftras.rasterize(faces, attributes, 9, **given)


def test_alpha_of_two_sheets_in_closed_form(x64):
    """``1 - (1 - a)(1 - b)``, and the colour of the nearer one."""
    colors = np.array([[1.0, 0, 0, 0.3], [0, 1, 0, 0.6]])
    image = draw(SHEETS, colors, gamma=1e-5)
    assert image.shape == (9, 9, 4)
    np.testing.assert_allclose(image[..., 3], 1 - 0.7 * 0.4, atol=1e-12)
    np.testing.assert_allclose(image[..., :3], np.broadcast_to([1, 0, 0], (9, 9, 3)))


def test_a_cut_out_shows_what_lies_behind(x64):
    colors = np.array([[1.0, 0, 0, 0], [0, 1, 0, 1]])
    image = draw(SHEETS, colors, gamma=1e-5)
    np.testing.assert_allclose(image, np.broadcast_to([0, 1.0, 0, 1], (9, 9, 4)))
    hole = draw(SHEETS[:1], colors[:1], background=np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(hole, np.broadcast_to([0.1, 0.2, 0.3, 0], (9, 9, 4)))


def test_opaque_faces_look_as_without_opacity(x64):
    opaque = np.concatenate([SKINS["faces"][:, :3], np.ones((7, 1))], axis=-1)
    expected = draw(SOUP, SKINS["faces"][:, :3], transparent=False)
    np.testing.assert_allclose(draw(SOUP, opaque), expected, atol=1e-12)


def test_alpha_is_the_product_over_soft_faces(x64):
    """By the definition, from silhouettes of single faces."""
    alone = jax.vmap(lambda f: jaxsoftras.silhouette(f[None], 9, sigma=3e-3))(SOUP)
    opacity = SKINS["faces"][:, 3, None, None]
    expected = 1 - np.prod(1 - opacity * alone, axis=0)
    got = draw(SOUP, SKINS["faces"])[..., 3]
    np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize(
    "name",
    [name if name == "image" else pytest.param(name, marks=SLOW) for name in SKINS],
)
def test_work_list_equals_reference(name, x64):
    """In value and in all gradients, and the reference equals finite differences."""
    skin = SKINS[name]
    weights = RNG.normal(size=(9, 9, 4))
    leaves, tree = jax.tree.flatten(skin)
    real = [np.issubdtype(np.asarray(a).dtype, np.floating) for a in leaves]
    floats = [a for a, is_real in zip(leaves, real, strict=True) if is_real]

    def loss(implementation, faces, floats):
        parts = iter(floats)
        given = [next(parts) if r else a for a, r in zip(leaves, real, strict=True)]
        image = draw(faces, tree.unflatten(given), implementation=implementation)
        return jnp.sum(image * weights), image

    reference, xla = (
        jax.jit(jax.value_and_grad(functools.partial(loss, name), (0, 1), has_aux=True))
        for name in ("reference", "xla")
    )
    expected, got = jax.device_get((reference(SOUP, floats), xla(SOUP, floats)))
    for other, one in zip(*map(jax.tree.leaves, (expected, got)), strict=True):
        assert np.all(np.isfinite(one)) and np.any(one != 0)
        np.testing.assert_allclose(one, other, atol=1e-9 * np.abs(other).max())
    if name == "surface":
        return  # texels jump
    _, gradients = expected
    direction = jax.tree.map(lambda a: RNG.normal(size=a.shape), (SOUP, floats))
    (high, _), (low, _) = (
        reference(
            *jax.tree.map(lambda a, d, s=s: a + s * d, (SOUP, floats), direction)
        )[0]
        for s in (1e-7, -1e-7)
    )
    slope = sum(
        jax.tree.leaves(jax.tree.map(lambda g, d: np.sum(g * d), gradients, direction))
    )
    np.testing.assert_allclose(slope, (high - low) / 2e-7, rtol=1e-5)


@pytest.mark.parametrize("wrap", ["repeat", pytest.param("clamp", marks=SLOW)])
def test_several_images_equal_one_by_one(wrap, x64):
    """Each face's image, as if it were the only one."""
    skin = SKINS["images"]
    for number in range(2):
        mine = np.flatnonzero(skin.image_index == number)[:3]  # of one shape
        assert len(mine) == 3
        one = skin._replace(
            coordinates=skin.coordinates[mine],
            image=skin.image[number],
            image_index=None,
            wrap=wrap,
        )
        alone = draw(SOUP[mine], one, gamma=1e-6)
        both = skin._replace(
            coordinates=skin.coordinates[mine],
            image_index=skin.image_index[mine],
            wrap=wrap,
        )
        got = draw(SOUP[mine], both, gamma=1e-6)
        np.testing.assert_allclose(got, alone, atol=1e-12)


@pytest.mark.parametrize(
    "change,message",
    [
        ({"image_index": None}, "image_index where its image is a tuple of images"),
        ({"image_index": np.full(7, 2)}, "image_index from 0 to 1, of its 2 images"),
        ({"image_index": np.zeros(7)}, r"of integers \[..., 7\], .* not float64 \[7\]"),
        ({"image_index": np.zeros(6, int)}, r"integers \[..., 7\], .* int64 \[6\]"),
        ({"image": (np.ones((2, 2, 4)), np.ones((2, 2, 3)))}, "one number of channels"),
        ({"image": (np.ones((2, 2, 4)), np.ones((0, 2, 4)))}, "at least one texel"),
    ],
)
def test_one_clear_error(change, message):
    with pytest.raises(ValueError, match=message):
        draw(SOUP, SKINS["images"]._replace(**change))


def test_hard_aggregation_is_refused():
    with pytest.raises(ValueError, match="aggregation='softmax'"):
        draw(SOUP, SKINS["faces"], aggregation="hard")


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_coordinates_that_are_not_finite_stay_with_their_face(spoilt, x64):
    """Value and gradient are those without the face."""
    skin = SKINS["image"]
    uv, without = skin.coordinates.copy(), SOUP.copy()
    uv[2, 1, 0] = spoilt
    without[2] = np.nan  # a face that is not drawn
    value, gradients = slope_of_squares(SOUP, skin.image, uv)
    expected, others = slope_of_squares(without, skin.image, skin.coordinates)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    for got, other in zip(gradients, others, strict=True):
        np.testing.assert_allclose(got, other, atol=1e-9)


@jax.jit
@functools.partial(jax.value_and_grad, argnums=(0, 1, 2))
def slope_of_squares(faces, image, coordinates):
    skin = jaxsoftras.UVTexture(coordinates, image, "repeat", True)
    return jnp.sum(draw(faces, skin) ** 2)
