"""The silhouette against the outputs of the original kernels."""

import functools
import json

import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras import mesh, rasterization
from tests.support import scenes

IMPLEMENTATIONS = ("reference", "xla")
each_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
# of the original's golden cases, those that are silhouettes by distance and product
GOLDEN = [
    f"{shape}/{case}"
    for shape in ("ico", "soup", "hard")
    for case in (
        "s0.0001/sil",
        "s0.0001/sil_deps1e-10",
        "s1e-05/sil",
        "s1e-05/sil_deps1e-10",
        "x/sil_s3e-3",
        "f64/sil",
    )
    if (shape, case) != ("hard", "f64/sil")
]


@functools.cache
def load_golden(shared):
    archive = np.load(shared / "golden" / "softras_float64.npz")
    return archive, json.loads(bytes(archive["cases.json"]).decode())


class TestGolden:
    def test_list_is_complete(self, shared):
        cases = load_golden(shared)[1]["cases"]
        expected = {
            name
            for name, case in cases.items()
            if case.get("sil") and "alpha" not in case and "dist_func" not in case
        }
        assert set(GOLDEN) == expected

    @pytest.mark.parametrize(
        ("name", "implementation"),
        [
            *(
                # the cut at dist_eps is another number in the same program
                pytest.param(
                    name,
                    "xla",
                    marks=pytest.mark.slow
                    if "deps1e-10" in name and not name.startswith("soup")
                    else [],
                )
                for name in GOLDEN
            ),
            *(
                pytest.param(
                    name,
                    "reference",
                    marks=[] if name == "soup/f64/sil" else pytest.mark.slow,
                )
                for name in GOLDEN
            ),
        ],
    )
    def test_equals_original(self, name, implementation, shared, x64):
        archive, index = load_golden(shared)
        case = {**index["defaults"], **index["cases"][name]}
        # the dense reference takes its time: one of the two images will do
        images = slice(1 if implementation == "reference" else 2)
        faces = archive[f"in/{case['geom']}/fv"][images].astype(np.float64)
        weight = archive["in/G"][images, 3].astype(np.float64)
        settings = {
            "sigma": case["sigma"],
            "dist_eps": case["dist_eps"],
            "implementation": implementation,
        }
        alpha, gradient = scenes.silhouette_and_gradient(faces, weight, **settings)
        np.testing.assert_allclose(alpha, archive[f"{name}/img"][images, 3], atol=1e-6)

        # Departure on purpose: the original leaves faces out of [near, far] in the
        # image but gives them no gradient. Ours is the gradient of the image.
        depth = faces[..., 2]
        kept = np.all((depth >= case["near"]) & (depth <= case["far"]), axis=-1)
        expected = archive[f"{name}/gfv"][images]
        scale = np.abs(expected).max()
        error = np.abs(gradient - expected)[kept].max() / scale
        assert error < 1e-5
        assert np.all(gradient[..., 2] == 0)
        if not kept.all():
            assert np.abs(gradient[~kept]).max() > 1e-3 * scale
            self.check_by_finite_differences(
                faces, gradient, weight, np.argwhere(~kept), settings
            )

    @staticmethod
    def check_by_finite_differences(faces, gradient, weight, where, settings):
        def loss(faces):
            # the program of the gradient, which is compiled
            alpha, _ = scenes.silhouette_and_gradient(faces, weight, **settings)
            return np.sum(weight * alpha)

        step = 1e-7
        # the faces whose gradients are largest, all moved in one random direction
        norms = [np.abs(gradient[b, f]).max() for b, f in where]
        for b, f in where[np.argsort(norms)[-3:]]:
            direction = scenes.random_like(3, 2, seed=int(f))
            moved = np.zeros_like(faces)
            moved[b, f, :, :2] = step * direction
            numeric = (loss(faces + moved) - loss(faces - moved)) / (2 * step)
            exact = np.sum(gradient[b, f, :, :2] * direction)
            # steps over the cut at dist_eps leave a little in the difference
            assert numeric == pytest.approx(exact, rel=2e-2, abs=1e-2)


class TestConformance:
    """Numbers of the original kernels in float64, for inputs one can write down."""

    TRIANGLE = [[[-0.55, -0.45, 2.0], [0.6, -0.35, 2.5], [0.05, 0.65, 3.0]]]

    @each_implementation
    def test_triangle(self, implementation, x64):
        alpha, gradient = scenes.silhouette_and_gradient(
            np.array(self.TRIANGLE)[None],
            np.ones((1, 8, 8)),
            sigma=1e-2,
            implementation=implementation,
        )
        assert alpha.sum() == pytest.approx(10.367764, abs=1e-5)
        np.testing.assert_allclose(
            alpha[0, 3],
            [0, 0, 0.185233, 0.722283, 0.970909, 0.474799, 0.00185, 0],
            atol=1e-6,
        )
        np.testing.assert_allclose(
            gradient[0, 0],
            [
                [-7.504714, -2.017985, 0],
                [9.189412, 0.614468, 0],
                [1.424341, 8.522342, 0],
            ],
            atol=1e-5,
        )

    @pytest.mark.parametrize(
        ("radius", "sigma", "total"),
        [
            (0.5, 1e-4, 1566.76579),
            (0.5, 3e-5, 1544.79255),
            (0.25, 1e-4, 401.69507),
            (0.25, 3e-5, 382.40741),
        ],
    )
    def test_sphere_through_the_camera(self, radius, sigma, total, x64):
        template = mesh.icosphere(3)
        cam = jaxsoftras.perspective_camera(
            jaxsoftras.eye_from_angles(2.732, 30.0, 0.0), handedness="left"
        )
        points = jaxsoftras.project(cam, radius * jnp.asarray(template.vertices))
        faces = mesh.face_vertices(points, template.faces)
        alpha = rasterization.silhouette(faces, 64, sigma=sigma, dist_eps=1e-10)
        # the original's template is a file of six digits
        assert float(alpha.sum()) == pytest.approx(total, rel=2e-6)
