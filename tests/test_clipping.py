"""Faces that reach behind the camera: cut exactly, with right derivatives."""

import dataclasses
import functools
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import clipping, geometry, texture
from jaxsoftras.camera import project_from_camera

RNG = np.random.default_rng(0)
CAMERA = jaxsoftras.perspective_camera((0.1, 0.2, 0.0), (0.2, 0.1, -1.0), fov=70.0)
# one and two corners behind, one face wholly in front, one wholly behind, one missing
VERTICES = np.array(
    [
        *([-2, -1, 1.5], [0.4, -1, -4], [2, -1, -3]),
        *([-3, 1, 2], [3, 2, 1], [0.3, 0.8, -2]),
        *([-1, -0.5, -3], [-0.5, 0.7, -3.5], [-1.2, 0.3, -2]),
        *([-1, 0, 3], [1, 0, 3], [0, 1, 4]),
        *([-1, 0, 3], [1, 0, np.nan], [0, 1, -4]),
    ]
)
FACES = np.arange(15).reshape(5, 3)
Settings = functools.partial(
    jaxsoftras.Settings, implementation="reference", image_size=12, sigma=2e-3
)
UV = RNG.uniform(0, 3, (5, 3, 2))
SKINS = {
    "vertices": jaxsoftras.VertexColors(RNG.uniform(size=(15, 3))),
    "faces": jaxsoftras.FaceColors(RNG.uniform(size=(5, 3))),
    "image": jaxsoftras.UVTexture(UV, RNG.uniform(size=(4, 5, 3)), "repeat"),
    "surface": jaxsoftras.SurfaceTexture(RNG.uniform(size=(5, 9, 3))),
}


def view(vertices, camera=CAMERA):
    """Camera space."""
    return (vertices - np.asarray(camera.position)) @ np.asarray(camera.axes).T


def cut_by_hand(corners, values, depth):
    """Sutherland and Hodgman, from the corner that is alone on its side; a fan."""
    polygon = []
    front = corners[:, 2] > depth
    alone = int(np.argmax(front == (front.sum() == 1)))
    for k in (alone, (alone + 1) % 3, (alone + 2) % 3):
        a, b = corners[k], corners[(k + 1) % 3]
        u, v = values[k], values[(k + 1) % 3]
        if a[2] > depth:
            polygon.append((a, u))
        if (a[2] > depth) != (b[2] > depth):
            t = (depth - a[2]) / (b[2] - a[2])
            polygon.append((a + t * (b - a), u + t * (v - u)))
    pairs = zip(polygon[1:], polygon[2:], strict=False)
    return [(polygon[0], *pair) for pair in pairs]


def test_equals_polygons_cut_by_hand(x64):
    """The union of the pieces, as points and as areas, and the attributes."""
    corners = np.asarray(view(np.nan_to_num(VERTICES))).reshape(5, 3, 3)
    depth = np.array([0.3, 0.1, 0.2, 0.2, 0.4])
    values = RNG.normal(size=(5, 3, 2))

    @jax.jit
    def clip(corners, depth, values):
        pieces = clipping.clip_faces(corners, depth)
        return pieces.corners, pieces.gather(values)

    ours, got = jax.device_get(clip(corners, depth, values))
    exists = np.all(ours[..., 2] > 0, axis=-1)
    assert exists.sum() == sum((2, 1, 1, 0, 2)[:4]) + exists[4] + exists[9]
    for face in range(4):
        expected = cut_by_hand(corners[face], values[face], depth[face])
        rows = [k for k in (face, face + 5) if exists[k]]
        moment = sum(_moments(*zip(*piece, strict=True)) for piece in expected)
        clipped = sum(_moments(ours[k], got[k]) for k in rows)
        np.testing.assert_allclose(clipped, moment, atol=1e-12)


def _moments(corners, values):
    """Area vector, and integrals of position and attributes over a triangle."""
    a, b, c = map(np.asarray, corners)
    normal = np.cross(b - a, c - a)
    size = np.linalg.norm(normal)
    means = np.concatenate([np.mean(corners, axis=0), np.mean(values, axis=0)])
    return np.concatenate([normal, size * means])


