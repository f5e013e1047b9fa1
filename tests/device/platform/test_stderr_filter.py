import errno
import os
import tempfile
from pathlib import Path

import pytest

from device.platform.stderr_filter import filtered_stderr

Captured = pytest.CaptureFixture[str]


def from_c(text: str) -> None:
    """Write to file descriptor 2, as C code does."""
    os.write(2, text.encode())


def open_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def chatter(line: bytes) -> bool:
    return line.startswith(b"INFO:")


def test_unwanted_lines_are_kept_away_and_the_others_passed_on(capfd: Captured) -> None:
    with filtered_stderr(chatter):
        from_c("INFO: delegate\nbad tensor\nINFO: done\nhalf a line")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "bad tensor\nhalf a line"


def test_afterwards_everything_is_as_it_was(capfd: Captured) -> None:
    before, files = os.fstat(2), open_files()
    with pytest.raises(KeyError), filtered_stderr(chatter):
        assert not os.path.samestat(os.fstat(2), before)
        from_c("said before it failed\n")
        raise KeyError
    assert os.path.samestat(os.fstat(2), before)
    assert open_files() == files
    from_c("INFO: not filtered\n")
    assert capfd.readouterr().err == "said before it failed\nINFO: not filtered\n"


@pytest.mark.parametrize("folder", ["/no/such/folder", "/proc/self"], ids=["nowhere", "read-only"])
def test_it_needs_no_folder_for_temporary_files(
    capfd: Captured, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        with filtered_stderr(chatter):
            from_c("INFO: delegate\nbad tensor\n")
    assert capfd.readouterr().err == "bad tensor\n"


def test_it_works_where_memory_is_no_file(capfd: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: str) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    files = open_files()
    monkeypatch.setattr("os.memfd_create", refused)
    with filtered_stderr(chatter):
        from_c("INFO: delegate\n")
    assert capfd.readouterr().err == "INFO: delegate\n"
    assert open_files() == files


def test_it_ends_where_standard_error_lies_on_a_full_disk(capfd: Captured) -> None:
    kept, full = os.dup(2), os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 2)
    try:
        with filtered_stderr(chatter):
            from_c("bad tensor\n")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(full)
