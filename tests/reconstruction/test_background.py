import threading
import time

import pytest

from jaxsoftras.reconstruction.background import Background


def test_results_come_to_the_callers_thread_in_order():
    seen = []

    def deliver(thread):
        assert thread != threading.get_ident()
        seen.append(threading.get_ident())

    with Background() as work:
        for _ in range(9):  # more than may wait
            work.submit(threading.get_ident, deliver)
        work.wait()
    assert seen == [threading.get_ident()] * 9


def test_an_error_is_raised_as_soon_as_it_is_looked_for():
    def fail():
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"), Background() as work:
        work.submit(fail, print)
        while True:
            work.check()
            time.sleep(0.01)


def test_an_error_elsewhere_is_not_kept_waiting():
    release, begun = threading.Event(), threading.Event()
    done = []

    def wait():
        begun.set()
        release.wait(60)

    with pytest.raises(ValueError), Background() as work:
        work.submit(wait, done.append)
        work.submit(lambda: done.append("never"), done.append)
        begun.wait(60)
        raise ValueError
    assert not release.is_set() and not done
    release.set()
