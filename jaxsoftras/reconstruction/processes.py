"""Several processes of one program, of which each drives a part of the devices.

Every process runs the same program on the same arguments. The first one, number 0,
alone reads and writes the run folder, prints and records; the others learn from it what
they need. Within one process, all functions do the obvious thing.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import pickle
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Sharding

from jaxsoftras import interruption, terminal

T = TypeVar("T")

HEARTBEAT = 60
"""Seconds after which a process that says nothing counts as dead, and JAX ends the
others."""

_FOREVER = 2**31 - 1  # milliseconds, of a wait that the end of another process ends
_PATIENCE = 5_000  # milliseconds that a failing process waits until the others know
_VOTES_EVERY = 1.0  # seconds between the votes on whether to stop, about
_FAILURE = "jaxsoftras/failure"
_KNOWN = "jaxsoftras/failure-is-known"
_numbers = itertools.count()  # of what the first process shares, alike in all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``--distributed``, ``--coordinator``, ``--processes`` and ``--process``."""
    group = parser.add_argument_group(
        "several processes", "The same command is started once for each of them."
    )
    group.add_argument(
        "--distributed",
        action="store_true",
        help="take part in the job of SLURM, Open MPI, Kubernetes or a TPU pod that "
        "started this process",
    )
    group.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="without any of these: host of process 0, and a free port on it",
    )
    group.add_argument("--processes", type=int, metavar="N", help="their number")
    group.add_argument(
        "--process", type=int, metavar="I", help="number of this process, from 0"
    )


@contextlib.contextmanager
def join(options: argparse.Namespace) -> Iterator[None]:
    """Connects the processes within a scope, if the options ask for it.

    An error in one process ends the others: with its sentence, at once; after a
    ``HEARTBEAT``, with a message of JAX, if the process was killed.

    Args:
        options: with the arguments of `add_arguments`.

    Raises:
        ValueError: the options contradict each other.
        ProgramError: the processes do not find each other, or one of them is lost.
    """
    if not _connect(options):
        yield
        return
    watcher = threading.Thread(target=_watch, daemon=True)
    watcher.start()
    try:
        yield
    except interruption.Interrupted as error:
        if str(error):  # all processes stop after the same step
            _leave(watcher)
        else:
            _announce(f"it was stopped by {interruption.name(error.number)}")
        raise
    except Exception as error:
        if _is_about_others(error):
            # whatever the other one has to say arrives first
            time.sleep(_PATIENCE / 1000)
            error = _lost()
        _announce(terminal.explain(error) or f"{type(error).__name__}: {error}")
        raise error from None
    _leave(watcher)


def _connect(options: argparse.Namespace) -> bool:
    """Calls `jax.distributed.initialize`; returns whether the options ask for it."""
    explicit = (options.coordinator, options.processes, options.process)
    if all(option is None for option in explicit):
        if options.distributed:
            _initialize("set --coordinator HOST:PORT --processes N --process I")
        return options.distributed
    if any(option is None for option in explicit):
        raise ValueError(
            "--coordinator, --processes and --process belong together: set all three, "
            "or --distributed alone."
        )
    if not 0 <= options.process < options.processes:
        raise ValueError(
            f"--process must be from 0 to {options.processes - 1}, not "
            f"{options.process}."
        )
    host, colon, port = options.coordinator.rpartition(":")
    if not (host and colon and port.isdecimal()):
        raise ValueError(f"--coordinator is not HOST:PORT: {options.coordinator}.")
    if not options.process:
        _check_port(int(port))
    _initialize(
        f"see that process 0 runs on {host}, and that the others reach it there",
        coordinator_address=options.coordinator,
        num_processes=options.processes,
        process_id=options.process,
        cluster_detection_method="deactivate",
    )
    return True


def _check_port(port: int) -> None:
    """Raises ProgramError if a port is taken, on which JAX would end the process."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except (OSError, OverflowError) as error:
            raise terminal.ProgramError(
                f"Port {port} cannot be opened ({error}): choose another one for "
                "--coordinator, in all processes."
            ) from error


def _initialize(advice: str, **arguments: Any) -> None:
    # it would take SIGTERM away from `interruption.Stop`
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=HEARTBEAT,
            **arguments,
        )
    except (RuntimeError, ValueError) as error:
        reason = terminal.printable(str(error).partition("\n")[0])
        raise terminal.ProgramError(
            f"The processes do not find each other ({reason}): {advice}."
        ) from error


def count() -> int:
    """Number of processes."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is number 0, or the only one."""
    return count() == 1 or jax.process_index() == 0


def _client() -> Any:
    """Client of the service that connects the processes.

    JAX has no public name for it.
    """
    from jax._src import distributed

    return distributed.global_state.client


def on_first(work: Callable[[], T]) -> T:
    """Does something in the first process, for which the others wait.

    Args:
        work: what to do; its result is small, and can be pickled.

    Returns:
        The result, in every process.
    """
    if count() == 1:
        return work()
    key = f"jaxsoftras/{next(_numbers)}"
    if is_first():
        result = work()
        _client().key_value_set_bytes(key, pickle.dumps(result))
        return result
    return pickle.loads(_client().blocking_key_value_get_bytes(key, _FOREVER))


