"""Patients, lesions, decisions and the worklist, as the archive keeps them."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import tzset

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from device.anatomy import BodySite, BodySpot, BodyView, Laterality
from device.errors import NoSuchRecordError, RecordError
from device.frame import Frame
from device.records import examination_tables
from device.records.archive import PatientArchive
from device.records.encrypted_archive import EncryptedArchive
from device.records.listing import WorkKind
from device.records.model import PictureKind, Polarization
from device.records.orders import Order
from device.records.patients import (
    Action,
    Decision,
    Key,
    Lesion,
    Patient,
    Proof,
    Role,
    Sex,
)
from device.records.sealing import derive

TODAY = date(2026, 6, 1)
SPOT = BodySpot(BodyView.BACK, 0.4, 0.3, BodySite.UPPER_BACK, Laterality.LEFT)


def decision(action: Action = Action.NOTHING, days: int | None = None) -> Decision:
    due = None if days is None else TODAY + timedelta(days=days)
    return Decision(
        decided=datetime(2026, 5, 1, tzinfo=UTC), role=Role.CLINICIAN, action=action, due=due
    )


class Visits:
    """A patient with a lesion, and pictures of it."""

    def __init__(self, archive: EncryptedArchive, frame: Frame) -> None:
        self.archive = archive
        self.frame = frame
        self.patient = archive.add_patient("4711")
        self.lesion = archive.add_lesion(self.patient.key, SPOT)

    def picture(
        self, day: int = 1, lesion: Key | None = "", kind: PictureKind = PictureKind.DERMOSCOPIC
    ) -> str:
        frame = replace(self.frame, time=datetime(2026, 5, day, 12, tzinfo=UTC))
        lesion = self.lesion.key if lesion == "" else lesion
        return self.archive.keep(frame, None, [], None, kind=kind, lesion=lesion)

    def picture_at(self, time: str) -> str:
        frame = replace(self.frame, time=datetime.fromisoformat(time))
        return self.archive.keep(frame, None, [], None, lesion=self.lesion.key)

    def work(self) -> dict[WorkKind, list[str]]:
        """Return what is on the worklist, and see that it is counted."""
        lists = {
            kind: [item.record.identifier for item in self.archive.worklist(kind, TODAY).items]
            for kind in WorkKind
        }
        counts = self.archive.work_counts(TODAY)
        assert counts == {kind: len(identifiers) for kind, identifiers in lists.items()}
        return {kind: identifiers for kind, identifiers in lists.items() if identifiers}


@pytest.fixture
def visits(archive: EncryptedArchive, small_frame: Frame) -> Visits:
    return Visits(archive, small_frame)


def reopened(archive: EncryptedArchive) -> PatientArchive:
    archive.close()
    return archive


def test_patient_is_kept_changed_and_found(archive: EncryptedArchive) -> None:
    patient = archive.add_patient(
        " AB-12 ", name="A. B.", birth_year=1960, sex=Sex.FEMALE, phototype=2
    )
    assert (patient.identifier, patient.birth_year, patient.sex) == ("AB-12", 1960, Sex.FEMALE)
    found = reopened(archive)
    assert found.patient(patient.key) == patient
    for identifier in ("AB-12", "ab-12", " Ab-12", "ＡＢ-12"):
        assert found.find_patient(identifier) == patient
    assert found.find_patient("AB-1") is None
    changed = msgspec.structs.replace(patient, identifier="AB-13", phototype=None)
    found.change_patient(changed)
    assert found.find_patient("AB-12") is None
    assert found.find_patient("ab-13") == changed


def test_identifier_is_one_patients_alone(archive: EncryptedArchive) -> None:
    first, second = archive.add_patient("4711"), archive.add_patient("4712")
    with pytest.raises(RecordError, match="another patient has this identifier; choose"):
        archive.add_patient("4711")
    with pytest.raises(RecordError, match="another patient has this identifier"):
        archive.change_patient(msgspec.structs.replace(second, identifier="4711"))
    assert archive.patients().items == (first, second)


@pytest.mark.parametrize(
    "values",
    [{"identifier": "  "}, {"identifier": "x" * 65}, {"birth_year": 1500}, {"phototype": 7}],
)
def test_impossible_value_is_refused(archive: EncryptedArchive, values: dict[str, object]) -> None:
    with pytest.raises(RecordError, match="cannot be entered; correct it"):
        archive.add_patient(**{"identifier": "4711", **values})
    assert archive.patients().items == ()


def test_patients_are_listed_by_page_and_prefix(archive: EncryptedArchive) -> None:
    for number in range(25):
        archive.add_patient(f"{'b' if number % 2 else 'A'}-{number:02d}")
    archive.add_patient("%_")
    first = archive.patients(limit=10)
    second = archive.patients(after=first.following, limit=10)
    third = archive.patients(after=second.following, limit=10)
    names = [p.identifier for page in (first, second, third) for p in page.items]
    assert names == ["%_", *sorted((n for n in names if n != "%_"), key=str.lower)]
    assert (len(names), third.following) == (26, None)
    found = [p.identifier for p in archive.patients("B-0").items]
    assert found == [f"b-0{number}" for number in (1, 3, 5, 7, 9)]
    assert [p.identifier for p in archive.patients("%").items] == ["%_"]
    assert archive.patients("c").items == ()


def test_page_that_is_exactly_full_is_the_last(archive: EncryptedArchive) -> None:
    for number in range(4):
        archive.add_patient(str(number))
    assert archive.patients(limit=4).following is None
    assert archive.patients(limit=3).following is not None


def test_lesions_count_and_lie_somewhere(visits: Visits) -> None:
    archive, patient = visits.archive, visits.patient
    second = archive.add_lesion(patient.key)
    other = archive.add_lesion(archive.add_patient("4712").key)
    assert (visits.lesion.number, second.number, other.number) == (1, 2, 1)
    moved = msgspec.structs.replace(second, spot=SPOT)
    archive.change_lesion(msgspec.structs.replace(moved, number=9, patient=other.patient))
    assert reopened(archive).lesion(second.key) == moved
    assert [s.lesion.number for s in archive.lesions(patient.key)] == [1, 2]


def test_lesion_is_shown_by_its_newest_dermoscopic_picture(visits: Visits) -> None:
    archive = visits.archive
    (summary,) = archive.lesions(visits.patient.key)
    assert (summary.examinations, summary.newest) == (0, None)
    visits.picture(1)
    newest = visits.picture(2)
    visits.picture(3, kind=PictureKind.REGION)
    (summary,) = archive.lesions(visits.patient.key)
    assert summary.newest is not None
    assert (summary.examinations, summary.newest.identifier) == (3, newest)


def test_order_stays_with_its_patient(visits: Visits) -> None:
    archive, order = visits.archive, Order(study_uid="1.2.3", accession_number="A7")
    lesions = [
        archive.add_lesion(visits.patient.key),
        archive.add_lesion(archive.add_patient("5").key),
    ]

    def keep(lesion: Key | None) -> str:
        return archive.keep(visits.frame, None, [], None, lesion=lesion, order=order)

    kept = keep(visits.lesion.key)
    assert archive.read(kept).record.order == order
    # One of nobody is no answer to an order of somebody.
    assert archive.record(keep(None)).order is None
    archive.file_examination(kept, lesions[0].key)
    assert archive.record(kept).order == order
    for elsewhere in (lesions[1].key, None):
        kept = keep(visits.lesion.key)
        archive.file_examination(kept, elsewhere)
        assert archive.record(kept).order is None


def test_orders_of_a_day_are_found_behind_pictures_of_other_days(visits: Visits) -> None:
    archive = visits.archive

    def keep(taken: datetime, study: str) -> None:
        frame = replace(visits.frame, time=taken)
        order = Order(study_uid=study, step="S1")
        archive.keep(frame, None, [], None, lesion=visits.lesion.key, order=order)

    morning = datetime.combine(TODAY, time(0, 0, 1)).astimezone()
    keep(morning - timedelta(seconds=2), "1.1")
    keep(morning, "1.2")
    keep(morning + timedelta(hours=23, minutes=59), "1.3")
    # While the clock was not set.
    keep(datetime(1970, 1, 1, tzinfo=UTC), "1.4")
    keep(morning + timedelta(days=1), "1.5")
    assert archive.orders_of(TODAY) == {("1.2", "S1"), ("1.3", "S1")}
    assert archive.orders_of(TODAY - timedelta(days=1)) == {("1.1", "S1")}
    archive.opened.connection.execute("UPDATE examination SET record = x'00' WHERE number = 2")
    assert archive.orders_of(TODAY) == {("1.3", "S1")}


def test_order_that_no_study_can_bear_is_refused(visits: Visits) -> None:
    order = Order(study_uid="a study")
    with pytest.raises(RecordError, match="cannot be entered"):
        visits.archive.keep(visits.frame, None, [], None, lesion=visits.lesion.key, order=order)
    assert visits.archive.identifiers() == []


def test_picture_is_filed_later_and_elsewhere(visits: Visits) -> None:
    archive = visits.archive
    identifier = visits.picture(lesion=None)
    other = archive.add_lesion(archive.add_patient("4712").key)
    for lesion in (visits.lesion.key, other.key, None, other.key):
        archive.file_examination(identifier, lesion)
        reopened(archive)
        assert archive.record(identifier).lesion == lesion
        np.testing.assert_array_equal(archive.read(identifier).image, visits.frame.pixels)
        assert [r.identifier for r in archive.unfiled().items] == ([] if lesion else [identifier])
        for key in (visits.lesion.key, other.key):
            of_it = [r.identifier for r in archive.of_lesion(key).items]
            assert of_it == ([identifier] if key == lesion else [])


def test_examinations_are_listed_newest_first_by_page(visits: Visits) -> None:
    archive = visits.archive
    kept = [visits.picture(lesion=None if number % 3 else "") for number in range(7)]
    listed, after = [], None
    while True:
        page = archive.examinations(after, limit=3)
        listed += [record.identifier for record in page.items]
        after = page.following
        if after is None:
            break
    assert listed == kept[::-1]
    first = archive.unfiled(limit=3)
    assert [r.identifier for r in first.items] == [kept[n] for n in (5, 4, 2)]
    assert [r.identifier for r in archive.unfiled(first.following).items] == [kept[1]]


def test_kind_and_light_of_a_picture_are_kept(visits: Visits) -> None:
    identifier = visits.archive.keep(
        visits.frame, None, [], None, kind=PictureKind.REGION, polarization=Polarization.POLARIZED
    )
    record = reopened(visits.archive).record(identifier)
    assert (record.kind, record.polarization) == (PictureKind.REGION, Polarization.POLARIZED)
    height, width = visits.archive.thumbnail(identifier).shape[:2]
    assert width > height


def test_thumbnail_is_small_and_looks_like_the_picture(visits: Visits) -> None:
    identifier = visits.picture()
    small = visits.archive.thumbnail(identifier)
    assert small.dtype == np.uint8
    assert max(small.shape) <= 160
    red, _, blue = small[small.shape[0] // 2, small.shape[1] // 2].astype(int)
    assert red > blue


def test_decision_is_kept_and_replaced(visits: Visits) -> None:
    archive, identifier = visits.archive, visits.picture()
    said = msgspec.structs.replace(
        decision(Action.EXCISE), diagnosis="mel", agrees=False, note="grows"
    )
    for value in (said, decision()):
        archive.decide(identifier, value)
        assert reopened(archive).record(identifier).decision == value


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (decision(Action.FOLLOW_UP, days=-1), WorkKind.OVERDUE),
        (decision(Action.FOLLOW_UP, days=0), WorkKind.DUE),
        (decision(Action.FOLLOW_UP, days=90), WorkKind.DUE),
        (decision(Action.FOLLOW_UP), None),
        (decision(Action.REFER), WorkKind.REFERRED),
        (decision(Action.EXCISE), WorkKind.REFERRED),
        (
            msgspec.structs.replace(decision(Action.EXCISE), proof=Proof.HISTOPATHOLOGY),
            None,
        ),
        (decision(), None),
        (None, WorkKind.UNDECIDED),
    ],
)
@pytest.mark.parametrize("filed", [True, False])
def test_worklist_says_what_is_to_be_done(
    visits: Visits, said: Decision | None, kind: WorkKind | None, filed: bool
) -> None:
    identifier = visits.picture(lesion="" if filed else None)
    if said is not None:
        visits.archive.decide(identifier, said)
    assert visits.work() == ({kind: [identifier]} if kind else {})
    if kind:
        (item,) = visits.archive.worklist(kind, TODAY).items
        assert item.due == (said.due if said else None)
        assert item.patient == (visits.patient if filed else None)
        assert item.lesion == (visits.lesion if filed else None)


def test_a_region_is_not_decided_on_and_its_lesion_stays_undecided(visits: Visits) -> None:
    archive = visits.archive
    mole = visits.picture(1)
    region = visits.picture(1, kind=PictureKind.REGION)
    with pytest.raises(RecordError, match="region"):
        archive.decide(region, decision(Action.NOTHING))
    assert visits.work() == {WorkKind.UNDECIDED: [mole]}


def test_lesion_is_listed_with_what_was_decided_before_its_newest_picture(visits: Visits) -> None:
    archive = visits.archive
    first = visits.picture(1)
    said = decision(Action.EXCISE)
    archive.decide(first, said)
    visits.picture(1)
    (summary,) = (s for s in archive.lesions(visits.patient.key) if s.newest is not None)
    assert summary.newest.decision is None
    assert summary.decision == said


def test_newest_decision_of_a_lesion_counts_alone(visits: Visits) -> None:
    archive = visits.archive
    first = visits.picture(1)
    archive.decide(first, decision(Action.FOLLOW_UP, days=-1))
    second = visits.picture(2)
    # It stays overdue until someone has decided.
    assert visits.work() == {WorkKind.OVERDUE: [first], WorkKind.UNDECIDED: [second]}
    archive.decide(second, decision(Action.REFER))
    assert visits.work() == {WorkKind.REFERRED: [second]}
    archive.decide(second, decision(Action.NOTHING))
    assert visits.work() == {}
    archive.delete_examination(second)
    assert visits.work() == {WorkKind.OVERDUE: [first]}
    archive.file_examination(first, None)
    third = visits.picture(3)
    assert visits.work() == {WorkKind.OVERDUE: [first], WorkKind.UNDECIDED: [third]}


def test_one_decision_stands_for_all_pictures_of_a_visit(visits: Visits) -> None:
    pictures = [visits.picture(1) for _ in range(3)]
    visits.picture(1, kind=PictureKind.REGION)
    assert visits.work() == {WorkKind.UNDECIDED: pictures[::-1]}
    visits.archive.decide(pictures[1], decision())
    assert visits.work() == {}
    later = visits.picture(2)
    assert visits.work() == {WorkKind.UNDECIDED: [later]}


def test_visit_lies_within_a_day_of_the_clinic(
    visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    tzset()
    try:
        # 17:30 on Monday, 10:00 on Tuesday: one day in Greenwich.
        visits.archive.decide(visits.picture_at("2026-03-03T01:30:00+00:00"), decision())
        later = visits.picture_at("2026-03-03T18:00:00+00:00")
        assert visits.work() == {WorkKind.UNDECIDED: [later]}
        visits.archive.decide(later, decision())
        # 15:58 and 16:01 of one visit: two days there.
        visits.archive.decide(visits.picture_at("2026-03-04T23:58:00+00:00"), decision())
        visits.picture_at("2026-03-05T00:01:00+00:00")
        assert visits.work() == {}
    finally:
        monkeypatch.undo()
        tzset()


def test_worklist_goes_on_where_a_page_ended(visits: Visits) -> None:
    archive = visits.archive
    kept = []
    for days in (3, 1, 2, 2, 5):
        kept.append((days, visits.picture(lesion=None)))
        archive.decide(kept[-1][1], decision(Action.FOLLOW_UP, days=days))
    listed, after = [], None
    for _ in range(3):
        page = archive.worklist(WorkKind.DUE, TODAY, after, limit=2)
        listed += [item.record.identifier for item in page.items]
        after = page.following
    assert after is None
    assert listed == [identifier for _, identifier in sorted(kept)]


@pytest.mark.parametrize("aided", [True, False])
def test_worklist_by_identifier_is_in_their_order_and_begins_as_is_wanted(
    visits: Visits, aided: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both ways to the same answer: what is kept in order, and what is put in order.
    monkeypatch.setattr(examination_tables, "has_aid", lambda connection: aided)
    archive = visits.archive
    kept: dict[str, list[str]] = {"4711": [visits.picture()]}
    for identifier in ("b 2", "A 1", "a 10", "4712"):
        key = archive.add_lesion(archive.add_patient(identifier).key).key
        kept[identifier] = [visits.picture(lesion=key), visits.picture(lesion=key)]
    days = iter((3, 1, 4, 1, 5, 9, 2, 6, 5))
    for name in [name for pictures in kept.values() for name in pictures]:
        archive.decide(name, decision(Action.FOLLOW_UP, days=next(days)))
    archive.decide(visits.picture(lesion=None), decision(Action.FOLLOW_UP, days=1))
    # Of a lesion the newest decision counts, and what has no patient has no identifier.
    expected = [kept[name][-1] for name in ("4711", "4712", "A 1", "a 10", "b 2")]
    listed, after = [], None
    for _ in range(3):
        page = archive.worklist(WorkKind.DUE, TODAY, after, limit=2, by_identifier=True)
        listed += [item.record.identifier for item in page.items]
        after = page.following
    assert (listed, after) == (expected, None)
    for prefix, found in (("471", expected[:2]), ("a 1", expected[2:4]), ("c", [])):
        page = archive.worklist(WorkKind.DUE, TODAY, by_identifier=True, prefix=prefix)
        assert [item.record.identifier for item in page.items] == found
    for kind in (WorkKind.OVERDUE, WorkKind.REFERRED):
        assert archive.worklist(kind, TODAY, by_identifier=True).items == ()
    archive.decide(kept["A 1"][1], decision(Action.REFER))
    assert [
        item.record.identifier
        for item in archive.worklist(WorkKind.REFERRED, TODAY, by_identifier=True).items
    ] == [kept["A 1"][1]]


def test_patient_who_is_deleted_is_gone_with_every_picture(visits: Visits, tmp_path: Path) -> None:
    archive = visits.archive
    visits.picture(1), visits.picture(2)
    other = archive.add_patient("4712")
    kept = [visits.picture(lesion=archive.add_lesion(other.key).key), visits.picture(lesion=None)]
    assert archive.delete_patient(visits.patient.key) == 2
    for archive_now in (archive, reopened(archive)):
        assert archive_now.identifiers() == kept
        assert archive_now.patients().items == (other,)
        with pytest.raises(NoSuchRecordError):
            archive_now.patient(visits.patient.key)
        with pytest.raises(NoSuchRecordError):
            archive_now.lesion(visits.lesion.key)
    assert len(list(tmp_path.rglob("*.picture"))) == 2
    for identifier in kept:
        np.testing.assert_array_equal(archive.read(identifier).image, visits.frame.pixels)


def test_pages_of_who_is_deleted_are_overwritten(visits: Visits) -> None:
    """Searched with the key at hand, after it was decrypted page by page."""
    archive = visits.archive
    archive.add_patient("somebody else")
    visits.picture()
    marked = archive.add_patient("UNMISTAKABLE-1", name="UNMISTAKABLE-2")
    secret = archive.opened.connection.execute(
        "SELECT secret FROM patient WHERE key = ?", (marked.key,)
    ).fetchone()[0]
    assert all(word in _plain_pages(archive) for word in (b"UNMISTAKABLE-1", secret))
    archive.delete_patient(marked.key)
    plain = _plain_pages(archive)
    assert b"somebody else" in plain
    assert not any(word in plain for word in (b"UNMISTAKABLE", secret))
    assert archive.opened.connection.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert (archive.folder / "archive.db-wal").stat().st_size == 0
    entries = archive.opened.connection.execute("SELECT event, subject FROM trail").fetchall()
    assert ("patient deleted", marked.key) in entries


def _plain_pages(archive: EncryptedArchive) -> bytes:
    """Return the tables' file decrypted, as SQLCipher 4 encrypts it."""
    assert archive.opened is not None
    archive.opened.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    content = (archive.folder / "archive.db").read_bytes()
    key = derive(archive.opened.master, "database")
    plain = b""
    for begin in range(0, len(content), 4096):
        page = content[begin + (0 if begin else 16) : begin + 4096]
        decryptor = Cipher(AES(key), CBC(page[-80:-64])).decryptor()
        plain += decryptor.update(page[:-80])
    return plain


