"""The renderer's functions of tensors against those of arrays: values and gradients."""

import dataclasses
import doctest
import functools
import gc
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch: Any = pytest.importorskip("torch")

import jaxsoftras  # noqa: E402
import jaxsoftras.torch  # noqa: E402
from jaxsoftras.torch import arguments  # noqa: E402

RNG = np.random.default_rng(0)
SPHERE = jaxsoftras.icosphere(0)
VERTICES = np.asarray(SPHERE.vertices)
FACES = np.asarray(SPHERE.faces)
CORNERS = 0.6 * VERTICES[FACES] + np.array([[[[0, 0, 3]]], [[[0.1, 0, 4]]]])
COLORS = RNG.uniform(size=(1, 20, 3, 3))
SETTINGS = jaxsoftras.Settings(image_size=6, sigma=1e-3, gamma=1e-2, clip=False)
PUBLIC = {
    *("face_vertices", "perspective_camera", "project", "rasterize", "render"),
    *("silhouette", "wrap"),
}
# double precision and the reference compile fast
SMALL = "reference", np.float64, 1e-9
USUAL = None, np.float32, 1e-6


def assert_alike(function, counterpart, dtype, tolerance, **arguments):
    """Compares results and gradients of all arguments of two functions."""
    arrays = {name: np.asarray(value, dtype) for name, value in arguments.items()}
    tensors = {n: torch.tensor(a, requires_grad=True) for n, a in arrays.items()}
    found = counterpart(**tensors)
    weight = RNG.normal(size=found.shape).astype(dtype)
    found.backward(torch.tensor(weight))

    @jax.jit
    def differentiate(arrays):
        result, pullback = jax.vjp(lambda a: function(**a), arrays)
        return result, *pullback(jnp.asarray(weight))

    # where the tensors are, whose kernels round otherwise than those of a GPU
    cpu = jax.default_device(jax.devices("cpu")[0])
    with jax.enable_x64(dtype == np.float64), cpu:
        expected, gradients = differentiate(arrays)
    assert_close(found, expected, tolerance)
    for name, gradient in gradients.items():
        assert np.any(gradient), name
        assert_close(tensors[name].grad, gradient, tolerance)


def assert_close(tensor, expected, tolerance):
    assert str(tensor.dtype) == f"torch.{expected.dtype}"
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(
        tensor.detach(), expected, rtol=0, atol=tolerance * scale
    )


@pytest.mark.parametrize(("implementation", "dtype", "tolerance"), [SMALL, USUAL])
def test_silhouette(implementation, dtype, tolerance):
    options = {"image_size": 6, "implementation": implementation}
    assert_alike(
        lambda **arrays: jaxsoftras.silhouette(**arrays, **options),
        lambda **tensors: jaxsoftras.torch.silhouette(**tensors, **options),
        dtype,
        tolerance,
        face_vertices=CORNERS,
        sigma=[1e-3, 2e-3],
    )


# others are like the silhouette, and compile longer
usual_is_slow = pytest.mark.parametrize(
    ("implementation", "dtype", "tolerance"),
    [SMALL, pytest.param(*USUAL, marks=pytest.mark.slow)],
)


@usual_is_slow
def test_rasterize(implementation, dtype, tolerance):
    options = {
        "image_size": (6, 8),
        "double_sided": False,
        "implementation": implementation,
    }
    assert_alike(
        lambda **arrays: jaxsoftras.rasterize(**arrays, **options),
        lambda **tensors: jaxsoftras.torch.rasterize(**tensors, **options),
        dtype,
        tolerance,
        face_vertices=CORNERS,
        face_attributes=COLORS,
        sigma=1e-3,
        gamma=[1e-2, 2e-2],
        background=[0.2, 0.3, 0.4],
    )


@usual_is_slow
def test_render(implementation, dtype, tolerance):
    settings = dataclasses.replace(SETTINGS, implementation=implementation)
    lights = jaxsoftras.DEFAULT_LIGHTS if implementation is None else None

    def draw(module, vertices, colors, eye):
        mesh = jaxsoftras.Mesh(vertices, FACES, jaxsoftras.VertexColors(colors))
        camera = module.perspective_camera(eye, fov=45.0)
        return module.render(mesh, camera, lights, settings)

    assert_alike(
        functools.partial(draw, jaxsoftras),
        functools.partial(draw, jaxsoftras.torch),
        dtype,
        tolerance,
        vertices=VERTICES,
        colors=RNG.uniform(size=(12, 3)),
        eye=[0.5, 0.3, 3],
    )


