"""The loss against a slow reference, its gradient, and the independence of objects."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsoftras
from jaxsoftras import config, losses
from jaxsoftras.fitting import PARAMETRIZATIONS, engine, parametrizations

SIZE, SIGMA = 8, 1e-2
SETTINGS = config.Config(
    model=config.Model(template_level=0),
    render=config.Render(implementation="reference", dist_eps=1e-10),
    loss=config.Loss(edge_length=0.1, multiscale=0.3),
)
FACES = np.asarray(jaxsoftras.icosphere(0).faces)
SPHERE = np.asarray(jaxsoftras.icosphere(0).vertices) / 3


@pytest.fixture(scope="module")
def views() -> engine.Views:
    """Discs and bars of two objects in three views, one of which does not count."""
    eyes = jaxsoftras.eye_from_angles(2.732, 20.0, np.array([[0.0, 100, 220]] * 2))
    x, y = np.meshgrid(*[np.linspace(-1, 1, SIZE)] * 2)
    shapes = np.stack([x**2 + y**2 < 0.5, np.abs(x) < 0.4])
    coverage = np.broadcast_to(shapes[:, None], (2, 3, SIZE, SIZE)).astype(np.float32)
    weights = np.array([[1, 1, 1], [1, 0, 1]], np.float32)
    return engine.Views(coverage, jaxsoftras.perspective_camera(eyes), weights)


@jax.jit
def compute_loss(vertices, views):
    return engine.compute_loss(vertices, FACES, views, SIGMA, SETTINGS)


def loss_of_one(vertices, views, row):
    """The loss of an object, view by view."""
    total = weight = multiscale = 0.0
    for k in range(3):
        camera = jax.tree.map(lambda part, k=k: part[row, k], views.cameras)
        corners = jaxsoftras.face_vertices(jaxsoftras.project(camera, vertices), FACES)
        drawn = jaxsoftras.silhouette(
            corners, SIZE, sigma=SIGMA, dist_eps=1e-10, implementation="reference"
        )
        target = views.coverage[row, k]
        counts = views.weights[row, k]
        total += counts * (1 - losses.silhouette_iou(drawn, target))
        iou = losses.multiscale_silhouette_iou(drawn, target, levels=3)
        multiscale += counts * (1 - iou)
        weight += counts
    return (
        (total + 0.3 * multiscale) / weight
        + 5e-3 * losses.laplacian(vertices, FACES)
        + 5e-4 * losses.flatten(vertices, FACES)
        + 0.1 * losses.edge_length(vertices, FACES)
    )


class TestComputeLoss:
    def test_is_that_of_single_views(self, views):
        vertices = np.stack([SPHERE, 1.3 * SPHERE]).astype(np.float32)
        got = compute_loss(vertices, views)
        one = jax.jit(loss_of_one, static_argnums=2)
        expected = [one(vertices[row], views, row) for row in range(2)]
        np.testing.assert_allclose(got, expected, rtol=1e-5)

    def test_bytes_are_coverage(self, views):
        vertices = np.stack([SPHERE, SPHERE]).astype(np.float32)
        stored = views._replace(coverage=np.uint8(255 * views.coverage))
        np.testing.assert_allclose(
            compute_loss(vertices, stored), compute_loss(vertices, views), rtol=1e-6
        )

    @pytest.mark.parametrize(
        "name",
        [
            "softras",
            *(
                pytest.param(name, marks=pytest.mark.slow)
                for name in PARAMETRIZATIONS[1:]
            ),
        ],
    )
    def test_gradient_is_that_of_finite_differences(self, name, views, x64):
        family = parametrizations.make(name, SETTINGS.model)
        rng = np.random.default_rng(0)
        point = {
            key: jnp.asarray(rng.normal(scale=0.1, size=(2, *shape)))
            for key, shape in family.shapes.items()
        }
        wide = jax.tree.map(lambda part: jnp.asarray(part, float), views)

        @jax.jit
        def loss(parameters):
            return jnp.sum(compute_loss(family.place(parameters), wide))

        slopes = jax.jit(jax.grad(loss))(point)
        way = {key: rng.normal(size=part.shape) for key, part in point.items()}
        expected = sum(np.sum(slopes[key] * way[key]) for key in point)
        ahead, behind = (
            float(loss({key: point[key] + step * way[key] for key in point}))
            for step in (1e-6, -1e-6)
        )
        np.testing.assert_allclose((ahead - behind) / 2e-6, expected, rtol=1e-5)


def test_iou_of_masks_counts_pixels(views):
    vertices = np.stack([SPHERE, SPHERE]).astype(np.float32)
    got = jax.jit(lambda v: engine.compute_iou(v, FACES, views, SETTINGS))(vertices)
    camera = jax.tree.map(lambda part: part[1, 2], views.cameras)
    corners = jaxsoftras.face_vertices(jaxsoftras.project(camera, SPHERE), FACES)
    face = np.asarray(jaxsoftras.find_fragments(corners, SIZE).face)
    drawn, target = face >= 0, views.coverage[1, 2] > 0.5
    assert got.shape == (2, 3)
    assert got[1, 2] == pytest.approx((drawn & target).sum() / (drawn | target).sum())


def test_objects_do_not_depend_on_each_other(x64):
    optimizer = optax.adam(0.1)

    def descend(targets):
        start = jnp.zeros_like(targets)
        state = start, optimizer.init(start)
        loss = lambda p, _: jnp.sum((p - targets) ** 4, axis=-1)  # noqa: E731
        first = engine.descend(loss, optimizer, state, 0, 3)
        return np.asarray(engine.descend(loss, optimizer, first, 3, 7)[0])

    targets = jnp.array([[1.0, 2.0], [-3.0, 0.5]])
    alone = [descend(targets[row : row + 1])[0] for row in range(2)]
    np.testing.assert_array_equal(descend(targets), alone)
    assert np.all(np.sign(alone) == np.sign(targets))
