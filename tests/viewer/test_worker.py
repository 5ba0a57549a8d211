import threading
import time

import pytest

from jaxsoftras.viewer.worker import Worker


class Log:
    """A worker whose reports and looks are counted."""

    def __init__(self):
        self.reports, self.looks, self.done = [], 0, []
        self.worker = Worker(self.reports.append, seconds=0.01)

    def look(self):
        self.looks += 1
        if self.looks == 3:
            self.worker.stop()

    def run(self, begin=lambda: None):
        self.worker.run(begin, self.look)


def test_only_the_newest_request_of_a_kind_is_done():
    log = Log()
    for number in range(5):
        log.worker.request("a", lambda number=number: log.done.append(number))
        log.worker.request("b", lambda number=number: log.done.append(-number))
    log.run(lambda: log.done.append("begin"))
    assert log.done == ["begin", 4, -4]
    assert log.looks == 3


def test_errors_for_the_user_are_reported_and_the_work_goes_on():
    log = Log()

    def fail():
        raise ValueError("The image is too small.")

    log.worker.request("a", fail)
    log.worker.request("b", lambda: log.done.append("b"))
    log.run()
    assert log.reports == ["The image is too small."] and log.done == ["b"]


def test_bugs_are_raised():
    log = Log()
    log.worker.request("a", lambda: [][1])
    with pytest.raises(IndexError):
        log.run()
    assert not log.reports


def test_an_error_at_the_beginning_ends_the_work():
    log = Log()

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        log.run(fail)
    assert log.looks == 0


def test_a_request_is_done_at_once():
    worker, done = Worker(print, seconds=60), threading.Event()
    thread = threading.Thread(
        target=worker.run, args=(lambda: None, lambda: None), daemon=True
    )
    thread.start()
    time.sleep(0.05)
    worker.request("a", done.set)
    assert done.wait(5)
    worker.stop()
    thread.join(5)
    assert not thread.is_alive()
