"""Colour, and the rest of the original's options, against its kernels' outputs.

With `tests/test_silhouette_golden.py`, these are all 62 cases. Departures, each named
in docs/fidelity.md: the original reads texels out of bounds at corners 0 and 1, which
is re-enacted here to check everything else; its texel gradients are undefined in cases
not called ``.fix``; and it passes a gradient through the hard rule for alpha.
"""

import functools
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsoftras
from jaxsoftras.kernels import shading

SHAPES = ("ico", "soup", "hard")
VERTEX = [
    *(f"{s}/{c}/softmax_vert" for s in SHAPES for c in ("s0.0001", "s1e-05")),
    *(f"{s}/x/softmax_vert_oneside" for s in SHAPES),
    *(f"{s}/x/hard_vert" for s in SHAPES),
    *(f"{s}/x/softmax_vert_bg" for s in SHAPES),
    *(f"{s}/x/softmax_vert_gamma1e-2" for s in SHAPES),
    "ico/f64/softmax_vert",
    "soup/f64/softmax_vert",
    "soup/x/softmax_vert_bary",
    "soup/x/harddist_hardrgb_vert",
]
SURFACE = [
    f"{shape}/{sigma}/softmax_surf{resolution}{fix}"
    for shape in SHAPES
    for sigma in ("s0.0001", "s1e-05")
    for resolution in (1, 4)
    for fix in ("", ".fix")
    if (shape, resolution) != ("ico", 4)
]
ALPHA = ["soup/x/sil_sum", "soup/x/sil_hardalpha", "soup/x/sil_bary"]
# one program; each of the others differs from these by an option
NOT_SLOW = (
    "softmax_vert_bg",
    "softmax_vert_gamma1e-2",
)
each_implementation = pytest.mark.parametrize(
    "implementation", [pytest.param("reference", marks=pytest.mark.slow), "xla"]
)


@functools.cache
def load(shared):
    archive = np.load(shared / "golden" / "softras_float64.npz")
    return archive, json.loads(bytes(archive["cases.json"]).decode())


@functools.cache
def compiled(surface, key, _):
    options = dict(key)

    @jax.jit
    def run(faces, colors, sigma, gamma, background, weight):
        def draw(faces, colors):
            attributes = jaxsoftras.SurfaceTexture(colors) if surface else colors
            return jaxsoftras.rasterize(
                faces,
                attributes,
                64,
                sigma=sigma,
                gamma=gamma,
                background=background,
                match_softras=True,
                **options,
            )

        image, pullback = jax.vjp(draw, faces, colors)
        return image, *pullback(weight)

    return run


def draw(shared, name, implementation, lookup=None, dtype: Any = float):
    """Ours and the original's: image, gradients to vertices and to the texture."""
    archive, index = load(shared)
    case = {**index["defaults"], **index["cases"][name]}
    # the dense reference takes its time: one of the two images will do
    images = slice(1 if implementation == "reference" else 2)
    faces = archive[f"in/{case['geom']}/fv"][images].astype(dtype)
    colors = archive[f"in/{case['geom']}/tex_{case['tex']}"][images].astype(dtype)
    weight = np.moveaxis(archive["in/G"][images], 1, -1).astype(dtype)
    if case.get("sil"):
        weight = weight * np.array([0, 0, 0, 1], dtype)
    options = {
        "aggregation": case["rgb"],
        "distance": case["dist_func"],
        "conorm": {"prod": "probabilistic"}.get(case["alpha"], case["alpha"]),
        "double_sided": bool(case["fill_back"]),
        "dist_eps": case["dist_eps"],
        "near": case["near"],
        "far": case["far"],
        "implementation": implementation,
    }
    surface = case["tex_type"] == "surface"
    run = compiled(surface, tuple(sorted(options.items())), lookup)
    numbers = (np.array(case[n], dtype) for n in ("sigma", "gamma", "bg"))
    ours = jax.device_get(run(faces, colors, *numbers, weight))
    names = [f"{name}/{part}" for part in ("img", "gfv", "gtex")]
    theirs = [archive[n][images] if n in archive else np.full(1, np.nan) for n in names]
    theirs[0] = np.moveaxis(theirs[0], 1, -1)
    return ours, theirs


def relative(ours, theirs):
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30)


