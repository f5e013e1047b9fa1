import os
import subprocess
from pathlib import Path

import pytest

from device.cli import main
from device.exit_status import ExitStatus
from tests.device.commands import Capture, complaint, records, run


def with_settings(folder: Path, content: bytes) -> list[str]:
    (folder / "config.toml").write_bytes(content)
    return ["--config", str(folder / "config.toml")]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            b'model = "~nobody-of-that-name/x"',
            "model: ~nobody-of-that-name/x: there is no such user",
        ),
        (b'model = "a\\u0000b"', "model: holds a null character"),
        ("threads = 1".encode("utf-16"), "is not in UTF-8"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"model = " + b"{a=" * 100_000, "is nested too deeply"),
    ],
    ids=["user", "null", "utf-16", "lists", "tables"],
)
def test_mistake_in_the_settings_is_told_as_one(
    tmp_path: Path, capsys: Capture, settings: bytes, told: str
) -> None:
    assert main([*with_settings(tmp_path, settings), "model"]) == ExitStatus.BAD_INPUT
    assert told in complaint(capsys)


@pytest.mark.parametrize(
    ("source", "told"),
    [("~nobody-of-that-name/x", "there is no such user"), ("a\\u0000b", "holds a null character")],
)
def test_mistake_in_a_replayed_path_is_told_as_one(
    tmp_path: Path, capsys: Capture, source: str, told: str
) -> None:
    settings = f'source = "replay:{source}"'.encode()
    assert main([*with_settings(tmp_path, settings), "run"]) == ExitStatus.CANNOT_START
    assert told in complaint(capsys)


def test_settings_with_a_byte_order_mark_are_read(tmp_path: Path, capsys: Capture) -> None:
    assert main([*with_settings(tmp_path, b"\xef\xbb\xbfthreads = 1\n"), "model"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", "a\0b", "model"],
        ["model", "--model", "a\0b"],
        ["analyze", "--overlay", "a\0b", "photo.jpg"],
        ["demo", "--out", "a\0b"],
    ],
    ids=" ".join,
)
def test_name_that_no_file_has_is_a_wrong_use(capsys: Capture, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == ExitStatus.BAD_INPUT
    assert "null character" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["model"], ["schema"], ["analyze"], ["analyze", "--json"]], ids=" ".join
)
def test_full_disk_under_the_output_is_told(photo: Path, command: list[str]) -> None:
    photos = [photo] if command[0] == "analyze" else []
    with Path("/dev/full").open("w") as full:
        done = run(*command, *photos, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == ExitStatus.BAD_INPUT
    (line,) = done.stderr.splitlines()
    assert line.startswith("dermascope: the output cannot be written (No space left on device)")


@pytest.mark.parametrize("link", ["hard", "symbolic", "folder", "case"])
def test_photo_is_never_overwritten_by_whatever_name(
    tmp_path: Path, photo: Path, capsys: Capture, link: str
) -> None:
    before = photo.read_bytes()
    out = tmp_path / "overlay.jpg"
    if link == "hard":
        os.link(photo, out)
    elif link == "symbolic":
        out.symlink_to(photo)
    elif link == "folder":
        (tmp_path / "here").symlink_to(tmp_path)
        out = tmp_path / "here" / photo.name
    else:
        out = tmp_path / "." / "x" / ".." / photo.name
        (tmp_path / "x").mkdir()
    assert main(["analyze", "--json", "--overlay", str(out), str(photo)]) == ExitStatus.BAD_INPUT
    assert "is one of the images" in complaint(capsys)
    assert photo.read_bytes() == before


def test_no_photo_is_overwritten_by_the_overlay_of_another(
    tmp_path: Path, photo: Path, capsys: Capture
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    other = tmp_path / "other.jpg"
    other.write_bytes(photo.read_bytes())
    os.link(other, out / "photo-overlay.png")
    command = ["analyze", "--json", "--overlay", str(out), str(photo), str(other)]
    assert main(command) == ExitStatus.BAD_INPUT
    assert "is one of the images" in complaint(capsys)
    assert other.read_bytes() == photo.read_bytes()


def test_pipe_is_not_waited_for(tmp_path: Path, photo: Path, capsys: Capture) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    command = ["analyze", "--json", str(tmp_path / "pipe.jpg"), str(photo)]
    assert main(command) == ExitStatus.BAD_INPUT
    out, err = capsys.readouterr()
    assert len(records(out)) == 1
    assert "is a pipe" in err
