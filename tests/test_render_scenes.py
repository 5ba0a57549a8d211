"""Scenes for `render`: any unit, transparency, half precision, outputs."""

import dataclasses
import functools
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import appearance

SPHERE = jaxsoftras.icosphere(1)
CAMERA = jaxsoftras.perspective_camera((0.3, 0.8, 2.7), fov=50)
Settings = functools.partial(
    jaxsoftras.Settings, implementation="reference", image_size=12
)
SQUARE = np.array([[-2, -2, 0], [2, -2, 0], [2, 2, 0], [-2, 2, 0]], np.float32)
SQUARE_FACES = np.array([[0, 1, 2], [0, 2, 3]])
SQUARE_UV = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], np.float32)
FRONT = jaxsoftras.perspective_camera((0, 0, 4), fov=45)


def outputs(mesh, camera, *names) -> Any:
    return jaxsoftras.render(mesh, camera, settings=Settings(), outputs=names)


def scaled(scale, mesh=SPHERE):
    mesh = mesh._replace(vertices=np.float32(scale) * np.asarray(mesh.vertices))
    camera = dataclasses.replace(CAMERA, position=scale * CAMERA.position)
    return mesh, camera


@pytest.mark.parametrize("scale", [1e-3, 1e3, 1e5])
def test_a_scene_has_its_colours_in_any_unit(scale):
    """Neither black, beyond far, nor blurred over depth by a far that is too far."""
    # at soft borders front and back mix by gamma, and so by far: on a fine mesh, their
    # light is nearly the same there
    sphere = jaxsoftras.icosphere(3)
    image = jaxsoftras.render(*scaled(scale, sphere), settings=Settings())
    usual = jaxsoftras.render(sphere, CAMERA, settings=Settings())
    assert usual[6, 6, :3].min() > 0.3
    np.testing.assert_allclose(image, usual, atol=0.05)


def test_far_is_a_hundred_in_ordinary_scenes():
    near = jaxsoftras.render(SPHERE, CAMERA, settings=Settings(gamma=1e-2))
    given = jaxsoftras.render(SPHERE, CAMERA, settings=Settings(gamma=1e-2, far=100.0))
    np.testing.assert_array_equal(near, given)


def test_far_that_follows_the_scene_is_the_depth_without_a_face():
    mesh, camera = scaled(1e3)
    depth = outputs(mesh, camera, "depth").depth
    assert 3e3 < depth[0, 0] < 4e3 and 1.7e3 < depth[6, 6] < 2e3


def test_outputs_are_those_of_an_ordinary_rasterizer():
    rendering = outputs(SPHERE, CAMERA, "face", "depth", "normals")
    faces = jaxsoftras.face_vertices(
        jaxsoftras.project(CAMERA, SPHERE.vertices), SPHERE.faces
    )
    found = jaxsoftras.find_fragments(faces, 12, implementation="reference")
    np.testing.assert_array_equal(rendering.face, found.face)
    np.testing.assert_allclose(rendering.depth, found.depth, rtol=1e-6)
    # on a unit sphere around the origin a vertex is its normal
    points = jaxsoftras.interpolate(
        found, jaxsoftras.face_vertices(SPHERE.vertices, SPHERE.faces)
    )
    hit = np.asarray(found.face) >= 0
    assert 0.2 < hit.mean() < 0.9
    length = np.linalg.norm(points, axis=-1, keepdims=True)
    np.testing.assert_allclose(
        rendering.normals[hit], (points / length)[hit], atol=2e-6
    )
    assert not np.any(rendering.normals[~hit])
    np.testing.assert_array_equal(
        rendering.image, jaxsoftras.render(SPHERE, CAMERA, settings=Settings())
    )


def test_flat_normals_and_a_single_output():
    settings = Settings(shading="flat")
    result: Any = jaxsoftras.render(
        SPHERE, CAMERA, settings=settings, outputs="normals"
    )
    assert result.depth is None and result.face is None
    of_faces = jaxsoftras.face_normals(
        jaxsoftras.face_vertices(SPHERE.vertices, SPHERE.faces)
    )
    distance = jnp.abs(result.normals[6, 6] - of_faces).max(axis=-1)
    assert distance.min() < 1e-6
    with pytest.raises(ValueError, match="outputs must be"):
        jaxsoftras.render(SPHERE, CAMERA, outputs="colour")  # pyright: ignore


def test_depth_is_differentiable():
    def mean_depth(z):
        vertices = jnp.asarray(SQUARE).at[:, 2].add(z)
        mesh = jaxsoftras.Mesh(vertices, SQUARE_FACES)
        return jnp.mean(outputs(mesh, FRONT, "depth").depth)

    value, slope = jax.jit(jax.value_and_grad(mean_depth))(0.5)
    np.testing.assert_allclose([value, slope], [3.5, -1], rtol=1e-5)


