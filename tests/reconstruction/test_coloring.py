# arrays of NumPy stand in for those of JAX
# pyright: reportArgumentType=false, reportOptionalMemberAccess=false

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import config
from jaxsoftras.data import build_images, description, rig, source
from jaxsoftras.reconstruction import accelerators, coloring, objective, training
from tests.support import small_run

SPHERE = jaxsoftras.icosphere(1)
FACES = np.asarray(SPHERE.faces)
SIGMA = jnp.float32(1e-4)


def override(*settings) -> config.Config:
    return config.override(
        config.Config(), [*small_run.SMALL, "loss.color=1", *settings]
    )


@functools.cache
def make_experiment(*settings, devices=1) -> training.Experiment:
    return training.Experiment(
        override("model.color=direct", *settings),
        accelerators.device_mesh(4, jax.devices()[:devices]),
    )


@functools.cache
def make_balls(count=4, seed=0):
    """Bumpy balls ``[N, 42, 3]``, colours, texels, and cameras."""
    rng = np.random.default_rng(seed)
    radius = rng.uniform(0.3, 0.45, (count, 42, 1))
    vertices = (radius * np.asarray(SPHERE.vertices)).astype(np.float32)
    colors = rng.random((count, 42, 3)).astype(np.float32)
    texels = rng.random((count, 80, 4, 3)).astype(np.float32)
    views = rig.OrbitViews(np.arange(count, dtype=np.int32) * 5, rig.SOFTRAS_RIG)
    return vertices, colors, texels, views


def render_plainly(vertices, texture, camera, lit=False, **options):
    """One mesh by `jaxsoftras.rasterize`, its light by the data sets' own function."""
    corners = vertices[FACES]
    light = build_images.light_faces(vertices, FACES) if lit else np.ones(len(FACES))
    light = light[:, None, None].astype(np.float32)
    if texture.ndim == 2:
        attributes = texture[FACES] * light
    else:
        attributes = jaxsoftras.SurfaceTexture(texture * light)
    points = np.asarray(jaxsoftras.project(camera, corners.reshape(-1, 3)))
    return jaxsoftras.rasterize(
        points.reshape(-1, 3, 3), attributes, 16, background=1.0, **options
    )[..., :3]


class TestColorRenderer:
    @pytest.mark.parametrize("lit", [False, True])
    @pytest.mark.parametrize("part", [1, 2], ids=["vertices", "texels"])
    def test_render_equals_the_rasterizer(self, lit, part):
        settings = override(
            f"render.shading={'lambert' if lit else 'none'}",
            "model.color=direct",
            "render.gamma=1e-3",
        )
        renderer = coloring.ColorRenderer(
            settings, FACES, accelerators.device_mesh(4, jax.devices())
        )
        balls = make_balls()
        found = jax.jit(renderer.render)(balls[0], balls[part], balls[3], SIGMA)
        cameras = rig.as_cameras(balls[3])
        for n in (0, 3):
            expected = render_plainly(
                balls[0][n],
                balls[part][n],
                jax.tree.map(lambda x, n=n: x[n], cameras),
                lit,
                gamma=1e-3,
                dist_eps=1e-10,
                implementation="reference",
            )
            np.testing.assert_allclose(found[n], expected, atol=1e-4)
            assert np.asarray(expected).min() < 0.9

    def test_draw_is_antialiased_over_white(self):
        vertices, colors, _, views = make_balls()
        renderer = make_experiment().colors
        found = np.asarray(renderer.draw(vertices, colors, views))
        camera = jax.tree.map(lambda x: x[1], rig.as_cameras(views))
        expected = render_plainly(
            vertices[1], colors[1], camera, aggregation="hard", supersampling=2
        )
        np.testing.assert_allclose(found[1], expected, atol=1e-6)
        assert np.all(found[:, 0, 0] == 1)

    @pytest.mark.slow  # galleries draw views as well
    def test_draw_views_fills_up_devices(self):
        vertices, colors, _, _ = make_balls()
        found = training.models.Reconstruction(vertices[:3], colors[:3])
        numbers = np.array([[0, 6], [1, 2], [3, 4]], np.int32)
        views = rig.OrbitViews(numbers, rig.SOFTRAS_RIG)
        experiments = make_experiment(), make_experiment(devices=4)
        one, four = (e.colors.draw_views(found, views, 16) for e in experiments)
        assert one.shape == (3, 2, 16, 16, 3) and one.dtype == np.uint8
        assert np.abs(one.astype(int) - four).max() <= 1


