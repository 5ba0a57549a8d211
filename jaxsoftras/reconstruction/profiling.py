"""Profiles of a run: a trace of some steps, and a table of its largest kernels.

The trace is `jax.profiler`'s and opens in TensorBoard, XProf and Perfetto. The table is
made from it: CUDA kernels and copies on a GPU, XLA's operations on a CPU.
"""

from __future__ import annotations

import collections
import re
import time
import types
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxsoftras import atomic

FOLDER = "profile"
"""Name of the folder in the run folder."""
TABLE = "kernels.txt"
"""Name of the table in `FOLDER`."""

_WARM_UP = 10  # steps before the trace, of which the first ones compile
_SHOWN = 15  # rows that are printed; the file has all
_WIDTH = 56  # of the names of kernels, characters
# operations that contain others, whose time is theirs
_CONTROL = re.compile(r"(while|conditional|call)([.\d]*)$")


class Kernel(NamedTuple):
    """A kernel of a trace.

    Attributes:
        name: its name in the trace.
        calls: number of calls on one device.
        seconds: time of all calls on one device.
    """

    name: str
    calls: float
    seconds: float


class Profiler:
    """Traces a number of steps of a run after a warm-up.

    Use as a context manager around the training loop, which calls `after_step`.
    """

    def __init__(self, workdir: Path, start: int, steps: int):
        """Plans a trace.

        Args:
            workdir: the run folder.
            start: number of steps taken so far.
            steps: number of steps to trace.
        """
        self._folder = workdir / FOLDER
        self._steps = steps
        self._calls = 0
        self._start = start
        self._first: int | None = None  # the step that the trace begins after
        self._begun = 0.0
        self._done = False

    def after_step(self, step: int, state: Any) -> list[str]:
        """Begins or ends the trace when it is time to.

        An error of the profiler or the disk is a warning: the run goes on.

        Args:
            step: number of steps taken.
            state: result of the latest one, which the trace waits for.

        Returns:
            Lines of the table, when the trace has ended; otherwise none.
        """
        self._calls += 1
        if self._done:
            return []
        try:
            return self._trace(step, state)
        except (OSError, RuntimeError, ValueError) as error:
            self._done = True
            warnings.warn(
                f"There is no profile: {str(error).partition(chr(10))[0]}; the run "
                "goes on.",
                stacklevel=2,
            )
            return []

    def _trace(self, step: int, state: Any) -> list[str]:
        if self._first is None:
            # the second call may compile as well, for other shardings
            if step >= self._start + _WARM_UP and self._calls > 2:
                jax.block_until_ready(state)
                self._begin(step)
        elif step >= self._first + self._steps:
            jax.block_until_ready(state)
            return self._end(step)
        return []

    def _begin(self, step: int) -> None:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0  # every call of Python would fill the trace
        options.host_tracer_level = 1
        self._folder.mkdir(exist_ok=True)
        jax.profiler.start_trace(str(self._folder), profiler_options=options)
        self._first, self._begun = step, time.monotonic()

    def _end(self, step: int) -> list[str]:
        assert self._first is not None
        seconds, self._done = time.monotonic() - self._begun, True
        jax.profiler.stop_trace()
        steps = step - self._first
        title = (
            f"Steps {self._first + 1} to {step}: {1e3 * seconds / steps:.3f} ms a step"
        )
        path = find_trace(self._folder)
        kernels = read_kernels(path)
        with atomic.file(self._folder / TABLE) as partial:
            lines = format_kernels(kernels, steps, title)
            partial.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return [
            *format_kernels(kernels, steps, title, rows=_SHOWN, width=_WIDTH),
            f"All kernels: {self._folder / TABLE}; trace: {path}",
        ]

    def __enter__(self) -> Profiler:
        """Returns the profiler."""
        return self

    def __exit__(
        self, kind: type | None, error: object, trace: types.TracebackType | None
    ) -> None:
        """Ends a trace that the run did not complete, with a warning."""
        if self._first is not None and not self._done:
            jax.profiler.stop_trace()
        if kind is None and not self._done:
            warnings.warn(
                f"There is no profile: it needs {_WARM_UP} steps and {self._steps} "
                "more, and the run ended before.",
                stacklevel=2,
            )


def find_trace(folder: Path) -> Path:
    """Finds the newest trace that `jax.profiler` has written to a folder."""
    return max(folder.rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime_ns)


def read_kernels(path: Path) -> list[Kernel]:
    """Sums up the kernels of a trace, the longest first.

    Args:
        path: a file ``.xplane.pb``.

    Returns:
        Kernels; calls and seconds are means over the devices in the trace.
    """
    with warnings.catch_warnings():
        # Python 3.12 and later, of the classes of jaxlib
        warnings.filterwarnings("ignore", "builtin type", DeprecationWarning)
        return _read_kernels(path)