def test_project_and_face_vertices():
    def project(module, axes, position, vertices):
        lens: Any = np.array([2.0, 2.0]), np.zeros(2)
        camera = jaxsoftras.Camera(axes, position, *lens)
        return module.face_vertices(module.project(camera, vertices), FACES)

    assert_alike(
        functools.partial(project, jaxsoftras),
        functools.partial(project, jaxsoftras.torch),
        np.float64,
        1e-9,
        axes=np.diag([1.0, 1.0, -1.0]),
        position=[0.1, 0.2, 3],
        vertices=VERTICES,
    )


def test_outputs_beside_the_image():
    mesh = jaxsoftras.Mesh(torch.tensor(VERTICES), torch.tensor(FACES))
    camera = jaxsoftras.perspective_camera((0.0, 0.0, 3.0))
    settings = dataclasses.replace(SETTINGS, implementation="reference")
    found: Any = jaxsoftras.torch.render(mesh, camera, None, settings, outputs="face")
    assert found.depth is None and found.image.shape == (6, 6, 4)
    assert found.face.dtype == torch.int32 and int(found.face[3, 3]) >= 0


def test_gradients_equal_finite_differences():
    triangle = torch.tensor([[[-0.7, -0.6], [0.8, -0.5], [0.1, 0.9]]]).double()
    sigma = torch.tensor(0.03, dtype=torch.float64, requires_grad=True)

    def draw(triangle, sigma):
        options = {"dist_eps": 1e-9, "implementation": "reference"}
        return jaxsoftras.torch.silhouette(triangle, 3, sigma=sigma, **options)

    assert torch.autograd.gradcheck(draw, (triangle.requires_grad_(), sigma))


@pytest.mark.slow  # the quick one is of a function that compiles at once
def test_second_derivatives():
    # no pixel as far from two edges, where rounding would choose between derivatives
    vertices = VERTICES + RNG.normal(scale=0.02, size=VERTICES.shape)
    shaken = 0.6 * vertices[FACES] + np.array([0, 0, 3])
    corners = torch.tensor(shaken, requires_grad=True)
    (gradient,) = torch.autograd.grad(
        (jaxsoftras.torch.silhouette(corners, 6, sigma=0.02) ** 2).sum(),
        corners,
        create_graph=True,
    )
    direction = RNG.normal(size=shaken.shape)
    (found,) = torch.autograd.grad(gradient, corners, torch.tensor(direction))
    with jax.enable_x64(True):

        def loss(corners):
            return jnp.sum(jaxsoftras.silhouette(corners, 6, sigma=0.02) ** 2)

        _, expected = jax.jvp(jax.grad(loss), (shaken,), (direction,))
    assert np.any(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


class TestFaces:
    VERTICES = torch.tensor(np.float32(VERTICES))

    @pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.int16])
    def test_of_any_integers(self, kind):
        found = jaxsoftras.torch.face_vertices(
            self.VERTICES, torch.tensor(FACES).to(kind)
        )
        torch.testing.assert_close(found, self.VERTICES[torch.tensor(FACES).long()])

    def test_vertices_may_be_a_list(self):
        found = jaxsoftras.torch.face_vertices(VERTICES.tolist(), torch.tensor(FACES))
        torch.testing.assert_close(found, self.VERTICES[torch.tensor(FACES).long()])

    def test_of_a_batch(self):
        faces = np.stack([FACES, np.where(np.arange(20)[:, None] < 10, FACES, -1)])
        found = jaxsoftras.torch.face_vertices(self.VERTICES, torch.tensor(faces))
        expected = jaxsoftras.face_vertices(np.float32(VERTICES), faces)
        np.testing.assert_array_equal(found, expected)

    def test_changed_in_place_are_other_faces(self):
        array = np.array(FACES)
        faces = torch.from_numpy(array)
        jaxsoftras.torch.face_vertices(self.VERTICES, faces)
        array[0] = [0, 0, 1]  # behind PyTorch's back
        found = jaxsoftras.torch.face_vertices(self.VERTICES, faces)
        torch.testing.assert_close(found[0], self.VERTICES[[0, 0, 1]])

    @pytest.mark.parametrize(
        ("faces", "message"),
        [
            (FACES + 1, "indices of the 12 vertices"),
            (FACES.astype(float), "must be integers"),
            (FACES[:, :2], "three vertex indices each"),
        ],
    )
    def test_that_are_wrong(self, faces, message):
        for given in (faces, torch.tensor(faces)):
            with pytest.raises(ValueError, match=message):
                jaxsoftras.torch.face_vertices(self.VERTICES, given)

    def test_of_a_dtype_that_numpy_lacks(self):
        faces = torch.tensor(FACES).bfloat16()
        with pytest.raises(ValueError, match="must be integers.* not torch.bfloat16"):
            jaxsoftras.torch.face_vertices(self.VERTICES, faces)

    def test_on_a_gpu_are_read_once(self):
        # a tensor of another device, whose copies to the host are counted
        copies = []

        class Remote(torch.Tensor):
            device = torch.device("meta")

            def cpu(self):
                copies.append(self)
                return self.as_subclass(torch.Tensor)

        faces = torch.tensor(FACES).as_subclass(Remote)
        first = arguments.check_faces(faces, 12)
        with pytest.raises(ValueError, match="indices of the 3 vertices"):
            arguments.check_faces(faces, 3)
        copies.pop()
        assert arguments.check_faces(faces, 12) is first and len(copies) == 1
        faces += 0
        assert arguments.check_faces(faces, 12) == first and len(copies) == 2
        del faces, copies[:]
        gc.collect()
        assert not arguments._TOPOLOGIES


