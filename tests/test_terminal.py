"""Errors of programs: one sentence, an exit code, and an end."""

import errno
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jaxsoftras import terminal

ROOT = Path(__file__).parents[1]
JaxRuntimeError = type("JaxRuntimeError", (RuntimeError,), {})


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (terminal.ProgramError("say so."), "say so."),
        (ValueError("two\nlines"), "two\\nlines"),
        (OSError(errno.ENOSPC, "No space", "x.npz"), "the disk is full at x.npz: free"),
        (terminal.ProgramError("No space left on device [28]"), "the disk is full: fr"),
        (OSError(errno.EACCES, "no", "a.npz"), "a.npz: you may not read"),
        (OSError(errno.EIO, "no"), "p: the disk or its connection fails"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "output has ended"),
        (
            MemoryError("Unable to allocate 24 TiB"),
            "not suffice (Unable to allocate 24",
        ),
        (JaxRuntimeError("RESOURCE_EXHAUSTED: 9 GB\nmore"), "device does not suffice"),
    ],
)
def test_one_sentence(error, sentence, capsys):
    def fail() -> None:
        raise error

    assert terminal.run("p", fail) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("p: ") and sentence in line


@pytest.mark.parametrize("error", [KeyError("x"), JaxRuntimeError("INTERNAL: x")])
def test_bugs_are_raised(error):
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        terminal.run("p", fail)


def test_threads_say_nothing_of_what_others_report(capsys):
    def fail() -> None:
        raise OSError("no space")

    def command() -> None:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    assert terminal.run("p", command) == 0
    assert capsys.readouterr().err == ""


def test_a_console_without_a_reader_raises():
    class Closed:
        encoding = "utf-8"

        def write(self, text):
            raise BrokenPipeError

        def flush(self): ...

    with pytest.raises(BrokenPipeError):
        terminal.make_console(file=Closed()).print("x")


@pytest.mark.parametrize("command", ["raise OSError('x')", "1 / 0"])
def test_ends_with_its_code_where_nobody_reads_stderr(command):
    code = (
        "import os, threading\n"
        "from jaxsoftras import terminal\n"
        "reader, writer = os.pipe()\n"
        "os.close(reader)\n"
        "os.dup2(writer, 2)\n"
        "def fail():\n"
        "    threading.Thread(target=threading.Event().wait).start()\n"
        f"    {command}\n"
        "terminal.leave(lambda: terminal.run('p', fail))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, timeout=60
    )
    assert result.returncode == (2 if "OSError" in command else 1)


def test_discarded_output_is_no_error_at_the_end():
    code = (
        "import os, sys\n"
        "from jaxsoftras import terminal\n"
        "reader, writer = os.pipe()\n"
        "os.close(reader)\n"
        "os.dup2(writer, 1)\n"
        "sys.stdout = open(1, 'w', closefd=False)\n"
        "print('held back')\n"
        "terminal.discard_output()\n"
        "terminal.leave(lambda: terminal.run('p', lambda: print('more')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, b"")


def test_no_thread_keeps_a_failed_program_alive():
    code = (
        "import threading\n"
        "from jaxsoftras import terminal\n"
        "def main():\n"
        "    threading.Thread(target=threading.Event().wait).start()\n"
        "    raise KeyError('a bug')\n"
        "terminal.leave(main)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "Traceback" in result.stderr and "a bug" in result.stderr
