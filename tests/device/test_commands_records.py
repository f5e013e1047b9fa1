"""``dermascope records``: backing up, restoring, verifying, importing, PINs."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.cli import main
from device.exit_status import ExitStatus
from device.frame import Frame
from device.platform.clock import Clock
from device.records import keyring
from device.records.access import Holder
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Role
from tests.device.commands import Capture, complaint
from tests.device.records.conftest import CHEAP, small_frame
from tests.device.records.plain import write_plain

__all__ = ["small_frame"]

PASSPHRASE = "a word and another"  # noqa: S105


class Records:
    """The command, run in this process on a state folder of the test's own."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, frame: Frame
    ) -> None:
        self.folder = folder
        self.frame = frame
        self.config = folder / "config.toml"
        self.config.touch()
        self._monkeypatch = monkeypatch
        self.capsys = capsys
        monkeypatch.setenv("STATE_DIRECTORY", str(folder / "state"))
        monkeypatch.setattr(keyring, "measure_cost", lambda monotonic: CHEAP)

    def archive(self) -> EncryptedArchive:
        return EncryptedArchive(self.folder / "state" / "examinations", pin_cost=CHEAP)

    def fill(self) -> list[str]:
        archive = self.archive()
        kept = [archive.keep(self.frame, None, [], None) for _ in range(3)]
        archive.close()
        return kept

    def run(self, *arguments: object, typed: str = "") -> tuple[int, str]:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        words = ["--config", str(self.config), "records", *map(str, arguments)]
        return main(words), self.capsys.readouterr().out


@pytest.fixture
def records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, small_frame: Frame
) -> Records:
    return Records(tmp_path, monkeypatch, capsys, small_frame)


def test_backup_verify_and_restore(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = records.fill()
    stick = tmp_path / "stick"
    status, out = records.run("backup", stick, typed=f"{PASSPHRASE}\n")
    assert (status, out) == (0, f"3 pictures copied to {stick}, and verified.\n")
    whole = "3 examinations are whole; found wrong: 0.\n"
    assert records.run("verify", stick, typed=f"{PASSPHRASE}\n") == (0, whole)
    assert records.run("verify") == (0, whole)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "other"))
    status, out = records.run("restore", stick, typed=f"{PASSPHRASE}\n")
    assert status == 0
    assert out.endswith(f"set PINs with `dermascope records pin NAME`.\n{whole}")
    other = EncryptedArchive(tmp_path / "other" / "examinations")
    assert other.identifiers() == kept
    other.close()


def test_backup_on_the_same_disk_is_told(records: Records, tmp_path: Path) -> None:
    records.fill()
    words = ["--config", str(records.config), "records", "backup", str(tmp_path / "stick")]
    records._monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSPHRASE}\n"))
    assert main(words) == 0
    assert "lies on the same disk as the records" in complaint(records.capsys)


def test_backup_with_a_key_file(records: Records, tmp_path: Path) -> None:
    records.fill()
    key = tmp_path / "backup.key"
    key.write_bytes(bytes(range(32)))
    stick = tmp_path / "stick"
    assert records.run("backup", stick, "--backup-key", key)[0] == 0
    assert records.run("verify", stick, "--backup-key", key)[0] == 0
    assert records.run("backup", stick, "--backup-key", tmp_path / "none")[0] == 2


def test_flipped_byte_is_named_and_the_exit_status_tells(records: Records, tmp_path: Path) -> None:
    kept = records.fill()
    path = tmp_path / "state" / "examinations" / "pictures" / "0000" / "0000002.picture"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    status, out = records.run("verify")
    assert status == ExitStatus.BAD_INPUT
    assert f"pictures/0000/0000002.picture: examination {kept[1]} is damaged" in out
    assert "2 examinations are whole; found wrong: 1." in out


def test_pins_are_given_listed_and_taken_away(records: Records, tmp_path: Path) -> None:
    records.fill()
    assert records.run("pin", "Dr. A", typed="111111\n")[0] == 0
    assert records.run("pin", "B", "--role", "service", typed="111111\n222222\n")[0] == 0
    _, out = records.run("pin")
    assert out == "Dr. A: clinician\nB: service\nThe records are opened by: PIN.\n"
    assert records.run("verify", typed="222222\n")[0] == 0
    assert records.run("pin", "B", "--remove", typed="111111\n")[0] == 0
    assert records.run("verify", typed="222222\n")[0] == 2
    assert records.run("verify")[0] == 2
    archive = records.archive()
    archive.open()
    assert archive.holders() == (Holder("Dr. A", Role.CLINICIAN),)
    archive.close()


