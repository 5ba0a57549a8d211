"""Processes that call functions, on all cores.

They are neither forked, which JAX forbids, nor spawned by `multiprocessing`, which runs
the caller's program again in each of them: a script without a guard for ``__main__``
can make data sets too. Each is a fresh interpreter that reads calls from its standard
input until that ends, and which thus outlives no parent. It makes one call at a time:
if it dies, the call is known, and another process takes its place.
"""

from __future__ import annotations

import collections
import contextlib
import importlib
import itertools
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import jaxsoftras

# Packages stand in for themselves, empty: their own __init__ imports far more than
# calls need, such as JAX. What these need imports modules, and not public names.
_WITHOUT_JAX = """
import signal, sys, types
signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
for name, path in ("jaxsoftras", ""), ("jaxsoftras.data", "/data"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [folder + path for folder in sys.argv[1:]]
"""
_SERVE = (
    _WITHOUT_JAX
    + """
from jaxsoftras import workers
workers.serve()
"""
)

# glibc keeps the memory of arrays for the next ones: fresh pages took a fifth of the
# time of an object.
_KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),  # the most that all versions take
    "MALLOC_TRIM_THRESHOLD_": str(1 << 28),
}


class ProcessDied(ChildProcessError):
    """A process ended on its own, for lack of memory perhaps."""


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
        ProcessDied: a process ended on its own.
    """
    if processes <= 1:
        for arguments in calls:
            yield function(*arguments)
        return
    with _Pool(processes) as pool:
        ahead: collections.deque[Future] = collections.deque()
        for arguments in calls:
            ahead.append(pool.submit(function, arguments))
            if len(ahead) > 4 * processes:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def map_as_completed(
    function: Callable[..., Any], calls: Iterable[tuple], processes: int
) -> Generator[tuple[tuple, Any]]:
    """Calls a function in several processes and hands on each result as it comes.

    A process that dies takes no other call along. Its own is made once more when all
    the others are done: alone, it has the memory of the whole machine.

    Args:
        function: a function of a module; arguments and results can be pickled.
        calls: arguments of each call.
        processes: number of processes; up to 1 calls the function in this one.

    Yields:
        The arguments and the result of each call, in any order. The result is a
        `ProcessDied` where the process died twice. The processes end with the iterator.
    """
    if processes <= 1:
        for arguments in calls:
            yield arguments, function(*arguments)
        return
    died, futures = [], {}
    with _Pool(processes) as pool:
        rest = iter(calls)
        while True:
            # a few ahead: results that nobody has taken yet fill the memory
            for arguments in itertools.islice(rest, 4 * processes - len(futures)):
                futures[pool.submit(function, arguments)] = arguments
            if not futures:
                break
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                arguments = futures.pop(future)
                try:
                    result = future.result()
                except ProcessDied:
                    died.append(arguments)
                else:
                    yield arguments, result
    with _Pool(1) as pool:
        for arguments in died:
            try:
                result = pool.submit(function, arguments).result()
            except ProcessDied as error:
                result = error
            yield arguments, result


class _Pool:
    """Processes that are started when there are calls for them, and end on exit."""

    def __init__(self, processes: int):
        self._threads = ThreadPoolExecutor(processes)  # each waits for a process
        self._idle = queue.SimpleQueue()
        for _ in range(processes):
            self._idle.put(None)  # one that is to be started
        self._started: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, function: Callable[..., Any], arguments: tuple) -> Future:
        """Has one of the processes make a call."""
        call = function.__module__, function.__qualname__, arguments
        return self._threads.submit(self._call, call)

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            for process in self._started:
                process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._started:
            # what was not sent to a process that is gone cannot be flushed
            with contextlib.suppress(OSError), process:
                pass

    def _call(self, call: tuple) -> Any:
        process = self._idle.get()
        try:
            process = process or self._start()
            return _ask(process, call)
        except ProcessDied:
            process = None
            raise
        finally:
            self._idle.put(process)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise ProcessDied("The processes are at an end.")
            process = _start()
            self._started.append(process)
            return process


def _start() -> subprocess.Popen[bytes]:
    """Starts a process that serves calls."""
    # one thread each: there is a process for every core; and none takes the GPU
    settings = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    settings |= {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)}
    settings |= _KEEP_MEMORY
    return subprocess.Popen(
        [sys.executable, "-c", _SERVE, *jaxsoftras.__path__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **settings},
    )


def _ask(process: subprocess.Popen[bytes], call: tuple) -> Any:
    """Has a process make one call and returns or raises what comes of it."""
    assert process.stdin and process.stdout
    try:
        pickle.dump(call, process.stdin)
        process.stdin.flush()
        result, error = pickle.load(process.stdout)
    except (EOFError, OSError, pickle.UnpicklingError):
        raise ProcessDied(
            f"A process that makes objects ended with code {process.wait()}: use fewer "
            "processes if it was killed for lack of memory."
        ) from None
    if error is not None:
        raise error
    return result


def serve() -> None:
    """Answers the calls on standard input until it ends; prints go to stderr."""
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
        try:
            pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
        except BrokenPipeError:  # the parent is gone
            os._exit(1)
