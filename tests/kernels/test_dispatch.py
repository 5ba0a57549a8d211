"""Which backend renders on which device."""

import functools
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from jaxsoftras.kernels import dispatch
from jaxsoftras.kernels.options import RasterOptions
from jaxsoftras.kernels.scene import Task

TASK = Task(4, 4, RasterOptions())
FLOAT = jnp.dtype("float32")


@pytest.fixture(params=["blend", "visible"])
def choose(request, monkeypatch):
    """The choice for an operation, as if this JAX had every backend."""
    monkeypatch.setattr(dispatch, "load", lambda name, operation: None)
    return functools.partial(dispatch.choose_backend, request.param)


def pretend_gpu(monkeypatch, capability):
    """Pretends that the default device is a GPU."""
    device = SimpleNamespace(platform="gpu", compute_capability=capability)
    monkeypatch.setattr(jax, "devices", lambda platform=None: [device])


def remove(monkeypatch, *names):
    """Pretends that this JAX lacks backends."""

    def load(name, operation):
        if name in names:
            raise ImportError(name)

    monkeypatch.setattr(dispatch, "load", load)


class TestChooseBackend:
    @pytest.mark.parametrize(
        "capability, name",
        [
            ("7.5", "xla"),
            ("8.0", "triton"),
            ("8.9", "triton"),
            ("9.0", "mosaic"),
            ("10.0", "triton"),
            ("12.0", "triton"),
            ("gfx942", "xla"),
        ],
    )
    def test_fastest(self, monkeypatch, choose, capability, name):
        pretend_gpu(monkeypatch, capability)
        assert choose(None, TASK, FLOAT) == name
        if name != "xla":
            assert choose("pallas", TASK, FLOAT) == name

    def test_without_one_of_the_backends(self, monkeypatch, choose):
        pretend_gpu(monkeypatch, "9.0")
        remove(monkeypatch, "mosaic")
        assert choose(None, TASK, FLOAT) == choose("pallas", TASK, FLOAT) == "triton"
        remove(monkeypatch, "triton")
        pretend_gpu(monkeypatch, "10.0")
        assert choose(None, TASK, FLOAT) == choose("pallas", TASK, FLOAT) == "mosaic"
        pretend_gpu(monkeypatch, "8.0")
        assert choose(None, TASK, FLOAT) == "xla"

    def test_a_backend_that_this_jax_lacks(self, monkeypatch, choose):
        pretend_gpu(monkeypatch, "9.0")
        remove(monkeypatch, "mosaic")
        with pytest.raises(ValueError, match="there are none for Mosaic with jax"):
            choose("mosaic", TASK, FLOAT)
        monkeypatch.delitem(dispatch.BACKENDS, "mosaic")
        with pytest.raises(ValueError, match="there are none for Mosaic with jax"):
            choose("mosaic", TASK, FLOAT)
        assert choose(None, TASK, FLOAT) == "triton"

    def test_double_precision_is_left_to_xla(self, monkeypatch, choose):
        pretend_gpu(monkeypatch, "9.0")
        assert choose(None, TASK, jnp.dtype("float64")) == "xla"

    def test_other_rules_for_alpha_are_left_to_xla(self, monkeypatch, choose):
        pretend_gpu(monkeypatch, "9.0")
        task = TASK._replace(options=RasterOptions(distribution="gaussian"))
        if choose.args == ("blend",):
            assert choose(None, task, FLOAT) == "xla"
            with pytest.raises(ValueError, match="the probabilistic T-conorm only"):
                choose("mosaic", task, FLOAT)
        else:
            assert choose(None, task, FLOAT) == "mosaic"

    def test_the_default_device_counts(self, monkeypatch, choose):
        pretend_gpu(monkeypatch, "9.0")
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            assert choose(None, TASK, FLOAT) == "xla"

    @pytest.mark.skipif(jax.default_backend() == "gpu", reason="needs no GPU")
    def test_no_gpu(self, choose):
        assert choose(None, TASK, FLOAT) == "xla"
        for name in ("triton", "mosaic", "pallas"):
            with pytest.raises(ValueError, match="they need an NVIDIA GPU"):
                choose(name, TASK, FLOAT)

    @pytest.mark.parametrize("name, least", [("triton", "8.0"), ("mosaic", "9.0")])
    def test_gpus_that_are_too_old(self, monkeypatch, choose, name, least):
        pretend_gpu(monkeypatch, "7.5")
        message = f"compute capability 7.5, and they need {least}. Use .*'xla' or None"
        with pytest.raises(ValueError, match=message):
            choose(name, TASK, FLOAT)
        assert not dispatch.runs_here(name)
        pretend_gpu(monkeypatch, least)
        assert choose(name, TASK, FLOAT) == name

    def test_an_unknown_name(self, choose):
        with pytest.raises(ValueError, match="reference, xla, pallas, triton, mosaic"):
            choose("cuda", TASK, FLOAT)


TRITON = "jax.experimental.pallas.triton"
MOSAIC = "jax.experimental.pallas.mosaic_gpu"
PROGRAM = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None  # an import of it fails
import jax.numpy as jnp
import jaxsoftras
from jaxsoftras.kernels import dispatch
faces = jnp.array([[[-1.0, -1, 2], [1, -1, 2], [0, 1, 2]]])
assert jaxsoftras.silhouette(faces, 4).max() > 0.9
assert jaxsoftras.rasterize(faces, jnp.ones((1, 3, 3)), 4).max() > 0.9
for name in dispatch.BACKENDS:
    try:
        dispatch.load(name, "blend"), dispatch.load(name, "visible")
        print(name)
    except ImportError:
        pass
"""


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param([TRITON], marks=pytest.mark.slow),
        pytest.param([MOSAIC], marks=pytest.mark.slow),
        [TRITON, MOSAIC],
    ],
)
def test_the_rest_works_where_jax_has_lost_a_backend(gone):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *gone], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    expected = {"reference", "xla"}
    if MOSAIC not in gone and jax.__version_info__ >= (0, 11):
        expected |= {"mosaic"}
    if TRITON not in gone:
        expected |= {"triton"}
    # a backend may be removed with its folder
    folder = Path(dispatch.__file__).parent
    expected = {name for name in expected if (folder / name / "blend.py").is_file()}
    assert set(result.stdout.split()) == expected
