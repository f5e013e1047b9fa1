import errno
import io
import logging

import pytest

from device.errors import RecordError, SourceError
from device.platform.logs import REPEAT_SECONDS, log_expected, start_logging
from tests.device.clocks import ManualClock

LOGGER = logging.getLogger("device.test")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def log(clock: ManualClock) -> io.StringIO:
    """What is written, where no journal listens."""
    stream = io.StringIO()
    start_logging(clock, stream, {})
    return stream


def written(log: io.StringIO) -> list[str]:
    """Return the lines since this was asked last."""
    lines = log.getvalue().splitlines()
    log.seek(0)
    log.truncate()
    return lines


def test_line_tells_its_level_and_who_says_it(log: io.StringIO) -> None:
    LOGGER.debug("for a developer")
    LOGGER.info("a camera of %d lines", 720)
    LOGGER.warning("gone")
    assert written(log) == ["INFO device.test: a camera of 720 lines", "WARNING device.test: gone"]


def test_line_that_is_said_over_and_over_is_written_once_and_counted(
    log: io.StringIO, clock: ManualClock
) -> None:
    for _ in range(10):
        LOGGER.warning("gone")
        clock.seconds += REPEAT_SECONDS / 20
    assert written(log) == ["WARNING device.test: gone"]
    clock.seconds += REPEAT_SECONDS / 2
    LOGGER.warning("gone")
    assert written(log) == ["WARNING device.test: gone (and 9 times since it was last written)"]
    clock.seconds += REPEAT_SECONDS
    LOGGER.warning("gone")
    assert written(log) == ["WARNING device.test: gone"]


def test_nothing_but_the_same_line_is_held_back(log: io.StringIO) -> None:
    LOGGER.warning("camera %d", 1)
    LOGGER.warning("camera %d", 2)
    LOGGER.error("camera %d", 1)
    logging.getLogger("device.other").warning("camera 1")
    assert len(written(log)) == 4


def test_another_error_is_not_held_back_though_its_message_is_the_same(log: io.StringIO) -> None:
    for kind in (ValueError, TypeError, ValueError):
        LOGGER.error("The analysis failed.", exc_info=kind("no tensor"))
    assert [line for line in written(log) if line.endswith("Error")] == ["ValueError", "TypeError"]


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 3)],
)
def test_journal_is_told_the_priority_of_every_line(level: int, priority: int) -> None:
    stream = io.StringIO()
    start_logging(ManualClock(), stream, {"JOURNAL_STREAM": "8:1234"})
    try:
        raise KeyError("tensor")
    except KeyError as error:
        LOGGER.log(level, "failed", exc_info=error)
    lines = written(stream)
    assert lines[0].endswith("device.test: failed")
    assert lines[-1].endswith("KeyError")
    assert len(lines) > 2
    assert {line[:3] for line in lines} == {f"<{priority}>"}


def test_expected_error_is_a_warning_that_tells_the_systems_error_by_its_name(
    log: io.StringIO,
) -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/records/ana-garcia")
        except OSError:
            raise RecordError("not kept", action="free {what}", what="space") from None
    except RecordError as error:
        log_expected(LOGGER, error)
    assert written(log) == ["WARNING device.test: not kept; free space [ENOSPC]"]


@pytest.mark.parametrize(
    "cause", [None, RuntimeError("ana"), OSError("ana"), OSError(99999, "ana")]
)
def test_expected_error_never_tells_what_may_name_a_file(
    log: io.StringIO, cause: Exception | None
) -> None:
    try:
        raise SourceError("gone", action="wait", where="/photos/ana.png", detail="ana") from cause
    except SourceError as error:
        log_expected(LOGGER, error)
    assert written(log) == ["WARNING device.test: gone; wait"]


def test_expected_error_may_follow_another_of_the_program(log: io.StringIO) -> None:
    try:
        raise SourceError("gone") from SourceError("before")
    except SourceError as error:
        log_expected(LOGGER, error)
    assert written(log) == ["WARNING device.test: gone"]
