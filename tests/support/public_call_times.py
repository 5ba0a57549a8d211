"""Times of small calls of every public function: the table of docs/performance.md.

python -m tests.support.public_call_times
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax

from tests.support import compilations
from tests.support.public_calls import CALLS
from tests.support.public_calls.inputs import gradient


def _milliseconds(function: Callable[[Any], Any], argument: Any) -> float:
    """The least time of several calls, which other programs disturb least."""
    jax.block_until_ready(function(argument))
    times = []
    for _ in range(21):
        start = time.perf_counter()
        jax.block_until_ready(function(argument))
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


def main() -> None:
    """Prints the table."""
    print("| function | compilations | of the gradient | ms | ms in `jax.jit` |")
    print("|---|---|---|---|---|")
    for name, call in CALLS.items():
        counts = [
            compilations.count_of_second(function, call.argument)
            for function in (call.function, *([gradient(call)] if call.smooth else []))
        ]
        eager = _milliseconds(call.function, call.argument)
        compiled = "-"
        if call.traced:
            compiled = f"{_milliseconds(jax.jit(call.function), call.argument):.2f}"
        of_gradient = str(counts[1]) if call.smooth else "-"
        print(f"| `{name}` | {counts[0]} | {of_gradient} | {eager:.2f} | {compiled} |")


if __name__ == "__main__":
    main()