@pytest.fixture(scope="module")
def scene():
    """Two meshes of each of three objects, images from two sides, cameras, colours."""
    rng = np.random.default_rng(0)
    vertices = make_balls(6)[0].reshape(3, 2, 42, 3)
    colors = rng.random((3, 2, 42, 3)).astype(np.float32)
    images = rng.integers(0, 256, (3, 2, 4, 16, 16)).astype(np.uint8)
    images[:, :, :3] = images[:, :, :3] * (images[:, :, 3:] / 255.0)
    numbers = rng.integers(0, 24, (3, 2)).astype(np.int32)
    return vertices, images, rig.OrbitViews(numbers, rig.SOFTRAS_RIG), colors


class TestViewLosses:
    def test_every_mesh_is_compared_with_every_view(self, scene):
        vertices, images, views, colors = scene
        experiment = make_experiment()
        terms = experiment.view_losses(
            vertices, images[:, :, 3], views, SIGMA, colors, images
        )
        expected = np.zeros(3)
        for b in range(3):
            for m in range(2):
                for v in range(2):
                    camera = rig.OrbitViews(views.numbers[b, v], rig.SOFTRAS_RIG)
                    rendered = render_plainly(
                        vertices[b, m],
                        colors[b, m],
                        rig.as_cameras(camera),
                        dist_eps=1e-10,
                        implementation="reference",
                    )
                    target = images[b, v] / np.float32(255)
                    difference = objective.color_difference(rendered, target, "l1")
                    expected[b] += float(difference) / 4
        np.testing.assert_allclose(terms.color, expected, rtol=1e-4)
        without = experiment.view_losses(vertices, images[:, :, 3], views, SIGMA)
        np.testing.assert_array_equal(without.color, 0)
        np.testing.assert_array_equal(without.silhouette, terms.silhouette)
        np.testing.assert_allclose(
            experiment.total(terms) - experiment.total(without), expected, rtol=1e-4
        )

    @pytest.mark.parametrize("reach", [False, True])
    def test_where_the_gradient_goes(self, scene, reach):
        vertices, images, views, colors = scene
        experiment = make_experiment(f"loss.color_vertices={reach}")

        @jax.jit
        def differentiate(vertices, colors):
            def loss(vertices, colors):
                terms = experiment.view_losses(
                    vertices, images[:, :, 3], views, SIGMA, colors, images
                )
                return jnp.sum(terms.color)

            return jax.grad(loss, (0, 1))(vertices, colors)

        shape, color = differentiate(vertices, colors)
        assert np.all(np.isfinite(shape)) and np.all(np.isfinite(color))
        assert np.any(np.asarray(shape) != 0) == reach
        assert np.count_nonzero(color) > 0.3 * np.size(color)


class TestLight:
    def test_is_that_of_the_data_sets(self):
        vertices = make_balls()[0]
        got = coloring.compute_light(vertices[:, FACES])
        expected = [build_images.light_faces(one, FACES) for one in vertices]
        np.testing.assert_allclose(got, expected, rtol=1e-5)
        assert np.ptp(expected) > 0.4

    def test_unknown_light_is_warned_of(self, cabinets, tmp_path, recwarn):
        lit = "model.color=direct", "render.shading=lambert"
        coloring.check_light(override("model.color=direct", "data.root=/nowhere"))
        coloring.check_light(override(*lit, "data.source=embedded"))
        for path in cabinets.glob("*.npz"):
            (tmp_path / path.name).symlink_to(path)
        objects = {
            split: [{"name": "one"}] * opened.count(small_run.CABINET)
            for split, opened in source.describe(cabinets).splits.items()
        }
        content = {
            "format": description.FORMAT,
            "version": description.VERSION,
            "categories": {small_run.CABINET: "cabinet"},
            "objects": {small_run.CABINET: objects},
        }
        settings = override(*lit, f"data.root={tmp_path}")
        for program in ("jaxsoftras data build", "jaxsoftras vary"):
            description.write(tmp_path, content | {"made_by": {"program": program}})
            coloring.check_light(settings)
        assert not recwarn.list
        for made_by in ({"program": "another"}, None, "someone"):
            description.write(tmp_path, content | {"made_by": made_by})
            with pytest.warns(
                UserWarning, match="Nothing says how the images in .* lit"
            ):
                coloring.check_light(settings)