def _read_kernels(path: Path) -> list[Kernel]:
    planes = list(jax.profiler.ProfileData.from_file(str(path)).planes)
    devices = [plane for plane in planes if plane.name.startswith("/device:")]
    # a device's streams hold kernels; its other lines repeat them, by operation
    streams = {
        plane.name: [line for line in plane.lines if line.name.startswith("Stream")]
        for plane in devices
    }
    streams = {name: lines for name, lines in streams.items() if lines}
    if streams:
        events = (_read_stream(line) for lines in streams.values() for line in lines)
        return _sum_up(events, len(streams))
    operations = [
        event
        for plane in planes
        if plane.name == "/host:CPU"
        for line in plane.lines
        for event in _read_operations(line)
    ]
    ordinals = {ordinal for _, _, ordinal in operations}
    return _sum_up(
        [((name, duration) for name, duration, _ in operations)], len(ordinals)
    )


def _read_stream(line: Any) -> Iterator[tuple[str, float]]:
    """Names and nanoseconds of the events of a GPU's stream."""
    return ((event.name, event.duration_ns) for event in line.events)


def _read_operations(line: Any) -> Iterator[tuple[str, float, int]]:
    """Names, nanoseconds and devices of XLA's operations on one thread of a CPU."""
    for event in line.events:
        stats = dict(event.stats)
        if stats.get("hlo_op") == event.name and not _CONTROL.match(event.name):
            yield event.name, event.duration_ns, stats["device_ordinal"]


def _sum_up(lines: Iterable[Iterable[tuple[str, float]]], devices: int) -> list[Kernel]:
    calls: collections.Counter[str] = collections.Counter()
    times: dict[str, float] = collections.defaultdict(float)
    for line in lines:
        for name, nanoseconds in line:
            calls[name] += 1
            times[name] += nanoseconds
    kernels = [
        Kernel(name, calls[name] / devices, 1e-9 * total / devices)
        for name, total in times.items()
    ]
    return sorted(kernels, key=lambda kernel: -kernel.seconds)


def format_kernels(
    kernels: list[Kernel],
    steps: int,
    title: str,
    *,
    rows: int | None = None,
    width: int | None = None,
) -> list[str]:
    r"""Formats a table of kernels: calls and microseconds a step, share, name.

    Args:
        kernels: kernels, the longest first.
        steps: number of steps in the trace.
        title: beginning of the first line, which goes on with the sums.
        rows: largest number of rows; all if None. A row for the rest follows.
        width: largest number of characters of a name; any if None.

    Example:
        >>> from jaxsoftras.reconstruction import profiling
        >>> kernels = [
        ...     profiling.Kernel("gemm", 20, 0.003), profiling.Kernel("add", 40, 0.001)
        ... ]
        >>> print(*profiling.format_kernels(kernels, 10, "Steps 11 to 20"), sep="\n")
        Steps 11 to 20; kernels: 0.400 ms in 6.0 calls
        calls a step  us a step   share  kernel
                 2.0      300.0   75.0%  gemm
                 4.0      100.0   25.0%  add
    """
    total = sum(kernel.seconds for kernel in kernels)
    calls = sum(kernel.calls for kernel in kernels)
    shown, rest = kernels[:rows], kernels[len(kernels[:rows]) :]
    if rest:
        merged = Kernel(
            f"{len(rest)} others",
            sum(kernel.calls for kernel in rest),
            sum(kernel.seconds for kernel in rest),
        )
        shown = [*shown, merged]
    lines = [
        f"{title}; kernels: {1e3 * total / steps:.3f} ms in {calls / steps:.1f} calls",
        "calls a step  us a step   share  kernel",
    ]
    for kernel in shown:
        microseconds, share = 1e6 * kernel.seconds / steps, kernel.seconds / total
        lines.append(
            f"{kernel.calls / steps:12.1f}  {microseconds:9.1f}  {share:6.1%}  "
            f"{_shorten(kernel.name, width)}"
        )
    return lines


def _shorten(name: str, width: int | None) -> str:
    """Removes the middle of a long name, whose ends tell kernels apart."""
    if width is None or len(name) <= width:
        return name
    half = (width - 3) // 2
    return f"{name[:half]}...{name[-half:]}"


def peak_memory() -> int | None:
    """Largest number of bytes in use on any device so far, where devices tell."""
    stats: list[Mapping[str, int]] = [
        device.memory_stats() or {} for device in jax.local_devices()
    ]
    peaks = [each["peak_bytes_in_use"] for each in stats if "peak_bytes_in_use" in each]
    return max(peaks, default=None)
