"""The one call: mesh, camera, lights and settings to an image."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import losses

SPHERE = jaxsoftras.icosphere(1)
VERTICES = jnp.asarray(0.5 * np.asarray(SPHERE.vertices), jnp.float32)
COLORS = VERTICES + 0.5
# the dense implementation compiles in a third of the time
Settings = functools.partial(jaxsoftras.Settings, implementation="reference")
SETTINGS = Settings(image_size=(20, 24), sigma=1e-4, gamma=1e-3)
CAMERA = jaxsoftras.perspective_camera(
    jaxsoftras.eye_from_angles(2.732, 20.0, 30.0), half_fov=20.0, aspect=1.2
)


@jax.jit
def draw(mesh, camera, lights, settings):
    return jaxsoftras.render(mesh, camera, lights, settings)


def mesh(texture=None):
    return jaxsoftras.Mesh(VERTICES, jnp.asarray(SPHERE.faces), texture)


def test_is_the_sum_of_its_parts():
    """Light at the vertices times colours, then `rasterize`."""
    lights = (
        jaxsoftras.AmbientLight(jnp.array([0.2, 0.3, 0.4])),
        jaxsoftras.DirectionalLight(jnp.array([1.0, 1.0, -1.0]), 0.6, 0.3),
        jaxsoftras.PointLight(jnp.array([0.0, 2.0, -2.0]), jnp.array([0.5, 0.0, 0.0])),
    )
    settings = dataclasses.replace(
        SETTINGS, double_sided=False, front_face="counterclockwise"
    )
    image = draw(mesh(jaxsoftras.VertexColors(COLORS)), CAMERA, lights, settings)
    assert image.shape == (20, 24, 4)

    @jax.jit
    def by_parts(vertices, colors, camera, lights):
        light = jaxsoftras.illuminate(
            vertices,
            jaxsoftras.vertex_normals(vertices, SPHERE.faces),
            lights,
            camera.position,
        )
        lit = colors * light.diffuse + light.specular
        return jaxsoftras.rasterize(
            jaxsoftras.face_vertices(
                jaxsoftras.project(camera, vertices), SPHERE.faces
            ),
            jaxsoftras.face_vertices(lit, SPHERE.faces),
            (20, 24),
            sigma=1e-4,
            gamma=1e-3,
            double_sided=False,
            implementation="reference",
        )

    expected = by_parts(VERTICES, COLORS, CAMERA, lights)
    np.testing.assert_allclose(image, expected, atol=1e-5)
    assert image[10, 12, 3] > 0.99 and image[0, 0, 3] < 1e-3


@pytest.mark.slow  # test_render_scenes has opacity of each, lit by one colour
def test_all_textures_of_one_color_look_the_same():
    """Flat light, white: face, vertex, surface and image textures, and none."""
    settings = Settings(image_size=16, gamma=1e-3, shading="flat")
    faces = len(SPHERE.faces)
    ones = functools.partial(np.ones, dtype=np.float32)
    textures = [
        None,
        jaxsoftras.FaceColors(ones((faces, 3))),
        jaxsoftras.VertexColors(ones((len(VERTICES), 3))),
        jaxsoftras.SurfaceTexture(ones((faces, 4, 3))),
        jaxsoftras.UVTexture(ones((faces, 3, 2)) / 2, ones((5, 7, 3))),
    ]
    first, *others = (
        draw(mesh(texture), CAMERA, jaxsoftras.DEFAULT_LIGHTS, settings)
        for texture in textures
    )
    assert 0.5 < first[8, 8, 0] < 1
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-5)


def test_padding_contributes_nothing():
    """Meshes of different topology in one batch, each as it is alone."""
    small = jaxsoftras.icosphere(0)
    small = jaxsoftras.Mesh(
        (0.4 * np.asarray(small.vertices)).astype(np.float32), small.faces
    )
    large = jaxsoftras.Mesh(VERTICES, SPHERE.faces)
    meshes = [
        m._replace(texture=jaxsoftras.VertexColors(np.asarray(m.vertices) + 0.5))
        for m in (small, large)
    ]
    batch = jaxsoftras.stack_meshes(meshes)
    settings = Settings(image_size=16)
    weight = np.random.default_rng(0).normal(size=(16, 16, 4)).astype(np.float32)

    @jax.jit
    def run(vertices, rest):
        image, pullback = jax.vjp(
            lambda v: jaxsoftras.render(
                rest._replace(vertices=v), CAMERA, None, settings
            ),
            vertices,
        )
        return image, pullback(jnp.broadcast_to(weight, image.shape))[0]

    images, gradients = run(jnp.asarray(batch.vertices), batch)
    image, gradient = run(jnp.asarray(small.vertices), meshes[0])
    np.testing.assert_allclose(images[0], image, atol=1e-6)
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(
        gradients[0, : len(gradient)] / scale, gradient / scale, atol=1e-5
    )
    assert np.all(gradients[0, len(gradient) :] == 0)
    assert images[1, 8, 8, 3] > 0.99


def test_one_mesh_and_many_cameras():
    cameras = jaxsoftras.perspective_camera(
        jaxsoftras.eye_from_angles(2.732, 30.0, np.array([0.0, 90.0, 180.0]))
    )
    settings = Settings(image_size=16)
    batch = draw(mesh(), cameras, jaxsoftras.DEFAULT_LIGHTS, settings)
    assert batch.shape == (3, 16, 16, 4)
    one = jax.tree.map(lambda leaf: leaf[1], cameras)
    np.testing.assert_allclose(
        draw(mesh(), one, jaxsoftras.DEFAULT_LIGHTS, settings), batch[1], atol=1e-6
    )


def test_handedness_mirrors_the_image_and_keeps_the_front():
    eye = jaxsoftras.eye_from_angles(2.732, 20.0, 30.0)
    images = []
    for handedness in ("left", "right"):
        camera = jaxsoftras.perspective_camera(eye, handedness=handedness)
        one_sided = Settings(image_size=16, gamma=0.1, double_sided=False)
        # the camera stays concrete, as one-sided faces need it
        see = functools.partial(
            jaxsoftras.render, camera=camera, lights=None, settings=one_sided
        )
        images.append(jax.jit(see)(mesh(jaxsoftras.VertexColors(COLORS))))
    np.testing.assert_allclose(images[1][:, ::-1], images[0], atol=1e-5)
    with_backs = draw(
        mesh(jaxsoftras.VertexColors(COLORS)),
        camera,
        None,
        Settings(image_size=16, gamma=0.1),
    )
    assert np.abs(with_backs - images[1]).max() > 0.05


def test_gradients_reach_everything(x64):
    """Against differences, all inputs moved at once; but not from what is not drawn."""
    inputs = (
        np.asarray(VERTICES, float),
        np.asarray(COLORS, float),
        jaxsoftras.perspective_camera(np.array([0.4, 1.0, -2.0])),
        (
            jaxsoftras.AmbientLight(np.full(3, 0.3)),
            jaxsoftras.PointLight(np.array([0.5, 2.0, -1.0]), np.ones(3), np.ones(3)),
        ),
        Settings(sigma=0.01, gamma=0.1, background=np.array([0.1, 0.2, 0])),
    )
    weight = np.random.default_rng(0).normal(size=(6, 6, 4))

    def loss(vertices, colors, camera, lights, settings):
        shape = jaxsoftras.Mesh(vertices, SPHERE.faces, jaxsoftras.VertexColors(colors))
        fixed = Settings(
            sigma=settings.sigma,
            gamma=settings.gamma,
            background=settings.background,
            image_size=6,
            dist_eps=1e-12,
        )
        return jnp.sum(weight * jaxsoftras.render(shape, camera, lights, fixed))

    # of NumPy, whose sums and products need no compilation
    inputs = jax.tree.map(lambda leaf: np.asarray(leaf, float), inputs)
    run = jax.jit(jax.value_and_grad(loss, argnums=tuple(range(5))))
    gradient = jax.device_get(run(*inputs)[1])
    leaves, tree = jax.tree.flatten(inputs)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        shift = [1e-6 * rng.normal(size=leaf.shape) for leaf in leaves]
        above, below = (
            run(
                *jax.tree.unflatten(
                    tree, [a + s * b for a, b in zip(leaves, shift, strict=True)]
                )
            )[0]
            for s in (1, -1)
        )
        exact = sum(
            float(np.sum(g * b))
            for g, b in zip(jax.tree.leaves(gradient), shift, strict=True)
        )
        assert float(above - below) / 2 == pytest.approx(exact, rel=1e-4)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))

    # a vertex that is not finite takes its faces with it, and nothing else
    for nowhere in (np.nan, np.inf):
        broken = inputs[0].copy()
        broken[0, 1] = nowhere
        without, *others = jax.device_get(run(broken, *inputs[1:])[1])
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(others))
        assert np.all(np.isfinite(without)) and np.all(without[0] == 0)
        assert np.abs(without[1:]).max() > 0


def test_silhouette_loss_takes_the_alpha_of_render():
    image = draw(mesh(), CAMERA, jaxsoftras.DEFAULT_LIGHTS, SETTINGS)
    alpha = image[..., 3]
    assert losses.silhouette_iou(alpha, alpha) > 0.9


UV = jaxsoftras.UVTexture(np.zeros((80, 3, 2)), np.ones((2, 2, 3)))


@pytest.mark.parametrize(
    ("texture", "settings", "message"),
    [
        (jaxsoftras.VertexColors(np.ones((42, 4), np.float32)), {}, "3 channels"),
        (
            jaxsoftras.SurfaceTexture(np.ones((80, 1, 4), np.float32)),
            {},
            "3 channels, not 4",
        ),
        (jaxsoftras.VertexColors(np.ones((41, 3), np.float32)), {}, r"\[\.\.\., 42, C"),
        (jaxsoftras.VertexColors(np.ones((43, 3), np.float32)), {}, r"\[\.\.\., 42, C"),
        (jaxsoftras.VertexColors(np.ones((42, 3), np.uint8)), {}, "divide 8-bit"),
        (jaxsoftras.FaceColors(np.ones((7, 3), np.float32)), {}, r"\[\.\.\., 80, C\]"),
        (jaxsoftras.FaceColors(np.ones(80, np.float32)), {}, r"\[\.\.\., 80, C\]"),
        (None, {"shading": "phong"}, "smooth, flat"),
        (None, {"image_size": 0}, "image_size"),
        (np.ones(3), {}, "texture must be FaceColors"),
        (UV._replace(wrap="mirror"), {}, "wrap must be one of clamp, repeat"),
        (UV._replace(image=np.ones((2, 2))), {}, r"\[\.\.\., H, W, C\], not \[2, 2\]"),
        (
            UV._replace(coordinates=np.ones((80, 3, 2), int)),
            {},
            r"not int32\.(?!.*255)",
        ),
        (None, {"background": np.full(3, 255, np.uint8)}, "background .* by 255"),
        (None, {"background": "white"}, "background must be a number, .* 'white'"),
        (None, {"near": "close"}, "near must be a number, not 'close'"),
    ],
)
def test_one_clear_error(texture, settings, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(  # nothing need be compiled to be refused
            lambda: jaxsoftras.render(
                mesh(texture), CAMERA, settings=Settings(**settings)
            )
        )


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (np.ones((42, 3), int), SPHERE.faces, "vertices must be floating-point"),
        (np.ones((42, 2)), SPHERE.faces, r"vertices .* \[\.\.\., V, 3\], not"),
        (VERTICES, SPHERE.faces + 1, "of the 42 vertices, .* range from 1 to 42"),
        (VERTICES, SPHERE.faces - 1, "or rows of -1"),
        (VERTICES, jnp.asarray(SPHERE.faces + 1), "range from 1 to 42"),
        (VERTICES, SPHERE.faces.astype(float), "faces must be integers"),
        (VERTICES, SPHERE.faces[0], r"faces must have the shape \[\.\.\., F, 3\]"),
        (np.ones((2, 42, 3)), SPHERE.faces, r"camera, \[3\], .* points, \[2\],"),
        (VERTICES, np.tile(SPHERE.faces, (2, 1, 1)), r"faces, \[2\], .* \[3\], must"),
    ],
)
def test_one_clear_error_about_meshes(vertices, faces, message):
    cameras = jaxsoftras.perspective_camera(np.eye(3) - [0, 0, 3])
    with pytest.raises(ValueError, match=message):
        jaxsoftras.render(jaxsoftras.Mesh(vertices, faces), cameras)


def test_one_clear_error_about_the_rest():
    shape: Any = mesh()
    matrix: Any = np.eye(4)
    settings: Any = SETTINGS
    lights: Any = jaxsoftras.DEFAULT_LIGHTS
    with pytest.raises(ValueError, match="must be a Camera, .* not ndarray"):
        jax.eval_shape(lambda: jaxsoftras.render(shape, matrix))
    with pytest.raises(ValueError, match="lights must be a sequence .* not Settings"):
        jax.eval_shape(lambda: jaxsoftras.render(shape, CAMERA, settings))
    with pytest.raises(ValueError, match="settings must be Settings, not tuple"):
        jax.eval_shape(lambda: jaxsoftras.render(shape, CAMERA, settings=lights))


def test_a_static_number_may_be_an_array_but_not_traced():
    assert Settings(near=jnp.float32(2)).near == 2.0
    with pytest.raises(ValueError, match="near is a static number, and is traced"):
        jax.jit(lambda near: Settings(near=near))(1.0)


def test_lists_are_arrays():
    triangle: Any = [[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]
    ragged: Any = [[0.0], [1, 2]], [[0, 1, 2]]
    skin: Any = jaxsoftras.SurfaceTexture([[[0.5, 0.5, 0.5]]])  # pyright: ignore
    image = jax.eval_shape(
        lambda: jaxsoftras.render(
            jaxsoftras.Mesh(*triangle)._replace(texture=skin), CAMERA
        )
    )
    assert image.shape[-1] == 4
    with pytest.raises(ValueError, match="rows of one length"):
        jaxsoftras.render(jaxsoftras.Mesh(*ragged), CAMERA)


@pytest.mark.parametrize("faces", [np.zeros((0, 3), int), SPHERE.faces])
def test_nothing_to_draw(faces):
    """No faces, and no images."""
    vertices = VERTICES if len(faces) == 0 else np.zeros((0, 42, 3), np.float32)

    def draw(vertices):
        return jaxsoftras.render(
            jaxsoftras.Mesh(vertices, faces),
            jaxsoftras.perspective_camera((0, 0, 3)),
            settings=Settings(image_size=4),
            outputs=("depth", "normals", "face"),
        )

    drawn = jax.eval_shape(draw, vertices)
    gradient = jax.eval_shape(jax.grad(lambda v: draw(v).image.sum()), vertices)
    assert drawn.normals.shape == (*vertices.shape[:-2], 4, 4, 3)
    assert gradient.shape == vertices.shape


def test_one_sided_faces_need_a_known_camera():
    one_sided = Settings(image_size=8, double_sided=False)
    with pytest.raises(ValueError, match="front_face"):
        draw(mesh(), CAMERA, None, one_sided)


def test_a_small_mesh_seen_from_near_has_its_colors():
    """By default nothing in front of the camera is too near, whatever its scale."""
    vertices = 0.05 * jnp.asarray(jaxsoftras.icosphere(1).vertices)
    mesh = jaxsoftras.Mesh(vertices, jaxsoftras.icosphere(1).faces)
    camera = jaxsoftras.perspective_camera((0, 0, 0.3), fov=30)
    settings = Settings(image_size=8)
    image = jaxsoftras.render(mesh, camera, lights=None, settings=settings)
    assert image[4, 4, :3].min() > 0.9
    settings = Settings(image_size=8, match_softras=True)
    with pytest.warns(UserWarning, match="no colour: its depths are from 0.25 to"):
        image = jaxsoftras.render(mesh, camera, lights=None, settings=settings)
    assert image[4, 4, :3].max() == 0  # nearer than the original's near
