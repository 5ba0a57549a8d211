"""Times batches from the host, and measures the memory that they need.

    python -m jaxsoftras.data.bench
    python -m jaxsoftras.data.bench --objects 10000 --threads 1 4 16 --batch 64

Makes a data set of smooth random images, which compress about as well as renders, and
draws batches of pairs from its npz files (in memory) and from a data set prepared of
them (on disk). Each measurement has a process of its own. Memory is what that process
gained by opening and drawing: its own (RssAnon) and pages of files (RssFile), the
largest values seen after any of the first batches and at the end; on Linux only.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxsoftras import command_line, config, cores, terminal
from jaxsoftras.data import sampling, source
from jaxsoftras.data.categories import CATEGORIES

_VIEWS, _SIDE = 24, 64
_OBJECT_MB = _VIEWS * 4 * _SIDE**2 / 1e6
_STORAGE: dict[source.Source, str] = {
    "npz": "in memory",
    "prepared": "array_record",
}
# Objects that are not copies of others.
_DISTINCT = 64
# Batches after which memory is looked at.
_WATCHED = 20
# Names of the columns of a `Result`, and their formats.
_COLUMNS = {
    "pairs/s": "{:.0f}",
    "cores": "{:.1f}",
    "opening s": "{:.1f}",
    "own MB": "{:.0f}",
    "files MB": "{:.0f}",
}


class Result(NamedTuple):
    """One measurement.

    Attributes:
        pairs: pairs of images in a second.
        cores: processor time by elapsed time.
        opening: seconds until the data set is open.
        own: growth of the process's own memory, MB.
        mapped: growth of its pages of files, MB.
    """

    pairs: float
    cores: float
    opening: float
    own: float
    mapped: float


def make_images(count: int, side: int = _SIDE, seed: int = 0) -> np.ndarray:
    """Makes images of smooth shapes with patches of colour.

    Args:
        count: number of images N.
        side: width and height, pixels, a multiple of 8.
        seed: seed of the shapes.

    Returns:
        ``[N, 4, side, side]`` uint8: red, green, blue times coverage, and coverage.

    Example:
        >>> from jaxsoftras.data import bench
        >>> images = bench.make_images(3)
        >>> images.shape, bool((images[:, :3] <= images[:, 3:]).all())
        ((3, 4, 64, 64), True)
    """
    rng = np.random.default_rng(seed)
    points = np.linspace(0, 3, side)
    left = np.minimum(points.astype(int), 2)
    weights = np.zeros((side, 4))
    weights[np.arange(side), left] = 1 - (points - left)
    weights[np.arange(side), left + 1] += points - left
    knots = rng.random((count, 4, 4, 4))
    fields = np.einsum("yi,ncij,xj->ncyx", weights, knots, weights)
    place = np.linspace(-1, 1, side)
    disc = 1.2 - np.hypot(place, place[:, None])
    coverage = np.clip((disc - fields[:, 3]) * side / 4, 0, 1)
    colors = np.round(fields[:, :3] * 12) / 12 * coverage[:, None]
    return np.concatenate([colors * 255, coverage[:, None] * 255], 1).astype(np.uint8)


def make_data(folder: Path, objects: int, progress: terminal.Progress) -> None:
    """Writes a training set as npz files, and prepares it.

    Args:
        folder: existing folder, which gets ``npz`` and ``prepared``.
        objects: number of objects.
        progress: called with the numbers of objects prepared and to prepare.

    Raises:
        ValueError: fewer objects than categories.
    """
    if objects < len(CATEGORIES):
        raise ValueError(
            f"Each of {len(CATEGORIES)} categories needs an object: ask for as many at "
            f"least, not {objects}."
        )
    from jaxsoftras.data.prepared import prepare

    images = make_images(_DISTINCT * _VIEWS).reshape(_DISTINCT, _VIEWS, 4, _SIDE, _SIDE)
    (folder / "npz").mkdir()
    parts = np.array_split(np.arange(objects), len(CATEGORIES))
    for key, numbers in zip(CATEGORIES, parts, strict=True):
        np.savez(
            folder / "npz" / f"{key}_train_images.npz", images[numbers % _DISTINCT]
        )
    prepare(folder / "npz", folder / "prepared", progress=progress)


def measure(
    settings: config.Data, batch_size: int, threads: int, seconds: float
) -> Result:
    """Draws batches as fast as they come.

    Args:
        settings: the data set.
        batch_size: number of objects in a batch.
        threads: batches made at the same time.
        seconds: for how long, at least.
    """
    # imported here, that their memory does not count
    for module in ("grain", "jaxsoftras.data.prepared"):
        importlib.import_module(module)
    before, start = _memory(), time.perf_counter()
    opened = source.open_split(settings, "train")
    opening = time.perf_counter() - start
    batches = sampling.view_batches(opened, batch_size, seed=0, threads=threads)
    seen = []
    for _ in range(_WATCHED):
        next(batches)
        seen.append(_memory())
    start, used, count = time.perf_counter(), time.process_time(), 0
    while (elapsed := time.perf_counter() - start) < seconds or not count:
        next(batches)
        count += 1
    used = time.process_time() - used
    seen.append(_memory())
    batches.close()
    own, mapped = np.max(seen, axis=0) - before
    return Result(count * batch_size / elapsed, used / elapsed, opening, own, mapped)


def _memory() -> np.ndarray:
    """Memory of this process, MB: its own, and pages of files; NaN if unknown."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return np.full(2, np.nan)
    status = dict(line.split(":", 1) for line in lines)
    return np.array([int(status[k].split()[0]) for k in ("RssAnon", "RssFile")]) / 1e3


def _run_alone(function: Callable[..., Result], *arguments: Any) -> Result:
    """Calls a function in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m jaxsoftras.data.bench",
) -> int:
    """Runs the command line.

    Args:
        arguments: command-line arguments; None stands for ``sys.argv[1:]``.
        prog: name of the program in help texts.

    Returns:
        The exit code: 0 on success, 2 after an error, reported in one line on stderr.
    """
    parser = argparse.ArgumentParser(
        prog=prog, description="Time batches of image pairs from the host."
    )
    parser.add_argument(
        "--objects",
        type=command_line.positive,
        default=1000,
        help=f"objects of the data set, {_OBJECT_MB:.1f} MB each on disk and in memory "
        "as npz (default: %(default)s)",
    )
    parser.add_argument(
        "--threads",
        type=command_line.positive,
        nargs="+",
        default=[1, sampling.THREADS],
        help="batches made at the same time (default: %(default)s)",
    )
    parser.add_argument(
        "--batch",
        type=command_line.positive,
        default=64,
        help="objects (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="of each (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    return terminal.run(prog, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    table = terminal.make_table(
        title=f"{options.objects} objects, batches of {options.batch} pairs, "
        f"{cores.count_cores()} cores"
    )
    for column in ("images", "threads", *_COLUMNS):
        table.add_column(column, justify="right" if column != "images" else "left")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with terminal.progress_bar("Preparing", "objects") as progress:
            make_data(folder, options.objects, progress)
        for storage, label in _STORAGE.items():
            settings = config.Data(source=storage, root=str(folder / storage))
            for threads in options.threads:
                result = _run_alone(
                    measure, settings, options.batch, threads, options.seconds
                )
                numbers = zip(result, _COLUMNS.values(), strict=True)
                texts = [form.format(number) for number, form in numbers]
                table.add_row(label, str(threads), *texts)
    terminal.make_console().print(table)


if __name__ == "__main__":
    terminal.leave(main)
