from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from device.exchange import DicomPeer, Exchange, FhirServer
from device.frame import Frame, SourceKind
from device.inference.finding import Finding
from device.interop.outbox import Outbox
from device.interop.targets import connections, queue
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Key, Sex
from tests.device.interop.studies import DECISION
from tests.device.records.conftest import CHEAP
from tests.device.records.test_patients import SPOT

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
EXCHANGE = Exchange(
    dicom=(DicomPeer(name="pacs", host="pacs", title="PACS"),),
    fhir=(FhirServer(name="records", url="https://h/fhir", patients="urn:oid:1.2"),),
)


class Clinic:
    def __init__(self, folder: Path, frame: Frame, finding: Finding) -> None:
        self.archive = EncryptedArchive(folder / "records", pin_cost=CHEAP)
        self.outbox = Outbox(folder / "state")
        self.frame, self.finding = frame, finding

    def keep(self, lesion: Key | None = None) -> str:
        return self.archive.keep(self.frame, self.finding, [], None, lesion=lesion)

    def queued(self, exchange: Exchange = EXCHANGE) -> list[tuple[str, str]]:
        """Return what waits after queueing, and have it arrive."""
        queue(self.outbox, self.archive, exchange, NOW)
        waiting = list(self.outbox.waiting())
        for one in waiting:
            self.outbox.done(one, NOW)
        return [(one.target, one.examination) for one in waiting]


@pytest.fixture
def clinic(tmp_path: Path, frames: tuple[Frame, ...], finding: Finding) -> Iterator[Clinic]:
    made = Clinic(tmp_path, replace(frames[1], kind=SourceKind.CAMERA), finding)
    yield made
    made.archive.close()
    made.outbox.close()


def test_each_target_is_connected_with_by_its_name() -> None:
    assert list(connections(EXCHANGE)) == ["pacs", "records"]
    assert connections(Exchange()) == {}


def test_what_is_new_and_what_changes_is_queued_once(clinic: Clinic) -> None:
    first, second = clinic.keep(), clinic.keep()
    assert clinic.queued() == [("pacs", first), ("pacs", second)]
    assert clinic.queued() == []
    patient = clinic.archive.add_patient("MRN-1")
    lesion = clinic.archive.add_lesion(patient.key)
    clinic.archive.file_examination(first, lesion.key)
    assert sorted(clinic.queued()) == [("pacs", first), ("records", first)]
    clinic.archive.decide(first, DECISION)
    assert sorted(clinic.queued()) == [("pacs", first), ("records", first)]
    clinic.archive.note_sent(first, "pacs")
    assert clinic.queued() == []


def test_every_picture_of_a_lesion_that_was_moved_is_queued_again(clinic: Clinic) -> None:
    lesion = clinic.archive.add_lesion(clinic.archive.add_patient("MRN-1").key)
    names = [clinic.keep(lesion.key) for _ in range(3)]
    clinic.keep()
    clinic.queued()
    clinic.archive.change_lesion(msgspec.structs.replace(lesion, spot=SPOT))
    expected = [(target, name) for target in ("pacs", "records") for name in names]
    assert sorted(clinic.queued()) == expected
    assert clinic.queued() == []
    # One without a picture holds nothing up.
    other = clinic.archive.add_lesion(lesion.patient)
    clinic.archive.change_lesion(msgspec.structs.replace(other, spot=SPOT))
    assert clinic.queued() == []
    last = clinic.keep()
    assert clinic.queued() == [("pacs", last)]


def test_every_picture_of_a_patient_who_was_corrected_is_queued_again(clinic: Clinic) -> None:
    patient = clinic.archive.add_patient("MRN-1", birth_year=1961)
    lesions = [clinic.archive.add_lesion(patient.key) for _ in range(2)]
    names = [clinic.keep(lesions[number].key) for number in (0, 1, 1)]
    clinic.keep(clinic.archive.add_lesion(clinic.archive.add_patient("MRN-2").key).key)
    clinic.keep()
    clinic.queued()
    expected = [(target, name) for target in ("pacs", "records") for name in names]
    for changed in (
        msgspec.structs.replace(patient, birth_year=1916),
        msgspec.structs.replace(patient, birth_year=1916, sex=Sex.FEMALE),
        msgspec.structs.replace(patient, identifier="MRN-3", birth_year=1916, sex=Sex.FEMALE),
    ):
        clinic.archive.change_patient(changed)
        assert sorted(clinic.queued()) == expected
        assert clinic.queued() == []
        # Nothing was corrected.
        clinic.archive.change_patient(changed)
        assert clinic.queued() == []
    # One without a picture holds nothing up.
    other = clinic.archive.add_patient("MRN-4")
    clinic.archive.change_patient(msgspec.structs.replace(other, birth_year=1970))
    assert clinic.queued() == []
    last = clinic.keep()
    assert clinic.queued() == [("pacs", last)]


def test_target_that_is_added_later_gets_what_was_there_before(clinic: Clinic) -> None:
    first = clinic.keep()
    assert clinic.queued(Exchange(dicom=EXCHANGE.dicom)) == [("pacs", first)]
    other = msgspec.structs.replace(EXCHANGE.dicom[0], name="other")
    assert clinic.queued(Exchange(dicom=(*EXCHANGE.dicom, other))) == [("other", first)]


def test_deleted_examination_is_not_sent(clinic: Clinic) -> None:
    first, second = clinic.keep(), clinic.keep()
    queue(clinic.outbox, clinic.archive, EXCHANGE, NOW)
    clinic.archive.delete_examination(first)
    assert clinic.queued() == [("pacs", second)]


def test_other_records_in_the_place_of_these_are_queued_from_their_beginning(
    clinic: Clinic, tmp_path: Path
) -> None:
    """As after a restore: what was marked is not in their trail."""
    for _ in range(3):
        clinic.keep()
    assert len(clinic.queued()) == 3
    clinic.archive.close()
    clinic.archive = EncryptedArchive(tmp_path / "restored", pin_cost=CHEAP)
    other = clinic.keep()
    assert clinic.queued() == [("pacs", other)]
