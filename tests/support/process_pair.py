"""Programs in two processes of one device each, which work together."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from tests.support import small_run


class Ended(NamedTuple):
    """The end of a process."""

    code: int
    out: str
    err: str


def options(process: int, port: int) -> list[str]:
    """The words by which a program takes part."""
    words = {"coordinator": f"localhost:{port}", "processes": 2, "process": process}
    return [word for key, value in words.items() for word in (f"--{key}", str(value))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def start(
    *words: str, different: Sequence[Sequence[str]] = ((), ())
) -> list[subprocess.Popen]:
    """Starts both processes of a program.

    Args:
        words: those of Python.
        different: further words of each process.
    """
    port = free_port()
    # simulated devices are for tests within one process
    flag = "--xla_force_host_platform_device_count"
    flags = [f for f in os.environ["XLA_FLAGS"].split() if not f.startswith(flag)]
    return [
        subprocess.Popen(
            [sys.executable, *words, *different[process], *options(process, port)],
            cwd=small_run.ROOT,
            env={**os.environ, "XLA_FLAGS": " ".join(flags)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(2)
    ]


def finish(started: Sequence[subprocess.Popen], timeout: float = 300) -> list[Ended]:
    """Waits for the end of all; kills them if they do not end."""
    try:
        ended = [(*process.communicate(timeout=timeout),) for process in started]
    finally:
        for process in started:
            process.kill()
    return [
        Ended(process.returncode, *outputs)
        for process, outputs in zip(started, ended, strict=True)
    ]
