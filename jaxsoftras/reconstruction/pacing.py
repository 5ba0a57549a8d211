"""The number of training steps that are dispatched at once."""

from __future__ import annotations

from collections.abc import Sequence

import jax

_SECONDS = 0.25
"""Duration of a chunk, at most. Two are under way when a signal is looked at."""


class Pace:
    """Chooses chunks of steps that end where something is due, and soon."""

    def __init__(
        self, steps: int, intervals: Sequence[int], largest: int, stride: int = 1
    ):
        """Begins with the smallest chunk, whose duration is not known.

        Args:
            steps: total number of steps.
            intervals: numbers of steps between checkpoints and the like. No chunk goes
                beyond a multiple of one.
            largest: most steps of a chunk.
            stride: number of which all chunks, and everything else, are multiples.
        """
        self._steps = steps
        self._intervals = intervals
        self._largest = largest
        self._stride = stride
        self._affordable = stride

    def choose(self, step: int) -> int:
        """Number of steps of the next chunk, after ``step`` steps."""
        due = min(
            self._steps, *((step // every + 1) * every for every in self._intervals)
        )
        return min(due - step, self._affordable // self._stride * self._stride)

    def measure(self, count: int, seconds: float) -> None:
        """Takes note of how long a chunk of ``count`` steps took."""
        if jax.process_count() > 1:
            return  # processes measure differently, and must dispatch alike
        fitting = int(_SECONDS * count / max(seconds, 1e-9))
        # at most doubled, for a single measurement may be wrong
        most = min(fitting, 2 * self._affordable, self._largest)
        self._affordable = max(self._stride, most)
