import threading

import pytest

from device.platform.patience import FIRST_PAUSE, LONGEST_PAUSE, Patience
from tests.device.clocks import ManualClock


class Late:
    """Something that appears at some time."""

    def __init__(self, clock: ManualClock, at: float) -> None:
        self.clock = clock
        self.at = at
        self.tried: list[float] = []

    def __call__(self) -> str:
        self.tried.append(self.clock.seconds)
        if self.clock.seconds < self.at:
            raise OSError("not there")
        return "there"


def test_it_is_tried_again_after_pauses_that_double_until_it_works() -> None:
    clock, waits = ManualClock(), []
    late = Late(clock, clock.seconds + 20.0)
    patience = Patience(clock, 60.0, threading.Event(), waits.append)
    assert patience.until_it_works(late, OSError) == "there"
    pauses = [after - before for before, after in zip(late.tried, late.tried[1:], strict=False)]
    assert pauses[:5] == [FIRST_PAUSE * 2**n for n in range(5)]
    assert max(pauses) == LONGEST_PAUSE
    assert len(waits) == len(pauses)


def test_all_that_is_waited_for_has_one_span_of_time() -> None:
    clock = ManualClock()
    begin = clock.seconds
    patience = Patience(clock, 10.0, threading.Event(), lambda error: None)
    patience.until_it_works(Late(clock, begin + 6.0), OSError)
    with pytest.raises(OSError, match="not there"):
        patience.until_it_works(Late(clock, begin + 16.0), OSError)
    assert clock.seconds == begin + 10.0


def test_without_time_nothing_is_waited_for() -> None:
    clock = ManualClock()
    late = Late(clock, clock.seconds + 1.0)
    with pytest.raises(OSError, match="not there"):
        Patience(clock, 0.0, threading.Event(), pytest.fail).until_it_works(late, OSError)
    assert len(late.tried) == 1


def test_other_errors_are_not_waited_out() -> None:
    clock = ManualClock()
    with pytest.raises(OSError, match="not there"):
        Patience(clock, 9.0, threading.Event(), pytest.fail).until_it_works(
            Late(clock, clock.seconds + 1.0), KeyError
        )


def test_told_to_end_it_waits_no_more() -> None:
    clock, stop = ManualClock(), threading.Event()
    stop.set()
    late = Late(clock, clock.seconds + 1.0)
    with pytest.raises(OSError, match="not there"):
        Patience(clock, 9.0, stop, lambda error: None).until_it_works(late, OSError)
    assert len(late.tried) == 1
