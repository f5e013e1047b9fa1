"""That damage is found, wherever it is, and named."""

import sqlite3
from pathlib import Path

import pytest

from device.errors import RecordError, RecordsLockedError, WrongPinError
from device.frame import Frame
from device.records.access import Holder
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Role
from device.records.verification import verify
from tests.device.records.kill_deeds import FINDING


@pytest.fixture
def filled(archive: EncryptedArchive, small_frame: Frame) -> EncryptedArchive:
    """An archive with a patient, a lesion, and three pictures of which one is filed."""
    lesion = archive.add_lesion(archive.add_patient("4711").key)
    for key in (lesion.key, None, None):
        archive.keep(small_frame, None, [], None, lesion=key)
    return archive


def wrong(archive: EncryptedArchive) -> list[str]:
    return [told for told in verify(archive) if told is not None]


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


def run(archive: EncryptedArchive, *statements: str) -> None:
    assert archive.opened is not None
    for statement in statements:
        archive.opened.connection.execute(statement)


def test_whole_archive_is_told_picture_by_picture(filled: EncryptedArchive) -> None:
    assert list(verify(filled)) == [None] * 3
    filled.delete_examination(filled.identifiers()[0])
    assert list(verify(filled)) == [None] * 2


def test_every_byte_of_a_picture_is_looked_at(filled: EncryptedArchive) -> None:
    path = sorted(filled.folder.rglob("*.picture"))[1]
    content = path.read_bytes()
    for place in (*range(40), *range(40, len(content), len(content) // 60), len(content) - 1):
        flip(path, place)
        (told,) = wrong(filled)
        assert told.startswith("pictures/0000/0000002.picture: examination 000002-")
        path.write_bytes(content)
    path.unlink()
    (told,) = wrong(filled)
    assert "No such file" in told
    path.write_bytes(content)
    assert wrong(filled) == []


def test_every_page_of_the_tables_is_looked_at(filled: EncryptedArchive) -> None:
    filled.close()
    path = filled.folder / "archive.db"
    content = path.read_bytes()
    for page in range(len(content) // 4096):
        place = page * 4096 + (page * 997) % 4096
        flip(path, place)
        told = ""
        try:
            told = " ".join(wrong(filled))
        except RecordError as error:
            told = str(error)
        assert "archive.db: HMAC verification failed for page" in told
        if place >= 16:
            # The first bytes are those that all pages are authenticated with.
            assert f"failed for page {page + 1}" in told
        filled.close()
        path.write_bytes(content)
    assert wrong(filled) == []


@pytest.mark.parametrize("name", ["keyring.json", "keyring.copy.json"])
def test_every_byte_of_the_keyring_is_looked_at(filled: EncryptedArchive, name: str) -> None:
    path = filled.folder / name
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        flip(path, place)
        told = f"{name}: was damaged; the other copy was put in its place"
        assert wrong(filled) == [told]
        assert path.read_bytes() == content
    filled.close()
    flip(path, 100)
    assert wrong(filled) == [told]


@pytest.fixture
def every_file(filled: EncryptedArchive, small_frame: Frame) -> EncryptedArchive:
    """An archive with each of the files that there may be, locked."""
    patient = filled.add_patient("HOSPITAL-4711", name="Erika Mustermann")
    filled.keep(small_frame, None, [], None, lesion=filled.add_lesion(patient.key).key)
    filled.set_pin(Holder("A", Role.CLINICIAN), "111111")
    filled.lock()
    sealed = filled.keep(small_frame, None, [], None)
    filled.complete(sealed, FINDING, ["melanoma-0.90"], None)
    with pytest.raises(WrongPinError):
        filled.unlock("999999")
    filled.close()
    return filled


def test_no_file_is_left_out(every_file: EncryptedArchive) -> None:
    """A new kind of file has to be looked at too, or has to say here why not."""
    folder = every_file.folder
    told: dict[str, set[bool]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        kind = path.suffix if path.parent != folder else path.name
        whole = {other: other.read_bytes() for other in folder.rglob("*") if other.is_file()}
        for place in (0, len(content) // 3, len(content) - 1):
            flip(path, place)
            name = str(path.relative_to(folder))
            words = name if path.suffix == ".picture" and "sealed" not in name else path.parts[-2]
            words = path.name if path.parent == folder else words
            try:
                every_file.unlock("111111")
                said = " ".join(wrong(every_file))
            except RecordError as error:
                said = str(error)
            told.setdefault(kind, set()).add(words in said)
            every_file.close()
            for other, before in whole.items():
                other.write_bytes(before)
    # The key that pictures are sealed for is made anew from the master key, and a count of wrong
    # PINs that cannot be read counts as some.
    assert told.pop(".key") == told.pop("wrong-pins.json") == {False}
    assert told == {
        name: {True}
        for name in (
            "archive.db",
            "keyring.json",
            "keyring.copy.json",
            ".picture",
            ".kept",
            ".finding",
        )
    }


def test_no_file_holds_anything_in_the_clear(every_file: EncryptedArchive) -> None:
    for path in every_file.folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for words in (
            b"HOSPITAL", b"Mustermann", b"4711", b"melanoma", b"field_of_view", b"SQLite format",
            b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\rIHDR", b"\xff\xd8\xff\xe0\x00\x10JFIF",
        ):  # fmt: skip
            assert words not in content, path.name


def test_key_beside_that_is_damaged_is_told(filled: EncryptedArchive) -> None:
    filled.close()
    flip(filled.folder / "archive.key", 5)
    with pytest.raises(RecordError, match=r"archive\.key is damaged"):
        wrong(filled)


@pytest.mark.parametrize(
    ("change", "entry"),
    [
        ("UPDATE trail SET time = '2020-01-01T00:00:00+00:00' WHERE number = 3", 3),
        ("UPDATE trail SET holder = 'somebody else' WHERE number = 1", 1),
        ("UPDATE trail SET subject = 'x' WHERE number = 4", 4),
        ("UPDATE trail SET digest = zeroblob(32) WHERE number = 2", 2),
        ("DELETE FROM trail WHERE number = 2", 2),
        ("UPDATE trail SET number = 9 WHERE number = 6", 6),
    ],
)
def test_first_break_of_the_trail_is_named(
    filled: EncryptedArchive, change: str, entry: int
) -> None:
    run(filled, "DROP TRIGGER trail_is_not_altered", "DROP TRIGGER trail_is_not_shortened", change)
    assert f"trail: entry {entry} does not follow from those before it" in wrong(filled)


@pytest.mark.parametrize("change", ["UPDATE trail SET subject = 'x'", "DELETE FROM trail"])
def test_trail_is_only_added_to(filled: EncryptedArchive, change: str) -> None:
    with pytest.raises(Exception, match="the trail is not"):
        run(filled, change)
    assert wrong(filled) == []


def test_examination_that_vanished_is_named(filled: EncryptedArchive) -> None:
    gone = filled.identifiers()[1]
    run(filled, "DELETE FROM examination WHERE number = 2")
    assert wrong(filled) == [
        f"examination {gone}: the trail says that it was kept",
        "pictures/0000/0000002.picture: belongs to no examination",
    ]


def test_examination_that_came_from_nowhere_is_named(filled: EncryptedArchive) -> None:
    run(filled, "UPDATE examination SET identifier = 'x' WHERE number = 2")
    assert "examination x: the trail does not know of it" in wrong(filled)


def test_service_may_verify_and_field_may_not(filled: EncryptedArchive) -> None:
    filled.set_pin(Holder("A", Role.CLINICIAN), "111111")
    filled.set_pin(Holder("B", Role.SERVICE), "222222")
    filled.set_pin(Holder("C", Role.FIELD), "333333")
    filled.lock()
    with pytest.raises(RecordsLockedError):
        wrong(filled)
    filled.unlock("222222")
    assert list(verify(filled)) == [None] * 3
    filled.unlock("333333")
    with pytest.raises(RecordError, match="not allowed"):
        wrong(filled)


def test_file_is_no_database_to_whoever_has_no_key(filled: EncryptedArchive) -> None:
    filled.close()
    with (
        pytest.raises(sqlite3.DatabaseError, match="not a database"),
        sqlite3.connect(filled.folder / "archive.db") as connection,
    ):
        connection.execute("SELECT * FROM patient")
