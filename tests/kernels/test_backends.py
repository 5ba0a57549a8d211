"""What is left where JAX has lost one of Pallas' backends for GPUs, or both."""

import subprocess
import sys

import jax
import pytest

TRITON = "jax.experimental.pallas.triton"
MOSAIC = "jax.experimental.pallas.mosaic_gpu"
PROGRAM = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None  # an import of it fails
import jax.numpy as jnp
import jaxsoftras
from jaxsoftras import implementations as named
faces = jnp.array([[[-1.0, -1, 2], [1, -1, 2], [0, 1, 2]]])
assert jaxsoftras.silhouette(faces, 4).max() > 0.9
assert jaxsoftras.rasterize(faces, jnp.ones((1, 3, 3)), 4).max() > 0.9
for table in (named.SILHOUETTE, named.BLEND, named.VISIBLE):
    print(*(f"{k}:{v.__module__.rsplit('_')[-1]}" for k, v in table.items()))
"""


@pytest.mark.parametrize("gone", [[TRITON], [MOSAIC], [TRITON, MOSAIC]])
def test_the_rest_works(gone):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *gone], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    expected = {"reference": "reference", "xla": "xla"}
    if MOSAIC not in gone and jax.__version_info__ >= (0, 11):
        expected |= {"mosaic": "mosaic", "pallas": "mosaic"}
    if TRITON not in gone:
        expected |= {"pallas": "triton"}
    rows = result.stdout.splitlines()
    assert len(rows) == 3
    for row in rows:
        assert dict(item.split(":") for item in row.split()) == expected
