"""A program of two processes that uses `jaxsoftras.reconstruction.processes`.

It says what went wrong in its exit code and on stderr.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jaxsoftras import interruption, terminal
from jaxsoftras.reconstruction import processes


def check_sharing() -> None:
    this = jax.process_index()
    assert processes.count() == 2 and processes.is_first() == (this == 0)
    assert processes.on_first(lambda: (this, "known to all")) == (0, "known to all")
    values = np.array([this - 0.0, -0.0, np.nan], np.float32)
    copied = processes.share({"a": values})["a"]
    assert copied.tobytes() == np.array([0, -0.0, np.nan], np.float32).tobytes()

    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    whole = np.arange(6, dtype=np.int32).reshape(2, 3)
    for spec in P("data"), P():
        placed: Any = processes.place(whole, NamedSharding(mesh, spec))
        assert placed.sharding.spec == spec
        np.testing.assert_array_equal(processes.fetch(placed), whole)


def check_turns(folder: Path) -> None:
    def work() -> str:
        (folder / "made").touch(exist_ok=jax.process_index() == 1)
        return f"{jax.process_index()}"

    assert processes.in_turn(work) == f"{jax.process_index()}"


def check_vote() -> None:
    stop = interruption.Stop()
    vote, step = processes.Vote(stop), 0
    while True:
        step += 1
        if step == 3 and jax.process_index() == 1:
            stop.number = 15
        time.sleep(0.01)
        if vote.stops():
            break
    assert stop.number == 15
    assert step == processes.on_first(lambda: step)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fail", type=int)
    processes.add_arguments(parser)
    options = parser.parse_args()

    def command() -> None:
        with processes.join(options):
            check_sharing()
            check_turns(options.folder)
            check_vote()
            if jax.process_index() == options.fail:
                raise terminal.ProgramError("the disk is on fire.")
            if options.fail is not None:
                time.sleep(100)

    def slow_to_end() -> None:
        try:
            command()
        except terminal.ProgramError:
            time.sleep(1)  # the other one must not end first, and take this one along
            raise

    return terminal.run("pair", slow_to_end)


if __name__ == "__main__":
    terminal.leave(main)
