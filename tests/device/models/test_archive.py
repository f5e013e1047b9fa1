"""A bundle as one file, and what else may lie on a stick under its name."""

import io
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import BundleError
from device.models import archive
from device.models.archive import pack, unpack

FILES = {"model.tflite": b"m" * 3000, "manifest.json": b"{}", "manifest.sig": b"s" * 64}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def entry(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def written(path: Path, *entries: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> Path:
    """Write an archive that holds a bundle, and these beside it."""
    whole = [*(entry(name, content) for name, content in FILES.items()), *entries]
    with tarfile.open(path, mode) as out:
        for info, content in whole:
            out.addfile(info, io.BytesIO(content))
    return path


def refusal(path: Path, folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        unpack(path, folder)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_packed_is_unpacked(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "a.dermascope").write_bytes(pack(FILES))
    unpack(tmp_path / "a.dermascope", folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def test_same_bundle_gives_the_same_bytes_with_the_signature_first() -> None:
    assert pack(FILES) == pack(dict(reversed(FILES.items())))
    with tarfile.open(fileobj=io.BytesIO(pack(FILES))) as told:
        assert told.getnames() == ["manifest.json", "manifest.sig", "model.tflite"]
        for member in told:
            assert (member.mtime, member.uid, member.gid, member.mode) == (0, 0, 0, 0o644)


@pytest.mark.parametrize(
    "name",
    ["../out.txt", "/etc/cron.d/job", "a/b", "..", ".", ".hidden", "-rf", "a\nb", "x" * 65, "é"],
)
def test_name_that_leads_elsewhere_is_refused(tmp_path: Path, folder: Path, name: str) -> None:
    said = refusal(written(tmp_path / "a.dermascope", entry(name)), folder)
    assert "no plain file" in said
    assert {p.name for p in tmp_path.rglob("*")} - set(FILES) <= {"a.dermascope", "out"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_what_is_no_plain_file_is_refused(tmp_path: Path, folder: Path, kind: bytes) -> None:
    link = entry("link", b"", type=kind, linkname="/etc/passwd")
    assert "no plain file" in refusal(written(tmp_path / "a.dermascope", link), folder)
    assert not (folder / "link").is_symlink()


def test_file_that_is_there_twice_is_refused(tmp_path: Path, folder: Path) -> None:
    twice = written(tmp_path / "a.dermascope", entry("manifest.json", b"other"))
    assert "more files" in refusal(twice, folder)
    assert (folder / "manifest.json").read_bytes() == b"{}"


def test_thousand_files_are_refused(tmp_path: Path, folder: Path) -> None:
    many = [entry(f"file-{n}") for n in range(1000)]
    assert "more files" in refusal(written(tmp_path / "a.dermascope", *many), folder)
    assert len(list(folder.iterdir())) < 40


def test_archive_that_is_too_large_is_refused_before_it_is_written(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1 << 20)
    large = written(tmp_path / "a.dermascope", entry("large", b"\0" * (2 << 20)))
    assert "larger than the limit of 1 MiB" in refusal(large, folder)
    assert not (folder / "large").exists()


def test_size_that_is_only_claimed_takes_neither_memory_nor_disk(
    tmp_path: Path, folder: Path
) -> None:
    path = written(tmp_path / "a.dermascope")
    claimed = tarfile.TarInfo("claimed")
    claimed.size = 100 << 20
    content = path.read_bytes().rstrip(b"\0") + b"\0" * 512
    content = content[: len(content) // 512 * 512] + claimed.tobuf() + b"short"
    path.write_bytes(content)
    tracemalloc.start()
    refusal(path, folder)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    assert sum(p.stat().st_size for p in folder.iterdir()) < 1 << 20


def most_memory(path: Path, folder: Path) -> tuple[int, str]:
    """Return how much memory it took to refuse an archive, and what was said."""
    tracemalloc.start()
    try:
        said = refusal(path, folder)
        return tracemalloc.get_traced_memory()[1], said
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.GNUTYPE_SPARSE,
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_header_that_says_more_of_the_next_is_refused_unread(
    tmp_path: Path, folder: Path, kind: bytes, first: bool
) -> None:
    path = tmp_path / "a.dermascope"
    header = tarfile.TarInfo("more\n")
    header.type, header.size = kind, 150 << 20
    before = b"" if first else pack(FILES).rstrip(b"\0")
    before += b"\0" * (-len(before) % 512)
    with path.open("wb") as file:
        file.write(before + header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(len(before) + 512 + header.size)
    taken, said = most_memory(path, folder)
    assert "the file holds more\\n, which is no plain file of a bundle" in said
    assert taken < 2 << 20


def test_file_larger_than_any_bundle_is_refused_unread(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "a.dermascope"
    path.write_bytes(pack(FILES))
    # A file with a hole takes no room on the stick.
    os.truncate(path, 1 << 40)
    taken, said = most_memory(path, folder)
    assert "larger than the limit of 160 MiB" in said
    assert taken < 2 << 20
    assert not list(folder.iterdir())


def test_bundle_of_the_most_bytes_and_files_is_not_too_large(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = FILES | {f"file-{number}": b"x" for number in range(29)}
    monkeypatch.setattr(archive, "MOST_BYTES", sum(map(len, files.values())))
    (tmp_path / "a.dermascope").write_bytes(pack(files))
    unpack(tmp_path / "a.dermascope", folder)
    assert len(list(folder.iterdir())) == 32


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
def test_compressed_archive_is_refused(tmp_path: Path, folder: Path, mode: str) -> None:
    packed = written(tmp_path / "a.dermascope", entry("zeros", b"\0" * (1 << 20)), mode=mode)
    assert "no archive of a bundle" in refusal(packed, folder)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.45])
def test_archive_that_is_cut_short_is_refused(tmp_path: Path, folder: Path, share: float) -> None:
    whole = pack(FILES)
    (tmp_path / "a.dermascope").write_bytes(whole[: int(len(whole) * share)])
    refusal(tmp_path / "a.dermascope", folder)


def test_pipe_is_not_waited_for(tmp_path: Path, folder: Path) -> None:
    os.mkfifo(tmp_path / "a.dermascope")
    with pytest.raises(OSError, match="is no file"):
        unpack(tmp_path / "a.dermascope", folder)


def test_archive_of_something_else_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "a.dermascope").write_bytes(pack({"holiday.jpg": b"x"}))
    assert "holds no bundle" in refusal(tmp_path / "a.dermascope", folder)


@given(place=st.integers(0, 1 << 20), byte=st.integers(0, 255))
def test_damaged_archive_gives_files_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    content = bytearray(pack(FILES))
    content[place % len(content)] = byte
    base = tmp_path_factory.mktemp("damaged")
    (base / "a.dermascope").write_bytes(content)
    (base / "out").mkdir()
    try:
        unpack(base / "a.dermascope", base / "out")
    except BundleError as error:
        assert len(str(error).splitlines()) == 1
    assert {p.name for p in base.iterdir()} == {"a.dermascope", "out"}