def test_file_of_a_deleted_picture_that_stayed_is_removed_at_the_next_start(
    visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = visits.picture()

    def fail(path: Path) -> None:
        raise OSError("the card is slow")

    with monkeypatch.context() as patch:
        patch.setattr("device.records.picture_vault.remove_durably", fail)
        visits.archive.delete_examination(identifier)
    assert len(list(visits.archive.folder.rglob("*.picture"))) == 1
    assert reopened(visits.archive).identifiers() == []
    assert not list(visits.archive.folder.rglob("*.picture"))
    # Its number is never given again.
    assert visits.picture().startswith("000002-")


@pytest.mark.parametrize("key", ["", "0" * 32, "f" * 32])
def test_what_is_not_there_is_told(archive: EncryptedArchive, small_frame: Frame, key: str) -> None:
    identifier = archive.keep(small_frame, None, [], None)
    patient = Patient(key="0" * 32, identifier="4711")
    for attempt in (
        lambda: archive.patient(key),
        lambda: archive.lesion(key),
        lambda: archive.lesions(key),
        lambda: archive.of_lesion(key),
        lambda: archive.add_lesion(key),
        lambda: archive.delete_patient(key),
        lambda: archive.record(key),
        lambda: archive.thumbnail(key),
        lambda: archive.decide(key, decision()),
        lambda: archive.delete_examination(key),
        lambda: archive.file_examination(key, None),
        lambda: archive.file_examination(identifier, key),
        lambda: archive.keep(small_frame, None, [], None, lesion="1" * 32),
        lambda: archive.change_patient(patient),
        lambda: archive.change_lesion(Lesion(key="0" * 32, patient="0" * 32, number=1)),
    ):
        with pytest.raises(NoSuchRecordError):
            attempt()
    assert archive.identifiers() == [identifier]
    assert len(list(archive.folder.rglob("*.picture"))) == 1
