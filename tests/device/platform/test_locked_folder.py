import errno
import gc
import os
from pathlib import Path

import pytest

from device.platform.locked_folder import (
    LockedFolder,
    lies_read_only,
    mount_point,
    why_unwritable,
)


def test_folder_is_held_by_one_until_it_is_closed_or_forgotten(tmp_path: Path) -> None:
    held = LockedFolder(tmp_path)
    with pytest.raises(BlockingIOError):
        LockedFolder(tmp_path)
    held.close()
    held.close()
    held = LockedFolder(tmp_path)
    del held
    gc.collect()
    LockedFolder(tmp_path).close()


def test_refused_lock_leaves_nothing_open(tmp_path: Path) -> None:
    held = LockedFolder(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(BlockingIOError):
        LockedFolder(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    held.close()


def test_file_system_without_locks_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*given: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refused)
    assert LockedFolder(tmp_path).lies_at(tmp_path)


def test_other_folder_in_its_place_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.mkdir()
    held = LockedFolder(path)
    assert held.lies_at(path)
    path.rename(tmp_path / "b")
    assert not held.lies_at(path)
    path.mkdir()
    assert not held.lies_at(path)
    assert held.lies_at(tmp_path / "b")


def test_mount_point_is_that_of_the_nearest_folder_that_is_there() -> None:
    assert mount_point(Path("/proc/self/nothing/here")) == Path("/proc")
    assert mount_point(Path("/")) == Path("/")


def test_why_nothing_can_be_written_is_found_by_trying(
    tmp_path: Path, no_privilege: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = why_unwritable(Path("/usr"))
    assert why is not None
    assert why.errno in (errno.EACCES, errno.EROFS)
    assert not lies_read_only(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        why_unwritable(Path("/usr/none"))

    def full(*given: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "touch", full)
    why = why_unwritable(Path("/usr"))
    assert why is not None
    assert why.errno == errno.ENOSPC


def test_folder_that_can_be_written_is_left_empty(tmp_path: Path) -> None:
    assert why_unwritable(tmp_path) is None
    assert not list(tmp_path.iterdir())
