import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device.errors import ExportError
from device.faults import Fault
from device.interop.outbox import LATEST, SOONEST, Outbox
from tests.device.commands import ROOT

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
FAULT = Fault("{target} does not answer", "wait", "here", "110", {"target": "pacs"})


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path) as box:
        yield box


def names(outbox: Outbox) -> list[str]:
    return [waiting.examination for waiting in outbox.waiting()]


def test_what_is_queued_waits_until_it_is_done_through_restarts(tmp_path: Path) -> None:
    with Outbox(tmp_path) as box:
        box.add("pacs", [("one", "v1")], NOW)
        box.add("pacs", [("two", "v1")], NOW + timedelta(seconds=1))
        box.done(box.due("pacs", NOW)[0], NOW)
    with Outbox(tmp_path) as box:
        assert names(box) == ["two"]
        assert box.due("pacs", NOW) == []
        (two,) = box.due("pacs", NOW + timedelta(seconds=1))
        assert (two.attempts, two.fault, two.queued) == (0, None, NOW + timedelta(seconds=1))


def test_queueing_again_changes_nothing_unless_the_examination_has(outbox: Outbox) -> None:
    for _ in range(2):
        outbox.add("pacs", [("one", "v1")], NOW)
        assert names(outbox) == ["one"]
    outbox.done(outbox.due("pacs", NOW)[0], NOW)
    outbox.add("pacs", [("one", "v1")], NOW)
    assert names(outbox) == []
    outbox.add("pacs", [("one", "v2")], NOW)
    assert names(outbox) == ["one"]


def test_what_is_new_waits_a_while_where_that_is_asked_for(outbox: Outbox) -> None:
    outbox.add("pacs", [("one", "v1")], NOW, pause=timedelta(minutes=1))
    assert outbox.due("pacs", NOW) == []
    assert len(outbox.due("pacs", NOW + timedelta(minutes=1))) == 1


def test_mark_is_kept_for_each_target_together_with_what_was_queued(outbox: Outbox) -> None:
    def breaks():
        yield "one", "v1"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outbox.add("pacs", breaks(), NOW, seen="7")
    assert (names(outbox), outbox.seen("pacs")) == ([], "")
    outbox.add("pacs", [("one", "v1")], NOW, seen="7")
    outbox.add("pacs", [], NOW, seen="9")
    assert (outbox.seen("pacs"), outbox.seen("records")) == ("9", "")


def test_what_changes_while_it_is_sent_is_sent_again(outbox: Outbox) -> None:
    outbox.add("pacs", [("one", "v1")], NOW)
    (sending,) = outbox.due("pacs", NOW)
    outbox.add("pacs", [("one", "v2")], NOW + timedelta(seconds=1))
    outbox.done(sending, NOW)
    assert names(outbox) == ["one"]


def test_failure_is_told_and_tried_again_ever_later(outbox: Outbox) -> None:
    outbox.add("pacs", [("one", "v1")], NOW)
    now, pauses = NOW, []
    for attempt in range(8):
        (waiting,) = outbox.due("pacs", now)
        assert waiting.attempts == attempt
        outbox.failed(waiting, FAULT, now)
        (waiting,) = outbox.waiting("pacs")
        assert waiting.fault == FAULT
        assert outbox.due("pacs", waiting.due - timedelta(seconds=1)) == []
        pauses.append(waiting.due - now)
        now = waiting.due
    assert pauses[:3] == [SOONEST, 2 * SOONEST, 4 * SOONEST]
    assert pauses[-1] == LATEST
    outbox.retry(now - timedelta(seconds=1))
    assert len(outbox.due("pacs", now)) == 1


def test_target_that_asks_to_be_left_alone_is_but_tried_every_hour(outbox: Outbox) -> None:
    outbox.add("pacs", [("one", "v1"), ("two", "v1")], NOW)
    one, two = outbox.due("pacs", NOW)
    outbox.failed(one, FAULT, NOW, timedelta(minutes=20))
    outbox.failed(two, FAULT, NOW, timedelta(days=2))
    assert [w.due - NOW for w in outbox.waiting()] == [timedelta(minutes=20), LATEST]


def test_of_very_much_some_is_tried_at_once_and_all_that_fails_is_counted(
    outbox: Outbox,
) -> None:
    outbox.add("pacs", [(f"{number:04d}", "v1") for number in range(500)], NOW)
    outbox.add("records", [("one", "v1")], NOW + timedelta(seconds=1))
    assert outbox.failing(["pacs"]) is None
    due = outbox.due("pacs", NOW)
    assert [one.examination for one in due] == [f"{number:04d}" for number in range(200)]
    for one in (*due[:3], *outbox.due("records", NOW + timedelta(seconds=1))):
        outbox.failed(one, FAULT, NOW)
    first, count = outbox.failing(["pacs"])
    assert (first.target, first.examination, first.fault, count) == ("pacs", "0000", FAULT, 3)


def test_clock_that_goes_back_keeps_nothing_waiting_for_long(outbox: Outbox) -> None:
    outbox.add("pacs", [("one", "v1")], NOW)
    assert len(outbox.due("pacs", NOW - timedelta(days=9000))) == 1


def test_targets_wait_each_for_itself_and_a_deleted_examination_for_none(outbox: Outbox) -> None:
    for target in ("pacs", "records"):
        for name in ("one", "two"):
            outbox.add(target, [(name, "v1")], NOW)
    outbox.done(outbox.due("pacs", NOW)[0], NOW)
    assert [w.examination for w in outbox.waiting("pacs")] == ["two"]
    assert len(list(outbox.waiting("records"))) == 2
    outbox.forget("two")
    assert [(w.target, w.examination) for w in outbox.waiting()] == [("records", "one")]


def test_file_is_its_owners_alone(outbox: Outbox, tmp_path: Path) -> None:
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_queue_that_is_no_queue_is_told(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(ExportError, match="cannot be read or written; check the disk"):
        Outbox(tmp_path)


_KILLED = """
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from device.interop.outbox import Outbox
box = Outbox(Path(sys.argv[1]))
for number in count():
    box.add("pacs", [(f"{number:06d}", "v1")], datetime.now(UTC))
    print("add", number, flush=True)
    if number % 3 == 2:
        box.done(next(iter(box.waiting())), datetime.now(UTC))
        print("done", number, flush=True)
"""


def test_process_that_is_killed_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    for round_ in range(10):
        folder = tmp_path / str(round_)
        program = subprocess.Popen(
            [sys.executable, "-c", _KILLED, str(folder)], stdout=subprocess.PIPE, cwd=ROOT
        )
        lines = [program.stdout.readline() for _ in range(7 + 5 * round_)]
        program.send_signal(signal.SIGKILL)
        lines += program.stdout.readlines()
        program.wait()
        program.stdout.close()
        added = sum(line.startswith(b"add") for line in lines)
        done = sum(line.startswith(b"done") for line in lines)
        with Outbox(folder) as box:
            left = len(names(box))
        # What was being done when it died may have been done, and was not acknowledged.
        assert added - done - 1 <= left <= added - done + 1
