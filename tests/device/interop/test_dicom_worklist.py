import itertools
import time
from collections.abc import Iterator
from datetime import date

import pytest
from pydicom import DataElement, Dataset

from device.errors import RefusedError, UnreachableError
from device.interop.dicom_image import DERMOSCOPIC
from device.interop.dicom_worklist import find_scheduled
from device.records.orders import Referrer
from device.records.patients import Sex
from tests.device.interop.peers import LEFT_TO_PYTHON, archive, closed_port, hang, listener, peer
from tests.device.interop.studies import ORDER

DAY = date(2026, 3, 4)

pytestmark = LEFT_TO_PYTHON


def entry(identifier: str = "MRN-4711", time: str = "093000", **changes: object) -> Dataset:
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.PatientID, made.PatientName = identifier, "Núñez^María"
    made.PatientBirthDate, made.PatientSex = "19610203", "F"
    made.StudyInstanceUID, made.AccessionNumber = "1.2.3.4", "ACC1"
    made.RequestedProcedureID, made.RequestedProcedureDescription = "P7", "Skin check"
    step = Dataset()
    step.ScheduledProcedureStepStartTime, step.ScheduledProcedureStepID = time, "S8"
    made.ScheduledProcedureStepSequence = [step]
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_worklist_tells_who_comes_when_and_what_was_asked_for() -> None:
    with archive() as ris:
        ris.entries = [entry("LATE", "1500"), entry()]
        first, second = find_scheduled(peer(ris.port), DAY)
    assert (first.identifier, first.name, first.time) == ("MRN-4711", "Núñez, María", "0930")
    assert (first.birth_year, first.sex) == (1961, Sex.FEMALE)
    assert (first.order.study_uid, first.order.accession_number) == ("1.2.3.4", "ACC1")
    assert (first.order.procedure, first.order.step) == ("P7", "S8")
    assert second.identifier == "LATE"


def test_worklist_tells_who_refers_the_patient() -> None:
    code, person = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "7788", "L", "Rita Gómez"
    person.PersonIdentificationCodeSequence, person.InstitutionName = [code], "Centro 5"
    with archive() as ris:
        ris.entries = [
            entry("NAMED", ReferringPhysicianName="Gómez^Rita"),
            entry("CODED", ReferringPhysicianName="Gómez^Rita",
                  ReferringPhysicianIdentificationSequence=[person]),
            entry("BARE"),
        ]  # fmt: skip
        found = {one.identifier: one.order for one in find_scheduled(peer(ris.port), DAY)}
    assert found["NAMED"].referrer == Referrer(name="Gómez^Rita")
    assert found["CODED"].referrer == ORDER.referrer
    assert found["BARE"].referrer is None


def test_entries_that_name_nobody_or_nothing_are_passed_over() -> None:
    with archive() as ris:
        ris.entries = [
            entry(""), entry(StudyInstanceUID=""), entry("BARE", PatientBirthDate="",
            PatientSex="", PatientName=""),
        ]  # fmt: skip
        (bare,) = find_scheduled(peer(ris.port), DAY)
    assert (bare.identifier, bare.name, bare.birth_year, bare.sex) == ("BARE", "", None, None)


def test_entries_that_cannot_be_read_are_passed_over() -> None:
    broken = entry("BROKEN")
    broken.ScheduledProcedureStepSequence = []
    broken["PatientBirthDate"] = DataElement("PatientBirthDate", "LO", "born")
    with archive() as ris:
        ris.entries = [entry(["A", "B"]), broken, entry("GOOD")]
        found = find_scheduled(peer(ris.port), DAY)
    assert [(one.identifier, one.birth_year) for one in found] == [("BROKEN", None), ("GOOD", 1961)]


def test_empty_worklist_is_no_failure() -> None:
    with archive() as ris:
        assert find_scheduled(peer(ris.port), DAY) == ()


def test_worklist_that_fails_or_hangs_or_is_none_is_told() -> None:
    with archive() as ris:
        ris.answer = lambda: 0xA700
        with pytest.raises(RefusedError, match=r"does not answer with a worklist.*A700"):
            find_scheduled(peer(ris.port), DAY, 1.0)
    with archive(classes=(DERMOSCOPIC,)) as ris, pytest.raises(UnreachableError):
        find_scheduled(peer(ris.port), DAY, 1.0)
    with listener(hang) as port, pytest.raises(UnreachableError, match="does not answer"):
        find_scheduled(peer(port), DAY, 1.0)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        find_scheduled(peer(closed_port()), DAY, 1.0)


def test_worklist_that_never_ends_is_cut_short() -> None:
    with archive() as ris:
        ris.entries = itertools.repeat(entry(""))
        assert find_scheduled(peer(ris.port), DAY) == ()
        ris.entries = (entry(str(number)) for number in itertools.count())
        assert len(find_scheduled(peer(ris.port), DAY)) == 500


def test_worklist_that_drips_is_no_answer() -> None:
    def slowly() -> Iterator[Dataset]:
        for number in itertools.count():
            time.sleep(0.2)
            yield entry(str(number))

    with archive() as ris:
        ris.entries = slowly()
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="does not answer"):
            find_scheduled(peer(ris.port), DAY, 1.0)
        assert time.monotonic() - began < 30.0


def test_name_is_no_longer_than_a_patients_may_be() -> None:
    with archive() as ris:
        ris.entries = [entry(PatientName=f"{'a' * 32}^{'b' * 31}")]
        (one,) = find_scheduled(peer(ris.port), DAY)
    assert len(one.name) == 64
