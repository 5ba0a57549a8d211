"""Processes that call one function, in order and on all cores.

They are neither forked, which JAX forbids, nor spawned by `multiprocessing`, which runs
the caller's program again in each of them: a script without a guard for ``__main__``
can make data sets too. Each is a fresh interpreter that reads calls from its standard
input until that ends, and which thus outlives no parent.
"""

from __future__ import annotations

import collections
import contextlib
import importlib
import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jaxsoftras

# The package stands in for itself, empty: its own __init__ would import JAX.
_SERVE = """
import sys, types
package = sys.modules["jaxsoftras"] = types.ModuleType("jaxsoftras")
package.__path__ = sys.argv[1:]
from jaxsoftras.shapes import workers
workers.serve()
"""


def map_in_order(
    function: Callable[..., Any], calls: Iterable[tuple], processes: int
) -> Generator[Any]:
    """Calls a function in several processes, a few calls ahead of the consumer.

    Args:
        function: a function of a module; arguments and results can be pickled.
        calls: arguments of each call.
        processes: number of processes; up to 1 calls the function in this one.

    Yields:
        The results in the order of the calls. The processes end with the iterator, also
        after an error or Ctrl-C.

    Raises:
        ChildProcessError: a process ended on its own, for lack of memory perhaps.
    """
    if processes <= 1:
        for arguments in calls:
            yield function(*arguments)
        return
    started = [_start() for _ in range(processes)]
    idle = queue.SimpleQueue()
    for process in started:
        idle.put(process)

    def call(arguments: tuple) -> Any:
        process = idle.get()
        try:
            name = function.__module__, function.__qualname__
            return _ask(process, (*name, arguments))
        finally:
            idle.put(process)

    pool = ThreadPoolExecutor(processes)
    try:
        ahead: collections.deque[Future] = collections.deque()
        for arguments in calls:
            ahead.append(pool.submit(call, arguments))
            if len(ahead) > 4 * processes:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        for process in started:
            process.kill()
        pool.shutdown(cancel_futures=True)
        for process in started:
            # what was not sent to a process that is gone cannot be flushed
            with contextlib.suppress(OSError), process:
                pass


def _start() -> subprocess.Popen[bytes]:
    """Starts a process that serves calls."""
    # one thread each: there is a process for every core
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    path = os.pathsep.join(sys.path)
    return subprocess.Popen(
        [sys.executable, "-c", _SERVE, *jaxsoftras.__path__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **threads, "PYTHONPATH": path},
    )


def _ask(process: subprocess.Popen[bytes], call: tuple) -> Any:
    """Has a process make one call and returns or raises what comes of it."""
    assert process.stdin and process.stdout
    try:
        pickle.dump(call, process.stdin)
        process.stdin.flush()
        result, error = pickle.load(process.stdout)
    except (EOFError, OSError, pickle.UnpicklingError):
        raise ChildProcessError(
            f"A process that makes objects ended with code {process.wait()}: use fewer "
            "processes if it was killed for lack of memory."
        ) from None
    if error is not None:
        raise error
    return result


def serve() -> None:
    """Answers the calls on standard input until it ends; prints go to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            module, name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = getattr(importlib.import_module(module), name)(*arguments), None
        except Exception as error:
            answer = None, error
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
