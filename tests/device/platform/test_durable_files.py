import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.platform import durable_files
from device.platform.durable_files import fsync_file, fsync_folder, write_atomically


def opened(descriptor: int) -> Path:
    """Return what a file descriptor is of."""
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def test_file_is_written_in_a_folder_that_is_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_atomically(path, b"first")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


def test_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_is_on_the_disk_before_it_has_its_name_and_then_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    forced: list[tuple[Path, bool]] = []
    monkeypatch.setattr("os.fsync", lambda fd: forced.append((opened(fd), path.exists())))
    write_atomically(path, b"content")
    (part, named), folder = forced
    assert part.parent == tmp_path
    assert part.name.startswith(".a.json.")
    assert not named
    assert folder == (tmp_path, True)


def test_file_and_folder_are_forced_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").touch()
    forced: list[Path] = []
    monkeypatch.setattr("os.fsync", lambda fd: forced.append(opened(fd)))
    fsync_file(tmp_path / "a")
    fsync_folder(tmp_path)
    assert forced == [tmp_path / "a", tmp_path]
    with pytest.raises(NotADirectoryError):
        fsync_folder(tmp_path / "a")


def test_folders_are_made_with_those_above_them_and_each_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(durable_files, "fsync_folder", synced.append)
    durable_files.make_folder(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    assert (tmp_path / "a" / "b" / "c").stat().st_mode & 0o777 == 0o700
    durable_files.make_folder(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_whatever_the_umask_nobody_else_reads_what_is_written(tmp_path: Path, umask: None) -> None:
    path = tmp_path / "a" / "b" / "c.json"
    write_atomically(path, b"content")
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_file_has_the_mode_that_is_asked_for(tmp_path: Path, umask: None) -> None:
    write_atomically(tmp_path / "a.json", b"content", 0o644)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644


def test_file_system_that_knows_no_modes_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*given: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for name in ("os.chmod", "os.chown"):
        monkeypatch.setattr(name, refused)
    write_atomically(tmp_path / "a" / "b.json", b"content")
    assert (tmp_path / "a" / "b.json").read_bytes() == b"content"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_what_root_writes_belongs_to_whom_the_folder_belongs(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    write_atomically(tmp_path / "a.json", b"content")
    owner = (tmp_path / "a.json").stat()
    assert (owner.st_uid, owner.st_gid) == (65534, 65534)
