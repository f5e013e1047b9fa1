import os
import signal
import threading

import pytest

from device.platform.clock import Clock
from device.platform.signals import ENDING, told_to_end
from tests.device.scripted import GIVE_UP_SECONDS


@pytest.mark.parametrize("number", ENDING)
def test_signal_is_heard_and_handlers_are_as_before_afterwards(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in ENDING]
    left: list[int] = []
    with told_to_end(Clock(), left.append) as ending:
        assert not ending.asked.is_set()
        os.kill(os.getpid(), number)
        assert ending.asked.wait(GIVE_UP_SECONDS)
    assert ending.noticed.is_set()
    assert [signal.getsignal(each) for each in ENDING] == before
    assert signal.set_wakeup_fd(-1) == -1
    assert not any(thread.name == "signals" for thread in threading.enumerate())
    assert left == []


def test_main_thread_that_does_not_notice_is_left() -> None:
    done: list[object] = []
    left = threading.Event()

    def leave(status: int) -> None:
        done.append(status)
        left.set()

    with told_to_end(Clock(speed=50.0), leave) as ending:
        ending.if_it_hangs.callback(done.append, "closed")
        os.kill(os.getpid(), signal.SIGTERM)
        assert left.wait(GIVE_UP_SECONDS)
    assert done == ["closed", 0]


def test_what_fails_at_the_end_does_not_keep_the_process() -> None:
    left = threading.Event()
    with told_to_end(Clock(speed=50.0), lambda status: left.set()) as ending:
        ending.if_it_hangs.callback({}.pop, "missing")
        os.kill(os.getpid(), signal.SIGTERM)
        assert left.wait(GIVE_UP_SECONDS)


def test_other_signals_ask_for_nothing() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with told_to_end(Clock(), pytest.fail) as ending:
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR1)
            assert not ending.asked.wait(0.2)
    finally:
        signal.signal(signal.SIGUSR1, before)