@pytest.mark.parametrize("supersampling", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_background_image(supersampling):
    """Each pixel without a face has its own, whatever the supersampling."""
    picture = np.random.default_rng(0).uniform(size=(12, 12, 3)).astype(np.float32)
    settings = Settings(supersampling=supersampling, background=0.5)
    image = jaxsoftras.render(SPHERE, CAMERA, settings=settings, background=picture)
    empty = np.asarray(image[..., 3]) < 1e-6
    assert 0.2 < empty.mean() < 0.9
    np.testing.assert_allclose(image[..., :3][empty], picture[empty], atol=1e-6)
    grey = jaxsoftras.render(SPHERE, CAMERA, settings=settings)
    np.testing.assert_allclose(grey[..., :3][empty], 0.5, atol=1e-6)
    red = jaxsoftras.render(
        SPHERE, CAMERA, settings=settings, background=np.array([1.0, 0, 0])
    )
    np.testing.assert_allclose(red[..., :3][empty], [[1, 0, 0]] * empty.sum())


def test_background_images_of_a_batch_and_their_errors():
    cameras = jaxsoftras.perspective_camera(
        np.array([[0.3, 0.8, 2.7], [2.7, 0.8, 0.3]]), fov=50
    )
    pictures = np.random.default_rng(0).uniform(size=(2, 12, 12, 3)).astype(np.float32)
    draw = functools.partial(jaxsoftras.render, SPHERE, cameras, settings=Settings())
    image = draw(background=pictures)
    empty = np.asarray(image[..., 3]) < 1e-6
    np.testing.assert_allclose(image[..., :3][empty], pictures[empty], atol=1e-6)
    with pytest.raises(ValueError, match=r"image \[..., 12, 12, 3\].*\[12, 11, 3\]"):
        draw(background=np.ones((12, 11, 3)))
    with pytest.raises(ValueError, match=r"it has \[4\]"):
        draw(background=np.ones(4))


@pytest.mark.parametrize(
    "kind, lit",
    [
        *((kind, True) for kind in ("vertices", "faces", "image", "surface")),
        ("image", False),
    ],
)
def test_opacity_of_each_kind_of_texture(kind, lit):
    """Half transparent: alpha is a half, and light does not change it."""
    color = np.array([0.2, 0.4, 0.8, 0.5], np.float32)
    skin = {
        "vertices": jaxsoftras.VertexColors(np.tile(color, (4, 1)), True),
        "faces": jaxsoftras.FaceColors(np.tile(color, (2, 1)), True),
        "image": jaxsoftras.UVTexture(
            SQUARE_UV, np.tile(color, (2, 2, 1)), transparent=True
        ),
        "surface": jaxsoftras.SurfaceTexture(np.tile(color, (2, 4, 1)), True),
    }[kind]
    mesh = jaxsoftras.Mesh(SQUARE, SQUARE_FACES, skin)
    lights = jaxsoftras.AmbientLight(0.5) if lit else None
    image = jaxsoftras.render(mesh, FRONT, lights, Settings(sigma=1e-6))
    assert image.shape == (12, 12, 4)
    expected = np.append(color[:3] * (0.5 if lit else 1), 0.5)
    inside = image[7:9, 6:8]  # beside the edge between the faces
    np.testing.assert_allclose(inside, np.broadcast_to(expected, (2, 2, 4)), atol=1e-5)


def test_four_channels_under_lights_are_not_taken_for_opacity():
    skin = jaxsoftras.VertexColors(np.ones((4, 4), np.float32))
    mesh = jaxsoftras.Mesh(SQUARE, SQUARE_FACES, skin)
    with pytest.raises(ValueError, match="3 channels, not 4.*transparent=True"):
        jaxsoftras.render(mesh, FRONT, settings=Settings())
    assert jaxsoftras.render(mesh, FRONT, None, Settings()).shape == (12, 12, 5)
    images = (np.ones((2, 2, 4)), np.ones((1, 1, 4)))
    skin = jaxsoftras.UVTexture(SQUARE_UV, images, image_index=np.array([0, 1]))
    with pytest.raises(ValueError, match="3 channels, not 4"):
        jaxsoftras.render(mesh._replace(texture=skin), FRONT, settings=Settings())
    with pytest.raises(ValueError, match="image"):
        skin = skin._replace(image=())
        jaxsoftras.render(mesh._replace(texture=skin), FRONT, settings=Settings())


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
@pytest.mark.slow  # test_silhouette has half precision without light
def test_half_precision_with_light(dtype):
    """Computed in single, from the rounded numbers: values and gradients."""
    vertices = jnp.asarray(SPHERE.vertices, dtype)
    colors = jnp.asarray(np.asarray(SPHERE.vertices) * 0.5 + 0.5, dtype)
    lights = (
        jaxsoftras.AmbientLight(jnp.asarray(0.3, dtype)),
        jaxsoftras.PointLight(jnp.asarray([60.0, 300, 400], dtype), 0.7, 0.2),
    )

    def draw(vertices, colors):
        mesh = jaxsoftras.Mesh(vertices, SPHERE.faces, jaxsoftras.VertexColors(colors))
        return jaxsoftras.render(mesh, CAMERA, lights, Settings())

    image = draw(vertices, colors)
    single = draw(vertices.astype(jnp.float32), colors.astype(jnp.float32))
    assert image.dtype == dtype and single.dtype == jnp.float32
    np.testing.assert_array_equal(image, single.astype(dtype))

    def loss(vertices, colors):
        return jnp.mean(draw(vertices, colors).astype(jnp.float32))

    gradients = jax.grad(loss, (0, 1))(vertices, colors)
    for gradient, given in zip(gradients, (vertices, colors), strict=True):
        assert gradient.dtype == given.dtype
        assert jnp.all(jnp.isfinite(gradient)) and jnp.any(gradient != 0)


@pytest.mark.parametrize(
    "camera,reason",
    [
        (jaxsoftras.perspective_camera((0, 0, 3), (0, 0, 6)), "it lies behind"),
        (jaxsoftras.perspective_camera((0, 0, 3), (3, 0, 3)), "beside the image"),
        (jaxsoftras.perspective_camera((0, 0, 1e9)), "it is too small"),
    ],
)
def test_warns_where_nothing_is_in_view(camera, reason):
    with pytest.warns(UserWarning, match=f"nothing of the mesh: .*{reason}") as caught:
        jaxsoftras.render(SPHERE, camera, settings=Settings())
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw = functools.partial(jaxsoftras.render, camera=camera, settings=Settings())
        jax.eval_shape(draw, SPHERE)
        empty = SPHERE._replace(faces=np.zeros((0, 3), int))
        jaxsoftras.render(empty, camera, None, Settings())


def test_warns_of_some_images_of_a_batch():
    eyes = np.array([[0, 0, 3.0], [0, 0, 3.0], [0, 0, 4.0]])
    targets = np.array([[0, 0, 0.0], [3, 0, 3.0], [0, 0, 0.0]])
    cameras = jaxsoftras.perspective_camera(eyes, targets)
    with pytest.warns(UserWarning, match="1 of 3 images show nothing of the mesh"):
        jaxsoftras.render(SPHERE, cameras, settings=Settings())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_warns_of_faces_that_are_not_drawn(bad):
    vertices = np.array([*SQUARE, [5, 5, 5]])
    mesh = jaxsoftras.Mesh(vertices, SQUARE_FACES)
    draw = functools.partial(jaxsoftras.render, camera=FRONT, settings=Settings())
    vertices[4] = bad  # none of a face
    draw(mesh)
    vertices[1] = bad
    message = "1 of 2 faces have a vertex that is not finite, and are not drawn"
    with pytest.warns(UserWarning, match=message) as caught:
        draw(mesh)
    assert caught[0].filename == __file__
    several = jaxsoftras.stack_meshes([mesh, mesh._replace(faces=SQUARE_FACES[1:])])
    with pytest.warns(UserWarning, match="1 of 3 faces"):  # padding is not counted
        draw(several)


def test_warns_of_texture_coordinates_that_are_not_finite():
    draw = functools.partial(jaxsoftras.render, camera=FRONT, settings=Settings())
    coordinates = SQUARE_UV.copy()
    texture = jaxsoftras.UVTexture(coordinates, np.ones((2, 2, 3), np.float32))
    mesh = jaxsoftras.Mesh(SQUARE, SQUARE_FACES, texture)
    coordinates[1, 2, 0] = np.nan
    message = "1 of 2 faces have a texture coordinate that is not finite"
    with pytest.warns(UserWarning, match=message):
        draw(mesh)
    coordinates[0, 0] = np.inf
    message = "nothing of the mesh: its texture coordinates are not finite.$"
    with pytest.warns(UserWarning, match=message):
        draw(mesh)


@pytest.mark.parametrize(
    "shading", ["smooth", pytest.param("flat", marks=pytest.mark.slow)]
)
def test_sheets_of_opposite_faces_are_lit(shading):
    """Their normals cancel at the vertices that they share."""
    both = np.concatenate([SQUARE_FACES, SQUARE_FACES[:, ::-1]])
    light = jaxsoftras.DirectionalLight(np.array([0.0, 0.6, 0.8]), 1.0)
    settings = Settings(shading=shading)
    images = [
        jaxsoftras.render(jaxsoftras.Mesh(SQUARE, faces), FRONT, light, settings)
        for faces in (both, SQUARE_FACES)
    ]
    np.testing.assert_allclose(images[1][5, 7, :3], 0.8, atol=1e-5)
    np.testing.assert_allclose(images[0][..., :3], images[1][..., :3], atol=1e-5)


@pytest.mark.parametrize("project", ["perspective", "orthographic"])
def test_faces_seen_from_the_front_have_the_light_of_their_normals(project):
    """Also where a normal faces away, beyond the rim of what is seen."""
    camera = CAMERA
    if project == "orthographic":
        camera = jaxsoftras.orthographic_camera((0.3, 0.8, 2.7))
    lights = (jaxsoftras.DirectionalLight(np.array([0.2, 0.5, -0.8]), 0.7, 0.4),)
    two_sided, one_sided = (
        [
            np.asarray(part)
            for part in appearance.light_faces(
                *(SPHERE, camera, lights, jaxsoftras.Material()),
                Settings(double_sided=sides),
            )
        ]
        for sides in (True, False)
    )
    corners = np.asarray(SPHERE.vertices)[SPHERE.faces]
    to_eye = np.asarray(camera.position) - corners
    if project == "orthographic":
        to_eye = np.broadcast_to(-np.asarray(camera.axes)[2], corners.shape)
    front = np.sum(jaxsoftras.face_normals(corners) * to_eye[:, 0], axis=-1) > 0
    away = np.sum(corners * to_eye, axis=-1) < 0  # the sphere's normals
    assert np.any(away[front]) and np.any(away[~front])
    for both, alone in zip(two_sided, one_sided, strict=True):
        np.testing.assert_allclose(both[front], alone[front], atol=1e-6)
    # seen from behind: of light that comes from one side, the other one has none
    sums = (two_sided[0] + one_sided[0])[~front][away[~front]]
    lit = np.abs(corners @ np.array([0.2, 0.5, -0.8])) / 0.93**0.5
    np.testing.assert_allclose(sums[:, 0], 0.7 * lit[~front][away[~front]], atol=1e-4)


def test_every_light_has_defaults():
    for light in (
        jaxsoftras.AmbientLight(),
        jaxsoftras.DirectionalLight(),
        jaxsoftras.PointLight(),
    ):
        normals = jaxsoftras.vertex_normals(SPHERE.vertices, SPHERE.faces)
        found = jaxsoftras.illuminate(
            SPHERE.vertices, normals, light, CAMERA.position, two_sided=True
        )
        assert 0.2 < found.diffuse.max() <= 0.5


@pytest.mark.parametrize("interpolation", ["perspective", "affine"])
def test_an_orthographic_camera_sees_depth_and_colours_linear(interpolation):
    """Parallel lines of sight: nothing is nearer than it looks on a slanted face."""
    vertices = SQUARE / 2 - np.array([[0, 0, 0], [0, 0, 8], [0, 0, 8], [0, 0, 0]])
    across = jaxsoftras.VertexColors(np.array([[0.0], [1], [1], [0]]))
    rendering: Any = jaxsoftras.render(
        jaxsoftras.Mesh(vertices, SQUARE_FACES, across),
        jaxsoftras.orthographic_camera((0, 0, 1)),
        None,
        Settings(image_size=8, interpolation=interpolation),
        outputs="depth",
    )
    share = np.tile((np.arange(8) + 0.5) / 8, (8, 1))
    np.testing.assert_allclose(rendering.depth, 1 + 8 * share, rtol=1e-6)
    # at half a pixel from an edge, alpha is not yet 1
    np.testing.assert_allclose(rendering.image[1:-1, 1:-1, 0], share[1:-1, 1:-1])


def test_light_does_not_depend_on_the_distance_of_an_orthographic_camera():
    light = jaxsoftras.DirectionalLight(np.array([1, 0, 0.2]), 1.0, specular=1.0)
    near, far = (
        jaxsoftras.render(
            SPHERE,
            jaxsoftras.orthographic_camera((0, 0, distance), scale=0.9),
            light,
            Settings(),
        )
        for distance in (1.5, 90)
    )
    assert near[..., 0].max() > 1
    np.testing.assert_allclose(near, far, atol=1e-3)
