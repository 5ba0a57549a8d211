"""Times training steps: configurations and numbers of devices, side by side.

    python -m jaxsoftras.reconstruction.bench --config configs/real13.py
    python -m jaxsoftras.reconstruction.bench --config configs/real13.py --devices 1 2 \
        --vary model.precision=bfloat16 --vary optim.ema=0.999,optim.clip_norm=1
    python -m jaxsoftras.reconstruction.bench --config configs/real13.py --starts 2

Every row is the configuration with some fields changed, on some of the devices, with
`optim.batch_size` objects on each. Steps are taken as a run takes them, the batch drawn
within; rows take turns, so that a change of the machine's speed is everybody's. Times
are medians of the turns. ``--starts`` times the programs' start instead: from the
command to the metrics of the first step, several times in a row.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import rich.box
import rich.table

from jaxsoftras import command_line, compilation_cache, config, data, terminal
from jaxsoftras.reconstruction import (
    accelerators,
    feeding,
    profiling,
    run_folder,
    training,
)

_UNCHANGED = "as it is"


class Row(NamedTuple):
    """A configuration on a number of devices.

    Attributes:
        label: the fields that are changed.
        devices: number of devices.
        settings: the configuration; its batch is that of all devices.
    """

    label: str
    devices: int
    settings: config.Config


class Timing(NamedTuple):
    """Times of a row.

    Attributes:
        compile: seconds until the first step could begin.
        steps: ``[T]`` milliseconds of a step, of each turn.
        loss: mean loss of the last turn.
    """

    compile: float
    steps: list[float]
    loss: float


class Taker:
    """Takes steps of a row, one turn after the other."""

    def __init__(self, row: Row, source: data.Split | data.Mixture, steps: int):
        """Compiles the steps, and takes the first ones.

        Args:
            row: configuration and devices.
            source: the objects to train on.
            steps: number of steps of a turn.
        """
        start = time.perf_counter()
        # nothing is due within a turn
        settings = dataclasses.replace(
            row.settings,
            optim=dataclasses.replace(row.settings.optim, steps=steps),
            log=config.Log(
                images_every=steps, checkpoint_every=steps, validate_every=0
            ),
        )
        devices = accelerators.device_mesh(
            settings.optim.batch_size,
            jax.devices()[: row.devices],
            model=settings.devices.model,
        )
        experiment = training.Experiment(settings, devices)
        self._state = experiment.init(settings.seed)
        like = jax.tree.map(
            lambda x, at: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at),
            self._state,
            experiment.placement,
        )
        self._feed = feeding.make_feed(experiment, source, 0)
        self._feed.prepare(like)
        self.compile = time.perf_counter() - start
        self.take(self._feed.stride)

    def take(self, count: int) -> tuple[float, float]:
        """Takes steps; returns their seconds and mean loss."""
        start, losses, stride = time.perf_counter(), [], self._feed.stride
        while count:
            part = min(count, feeding.LARGEST // stride * stride)
            self._state, measured = self._feed.take_steps(self._state, part)
            losses += [metrics.loss for metrics in feeding.read(measured, part)]
            count -= part
        return time.perf_counter() - start, float(np.mean(losses))


def make_rows(
    settings: config.Config, variants: Sequence[str], devices: Sequence[int]
) -> list[Row]:
    """Combines changes of a configuration with numbers of devices.

    Args:
        settings: the configuration; its batch becomes that of one device.
        variants: assignments such as ``"optim.ema=0.999,optim.clip_norm=1"``.
        devices: numbers of devices.

    Raises:
        ConfigError: an assignment is wrong.
    """
    rows = []
    for variant in ("", *variants):
        words = variant.replace(",", " ").split()
        changed = config.override(settings, words)
        for count in devices:
            batch = count * changed.optim.batch_size
            optim = dataclasses.replace(changed.optim, batch_size=batch)
            rows.append(
                Row(
                    variant or _UNCHANGED,
                    count,
                    dataclasses.replace(changed, optim=optim),
                )
            )
    return rows


def measure(
    rows: Sequence[Row], source: data.Split | data.Mixture, steps: int, turns: int
) -> list[Timing]:
    """Times all rows, in turns.

    Args:
        rows: what to time.
        source: the objects to train on.
        steps: number of steps of a turn.
        turns: number of turns.

    Raises:
        ProgramError: a row's loss is not finite.
    """
    takers = [Taker(row, source, steps) for row in rows]
    timings = [Timing(taker.compile, [], 0.0) for taker in takers]
    for _ in range(turns):
        for index, taker in enumerate(takers):
            seconds, loss = taker.take(steps)
            if not np.isfinite(loss):
                raise terminal.ProgramError(
                    f"The loss of '{rows[index].label}' is not finite: its steps are "
                    "not worth timing."
                )
            timings[index].steps.append(1e3 * seconds / steps)
            timings[index] = timings[index]._replace(loss=loss)
    return timings


def make_table(
    rows: Sequence[Row], timings: Sequence[Timing], title: str
) -> rich.table.Table:
    """Makes the table; its ratios are of objects a second, to the first row's."""
    # narrow enough for 80 columns
    table = rich.table.Table(
        title=title, box=rich.box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False
    )
    table.add_column("fields", overflow="fold", min_width=10)
    for column in (
        *("devices", "objects", "ms/step", "slowest", "steps/s", "ratio"),
        *("compile", "loss"),
    ):
        table.add_column(column, justify="right", no_wrap=True)

    def rate(row: Row, timing: Timing) -> float:
        return row.settings.optim.batch_size / float(np.median(timing.steps))

    first = rate(rows[0], timings[0])
    for row, timing in zip(rows, timings, strict=True):
        middle = float(np.median(timing.steps))
        table.add_row(
            row.label,
            str(row.devices),
            str(row.settings.optim.batch_size),
            f"{middle:.3f}",
            f"{max(timing.steps):.3f}",
            f"{1e3 / middle:.1f}",
            f"{rate(row, timing) / first:.3f}",
            f"{timing.compile:.1f}",
            f"{timing.loss:.4f}",
        )
    return table


