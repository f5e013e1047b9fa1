"""What is the same for every command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from device import __version__
from device.cli import DEBUG_VARIABLE, main
from device.exit_status import ExitStatus
from tests.device.commands import GIVE_UP_SECONDS, ROOT, Capture, complaint, records, run


def ended(*arguments: str) -> object:
    """Return the status that the command line ends with where it does nothing but tell."""
    with pytest.raises(SystemExit) as ending:
        main([*arguments])
    return ending.value.code


@pytest.mark.parametrize(
    ("command", "status"), [("model", ExitStatus.BAD_INPUT), ("run", ExitStatus.CANNOT_START)]
)
@pytest.mark.parametrize("content", ["colour = 1", "threads = 99", "nonsense"])
def test_bad_settings_are_named(
    tmp_path: Path, capsys: Capture, content: str, command: str, status: ExitStatus
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(content)
    assert main(["--config", str(config), command]) == status
    assert str(config) in complaint(capsys)


def test_help_tells_what_each_exit_status_means(capsys: Capture) -> None:
    assert ended("--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert sorted(ExitStatus) == [0, 2, 3, 70, 78, 80, 81, 130]
    for status in ExitStatus:
        assert f"{status.value} {status.meaning}" in told


@pytest.mark.parametrize("debug", [False, True])
def test_error_of_the_program_itself_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, debug: bool
) -> None:
    monkeypatch.setattr("device.models.chosen.load_bundle", {}.__getitem__)
    if debug:
        monkeypatch.setenv(DEBUG_VARIABLE, "1")
    assert main(["model"]) == ExitStatus.INTERNAL_ERROR
    *traceback, line = capsys.readouterr().err.splitlines()
    assert line.startswith("dermascope: internal error (TypeError: ")
    assert line.endswith(f"please report it, with what {DEBUG_VARIABLE}=1 shows")
    assert bool(traceback) == debug


def test_interrupted_program_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("device.models.chosen.load_bundle", interrupted)
    assert main(["model"]) == ExitStatus.INTERRUPTED
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["analyze"], ["analyze", "--nonsense", "a.jpg"]], ids=str
)
def test_wrong_use_is_explained(capsys: Capture, arguments: list[str]) -> None:
    assert ended(*arguments) == 2
    assert "usage: dermascope" in capsys.readouterr().err


def test_version_is_told(capsys: Capture) -> None:
    assert ended("--version") == 0
    assert capsys.readouterr().out == f"dermascope {__version__}\n"


@pytest.mark.parametrize(
    "command", [["model"], ["schema"], ["analyze"], ["analyze", "--json"]], ids=" ".join
)
def test_reader_who_goes_away_is_no_error(photo: Path, command: list[str]) -> None:
    photos = [str(photo)] * 2 if command[0] == "analyze" else []
    read, written = os.pipe()
    os.close(read)
    done = run(*command, *photos, stdout=written, stderr=subprocess.PIPE, capture_output=False)
    os.close(written)
    assert done.returncode == 0
    assert done.stderr == ""


def test_service_without_standard_error_works(photo: Path) -> None:
    command = [sys.executable, "-m", "device", "analyze", "--json", str(photo)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=GIVE_UP_SECONDS,
    )
    assert done.returncode == 0
    assert len(records(done.stdout)) == 1
