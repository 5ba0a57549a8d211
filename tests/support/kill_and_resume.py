"""Kills a training run at random moments, and compares what its resumes arrive at.

    python -m tests.support.kill_and_resume --kills 20

A run is killed by SIGKILL and resumed until it is complete; then parameters, optimiser,
metrics and the checkpoints that are left must be those of a run that was left alone,
bit for bit. A complete run is followed by another one until the number of kills is
reached. Writes to a temporary folder, and prints a line for each kill.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxsoftras.reconstruction import (
    checkpoint_files,
    checkpoint_scores,
    orbax_format,
    records,
)
from tests.support import small_run

VARYING = {"time", "steps_per_second", "val_seconds"}  # not the same in two runs

_TRAINING = 0.5  # seconds within which a process dies that has begun to train


class Result(NamedTuple):
    """What the runs came to."""

    runs: int
    kills_by_phase: dict[str, int]
    """Kills before the first checkpoint was there, and after it."""


def read_final(workdir: Path) -> list[tuple[str, bytes]]:
    """Bytes of every array of the newest checkpoint, by name."""
    folder = workdir / "checkpoints"
    step = checkpoint_files.list_steps(folder)[-1]
    assert checkpoint_files.find_damage(folder / str(step)) is None
    item = folder / str(step) / "default"
    state = orbax_format.read(item, orbax_format.read_structure(item))
    leaves = jax.tree.leaves_with_path(state)
    return [(jax.tree_util.keystr(path), np.asarray(x).tobytes()) for path, x in leaves]


def read_metrics(workdir: Path) -> list[dict[str, float]]:
    """Lines of metrics.jsonl by step, without what is measured.

    Validations are made beside the steps, and their lines may come later.
    """
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return sorted(
        (
            {name: x for name, x in line.items() if name not in VARYING}
            for line in lines
        ),
        key=lambda line: (line["step"], records.PART in line),
    )


def read_scores(workdir: Path) -> dict[int, float | None]:
    """Steps of the checkpoints that are left, and the scores of their validations."""
    folder = workdir / "checkpoints"
    steps = checkpoint_files.list_steps(folder)
    return {step: checkpoint_scores.find(folder, step) for step in steps}


def start(workdir: Path, arguments: Sequence[str]) -> subprocess.Popen:
    """Starts the training program, by the folder alone where there is a run."""
    if (workdir / "config.json").exists():
        arguments = []
    return subprocess.Popen(
        [sys.executable, "train.py", "--workdir", str(workdir), *arguments],
        cwd=small_run.ROOT,
        stdout=subprocess.DEVNULL,
    )


def wait_for_checkpoint(process: subprocess.Popen, workdir: Path) -> None:
    """Waits for a new checkpoint, or for the end of the process."""
    folder = workdir / "checkpoints"
    before = checkpoint_files.list_steps(folder)
    while process.poll() is None and checkpoint_files.list_steps(folder) == before:
        time.sleep(0.01)


def check_kills(
    folder: Path, arguments: Sequence[str], kills: int, seed: int = 0
) -> Result:
    """Kills runs and compares them with one that is left alone.

    Args:
        folder: an empty folder for the runs.
        arguments: words of the training program, but for ``--workdir``.
        kills: number of kills.
        seed: seed of the moments.

    Raises:
        AssertionError: a run could not be resumed, or came to something else.
    """
    begun = time.monotonic()
    alone = folder / "alone"
    assert start(alone, arguments).wait() == 0
    wanted = read_final(alone), read_metrics(alone), read_scores(alone)
    duration = time.monotonic() - begun
    moments = random.Random(seed)
    phases = {"before the first checkpoint": 0, "after it": 0}
    runs = done = 0
    while done < kills:
        runs += 1
        workdir = folder / f"killed [{runs}]"
        code = None
        while code is None:
            fresh, begun = not workdir.exists(), time.monotonic()
            process = start(workdir, arguments)
            moment = None
            if done < kills and moments.random() < 0.5:  # most of a start is no step
                wait_for_checkpoint(process, workdir)
                moment = moments.uniform(0, _TRAINING)
            elif done < kills:
                moment = moments.uniform(0, duration)
            try:
                code = process.wait(moment)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                done += 1
                steps = checkpoint_files.list_steps(workdir / "checkpoints")
                phases[list(phases)[bool(steps)]] += 1
                elapsed = time.monotonic() - begun
                print(f"kill {done} after {elapsed:.2f} s, checkpoints {steps}")
        if fresh:  # sooner than the first, which had more to compile
            duration = time.monotonic() - begun
        assert code == 0, f"a resumed run ended with {code}"
        assert read_final(workdir) == wanted[0], "another final state"
        assert read_metrics(workdir) == wanted[1], "other metrics"
        assert read_scores(workdir) == wanted[2], "other checkpoints"
        print(f"run {runs} is equal to the run that was left alone")
    return Result(runs, phases)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    parser.add_argument("--config", default="configs/demo.py")
    parser.add_argument(
        "--set",
        nargs="+",
        default=[
            *("optim.steps=60", "log.checkpoint_every=7", "log.metrics_every=5"),
            *("log.validate_every=7", "log.keep_checkpoints=1"),
        ],
        help="overrides of the configuration (default: %(default)s)",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = ["--config", options.config, "--set", *options.set]
        print(check_kills(Path(folder), words, options.kills, options.seed))


if __name__ == "__main__":
    main()
