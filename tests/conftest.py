"""Settings of the test run: four simulated devices, one cache of compiled programs."""

import gc
import importlib.metadata
import os
import signal
import tempfile

os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_force_host_platform_device_count=4",
        # programs are compiled side by side already, by the workers
        "--xla_cpu_parallel_codegen_split_count=1",
    ]
)
if importlib.metadata.version("jaxlib").startswith("0.10."):
    # The older code generator, which XLA drops later, halves the time of compilation.
    os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"
# a shell has its background jobs ignore it, and what they start
signal.signal(signal.SIGINT, signal.default_int_handler)
# tracing makes a great many objects, few of them garbage
gc.set_threshold(100_000, 20, 20)
# shared by the workers and by the programs that tests start
_cache = tempfile.TemporaryDirectory(prefix="jaxsoftras-tests-")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", _cache.name)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import jax
import pytest

from tests.support.small_run import CABINET

if jax.default_backend() == "cpu":
    # Nearly all the time of a test is compilation, and half of that is what LLVM spends
    # on optimizing. XLA's own passes, which fuse and reorder, stay as they are. The
    # programs that tests start read the environment.
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    jax.config.update("jax_disable_most_optimizations", True)

KERNEL_TESTS = {"test_blend", "test_silhouette"}  # in tests/kernels
# Files that take longest, in this order: one that began last would be waited for.
LONGEST = [
    "reconstruction/test_training_run.py",
    "test_render_scenes.py",
    "test_clipping.py",
    "kernels/test_blend.py",
    "test_renderer.py",
    "test_compilation.py",
    "rasterization/test_silhouette.py",
    "models/test_reconstructor.py",
    "rasterization/test_transparency.py",
    "reconstruction/test_evaluation_run.py",
    "test_probability.py",
    "kernels/test_silhouette.py",
    "test_lenses.py",
    "test_docstrings.py",
    "rasterization/test_composition.py",
    "losses/test_smoothness.py",
    "losses/test_surface.py",
    "rasterization/test_rasterize_adversarial.py",
    "test_texture.py",
    "rasterization/test_silhouette_golden.py",
    "reconstruction/test_training.py",
    "rasterization/test_rasterize_golden.py",
    "reconstruction/test_pictures.py",
    "rasterization/test_derivatives.py",
    "losses/test_points.py",
    "rasterization/test_rasterize.py",
]
SHARED = Path(__file__).parents[2] / "shared"


@pytest.hookimpl(tryfirst=True)  # before -m chooses by marker
def pytest_collection_modifyitems(items):
    on_gpu = jax.default_backend() == "gpu"
    folder = Path(__file__).parent
    ranks = {folder / name: rank for rank, name in enumerate(LONGEST)}
    # those that clear the compiled programs come last, for all others share them
    items.sort(
        key=lambda item: (
            "repatch" in getattr(item, "fixturenames", ()),
            ranks.get(item.path, len(ranks)),
        )
    )
    for item in items:
        # tests that interpret the kernels elsewhere run them on a GPU
        if (
            on_gpu
            and item.path.parent.name == "kernels"
            and (item.path.stem in KERNEL_TESTS)
        ):
            item.add_marker(pytest.mark.gpu)
        if not on_gpu and "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture
def shared() -> Path:
    """The folder of reference data beside the project."""
    if not SHARED.is_dir():
        pytest.skip("the reference data (../shared) are not here")
    return SHARED


@pytest.fixture
def repatch(monkeypatch):
    """`monkeypatch.setattr` after which compiled functions are traced again."""

    def setattr(*arguments):
        monkeypatch.setattr(*arguments)
        jax.clear_caches()

    yield setattr
    monkeypatch.undo()
    jax.clear_caches()


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