def test_what_was_kept_while_locked_is_taken_in_first(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert records.run("pin", "Dr. A", typed="111111\n")[0] == 0
    for number, command in enumerate((["verify"], ["picture", "newest", tmp_path / "out.png"]), 1):
        archive = records.archive()
        archive.keep(records.frame, None, [], None)
        archive.close()
        status, out = records.run(*command, typed="111111\n")
        assert (status, out) == (
            0,
            "" if number == 2 else "1 examinations are whole; found wrong: 0.\n",
        )
        assert len(list(tmp_path.rglob("pictures/*/*"))) == number
    archive = records.archive()
    archive.keep(records.frame, None, [], None)
    archive.close()
    # Where that cannot be done it is told, and is not found to be well.
    monkeypatch.setattr("device.records.picture_vault._RESERVED", 1 << 60)
    monkeypatch.setattr("sys.stdin", io.StringIO("111111\n"))
    assert main(["--config", str(records.config), "records", "verify"]) == ExitStatus.BAD_INPUT
    told = capsys.readouterr()
    assert "locked are not in them yet: 1; make room" in told.err
    assert told.out == "2 examinations are whole; found wrong: 0.\n"


def test_wrong_pin_is_told(records: Records, capsys: Capture) -> None:
    assert records.run("pin", "Dr. A", typed="111111\n")[0] == 0
    assert records.run("trail", typed="000000\n")[0] == 2


def test_key_file_opens_what_has_pins(records: Records, tmp_path: Path) -> None:
    key = tmp_path / "records.key"
    key.write_bytes(bytes(range(32)))
    records.config.write_text(f'records_key_file = "{key}"')
    assert records.run("pin", "Dr. A", typed="111111\n")[0] == 0
    assert records.run("verify")[0] == 2
    assert records.run("verify", "--key-file")[0] == 0
    assert records.run("pin", "Dr. A", "--key-file", typed="999999\n")[0] == 0
    assert records.run("verify", typed="999999\n")[0] == 0


def test_plain_files_are_imported(records: Records, tmp_path: Path) -> None:
    for number in (1, 2):
        name = f"{number:06d}-20260102T030405Z-abcdef"
        write_plain(tmp_path / "old", name, records.frame.pixels)
    (tmp_path / "old" / name / "image.png").write_bytes(b"")
    status, out = records.run("import", tmp_path / "old")
    assert (status, out) == (2, "1 examinations are in the records.\n")
    assert len(list((tmp_path / "old").iterdir())) == 2
    records.run("import", tmp_path / "old", "--remove")
    assert [path.name for path in (tmp_path / "old").iterdir()] == [name]


def test_picture_is_written_and_the_trail_says_so(records: Records, tmp_path: Path) -> None:
    assert records.run("picture", "newest", tmp_path / "out.png")[0] == 2
    kept = records.fill()
    assert records.run("picture", "newest", tmp_path / "out.png")[0] == 0
    with Image.open(tmp_path / "out.png") as image:
        np.testing.assert_array_equal(np.asarray(image), records.frame.pixels)
    assert records.run("picture", kept[0], tmp_path / "none" / "out.png")[0] == 2
    _, out = records.run("trail")
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[0] for line in lines] == [str(n) for n in range(1, len(lines) + 1)]
    assert [line[2:] for line in lines[-2:]] == [
        ["instrument", "exported", f"picture of {kept[2]}"],
        ["instrument", "exported", f"picture of {kept[0]}"],
    ]


def test_old_records_are_deleted_only_when_that_is_said(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = records.archive()
    # As if it were ten years later: what is older than the program is not believed.
    now = datetime.now(UTC) + timedelta(days=3653)
    monkeypatch.setattr(Clock, "now", lambda clock: now)
    old = now - timedelta(days=3660)
    for identifier, times in (("old", [old]), ("seen again", [old, now])):
        lesion = archive.add_lesion(archive.add_patient(identifier).key)
        for time in times:
            frame = Frame(records.frame.pixels, time, 0, "", kind=records.frame.kind)
            archive.keep(frame, None, [], None, lesion=lesion.key)
    archive.add_patient("new")
    archive.close()
    assert records.run("expire")[0] == 2
    records.config.write_text("records_years = 10")
    status, out = records.run("expire")
    assert (status, "to be deleted: 1 patients, 0 other pictures." in out) == (0, True)
    status, out = records.run("expire", "--delete")
    assert ", deleted: 1 patients, 0 other pictures." in out
    assert "to be deleted: 0 patients" in records.run("expire")[1]
    archive = records.archive()
    assert [p.identifier for p in archive.patients().items] == ["new", "seen again"]
    assert len(archive.identifiers()) == 2
    archive.close()


def test_records_of_a_running_instrument_are_left_alone(records: Records, capsys: Capture) -> None:
    archive = records.archive()
    archive.open()
    for command in (["verify"], ["trail"], ["pin", "A"], ["backup", "stick"]):
        assert records.run(*command, typed=f"{PASSPHRASE}\n")[0] == 2
    archive.close()
    records._monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["records", "restore", str(records.folder / "none")]) == 2
    assert "Passphrase of the backup: none was entered" in complaint(capsys)


def test_patient_or_picture_is_deleted_for_good(records: Records) -> None:
    archive = records.archive()
    lesions = [archive.add_lesion(archive.add_patient(name).key).key for name in ("4711", "4712")]
    mine, other = (archive.keep(records.frame, None, [], None, lesion=key) for key in lesions)
    archive.set_pin(Holder("Dr", Role.CLINICIAN), "111111")
    archive.set_pin(Holder("Ana", Role.FIELD), "222222")
    archive.lock()
    archive.keep(records.frame, None, [], None, lesion=lesions[0])
    archive.close()
    # A field worker deletes nothing.
    assert records.run("delete", "4711", typed="222222\n") == (ExitStatus.BAD_INPUT, "")
    assert records.run("delete", "4799", typed="111111\n")[0] == ExitStatus.BAD_INPUT
    assert records.run("delete", "4711", typed="111111\n") == (
        0, "1 patient deleted, with 2 pictures.\n",
    )  # fmt: skip
    assert records.run("delete", mine, "--picture", typed="111111\n")[0] == ExitStatus.BAD_INPUT
    archive = records.archive()
    archive.unlock("111111")
    assert archive.identifiers() == [other]
    archive.close()
    assert records.run("delete", other, "--picture", typed="111111\n") == (
        0, "1 picture deleted.\n",
    )  # fmt: skip
    assert not list(records.folder.rglob("*.picture"))
