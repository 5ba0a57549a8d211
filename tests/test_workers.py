"""Processes that call a function: order, errors and their end."""

import os
import subprocess
import sys

import pytest

import jaxsoftras
from jaxsoftras import workers


def test_results_come_in_order_from_several_processes():
    calls = [(k, 2) for k in range(9)]
    for processes in (1, 2):
        found = list(workers.map_in_order(pow, calls, processes))
        assert found == [k**2 for k in range(9)]


def test_processes_are_others_and_end_early():
    results = workers.map_in_order(os.getpid, [()] * 50, 2)
    first = next(results)
    assert first != os.getpid()
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_errors_come_back():
    with pytest.raises(ZeroDivisionError):
        list(workers.map_in_order(divmod, [(4, 0)] + [(4, 2)] * 20, 2))
    with pytest.raises(workers.ProcessDied, match="code 3"):
        list(workers.map_in_order(os._exit, [(3,)], 2))


def _exit_unless(positive: int) -> int:
    if positive <= 0:
        os._exit(4)
    return os.getpid()


def test_a_process_that_dies_takes_no_other_call_along():
    calls = [(k,) for k in (0, 1, 2, 0, 3)]
    made = list(workers.map_as_completed(_exit_unless, calls, 2))
    assert sorted(arguments for arguments, _ in made) == sorted(calls)
    for (number,), result in made:
        assert isinstance(result, int if number else workers.ProcessDied)


def test_a_program_without_a_guard_may_use_them_and_leaves_none_behind(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, signal\n"
        "from jaxsoftras import workers\n"
        "print(*workers.map_in_order(abs, [(-1,), (-2,)], 2), flush=True)\n"
        "left = workers.map_in_order(abs, [(-1,)] * 50, 2)\n"
        "next(left)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = [sys.executable, str(program)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    # waits for the end of all processes that hold its standard error
    done = subprocess.run(words, capture_output=True, text=True, env=env, timeout=60)
    assert done.stdout == "1 2\n" and done.returncode == -9
    assert done.stderr == ""


def test_shapes_are_made_without_jax():
    program = workers._WITHOUT_JAX + (
        "from jaxsoftras.shapes import making\n"
        "assert making.make_object and 'jax' not in sys.modules\n"
    )
    words = [sys.executable, "-c", program, *jaxsoftras.__path__]
    subprocess.run(words, check=True)
