from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.errors import RecordError
from device.frame import Frame
from device.records.encrypted_archive import EncryptedArchive
from device.records.retention import expire
from tests.device.clocks import ManualClock
from tests.device.records.conftest import CHEAP

BEFORE = datetime(2031, 1, 1, tzinfo=UTC)


class LaterClock(ManualClock):
    """A clock on which the instrument has been used for long."""

    year = 2041

    def now(self) -> datetime:
        return super().now().replace(year=self.year)


class Kept:
    """An archive into which pictures of any year are put."""

    def __init__(self, folder: Path, frame: Frame) -> None:
        self.clock = LaterClock()
        self.archive = EncryptedArchive(folder, self.clock, pin_cost=CHEAP)
        self.frame = frame

    def picture(self, year: int, patient: str = "") -> str:
        lesion = None
        if patient:
            known = self.archive.find_patient(patient) or self.archive.add_patient(patient)
            lesion = self.archive.add_lesion(known.key).key
        taken = datetime(year, 3, 4, tzinfo=UTC)
        frame = Frame(self.frame.pixels, taken, 0, "", kind=self.frame.kind)
        return self.archive.keep(frame, None, [], None, lesion=lesion)

    def counted(self) -> tuple[int, int]:
        return expire(self.archive, BEFORE, delete=False)


@pytest.fixture
def kept(tmp_path: Path, small_frame: Frame) -> Iterator[Kept]:
    kept = Kept(tmp_path / "examinations", small_frame)
    yield kept
    kept.archive.close()


def test_patient_goes_with_the_newest_picture(kept: Kept) -> None:
    for year, patient in ((2027, "old"), (2027, "seen again"), (2040, "seen again")):
        kept.picture(year, patient)
    unfiled = [kept.picture(year) for year in (2040, 2041)]
    assert kept.counted() == (1, 0)
    assert expire(kept.archive, BEFORE, delete=True) == (1, 0)
    assert [p.identifier for p in kept.archive.patients().items] == ["seen again"]
    assert len(kept.archive.identifiers()) == 2 + len(unfiled)
    assert kept.counted() == (0, 0)


@pytest.mark.parametrize("year", [1970, 2026])
def test_picture_of_a_clock_that_was_not_set_is_as_young_as_it_may_be(
    kept: Kept, year: int
) -> None:
    """A board without a battery: its clock begins anew, or goes on from the last shutdown."""
    kept.picture(2029, "old")
    kept.picture(year, "fresh")
    unfiled = kept.picture(1970)
    assert kept.counted() == (1, 0)
    # What was kept after them says when they were there at the latest.
    kept.picture(2030, "later")
    assert kept.counted() == (3, 1)
    assert expire(kept.archive, BEFORE, delete=True) == (3, 1)
    assert unfiled not in kept.archive.identifiers()


def test_nothing_is_deleted_by_a_clock_that_is_not_set(kept: Kept) -> None:
    kept.picture(2027, "old")
    kept.clock.year = 1971
    with pytest.raises(RecordError, match="clock is not set"):
        expire(kept.archive, BEFORE, delete=True)
    assert len(kept.archive.identifiers()) == 1
