"""Processes that call a function: order, errors and their end."""

import os
import subprocess
import sys

import pytest

from jaxsoftras.shapes import workers


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
        list(workers.map_in_order(divmod, [(4, 2), (4, 0)], 2))
    with pytest.raises(ChildProcessError, match="code 3"):
        list(workers.map_in_order(os._exit, [(3,)], 2))


def test_a_program_without_a_guard_may_use_them(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from jaxsoftras.shapes import workers\n"
        "print(*workers.map_in_order(abs, [(-1,), (-2,)], 2))\n"
    )
    words = [sys.executable, str(program)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(words, capture_output=True, text=True, env=env, check=True)
    assert done.stdout == "1 2\n"
