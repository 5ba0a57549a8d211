"""Settings of the test run: four simulated devices, one cache of compiled programs."""

import os
import tempfile

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
)
# shared by the workers and by the programs that tests start
_cache = tempfile.TemporaryDirectory(prefix="jaxsoftras-tests-")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", _cache.name)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import jax
import pytest
from small_run import CABINET

SHARED = Path(__file__).parents[2] / "shared"


def pytest_collection_modifyitems(items):
    if jax.default_backend() != "gpu":
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture
def shared() -> Path:
    """The folder of reference data beside the project."""
    if not SHARED.is_dir():
        pytest.skip("the reference data (../shared) are not here")
    return SHARED


@pytest.fixture
def x64():
    """Double precision within a test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def cabinets(tmp_path_factory) -> Path:
    """A few cabinets, seen from 24 sides at 16 px."""
    from jaxsoftras.shapes import dataset

    folder = tmp_path_factory.mktemp("data") / "cabinets"
    dataset.write_dataset(folder, objects_per_category={CABINET: 5}, image_size=16)
    return folder
