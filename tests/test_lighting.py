import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import lighting
from jaxsoftras.lighting import AmbientLight, DirectionalLight, Material, PointLight
from tests.support.derivatives import check_gradient

# for programs that run a few times: compiles in half the time
QUICK: dict = {"xla_backend_optimization_level": 0}

UP = np.array([[0.0, 1.0, 0.0]])
ORIGIN = np.zeros((1, 3))
SIDES = np.concatenate([np.eye(3), -np.eye(3)])
ABOVE = DirectionalLight(np.array([0.0, 2.0, 0.0]), 1.0, 1.0)

illuminate = jax.jit(
    lighting.illuminate, static_argnames="two_sided", compiler_options=QUICK
)


def some_lights(rng):
    return (
        AmbientLight(rng.uniform(0.1, 0.4, 3)),
        DirectionalLight(rng.normal(size=3), *rng.uniform(0.2, 1, (2, 3))),
        DirectionalLight(rng.normal(size=3), *rng.uniform(0.2, 1, (2, 3))),
        PointLight(rng.normal(0, 3, 3), *rng.uniform(0.2, 1, (3, 3))),
    )


def by_hand(points, normals, lights, eye, material):
    """Sums the textbook formulas one point at a time."""
    diffuse, specular = np.zeros(points.shape), np.zeros(points.shape)
    for i, (point, normal) in enumerate(zip(points, normals, strict=True)):
        n = normal / np.linalg.norm(normal)
        v = (eye - point) / np.linalg.norm(eye - point)
        for light in lights:
            if isinstance(light, AmbientLight):
                diffuse[i] += light.color
                continue
            share = 1.0
            if isinstance(light, PointLight):
                towards = light.position - point
                d = np.linalg.norm(towards)
                share = 1 / np.sum(light.attenuation * np.array([1, d, d * d]))
            else:
                towards = light.direction
            l_ = towards / np.linalg.norm(towards)
            if n @ l_ <= 0:
                continue
            h = (l_ + v) / np.linalg.norm(l_ + v)
            diffuse[i] += light.color * share * (n @ l_)
            highlight = max(0, n @ h) ** material.shininess
            specular[i] += light.specular * material.specular * share * highlight
    return diffuse, specular


def test_equals_the_sum_by_hand(x64):
    rng = np.random.default_rng(0)
    points, normals = rng.normal(size=(2, 40, 3))
    lights, eye = some_lights(rng), np.array([0.3, 0.5, -4.0])
    material = Material(5.0, np.array([0.5, 0.7, 0.9]))
    got = illuminate(points, normals, lights, eye, material=material)
    diffuse, specular = by_hand(points, normals, lights, eye, material)
    assert np.count_nonzero(specular) > 40
    np.testing.assert_allclose(got.diffuse, diffuse, rtol=1e-12)
    np.testing.assert_allclose(got.specular, specular, rtol=1e-12, atol=1e-15)


def test_defaults_are_the_lights_of_soft_rasterizer():
    light = illuminate(np.zeros((6, 3)), SIDES)
    expected = np.array([0.5, 1.0, 0.5, 0.5, 0.5, 0.5])[:, None] * np.ones(3)
    np.testing.assert_allclose(light.diffuse, expected)
    assert light.diffuse.dtype == np.float32
    assert np.all(light.specular == 0)


def test_highlight_is_where_the_mirror_would_show_the_light():
    eye = np.array([-2.0, 2.0, 0.0])
    light = DirectionalLight(np.array([1.0, 1.0, 0.0]), 0.0, 0.8)
    tilted = np.stack([np.array([np.sin(a), np.cos(a), 0]) for a in (0, 0.1, -0.1)])
    got = illuminate(np.zeros((3, 3)), tilted, [light], eye)
    # the halfway vector is +y; the default material has a shininess of 64
    expected = 0.8 * np.array([1, np.cos(0.1) ** 64, np.cos(0.1) ** 64])
    np.testing.assert_allclose(got.specular[:, 0], expected, rtol=1e-4)


def test_back_faces():
    """Their normals turn towards the eye, not towards the light."""
    eye = np.array([0.0, 3.0, 0.0])
    one = illuminate(ORIGIN, -UP, [ABOVE], eye)
    both = illuminate(ORIGIN, -UP, [ABOVE], eye, two_sided=True)
    below = illuminate(ORIGIN, -UP, [ABOVE], -eye, two_sided=True)
    assert np.all(one.diffuse == 0) and np.all(one.specular == 0)
    np.testing.assert_allclose(both.diffuse, 1.0)
    np.testing.assert_allclose(both.specular, 1.0)
    assert np.all(below.diffuse == 0)


def test_attenuation():
    lamp = PointLight(np.array([0.0, 2.0, 0.0]), 1.0)
    for attenuation, expected in (([1, 0, 0], 1), ([0, 1, 0], 0.5), ([1, 0.5, 2], 0.1)):
        light = lamp._replace(attenuation=np.array(attenuation))
        got = illuminate(ORIGIN, UP, [light])
        np.testing.assert_allclose(got.diffuse, expected, rtol=1e-6)


def test_normals_of_small_faces():
    """Squares of such normals underflow in single precision."""
    got = illuminate(ORIGIN, 1e-16 * UP, [ABOVE])
    np.testing.assert_allclose(got.diffuse, 1.0, rtol=1e-6)


