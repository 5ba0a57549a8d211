import jax
import numpy as np
import pytest
from scipy import spatial

from jaxsoftras import config
from jaxsoftras.fitting import parametrizations
from jaxsoftras.models import templates

LEVEL = 1


def make_random(family, scale):
    """Random parameters of two objects, and the function that places them."""
    rng = np.random.default_rng(0)
    parameters = {
        name: np.float32(rng.normal(scale=scale, size=(2, *shape)))
        for name, shape in family.shapes.items()
    }
    return parameters, jax.jit(family.place)


@pytest.mark.parametrize(
    ("name", "symmetric"),
    [
        ("softras", True),
        ("multilevel", False),
        ("flow", True),
        ("vertices", False),
        *(
            pytest.param(name, symmetric, marks=pytest.mark.slow)
            for name, symmetric in (
                ("softras", False),
                ("multilevel", True),
                ("flow", False),
                ("vertices", True),
            )
        ),
    ],
)
def test_begins_with_the_template_confines_and_mirrors(name, symmetric):
    settings = config.Model(template_level=LEVEL, symmetric=symmetric)
    family = parametrizations.make(name, settings)
    parameters, place = make_random(family, 3.0)
    sphere = templates.make(LEVEL, symmetric).vertices
    assert family.faces.max() == len(sphere) - 1
    np.testing.assert_allclose(
        place(family.start(2)), np.tile(sphere, (2, 1, 1)), atol=1e-6
    )
    got = np.asarray(place(parameters))
    if name != "vertices":
        assert np.abs(got).max() <= 0.5 + 1e-6
    assert np.ptp(got[0] - got[1]) > 0.01
    for solid in got if symmetric else ():
        distance, _ = spatial.KDTree(solid).query(solid * np.array([-1, 1, 1]))
        assert distance.max() < 1e-6


def test_softras_is_its_decoder_and_keeps_octants():
    family = parametrizations.make("softras", config.Model(template_level=LEVEL))
    bias = jax.random.normal(jax.random.key(0), (1, 42, 3))
    got = family.place({"bias": bias, "centroid": jax.numpy.zeros((1, 3))})[0]
    sphere = templates.make(LEVEL, False).vertices
    size = np.abs(2 * sphere)
    odds = size / (1 - size) * np.exp(np.asarray(bias[0]))
    expected = 0.5 * np.sign(sphere) * odds / (1 + odds)
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"no parametrisation 'mesh'.*softras, "):
        parametrizations.make("mesh", config.Model())