def in_turn(work: Callable[[], T]) -> T:
    """Does something in every process, but not at once in two that share a folder.

    The first process begins. The first of each other host follows, whose disk may be
    its own, and then all others.
    """
    if count() == 1:
        return work()
    number, key = jax.process_index(), f"jaxsoftras/{next(_numbers)}"
    client = _client()
    client.key_value_set(f"{key}/{number}", socket.gethostname())
    client.wait_at_barrier(f"{key}/hosts", _FOREVER)
    hosts = [
        client.blocking_key_value_get(f"{key}/{other}", _FOREVER)
        for other in range(count())
    ]
    turn = 0 if number == 0 else 2 - (hosts.index(hosts[number]) == number)
    result = None
    for now in range(3):
        if now == turn:
            result = work()
        client.wait_at_barrier(f"{key}/{now}", _FOREVER)
    return result  # pyright: ignore[reportReturnType]  # each has had its turn


def share(tree: T) -> T:
    """Copies arrays of NumPy from the first process to the others, bit for bit.

    Args:
        tree: a pytree of arrays, in all processes with the same shapes and dtypes; only
            the first one's values count.
    """
    if count() == 1:
        return tree

    def copy(array: np.ndarray) -> np.ndarray:
        # sent as integers, since -0.0 is lost in a sum with zeros
        words = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        sent = multihost_utils.broadcast_one_to_all(words)
        return np.asarray(sent).view(array.dtype).reshape(array.shape)

    return jax.tree.map(copy, tree)


def place(tree: T, sharding: Sharding | Any) -> T:
    """Puts arrays, of which every process has the whole, on the devices of all.

    Args:
        tree: a pytree of arrays.
        sharding: a sharding for all arrays, or one for each.
    """
    if count() == 1:
        return jax.device_put(tree, sharding)

    def put(array: Any, sharding: Sharding) -> jax.Array:
        whole = np.asarray(array)
        # unlike `jax.device_put`, compares nothing between processes
        return jax.make_array_from_callback(
            whole.shape, sharding, lambda index: whole[index]
        )

    if isinstance(sharding, Sharding):
        return jax.tree.map(lambda array: put(array, sharding), tree)
    return jax.tree.map(put, tree, sharding)


def fetch(tree: T) -> T:
    """Copies whole arrays from the devices of all processes to every host."""
    if count() == 1:
        return jax.device_get(tree)

    def get(array: Any) -> np.ndarray:
        if not isinstance(array, jax.Array) or array.is_fully_addressable:
            return np.asarray(array)
        if array.is_fully_replicated:
            return np.asarray(array.addressable_data(0))
        return multihost_utils.process_allgather(array, tiled=True)

    return jax.tree.map(get, tree)


class Vote:
    """Agreement of all processes to stop after the same step.

    Use ``stops`` after every step.
    """

    def __init__(self, stop: interruption.Stop):
        """Takes part in the votes with what this process was told.

        Args:
            stop: receives the signals of this process. After a vote to stop, its
                ``number`` is that of a signal that one of the processes received.
        """
        self._stop = stop
        self._steps, self._every, self._since = 0, 1, time.monotonic()

    def stops(self) -> bool:
        """Whether to stop now; processes vote about once a second."""
        if count() == 1:
            return self._stop.number is not None
        self._steps += 1
        if self._steps < self._every:
            return False
        elapsed = max(time.monotonic() - self._since, 1e-3)
        wish = [self._stop.number or 0, int(self._steps * _VOTES_EVERY / elapsed)]
        votes = multihost_utils.process_allgather(np.array(wish, np.int32))
        number = int(votes[:, 0].max())
        if number:
            self._stop.number = number
        self._steps, self._every = 0, max(int(votes[0, 1]), 1)
        self._since = time.monotonic()
        return number != 0


def _leave(watcher: threading.Thread) -> None:
    """Waits until all processes have come here, and disconnects them."""
    _client().wait_at_barrier("jaxsoftras/end", _FOREVER)
    jax.distributed.shutdown()
    # a thread that comes back from C++ while Python ends would abort the process
    watcher.join(HEARTBEAT)


def _announce(sentence: str) -> None:
    """Tells the other processes that this one ends, and waits until they know."""
    client = _client()
    with contextlib.suppress(Exception):  # another process has failed before
        client.key_value_set(_FAILURE, f"process {jax.process_index()}: {sentence}")
    _part(client)


def _part(client: Any) -> None:
    """Waits until all processes know of the end, and disconnects them.

    JAX aborts a process that is still connected when the first one, which serves all,
    has ended. The first one ends its service, too, which waits for answers that are
    still on their way.
    """
    with contextlib.suppress(Exception):  # another one may be stuck, or dead
        client.wait_at_barrier(_KNOWN, _PATIENCE)
        jax.distributed.shutdown()


def _watch() -> None:
    """Ends this process when another one has failed; runs in a thread."""
    client, this = _client(), f"process {jax.process_index()}: "
    try:
        sentence = client.blocking_key_value_get(_FAILURE, _FOREVER)
    except Exception:  # the program has ended, or the first process
        return
    if sentence.startswith(this):
        return
    _part(client)
    _end(f"ended by an error in {sentence}")


def _end(sentence: str) -> NoReturn:
    name = os.path.basename(sys.argv[0]) or "jaxsoftras"
    print(f"{name}: {terminal.printable(sentence)}", file=sys.stderr)
    interruption.end_process(2)


def _is_about_others(error: Exception) -> bool:
    """Whether an error of JAX says that another process does not answer."""
    if type(error).__name__ not in ("JaxRuntimeError", "XlaRuntimeError"):
        return False
    text = str(error).lower()
    signs = ("gloo", "nccl", "connection", "peer", "unavailable", "coordination")
    return any(sign in text for sign in signs)


def _lost() -> terminal.ProgramError:
    return terminal.ProgramError(
        "Another process has ended or cannot be reached; what it has written says why. "
        "The same command resumes the run from the last checkpoint, in all processes."
    )