def test_values_of_tensors_on_the_cpu_are_known():
    half = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    found = arguments.get_values({"half": half, "other": 3.0})
    np.testing.assert_array_equal(found["half"], [1, 1])
    assert found["other"] == 3.0
    assert arguments.get_values([half, torch.empty(2, device="meta")]) is None


class TestRefusals:
    corners = torch.tensor(CORNERS)

    @pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, torch.tensor([1e-3, -1e-3])])
    def test_sigma(self, sigma):
        with pytest.raises(ValueError, match="sigma must be positive"):
            jaxsoftras.torch.silhouette(self.corners, 8, sigma=sigma)
        with pytest.raises(ValueError, match="gamma must be positive"):
            jaxsoftras.torch.rasterize(self.corners, self.corners, 8, gamma=sigma)

    def test_names_that_are_nearly_right(self):
        with pytest.raises(TypeError, match="use image_size"):
            jaxsoftras.torch.silhouette(self.corners, resolution=8)
        with pytest.raises(TypeError, match="'sharpness'"):
            jaxsoftras.torch.silhouette(self.corners, 8, sharpness=8)

    def test_scenes(self):
        mesh = jaxsoftras.Mesh(VERTICES, FACES)
        camera = jaxsoftras.perspective_camera((0.0, 0.0, 3.0))
        with pytest.raises(ValueError, match=r"render takes a Mesh.*not a Tensor"):
            jaxsoftras.torch.render(self.corners, camera)
        with pytest.raises(ValueError, match="direction of a light must not be zero"):
            dark = jaxsoftras.DirectionalLight(torch.zeros(3), torch.ones(3))
            jaxsoftras.torch.render(mesh, camera, dark, SETTINGS)
        with pytest.raises(ValueError, match="shininess must be positive"):
            dull = jaxsoftras.Material(torch.tensor(-1.0))
            jaxsoftras.torch.render(mesh, camera, material=dull)
        with pytest.raises(ValueError, match="camera must be .* not Tensor"):
            jaxsoftras.torch.project(torch.eye(3), torch.ones(1, 3))
        with pytest.raises(ValueError, match="camera must be .* not Tensor"):
            jaxsoftras.torch.render(mesh, torch.eye(3))
        with pytest.raises(ValueError, match="the functions of jaxsoftras.torch"):
            jaxsoftras.silhouette(self.corners, 8)

    def test_textures(self):
        images = torch.ones(4, 4, 3), torch.ones(2, 2, 3)
        index = torch.full((20,), 7)
        skin: Any = jaxsoftras.UVTexture(
            torch.zeros(20, 3, 2), images, image_index=index
        )
        with pytest.raises(ValueError, match="image_index from 0 to 1, of its 2"):
            jaxsoftras.torch.rasterize(self.corners, skin, 8)

    def test_options_that_are_tensors(self):
        with pytest.raises(ValueError, match="near is a constant .* not a Tensor"):
            near = torch.tensor(1.0, requires_grad=True)
            jaxsoftras.torch.rasterize(self.corners, self.corners, 8, near=near)

    def test_cameras(self):
        with pytest.raises(ValueError, match="fov must lie between"):
            jaxsoftras.torch.perspective_camera(torch.ones(3), fov=torch.tensor(200.0))

    def test_eight_bit_colors(self):
        colors = torch.zeros(20, 3, dtype=torch.uint8)
        with pytest.raises(ValueError, match="divide 8-bit colours by 255"):
            jaxsoftras.torch.rasterize(self.corners, colors, 8)


def test_public_names():
    names = {name for name in dir(jaxsoftras.torch) if name[0] != "_"}
    assert {n for n in names if inspect.isfunction(getattr(jaxsoftras.torch, n))} == (
        PUBLIC
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name[0] in "rs" else name
        for name in sorted(PUBLIC)
    ],
)
def test_example_runs(name):
    function = inspect.unwrap(getattr(jaxsoftras.torch, name))
    (example,) = doctest.DocTestFinder(recurse=False).find(
        function, name, globs={"jaxsoftras": jaxsoftras}
    )
    report: list[str] = []
    assert example.examples
    assert not doctest.DocTestRunner().run(example, out=report.append).failed, report
