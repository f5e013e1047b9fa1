from pathlib import Path

import pytest

from device.errors import RecordError, RecordsInUseError
from device.records.held_folder import HeldFolder


def test_folder_is_held_by_one(tmp_path: Path) -> None:
    held, other = HeldFolder(tmp_path, create=False), HeldFolder(tmp_path, create=False)
    assert not held.is_there()
    held.hold()
    assert held.is_there()
    assert not held.read_only
    with pytest.raises(RecordsInUseError, match="end that one first"):
        other.hold()
    held.let_go()
    held.let_go()
    assert not held.is_there()
    other.hold()
    other.let_go()


def test_what_an_interrupted_program_was_writing_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".keyring.json.ab12.part").write_bytes(b"half")
    (tmp_path / "keyring.json").write_bytes(b"whole")
    held = HeldFolder(tmp_path, create=False)
    held.hold()
    assert [path.name for path in tmp_path.iterdir()] == ["keyring.json"]
    held.let_go()


@pytest.mark.parametrize("create", [True, False])
def test_folder_that_is_missing_is_made_or_told(tmp_path: Path, create: bool) -> None:
    held = HeldFolder(tmp_path / "a" / "b", create=create)
    if create:
        held.hold()
        assert held.is_there()
        held.let_go()
        return
    with pytest.raises(FileNotFoundError) as missing:
        held.hold()
    assert "put its disk back in" in str(held.unusable(missing.value))


def test_another_medium_in_its_place_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldFolder(tmp_path, create=False)
    held.hold()
    held.let_go()
    monkeypatch.setattr("device.records.held_folder.mount_point", lambda path: Path("/elsewhere"))
    with pytest.raises(RecordError, match="is not there"):
        held.hold()


def test_folder_that_cannot_be_written_is_held_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldFolder(tmp_path, create=False)
    with monkeypatch.context() as protected:
        denied = PermissionError(13, "Permission denied")
        protected.setattr("device.records.held_folder.why_unwritable", lambda path: denied)
        held.hold()
        assert held.read_only
        assert not held.was_put_right()
        assert "check the disk, and who may write there (Permission denied)" in str(
            held.unwritable()
        )
    assert held.was_put_right()
    assert not held.read_only
    held.let_go()


def test_disk_that_is_read_only_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.records.held_folder.lies_read_only", lambda path: True)
    told = str(HeldFolder(tmp_path, create=False).unwritable())
    assert "the disk of the records is read-only; see or export what is there" in told
