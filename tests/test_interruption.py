"""Signals: what ends a program, with which code, and what does not."""

import contextlib
import os
import signal
import threading
import time

import pytest

from jaxsoftras import interruption, terminal


@pytest.fixture(autouse=True)
def handled():
    """Nothing is ignored, as it is where the tests run under nohup."""
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
    + [(signal.SIGUSR1, 128 + signal.SIGUSR1)],
)
def test_the_first_signal_ends_the_program_with_its_code(number, code, capsys):
    before = signal.getsignal(number)
    assert terminal.run("p", lambda: send(number), interrupted="stopped.") == code
    assert capsys.readouterr().err == "p: stopped.\n"
    assert signal.getsignal(number) is before


def test_a_deferred_signal_is_noted():
    stop = interruption.Stop()

    def command() -> None:
        with stop.defer():
            send(signal.SIGTERM)
        assert stop.number == signal.SIGTERM

    assert terminal.run("p", command, stop=stop) == 0


@pytest.mark.parametrize("at_once", [False, True])
def test_a_second_signal_ends_the_process(at_once, monkeypatch, capfd):
    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(interruption, "end_process", end)
    stop = interruption.Stop()
    with (
        pytest.raises(SystemExit) as ended,
        stop.handle("p", at_once=at_once),
        stop.defer(),
    ):
        if not at_once:
            send(signal.SIGINT)
        send(signal.SIGTERM)
    assert ended.value.code == 143
    assert capfd.readouterr().err == "p: stopped at once by SIGTERM.\n"


def test_a_signal_in_a_destructor_is_not_lost(capsys):
    class Object:
        def __del__(self):
            send(signal.SIGINT)

    def command() -> None:
        Object()  # Python goes on after an exception in a destructor
        time.sleep(10)

    assert terminal.run("p", command) == 130
    assert capsys.readouterr().err == "p: interrupted.\n"


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as by nohup
    try:
        assert terminal.run("p", lambda: send(signal.SIGHUP)) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_install_no_handlers():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with interruption.Stop().handle("p"):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_work_in_progress_is_cleaned_up():
    cleaned = []

    def command() -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(cleaned.append, True)
            send(signal.SIGTERM)

    assert terminal.run("p", command) == 143
    assert cleaned