def test_batches_equal_loops():
    rng = np.random.default_rng(1)
    points, normals = rng.normal(size=(2, 3, 7, 3)).astype(np.float32)
    lights = [some_lights(np.random.default_rng(seed)) for seed in range(3)]
    batched = jax.tree.map(lambda *leaves: np.stack(leaves), *lights)
    eyes, shininess = rng.normal(0, 4, (3, 3)), np.array([1.0, 8, 64])

    got = illuminate(points, normals, batched, eyes, material=Material(shininess))
    # one mesh under three lights, and three meshes under one
    spread = illuminate(points[0], normals[0], batched, eyes[0])
    shared = illuminate(points, normals, lights[0], eyes[0])
    assert spread.diffuse.shape == shared.specular.shape == (3, 7, 3)
    for k in range(3):
        material = Material(shininess[k])
        alone = illuminate(points[k], normals[k], lights[k], eyes[k], material=material)
        np.testing.assert_allclose(got.diffuse[k], alone.diffuse, rtol=1e-5)
        np.testing.assert_allclose(got.specular[k], alone.specular, rtol=1e-4)


def test_gradients(x64):
    rng = np.random.default_rng(2)
    points, normals = rng.normal(size=(2, 6, 3))
    arguments = (points, normals, some_lights(rng), np.array([0.3, 0.5, -4.0]))
    material = Material(np.array(3.0), np.array([0.5, 0.7, 0.9]))

    def both(points, normals, lights, eye, material):
        return lighting.illuminate(
            points, normals, lights, eye, material=material, two_sided=True
        )

    check_gradient(both, (*arguments, material))


def test_degenerate_points_are_finite():
    """No normal; at the light; at the eye; between light and eye; edge-on."""
    lamp = np.array([0.0, 1.0, 0.0])
    eye = np.array([0.0, -1.0, 0.0])
    points = np.stack([[1.0, 0, 0], lamp, eye, [0, 0, 0], [1, 1, 0]])
    normals = np.stack([[0.0, 0, 0], lamp, lamp, lamp, lamp])

    def total(points, normals, position, eye, shininess):
        lights = (
            PointLight(position, 1.0, 1.0),
            PointLight(position, 1.0, 1.0, np.array([0.0, 0.0, 1.0])),
            DirectionalLight(position, 1.0, 1.0),
        )
        material = Material(shininess)
        light = lighting.illuminate(points, normals, lights, eye, material=material)
        return jnp.sum(light.diffuse) + jnp.sum(light.specular)

    arguments = [jnp.asarray(a, np.float32) for a in (points, normals, lamp, eye, 0.5)]
    value_and_grad = jax.jit(
        jax.value_and_grad(total, argnums=tuple(range(5))), compiler_options=QUICK
    )
    value, gradients = value_and_grad(*arguments)
    assert np.isfinite(value)
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


def test_one_light_is_a_sequence_of_one():
    light = AmbientLight(0.25)
    one, several = (lighting.illuminate(ORIGIN, UP, x) for x in (light, [light]))
    np.testing.assert_array_equal(one.diffuse, several.diffuse)
    np.testing.assert_array_equal(one.diffuse, np.full((1, 3), 0.25))


class TestErrors:
    @pytest.mark.parametrize(
        ("points", "normals", "message"),
        [
            (np.zeros(3), UP, r"points must have the shape \[..., N, 3\]"),
            (ORIGIN, np.zeros((1, 2)), "normals must have the shape"),
            (np.zeros((4, 3)), np.zeros((5, 3)), r"\[4, 3\] and normals \[5, 3\]"),
        ],
    )
    def test_points(self, points, normals, message):
        with pytest.raises(ValueError, match=message):
            lighting.illuminate(points, normals)

    @pytest.mark.parametrize(
        ("light", "message"),
        [
            (AmbientLight(np.ones(4)), r"color of a light .* it has \[4\]"),
            (DirectionalLight(1.0, 1.0), r"direction .* shape \[..., 3\]"),
            (DirectionalLight(np.zeros(3), 1.0), "must not be zero"),
            (DirectionalLight(np.ones(3), 1.0, np.ones(2)), "specular color"),
            (DirectionalLight(np.ones((4, 3)), np.ones((5, 3))), "broadcast"),
            (PointLight(np.ones(2), 1.0), "position"),
            (
                PointLight(np.array([0, np.inf, 0])),
                "position of a light must be finite",
            ),
            (
                DirectionalLight(np.full(3, np.nan)),
                "direction of a light must be finite",
            ),
            (PointLight(np.ones(3), 1.0, 0.0, -np.ones(3)), "at least 0"),
            (0.5, "AmbientLight, DirectionalLight and PointLight"),
        ],
    )
    def test_lights(self, light, message):
        with pytest.raises(ValueError, match=message):
            lighting.illuminate(ORIGIN, UP, [light])

    def test_something_in_place_of_lights(self):
        with pytest.raises(ValueError, match="must be a sequence"):
            lighting.illuminate(ORIGIN, UP, 0.5)  # pyright: ignore

    def test_shininess(self):
        with pytest.raises(ValueError, match="shininess must be positive, not 0.0"):
            lighting.illuminate(ORIGIN, UP, material=Material(0.0))
        with pytest.raises(ValueError, match="material must be a Material, not 5.0"):
            lighting.illuminate(ORIGIN, UP, material=5.0)  # pyright: ignore

    def test_two_sided_without_an_eye(self):
        with pytest.raises(ValueError, match="needs eye or to_eye"):
            lighting.illuminate(ORIGIN, UP, two_sided=True)

    def test_a_position_and_a_direction_of_the_eye(self):
        with pytest.raises(ValueError, match="not both"):
            lighting.illuminate(ORIGIN, UP, eye=UP[0], to_eye=UP[0])
