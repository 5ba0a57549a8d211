"""Rates at which data sets of embedded shapes are made: the table of docs/shapes.md.

python -m tests.support.making_rates [PROCESSES ...]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import jax

from jaxsoftras import cores
from jaxsoftras.data import accelerated
from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.zbuffer import Renderer
from jaxsoftras.shapes import dataset, making

_SECONDS = 12  # that a row takes, about
_GUESS = {"numpy": 12, "jax": 25}  # objects a second and process


def _measure(processes: int, renderer: Renderer) -> tuple[int, float]:
    """Objects of a data set, and the seconds that it takes, starts and all."""
    each = max(3, _SECONDS * processes * _GUESS[renderer] // len(CATEGORIES))
    made = 0

    def count(done: int, _total: int) -> None:
        nonlocal made
        made = done

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        dataset.write_dataset(
            Path(folder) / "set",
            objects_per_category=each,
            renderer=renderer,
            processes=processes,
            progress=count,
        )
        return made, time.perf_counter() - start


def _measure_images() -> tuple[int, float]:
    """Objects, and the seconds that the device takes for their images alone."""
    calls = [(synset, k, 0, False) for synset in CATEGORIES for k in range(16)]
    meshes = [making.make_mesh(*call) for call in calls]
    for _ in range(2):  # the first one compiles
        start = time.perf_counter()
        for _images in accelerated.render_in_order(meshes, 64):
            pass
    return len(meshes), time.perf_counter() - start


def main(words: list[str]) -> None:
    """Prints the table."""
    counts = [int(word) for word in words] or sorted({1, 2, 8, cores.count_cores()})
    print(f"{cores.count_cores()} cores; {jax.devices()[0].device_kind}")
    print("| renderer | processes | objects | seconds | objects a second |")
    print("|---|---|---|---|---|")
    for count in counts:
        _show("numpy", count, *_measure(count, "numpy"))
    if jax.default_backend() == "gpu":
        _show("jax", counts[-1], *_measure(counts[-1], "jax"))
        _show("jax, images alone", "-", *_measure_images())


def _show(renderer: str, processes: int | str, made: int, seconds: float) -> None:
    rate = made / seconds
    print(f"| {renderer} | {processes} | {made} | {seconds:.1f} | {rate:.1f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
