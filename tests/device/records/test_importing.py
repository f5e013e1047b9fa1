"""What earlier releases kept as plain files is brought over once, whatever interrupts it."""

import json
from pathlib import Path

import numpy as np
import pytest

from device.errors import RecordError, RecordsLockedError
from device.frame import Frame
from device.records.access import Holder
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Role
from device.records.plain_files import plain_examinations
from device.records.verification import verify
from tests.device.records.plain import write_plain

NAMES = [
    "20250101T000000Z-bbbbbb",
    "000001-20260102T030405Z-abcdef",
    "000002-20200102T030405Z-abcde0",
    "000007-20260102T030405Z-abcde1",
]


@pytest.fixture
def plain(archive: EncryptedArchive, small_frame: Frame) -> Path:
    """The archive's folder as an earlier release left it."""
    for name in NAMES:
        write_plain(archive.folder, name, small_frame.pixels)
    return archive.folder


def wrong(archive: EncryptedArchive) -> list[str]:
    return [told for told in verify(archive) if told is not None]


def test_all_is_brought_over_in_its_order_and_the_plain_files_go(
    archive: EncryptedArchive, plain: Path, small_frame: Frame
) -> None:
    expected = {
        name: json.loads((plain / name / "examination.json").read_bytes()) for name in NAMES
    }
    archive.open()
    # Whatever is kept before all are here comes after them.
    new = archive.keep(small_frame, None, [], None)
    assert list(archive.catch_up()) == [True] * 4
    assert archive.identifiers() == [*NAMES, new]
    assert plain_examinations(plain) == []
    archive.close()
    for name in NAMES:
        examination = archive.read(name)
        np.testing.assert_array_equal(examination.image, small_frame.pixels)
        assert examination.record.finding.malignancy == expected[name]["finding"]["malignancy"]
        assert examination.record.measures.colours == ("dark brown",)
        assert archive.thumbnail(name).shape[0] == archive.thumbnail(name).shape[1]
    assert wrong(archive) == []
    assert list(archive.catch_up()) == []


def test_what_is_not_brought_over_yet_is_told_before_anything_leaves(
    archive: EncryptedArchive, plain: Path
) -> None:
    archive.open()
    (told,) = archive.take_in_all()
    assert "an earlier release kept are not in the records yet: 4; start the instr" in str(told)
    list(archive.catch_up())
    assert list(archive.take_in_all()) == []


def test_interrupted_import_goes_on(archive: EncryptedArchive, plain: Path) -> None:
    archive.open()
    steps = archive.catch_up()
    next(steps), next(steps)
    archive.close()
    # As if the power had failed before the plain files were gone.
    (plain / NAMES[0]).mkdir()
    (plain / NAMES[0] / "image.png").write_bytes(b"half")
    archive.open()
    assert list(archive.catch_up()) == [True] * 3
    assert archive.identifiers() == NAMES
    assert plain_examinations(plain) == []
    assert wrong(archive) == []


def test_what_was_deleted_does_not_come_back(
    archive: EncryptedArchive, plain: Path, small_frame: Frame
) -> None:
    archive.open()
    assert list(archive.catch_up()) == [True] * 4
    archive.delete_examination(NAMES[1])
    write_plain(plain, NAMES[1], small_frame.pixels)
    archive.close()
    archive.open()
    list(archive.catch_up())
    assert NAMES[1] not in archive.identifiers()


def test_damaged_one_stays_where_it_is_and_holds_up_no_other(
    archive: EncryptedArchive, plain: Path, small_frame: Frame
) -> None:
    (plain / NAMES[1] / "image.png").write_bytes(b"no picture")
    for _ in range(2):
        archive.open()
        done = list(archive.catch_up())
        assert done.count(False) == 1
        assert archive.identifiers() == [name for name in NAMES if name != NAMES[1]]
        assert plain_examinations(plain) == [NAMES[1]]
        archive.close()
    # Mended by hand, it is brought over by hand.
    (plain / NAMES[1]).rename(plain / "aside")
    write_plain(plain, NAMES[1], small_frame.pixels)
    assert list(archive.import_from(plain, remove=True)) == [None]
    assert archive.identifiers() == NAMES


def test_copy_of_another_folder_is_left_there(
    archive: EncryptedArchive, tmp_path: Path, small_frame: Frame
) -> None:
    for name in NAMES:
        write_plain(tmp_path / "stick", name, small_frame.pixels)
    (tmp_path / "stick" / NAMES[3] / "examination.json").write_bytes(b"{}")
    for _ in range(2):
        told = list(archive.import_from(tmp_path / "stick", remove=False))
        assert [error is None for error in told] == [True, True, True, False]
        assert archive.identifiers() == NAMES[:3]
    assert plain_examinations(tmp_path / "stick") == NAMES


def test_lesion_that_a_plain_record_names_is_none_of_the_archives(
    archive: EncryptedArchive, plain: Path
) -> None:
    path = plain / NAMES[0] / "examination.json"
    record = json.loads(path.read_bytes())
    path.write_text(json.dumps(record | {"lesion": "0" * 32}))
    archive.open()
    assert all(archive.catch_up())
    assert archive.record(NAMES[0]).lesion is None


def test_nothing_is_brought_over_while_it_is_locked(
    archive: EncryptedArchive, small_frame: Frame
) -> None:
    archive.set_pin(Holder("A", Role.CLINICIAN), "111111")
    archive.lock()
    write_plain(archive.folder, NAMES[0], small_frame.pixels)
    assert list(archive.catch_up()) == []
    with pytest.raises(RecordsLockedError):
        list(archive.import_from(archive.folder, remove=True))
    archive.unlock("111111")
    assert list(archive.catch_up()) == [True]


def test_folder_that_cannot_be_read_is_told(archive: EncryptedArchive, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError):
        list(archive.import_from(tmp_path / "file", remove=False))
