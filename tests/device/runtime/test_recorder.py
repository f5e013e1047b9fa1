"""The recorder's thread: what it keeps, what it reads, and that it loses nothing."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Never

import pytest

from device.errors import RecordError
from device.faults import Fault
from device.frame import Frame, SourceKind
from device.imaging.abcd import AbcdMeasures
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding
from device.platform.clock import Clock
from device.preferences import Preferences, load_preferences
from device.records.access import Holder
from device.records.archive import Archive, PatientArchive
from device.records.drop_box import sealed_identifiers
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Role
from device.runtime.health import Health, Part, PartState
from device.runtime.messages import KeepExamination, KeepResult, Shot
from device.runtime.recent import MAX_RECENT, RecentPictures
from device.runtime.recorder import (
    COPY_AND_CHECK,
    DAMAGED,
    FEW,
    LITTLE_ROOM,
    MAKE_ROOM,
    NOT_KEPT,
    Recorder,
)
from device.runtime.requests import (
    FileExamination,
    Filing,
    FindPatient,
    Lock,
    NewLesion,
    Unlock,
)
from tests.device.records.conftest import write_protected
from tests.device.records.plain import write_plain
from tests.device.screen.record_states import FOREARM as SPOT
from tests.device.scripted import GIVE_UP_SECONDS, until

PORTUGUESE = Preferences(language="pt", opacity=0.3)


class ScriptedArchive(EncryptedArchive):
    """A folder that does as a test says before it does its work."""

    error: Exception | None = None
    listing_error: Exception | None = None

    def __init__(self, folder: Path, **more: Any) -> None:
        super().__init__(folder, **more)
        self.go_on = threading.Event()
        self.go_on.set()

    def keep(
        self,
        frame: Frame,
        finding: Finding | None,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
        **more: Any,
    ) -> str:
        self.go_on.wait(GIVE_UP_SECONDS)
        if self.error:
            raise self.error
        return super().keep(frame, finding, flags, measures, **more)

    def identifiers(self, newest: int | None = None) -> list[str]:
        if self.listing_error:
            raise self.listing_error
        return super().identifiers(newest)


def recorder_of(
    archive: Archive | None,
    preferences_folder: Path | None = None,
    recent: RecentPictures | None = None,
    patients: PatientArchive | None = None,
) -> tuple[Recorder, Health]:
    clock = Clock()
    health = Health(clock)
    recent = RecentPictures() if recent is None else recent
    return Recorder(archive, preferences_folder, recent, health, clock, patients), health


@contextmanager
def running(recorder: Recorder) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=recorder.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(GIVE_UP_SECONDS)
        assert not thread.is_alive()


def run_to_the_end(recorder: Recorder) -> None:
    """Run a recorder that is told to end before it begins."""
    stop = threading.Event()
    stop.set()
    recorder.run(stop)


@pytest.fixture
def archive(tmp_path: Path) -> ScriptedArchive:
    return ScriptedArchive(tmp_path / "examinations")


@pytest.fixture
def keep(analyzer: Analyzer, frames: tuple[Frame, ...]) -> KeepExamination:
    frame = replace(frames[0], kind=SourceKind.CAMERA)
    return KeepExamination(Shot(), frame, analyzer.analyze(frame), ("melanoma-0.90",), None)


def test_examination_is_kept_and_that_is_told(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    recorder, _ = recorder_of(archive)
    with running(recorder):
        recorder.inbox.send(keep)
        until(recorder.kept.peek)
    kept = recorder.kept.peek()
    assert kept is not None
    assert (kept.shot, kept.fault) == (keep.shot, None)
    (identifier,) = archive.identifiers()
    record = archive.read(identifier).record
    assert record.finding.flags == ["melanoma-0.90"]
    assert record.field_of_view == keep.finding.field


def test_picture_is_on_the_disk_before_its_finding_is_known(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    recorder, health = recorder_of(archive)
    with running(recorder):
        recorder.inbox.send(KeepExamination(keep.shot, keep.frame))
        until(lambda: health.report()[Part.RECORDER].worked)
        (identifier,) = archive.identifiers()
        assert archive.read(identifier).record.finding is None
        # Half of it is not yet an examination that is kept.
        assert recorder.kept.peek() is None
        recorder.inbox.send(keep)
        until(recorder.kept.peek)
    assert archive.identifiers() == [identifier]
    record = archive.read(identifier).record
    assert record.finding.flags == ["melanoma-0.90"]
    assert record.field_of_view == keep.finding.field


def test_picture_that_could_not_be_kept_is_tried_again_with_its_finding(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    recorder, _ = recorder_of(archive)
    archive.error = RecordError("the examination could not be kept")
    with running(recorder):
        recorder.inbox.send(KeepExamination(keep.shot, keep.frame))
        until(lambda: recorder.fault)
        archive.error = None
        recorder.inbox.send(keep)
        until(lambda: recorder.fault is None)
    (identifier,) = archive.identifiers()
    assert archive.read(identifier).record.finding is not None


def test_picture_without_a_finding_is_shown_among_the_older_ones(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    archive.keep(keep.frame, None, [], None)
    recent = RecentPictures()
    recorder, _ = recorder_of(archive, recent=recent)
    with running(recorder):
        until(lambda: len(recent) == 1)
    assert recent.pictures()[0].finding is None


def test_whatever_was_handed_over_before_the_end_is_kept(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    recorder, _ = recorder_of(archive)
    archive.go_on.clear()
    with running(recorder) as stop:
        for _ in range(4):
            recorder.inbox.send(replace(keep, shot=Shot()))
        stop.set()
        archive.go_on.set()
    assert len(archive.identifiers()) == 4


def test_disk_that_is_full_is_a_fault_of_the_disk_and_not_of_the_program(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    recorder, health = recorder_of(archive)
    archive.error = RecordError("the examination could not be kept", action="free space")
    with running(recorder):
        recorder.inbox.send(keep)
        until(recorder.kept.peek)
        assert recorder.fault is archive.error.fault
        assert recorder.kept.peek().fault is archive.error.fault
        assert health.report()[Part.RECORDER].state is PartState.WAITING
        archive.error = None
        recorder.inbox.send(keep)
        until(lambda: recorder.fault is None)
    assert len(archive.identifiers()) == 1


def test_error_that_nobody_foresaw_is_told_and_the_next_examination_kept(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    recorder, health = recorder_of(archive)
    archive.error = ZeroDivisionError("by nought")
    with running(recorder):
        recorder.inbox.send(keep)
        until(lambda: recorder.fault)
        assert recorder.fault.message == NOT_KEPT
        assert recorder.fault.detail == "ZeroDivisionError: by nought"
        assert health.report()[Part.RECORDER].failures == 1
        archive.error = None
        recorder.inbox.send(keep)
        until(lambda: recorder.fault is None)


def test_examination_does_not_wait_for_older_ones_to_be_read(
    archive: ScriptedArchive, keep: KeepExamination, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        archive.keep(keep.frame, keep.finding, [], None)
    recent = RecentPictures()
    recorder, _ = recorder_of(archive, recent=recent)
    read, done = archive.read, []

    def slowly(identifier: str) -> object:
        if not done:
            recorder.inbox.send(keep)
        done.append(recorder.kept.peek() is not None)
        return read(identifier)

    monkeypatch.setattr(archive, "read", slowly)
    with running(recorder):
        until(lambda: len(recent) == 5)
    # Kept after the first was read and before the second.
    assert done == [False, True, True, True, True]


def test_older_examinations_are_read_newest_first_and_no_more_than_are_shown(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    for days in range(MAX_RECENT + 3, 0, -1):
        frame = replace(keep.frame, time=keep.frame.time - timedelta(days=days))
        archive.keep(frame, keep.finding, [], None)
    recent = RecentPictures()
    recorder, _ = recorder_of(archive, recent=recent)
    with running(recorder):
        until(lambda: len(recent) == MAX_RECENT)
    ages = [(keep.frame.time - picture.time) / timedelta(days=1) for picture in recent.pictures()]
    assert [round(age) for age in ages] == list(range(1, MAX_RECENT + 1))


def test_damaged_examination_does_not_hide_the_others(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    for _ in range(3):
        archive.keep(keep.frame, keep.finding, [], None)
    (archive.folder / "pictures" / "0000" / "0000003.picture").write_bytes(b"no picture")
    recent = RecentPictures()
    recorder, _ = recorder_of(archive, recent=recent)
    with running(recorder):
        until(lambda: len(recent) == 2)
    assert recorder.reading_fault == Fault(DAMAGED, COPY_AND_CHECK, values={"count": 1})


def test_little_room_is_told_and_again_when_half_of_it_is_gone(
    archive: ScriptedArchive, keep: KeepExamination, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, _ = recorder_of(archive)
    told = []
    for room in (None, FEW, FEW - 1, 150, 99, 98, 49, FEW, 30):
        monkeypatch.setattr(archive, "room", lambda room=room: room)
        recorder.inbox.send(keep)
        run_to_the_end(recorder)
        told.append(recorder.space_fault and recorder.space_fault.values["count"])
    assert told == [None, None, FEW - 1, FEW - 1, 99, 99, 49, None, 30]


def test_little_room_is_told_at_the_start_once_all_is_measured(
    archive: ScriptedArchive, keep: KeepExamination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "room", lambda: 7)
    recorder, _ = recorder_of(archive)
    with running(recorder):
        until(lambda: recorder.space_fault)
    assert recorder.space_fault == Fault(LITTLE_ROOM, MAKE_ROOM, values={"count": 7})


def test_room_of_what_is_gone_with_the_program_is_not_told(
    tmp_path: Path, keep: KeepExamination, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = EncryptedArchive(tmp_path, permanent=False)
    monkeypatch.setattr(archive, "room", lambda: 7)
    recorder, _ = recorder_of(archive)
    recorder.inbox.send(keep)
    run_to_the_end(recorder)
    assert recorder.space_fault is None


def test_search_among_records_that_cannot_be_read_comes_to_an_end(tmp_path: Path) -> None:
    class Unreadable(ScriptedArchive):
        reads = 0

        def identifiers(self, newest: int | None = None) -> list[str]:
            return [f"{n:04d}" for n in range(3000)]

        def read(self, identifier: str) -> Never:
            self.reads += 1
            raise RecordError("it cannot be read")

    archive = Unreadable(tmp_path / "examinations")
    recorder, health = recorder_of(archive)
    with running(recorder):
        until(lambda: health.report()[Part.RECORDER].state is PartState.WAITING)
        until(lambda: archive.reads == 100)
    assert archive.reads == 100


def test_every_examination_is_reported_once(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    recorder, _ = recorder_of(archive)
    archive.error = RecordError("the examination could not be kept")
    recorder.inbox.send(keep)
    run_to_the_end(recorder)
    archive.error = None
    later = replace(keep, shot=Shot())
    recorder.inbox.send(later)
    run_to_the_end(recorder)
    assert [(news.shot, news.fault is None) for news in recorder.news()] == [
        (keep.shot, False),
        (later.shot, True),
    ]
    assert recorder.news() == []


def test_records_that_cannot_be_listed_are_told(archive: ScriptedArchive) -> None:
    archive.listing_error = RecordError("the card cannot be read", action="put another in")
    recorder, _ = recorder_of(archive)
    with running(recorder):
        until(lambda: recorder.reading_fault)
    assert recorder.reading_fault is archive.listing_error.fault


def test_records_that_cannot_be_written_are_shown_and_that_is_told(keep: KeepExamination) -> None:
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        archive, recent = EncryptedArchive(Path(made, "examinations")), RecentPictures()
        archive.keep(keep.frame, keep.finding, [], None)
        archive.close()
        with write_protected(archive.folder):
            recorder, _ = recorder_of(archive, recent=recent, patients=archive)
            with running(recorder):
                until(lambda: len(recent) == 1)
                recorder.inbox.send(keep)
                until(recorder.kept.peek)
            archive.close()
    assert recorder.fault is not None
    assert recorder.fault.message.endswith("their folder cannot be written")
    assert (recorder.reading_fault, recorder.space_fault) == (None, None)


def test_pictures_that_stay_sealed_are_told(
    archive: ScriptedArchive, keep: KeepExamination, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.set_pin(Holder("A", Role.CLINICIAN), "123456")
    archive.lock()
    archive.keep(keep.frame, keep.finding, [], None)
    monkeypatch.setattr("device.records.picture_vault._RESERVED", 1 << 60)
    recorder, _ = recorder_of(archive, patients=archive)
    with running(recorder):
        recorder.inbox.send(Unlock("123456"))
        until(lambda: recorder.reading_fault)
    assert recorder.reading_fault is not None
    assert recorder.reading_fault.message.endswith("locked are not in them yet: {count}")
    assert recorder.reading_fault.values == {"count": 1}


def test_locked_records_are_no_fault(archive: ScriptedArchive, keep: KeepExamination) -> None:
    archive.keep(keep.frame, keep.finding, [], None)
    archive.set_pin(Holder("A", Role.CLINICIAN), "123456")
    archive.lock()
    recorder, health = recorder_of(archive, patients=archive)
    # Where it lies cannot be entered while they are locked; the picture is kept all the same.
    new = KeepExamination(Shot(Filing(NewLesion("a" * 32, SPOT))), keep.frame, keep.finding)
    with running(recorder):
        until(lambda: health.report()[Part.RECORDER].state is PartState.WAITING)
        for work in (keep, new):
            recorder.inbox.send(work)
        until(lambda: (kept := recorder.kept.peek()) and kept.shot is new.shot)
        assert [(kept.fault, kept.sealed) for kept in recorder.news()] == [(None, True)] * 2
        recorder.inbox.send(Unlock("123456"))
        until(lambda: not archive.access.locked and len(archive.identifiers()) == 3)
    assert (recorder.reading_fault, recorder.fault) == (None, None)


def test_damaged_picture_is_counted_once_however_often_the_records_are_opened(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    for _ in range(2):
        archive.keep(keep.frame, keep.finding, [], None)
    archive.set_pin(Holder("A", Role.CLINICIAN), "123456")
    with archive.path_of(1).open("r+b") as file:
        file.seek(-20, 2)
        file.write(b"damaged")
    recent = RecentPictures()
    recorder, _ = recorder_of(archive, recent=recent, patients=archive)
    with running(recorder):
        for _ in range(3):
            until(lambda: len(recent) == 1 and recorder.reading_fault)
            recorder.inbox.send(Lock())
            until(lambda: recorder.desk.locked)
            recorder.inbox.send(Unlock("123456"))
        until(lambda: len(recent) == 1 and recorder.reading_fault)
    assert recorder.reading_fault == Fault(DAMAGED, COPY_AND_CHECK, values={"count": 1})


def test_whoever_may_see_no_picture_gets_none_of_those_before_and_no_fault(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    archive.keep(keep.frame, keep.finding, [], None)
    archive.set_pin(Holder("A", Role.CLINICIAN), "123456")
    archive.set_pin(Holder("C", Role.SERVICE), "654321")
    recent = RecentPictures()
    recorder, health = recorder_of(archive, recent=recent, patients=archive)
    with running(recorder):
        until(lambda: len(recent) == 1)
        # Without locking first.
        recorder.inbox.send(Unlock("654321"))
        until(lambda: recorder.desk.role is Role.SERVICE and len(recent) == 0)
        until(lambda: health.report()[Part.RECORDER].state is PartState.WAITING)
        assert (len(recent), recorder.reading_fault) == (0, None)
        recorder.inbox.send(Unlock("123456"))
        until(lambda: len(recent) == 1)


def test_picture_that_is_filed_elsewhere_is_compared_there(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    patient = archive.add_patient("4711").key
    wrong, right = (archive.add_lesion(patient, SPOT).key for _ in range(2))
    name = archive.keep(keep.frame, keep.finding, [], None, lesion=wrong)
    recent = RecentPictures()
    recorder, _ = recorder_of(archive, recent=recent, patients=archive)
    with running(recorder):
        until(lambda: [picture.lesion for picture in recent.pictures()] == [wrong])
        recorder.inbox.send(FileExamination(name, right))
        until(lambda: [picture.lesion for picture in recent.pictures()] == [right])


def test_desk_follows_records_whose_disk_was_taken_out_and_is_there_again(
    tmp_path: Path, keep: KeepExamination
) -> None:
    folder, away = tmp_path / "disk", tmp_path / "away"
    folder.mkdir()
    archive = ScriptedArchive(folder, create=False)
    archive.add_patient("4711")
    archive.set_pin(Holder("A", Role.CLINICIAN), "123456")
    recorder, _ = recorder_of(archive, patients=archive)

    def kept(shot: Shot) -> KeepResult:
        recorder.inbox.send(replace(keep, shot=shot))
        until(lambda: (kept := recorder.kept.peek()) and kept.shot is shot)
        result = recorder.kept.peek()
        assert result is not None
        return result

    with running(recorder):
        recorder.inbox.send(FindPatient("4711"))
        until(lambda: recorder.desk.patient)
        folder.rename(away)
        assert kept(Shot()).fault
        away.rename(folder)
        assert kept(Shot()).sealed
        assert recorder.desk.locked
        assert recorder.desk.patient is None
        # What was kept behind the lock is taken in by whoever opens it.
        recorder.inbox.send(Unlock("123456"))
        until(lambda: not archive.access.locked and len(archive.identifiers()) == 1)
        until(lambda: not sealed_identifiers(folder))


def test_records_that_a_key_file_opens_are_open_once_it_is_there_again(
    tmp_path: Path, keep: KeepExamination
) -> None:
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    folder, away = tmp_path / "disk", tmp_path / "away"
    folder.mkdir()
    archive = ScriptedArchive(folder, create=False, key_file=key)
    archive.add_patient("4711")
    recorder, _ = recorder_of(archive, patients=archive)
    with running(recorder):
        recorder.inbox.send(FindPatient("4711"))
        until(lambda: recorder.desk.patient)
        folder.rename(away)
        recorder.inbox.send(FindPatient("4711"))
        until(lambda: recorder.desk.locked)
        away.rename(folder)
        until(lambda: not recorder.desk.locked)


def test_plain_files_of_earlier_releases_are_brought_over_and_shown(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    names = [f"{number:06d}-20260102T030405Z-abcdef" for number in range(1, 4)]
    folders = [write_plain(archive.folder, name, keep.frame.pixels) for name in names]
    (folders[1] / "examination.json").write_bytes(b"{}")
    archive.open()
    recent = RecentPictures()
    recorder, _ = recorder_of(archive, recent=recent)
    with running(recorder):
        until(lambda: len(recent) == 2)
    assert archive.identifiers() == [names[0], names[2]]
    assert [folder.exists() for folder in folders] == [False, True, False]
    assert recorder.reading_fault == Fault(DAMAGED, COPY_AND_CHECK, values={"count": 1})


def test_what_waited_while_it_was_locked_is_done_when_it_is_unlocked(
    archive: ScriptedArchive, keep: KeepExamination
) -> None:
    archive.keep(keep.frame, keep.finding, [], None)
    archive.set_pin(Holder("A", Role.CLINICIAN), "123456")
    archive.lock()
    name = "000001-20260102T030405Z-abcdef"
    folder = write_plain(archive.folder, name, keep.frame.pixels)
    recent = RecentPictures()
    recorder, health = recorder_of(archive, recent=recent, patients=archive)
    with running(recorder):
        until(lambda: health.report()[Part.RECORDER].state is PartState.WAITING)
        assert folder.exists()
        recorder.inbox.send(Unlock("123456"))
        until(lambda: len(recent) == 2)
    assert not folder.exists()
    assert name in archive.identifiers()


def test_told_to_end_it_reads_no_more(archive: ScriptedArchive, keep: KeepExamination) -> None:
    archive.keep(keep.frame, keep.finding, [], None)
    recent = RecentPictures()
    recorder, _ = recorder_of(archive, recent=recent)
    run_to_the_end(recorder)
    assert len(recent) == 0


def test_newest_preferences_are_written_even_at_the_very_end(tmp_path: Path) -> None:
    recorder, _ = recorder_of(None, tmp_path)
    recorder.inbox.offer(Preferences(language="es"))
    recorder.inbox.offer(PORTUGUESE)
    run_to_the_end(recorder)
    assert load_preferences(tmp_path, Preferences()) == PORTUGUESE
    assert recorder.preferences_fault is None


def test_preferences_that_cannot_be_kept_are_told_until_they_can(tmp_path: Path) -> None:
    recorder, _ = recorder_of(None, tmp_path / "taken")
    (tmp_path / "taken").write_text("a file where the folder should be")
    recorder.inbox.offer(PORTUGUESE)
    run_to_the_end(recorder)
    assert recorder.preferences_fault is not None
    (tmp_path / "taken").unlink()
    recorder.inbox.offer(PORTUGUESE)
    run_to_the_end(recorder)
    assert recorder.preferences_fault is None
    assert load_preferences(tmp_path / "taken", Preferences()) == PORTUGUESE


def test_without_an_archive_or_a_folder_nothing_is_kept(keep: KeepExamination) -> None:
    recorder, _ = recorder_of(None)
    recorder.inbox.send(keep)
    recorder.inbox.offer(PORTUGUESE)
    run_to_the_end(recorder)
    assert recorder.kept.peek() is None
    assert recorder.preferences_fault is None
    assert not recorder.permanent