def test_list_is_complete(shared):
    from tests.rasterization.test_silhouette_golden import GOLDEN

    listed = [*GOLDEN, *VERTEX, *SURFACE, *ALPHA]
    assert len(listed) == 62 and set(listed) == set(load(shared)[1]["cases"])


def slow_unless(wanted, cases):
    """The others say nothing that these do not, and each takes seconds to compile."""
    return [c if wanted(c) else pytest.param(*c, marks=pytest.mark.slow) for c in cases]


@pytest.mark.parametrize(
    ("name", "implementation"),
    slow_unless(
        lambda case: case[0] in {f"soup/x/{v}" for v in NOT_SLOW} and case[1] == "xla",
        [(name, each) for each in ("xla", "reference") for name in VERTEX],
    ),
)
def test_vertex_colors(name, implementation, shared, x64):
    ours, theirs = draw(shared, name, implementation)
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)
    assert relative(ours[1], theirs[1]) < 1e-5
    assert relative(ours[2], theirs[2]) < 1e-5


@each_implementation
@pytest.mark.parametrize(
    "name",
    [
        # the values of all are in tests/test_conorm.py
        pytest.param(name, marks=pytest.mark.slow) if "sum" not in name else name
        for name in ALPHA
    ],
)
def test_other_rules_for_alpha(name, implementation, shared, x64):
    ours, theirs = draw(shared, name, implementation)
    np.testing.assert_allclose(ours[0][..., 3], theirs[0][..., 3], atol=1e-6)
    if name.endswith("hardalpha"):
        # a step function: ours has the derivative 0, the original's kernel another
        assert np.all(ours[1] == 0) and np.abs(theirs[1]).max() > 1
    else:
        assert relative(ours[1], theirs[1]) < 1e-5


# before the next test, which compiles the same, then patches it
@pytest.mark.parametrize("name", ["soup/s0.0001/softmax_surf4"])
def test_surface_textures_of_the_reference(name, shared, x64):
    ours, _ = draw(shared, name, "reference")
    xla, _ = draw(shared, name, "xla")
    np.testing.assert_allclose(ours[0], xla[0][:1], atol=1e-10)
    assert relative(ours[2], xla[2][:1]) < 1e-9


def original_footprint(tie, lookup, weights, values, face):
    """The original's texel: R at corner 0, R * R at corner 1, both not the face's own.

    On the edge opposite to corner 2, rounding decides between two texels; ``tie``
    decides it here.
    """
    resolution = lookup.size[0]
    a, b = (jnp.floor(w * resolution).astype(jnp.int32) for w in weights[:2])
    rest = (weights[0] + weights[1]) * resolution - a - b
    upper = b * resolution + a
    lower = (resolution - 1 - b) * resolution + resolution - 1 - a
    cell = jnp.where(rest <= 1 + tie, upper, lower)
    return (face * resolution**2 + cell)[None]


@pytest.mark.slow  # the reference alone is quick, in the test before
@pytest.mark.parametrize("name", SURFACE)
def test_surface_textures(name, shared, x64, repatch):
    """Once without, and once with what the original reads out of bounds."""
    ours, theirs = draw(shared, name, "xla")
    alike = np.abs(ours[0] - theirs[0]).max(axis=-1) < 1e-5
    assert alike.mean() > 0.85 and not alike.all()

    variants = []
    for tie in (1e-9, -1e-9) if "surf4" in name else (0,):
        repatch(shading, "footprint", functools.partial(original_footprint, tie))
        variants.append(draw(shared, name, "xla", tie)[0])
    errors = [np.abs(v[0] - theirs[0]).max(axis=-1) for v in variants]
    assert np.min(errors, axis=0).max() < 1e-5
    scale = np.abs(theirs[1]).max()
    errors = [np.abs(v[1] - theirs[1]).max(axis=(-1, -2)) / scale for v in variants]
    assert np.mean(np.min(errors, axis=0) < 1e-4) > 0.99
    if ".fix" in name and "surf4" in name:
        # the gradients of texels that nobody else's pixels are mixed up with
        untouched = [k for k in range(16) if k not in (0, 3, 4, 12)]
        scale = np.abs(theirs[2]).max()
        errors = [np.abs(v[2] - theirs[2])[:, :, untouched] / scale for v in variants]
        assert np.mean(np.min(errors, axis=0).max(axis=(-1, -2)) < 1e-4) > 0.95