@pytest.mark.parametrize("name", SKINS)
def test_image_is_that_of_the_mesh_cut_by_hand(name, x64):
    """Every pixel, for every kind of texture."""
    mesh = jaxsoftras.Mesh(VERTICES, FACES, SKINS[name])
    settings = Settings(far=100.0)
    with pytest.warns(UserWarning, match="1 of 5 faces"):
        image = jaxsoftras.render(mesh, CAMERA, None, settings)

    corners = np.asarray(view(VERTICES)).reshape(5, 3, 3)
    margin = settings.raster_options().margin(jnp.asarray(2e-3))
    kept, weights, owner = [], [], []
    for face in range(3):
        if face == 2:
            pieces = [[(corners[2][k], np.eye(3)[k]) for k in range(3)]]
        else:
            depth = float(
                clipping.cut_depth(
                    CAMERA, jnp.asarray(corners[face : face + 1]), margin
                )[0]
            )
            pieces = cut_by_hand(corners[face], np.eye(3), depth)
        for piece in pieces:
            kept.append([p for p, _ in piece])
            weights.append([w for _, w in piece])
            owner.append(face)
    weights = np.array(weights)
    points = project_from_camera(CAMERA, jnp.asarray(np.reshape(kept, (-1, 3))))
    skin = SKINS[name]
    match skin:
        case jaxsoftras.VertexColors(values):
            skin = weights @ values.reshape(5, 3, 3)[owner]
        case jaxsoftras.FaceColors(values):
            skin = values[owner]
        case jaxsoftras.UVTexture(coordinates):
            skin = skin._replace(coordinates=weights @ coordinates[owner])
        case jaxsoftras.SurfaceTexture(texels):
            # fine enough to hold the texels of the whole face
            fine = 60
            centers = texture.texel_centers(fine) @ weights
            cells = texture.surface_cell(centers[..., 0], centers[..., 1], 3)
            rows = np.arange(len(owner))[:, None]
            skin = jaxsoftras.SurfaceTexture(texels[owner][rows, np.asarray(cells)])
    expected = jaxsoftras.rasterize(
        points.reshape(-1, 3, 3),
        skin,
        12,
        sigma=2e-3,
        implementation="reference",
    )
    assert expected[..., 3].mean() > 0.2
    same = np.abs(image - expected) < 1e-6
    if name == "surface":  # but for texels on the borders of the fine ones
        assert same[..., :3].mean() > 0.9 and same[..., 3].all()
    else:
        assert same.all()


def test_does_not_depend_on_the_depth_of_the_cut(x64):
    """One triangle remains; between two, the edge would move with the cut."""
    corners = jnp.asarray(view(VERTICES[3:6]).reshape(1, 3, 3))
    depth = clipping.cut_depth(CAMERA, corners, 0.1)

    @jax.jit
    def draw(depth):
        pieces = clipping.clip_faces(corners, depth).corners
        points = project_from_camera(CAMERA, pieces[0]).reshape(1, 3, 3)
        return jaxsoftras.silhouette(points, 12)

    images = [draw(part * depth) for part in (1, 0.2)]
    assert images[0].mean() > 0.05
    np.testing.assert_allclose(*images, atol=1e-9)
    assert jnp.abs(draw(3 * depth) - images[0]).max() > 0.1


@pytest.mark.parametrize("clip", [True, False])
def test_faces_in_front_are_not_touched(clip):
    """Within jit, where the renderer cannot know that there is nothing to cut."""
    sphere = jaxsoftras.icosphere(1)
    camera = jaxsoftras.perspective_camera((0, 1, 3))

    @jax.jit
    def draw(vertices):
        mesh = jaxsoftras.Mesh(vertices, sphere.faces)
        return jaxsoftras.render(mesh, camera, settings=Settings(clip=clip))

    expected = jaxsoftras.render(sphere, camera, settings=Settings(clip=False))
    np.testing.assert_allclose(draw(sphere.vertices), expected, atol=2e-6)


@jax.jit
@functools.partial(jax.value_and_grad, argnums=(0, 1, 2), has_aux=True)
def differentiate(vertices, position, coordinates):
    """A weighted mean of the image of three faces, two of them cut, and the image."""
    camera = dataclasses.replace(CAMERA, position=position)
    skin = SKINS["image"]._replace(coordinates=coordinates)
    mesh = jaxsoftras.Mesh(vertices, FACES[:3], skin)
    # the default settings' far would follow the scene, and is held for derivatives
    image = jaxsoftras.render(mesh, camera, settings=Settings(far=50.0))
    return jnp.mean(image * np.random.default_rng(1).normal(size=(12, 12, 4))), image


def test_gradients_equal_finite_differences(x64):
    """Vertices, camera and colours, through faces that are cut."""
    # in double precision all of them, for which the program is compiled
    arguments = (VERTICES[:9], np.asarray(CAMERA.position, float), UV[:3])
    _, gradients = jax.device_get(differentiate(*arguments))
    for number, gradient in enumerate(gradients):
        assert np.all(np.isfinite(gradient)) and np.any(gradient != 0)
        direction = RNG.normal(size=gradient.shape)

        def along(step, number=number, direction=direction):
            moved = list(arguments)
            moved[number] = arguments[number] + step * direction
            return float(differentiate(*moved)[0][0])

        step = 1e-6
        slope = (along(step) - along(-step)) / (2 * step)
        np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=2e-4)


