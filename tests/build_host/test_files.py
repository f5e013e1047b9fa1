import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from build_host.files import replacing, write_file


def test_a_file_is_written_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.bin"
    write_file(path, b"content")
    assert path.read_bytes() == b"content"
    write_file(path, b"other")
    assert path.read_bytes() == b"other"
    assert list(path.parent.iterdir()) == [path]


def test_whoever_may_read_other_files_may_read_it(tmp_path: Path) -> None:
    # A bundle is written by one user and loaded by another: the device's service.
    (tmp_path / "usual").touch()
    write_file(tmp_path / "written", b"content")
    usual, written = (stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("usual", "written"))
    assert written == usual


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_when_writing_fails_the_old_file_stays_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "file.npy"
    path.write_bytes(b"old")
    with pytest.raises(error), replacing(path) as part:
        part.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_finds_a_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    contents = {bytes([value]) * 100_000 for value in range(4)}
    write_file(path, next(iter(contents)))
    done = threading.Event()
    found: set[bytes] = set()

    def read() -> None:
        while not done.is_set():
            found.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        for content in contents:
            write_file(path, content)
    done.set()
    reader.join()
    assert found <= contents


def test_libraries_that_choose_the_format_by_the_suffix_find_it(tmp_path: Path) -> None:
    with replacing(tmp_path / "array.npy") as part:
        assert part.parent == tmp_path
        # Given another suffix, NumPy would append its own.
        np.save(part, np.arange(3))
    np.testing.assert_array_equal(np.load(tmp_path / "array.npy"), np.arange(3))