def time_start(words: Sequence[str]) -> float:
    """Seconds from the command of a new run to the metrics of its first step.

    Args:
        words: arguments of the training program but for ``--workdir``.

    Raises:
        ProgramError: the program ended without them.
    """
    with tempfile.TemporaryDirectory(prefix="jaxsoftras-bench-") as name:
        folder = Path(name)
        path, errors = folder / "run" / run_folder.METRICS, folder / "errors"
        start = time.perf_counter()
        with errors.open("w") as file:
            program = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jaxsoftras", "train"),
                    *("--workdir", str(folder / "run"), *words, "log.metrics_every=1"),
                ],
                stdout=subprocess.DEVNULL,
                stderr=file,
            )
        try:
            while not (path.exists() and path.stat().st_size):
                if program.poll() is not None:
                    raise terminal.ProgramError(
                        "Training ended before its first step: "
                        f"{errors.read_text().strip()}"
                    )
                time.sleep(0.01)
            return time.perf_counter() - start
        finally:
            program.kill()
            program.wait()


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m jaxsoftras.reconstruction.bench",
) -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Time training steps: configurations and numbers of devices, side "
        "by side.",
    )
    parser.add_argument("--config", required=True, help="configuration file")
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="FIELD=VALUE",
        help="override fields of all rows",
    )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="FIELD=VALUE,...",
        help="a further row, with these fields changed; can be repeated",
    )
    parser.add_argument(
        "--devices",
        type=int,
        nargs="+",
        metavar="N",
        help="numbers of devices (default: all of them)",
    )
    parser.add_argument(
        "--steps",
        type=command_line.positive,
        default=200,
        help="of a turn (default: %(default)s)",
    )
    parser.add_argument(
        "--turns",
        type=command_line.positive,
        default=5,
        help="of each row (default: %(default)s)",
    )
    parser.add_argument(
        "--starts",
        type=command_line.positive,
        metavar="N",
        help="time N starts of the training program instead",
    )
    compilation_cache.add_argument(parser)
    options = parser.parse_args(arguments)
    return terminal.run(prog, lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    console = terminal.make_console()
    if options.starts:
        words = ["--config", options.config, "--set", *options.set]
        for number in range(1, options.starts + 1):
            console.print(
                f"start {number}: {time_start(words):.1f} s to the first step"
            )
        return
    found = accelerators.find_devices()
    compilation_cache.follow(options)
    counts = options.devices or [len(found)]
    if not 1 <= min(counts) <= max(counts) <= len(found):
        raise terminal.ProgramError(
            f"--devices must be from 1 to {len(found)}, the number of devices here."
        )
    settings = config.override(config.load(options.config), options.set)
    source = data.open_training_set(settings.data)
    training.check_image_size(settings, source)
    rows = make_rows(settings, options.vary, counts)
    timings = measure(rows, source, options.steps, options.turns)
    title = f"{found[0].device_kind}: {options.turns} turns of {options.steps} steps"
    console.print(make_table(rows, timings, title))
    if peak := profiling.peak_memory():
        console.print(
            f"Peak memory of a device, all rows together: {peak / 1e9:.2f} GB"
        )


if __name__ == "__main__":
    terminal.leave(main)