def test_inside_a_room():
    """Walls all around: with a sharp silhouette nearly every pixel is covered."""
    low, high = np.array([-2.0, -1.5, -3.0]), np.array([2.0, 1.0, 3.0])
    vertices = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), -1)
    walls = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4]]
    walls += [[1, 5, 7, 3]]
    faces = np.array([f for a, b, c, d in walls for f in ([a, b, c], [a, c, d])])
    room = jaxsoftras.Mesh(vertices.reshape(8, 3).astype(np.float32), faces)
    camera = jaxsoftras.perspective_camera(
        np.zeros(3),
        direction=np.array([[0.3, 0.2, 1], [1, -0.8, 0], [-1, 0, -1]]),
        fov=90,
    )
    settings = Settings(sigma=1e-7, image_size=16)
    image, depth, normals, face = cast(Any, jaxsoftras.render)(
        room, camera, None, settings, outputs=("normals", "face", "depth")
    )
    np.testing.assert_allclose(image[..., 3], 1, atol=0.26)
    assert image[..., 3].mean() > 0.98
    assert depth.max() < 5 and face.min() == 0 and face.max() < 12
    np.testing.assert_allclose(jnp.linalg.norm(normals, axis=-1), 1, atol=1e-5)
    hidden = jaxsoftras.render(
        room, camera, None, dataclasses.replace(settings, clip=False)
    )
    assert hidden[..., 3].mean() < 0.9


def test_floor_under_the_camera_has_its_depth(x64):
    """Against the plane's own equation."""
    floor = jaxsoftras.Mesh(
        np.array([[-40.0, -1, -40], [50, -1, -40], [40, -1, 60], [-50, -1, 40]]),
        np.array([[0, 2, 1], [0, 3, 2]]),
    )
    camera = jaxsoftras.perspective_camera((0, 0.5, 0), (0, 0, -1.5), fov=60)
    found: Any = jaxsoftras.render(floor, camera, None, Settings(), outputs="depth")
    x, y = geometry.pixel_centers(12, 12, jnp.float64)
    rays = jnp.stack([*jnp.meshgrid(x, y), jnp.ones((12, 12))], -1)
    rays = rays / jnp.append(camera.focal_length, 1.0)
    expected = -1.5 / (rays @ camera.axes)[..., 1]  # depth 1 along each ray
    seen = (expected > 0) & (expected < 30)
    assert seen.mean() > 0.5
    np.testing.assert_allclose(found.depth[seen], expected[seen], rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_orthographic_camera_and_any_unit(scale):
    mesh = jaxsoftras.Mesh(
        np.float32(scale)
        * np.array([[-1, -1, -4.0], [1, -1, -4], [0, 2, 4]], np.float32),
        np.array([[0, 1, 2]]),
    )
    camera = jaxsoftras.orthographic_camera(
        (0.1 * scale, 0, 0), (0.1 * scale, 0, -scale), scale=0.5 / scale
    )
    image = jaxsoftras.render(mesh, camera, None, Settings(sigma=1e-6))
    rows = np.asarray(image[:, 6, 3])  # the part above y = 0.5 lies behind
    assert rows[5:8].min() > 0.9 and rows[:3].max() < 0.1


@pytest.mark.slow  # test_renderer has many cameras
@pytest.mark.filterwarnings("ignore:1 of 5 faces have a vertex")
def test_compiles_for_a_batch_of_cameras_and_vmap():
    cameras = jaxsoftras.perspective_camera(
        np.array([[0.1, 0.2, 0.0], [0, 0.3, 0.5]]), (0.2, 0.1, -1.0), fov=70.0
    )
    mesh = jaxsoftras.Mesh(VERTICES.astype(np.float32), FACES)
    draw = functools.partial(
        jaxsoftras.render, mesh, lights=None, settings=Settings(far=100.0)
    )
    batch = draw(cameras)
    one = [draw(jax.tree.map(lambda a, k=k: a[k], cameras)) for k in range(2)]
    np.testing.assert_allclose(batch, np.stack(one), atol=1e-6)
    np.testing.assert_allclose(jax.vmap(draw)(cameras), batch, atol=1e-6)


def test_coordinates_that_are_not_finite_stay_with_their_face(x64):
    """A face that is cut leaves no NaN in the gradients of its vertices."""
    coordinates = UV[:3].copy()
    coordinates[0, 1, 0] = np.nan

    position = np.asarray(CAMERA.position, float)
    without = VERTICES[:9].copy()
    without[0] = np.nan  # the first face is not drawn
    (_, image), gradients = differentiate(VERTICES[:9], position, coordinates)
    (_, rest), _ = differentiate(without, position, UV[:3])
    gradient = np.asarray(gradients[0])
    np.testing.assert_allclose(image, rest, atol=1e-12)
    assert np.all(gradient[:3] == 0) and np.all(np.isfinite(gradient))
    assert np.any(gradient[3:] != 0)
