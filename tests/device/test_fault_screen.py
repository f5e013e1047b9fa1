import os
import subprocess
import sys
from pathlib import Path

import pytest

from device.appearance import Rotation, Theme
from device.config import CONFIG_VARIABLE as PROGRAM_VARIABLE
from device.config import SYSTEM_CONFIG as PROGRAM_CONFIG
from device.fault_screen import (
    ADVICE,
    CONFIG_VARIABLE,
    HEADING,
    OTHERWISE,
    REASONS,
    SYSTEM_CONFIG,
    TRY_AGAIN,
    Look,
    chosen_look,
    explanation,
    said,
)
from device.language import LANGUAGES, Language

LOG = """INFO: something
WARNING device.runtime.camera: no camera is connected
dermascope: /etc/dermascope/config.toml: no such settings file
dermascope: models/paper-28: no model bundle here
ERROR device.app: the camera thread has not ended; it is left behind
Main process exited, code=exited, status=2/INVALIDARGUMENT
"""


@pytest.mark.parametrize("result", ["exit-code", "start-limit-hit", ""])
def test_the_programs_own_last_words_are_said(result: str) -> None:
    said = explanation({"MONITOR_SERVICE_RESULT": result}, LOG)
    assert said == "models/paper-28: no model bundle here"


@pytest.mark.parametrize("result", REASONS)
def test_what_systemd_saw_is_said_of_a_program_that_was_stopped(result: str) -> None:
    assert explanation({"MONITOR_SERVICE_RESULT": result}, LOG) == REASONS[result]


def test_without_any_words_it_still_says_something() -> None:
    assert explanation({}, "") == OTHERWISE
    assert explanation({"MONITOR_SERVICE_RESULT": "new-in-systemd-999"}, "Stopped.") == OTHERWISE


JOURNAL = """Starting dermascope.service - Dermascope: the instrument's screen...
dermascope: source replay:/x: no such file or folder
dermascope.service: Main process exited, code=exited, status=2/INVALIDARGUMENT
dermascope.service: Failed with result 'exit-code'.
dermascope.service: Scheduled restart job, restart counter is at 1.
Starting dermascope.service - Dermascope: the instrument's screen...
{last}
dermascope.service: Scheduled restart job, restart counter is at 2.
dermascope.service: Start request repeated too quickly.
dermascope.service: Failed with result 'start-limit-hit'.
Failed to start dermascope.service - Dermascope: the instrument's screen.
"""


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (
            "dermascope.service: Watchdog timeout (limit 30s)!\n"
            "dermascope.service: Main process exited, code=killed, status=6/ABRT\n"
            "dermascope.service: Failed with result 'watchdog'.",
            REASONS["watchdog"],
        ),
        (
            "dermascope.service: start operation timed out. Terminating.\n"
            "dermascope.service: Failed with result 'timeout'.",
            REASONS["timeout"],
        ),
        (
            "dermascope: the screen cannot be opened\n"
            "dermascope.service: Main process exited, code=exited, status=2/INVALIDARGUMENT\n"
            "dermascope.service: Failed with result 'exit-code'.",
            "the screen cannot be opened",
        ),
        (
            "Fatal Python error\n"
            "dermascope.service: Main process exited, code=exited, status=1/FAILURE\n"
            "dermascope.service: Failed with result 'exit-code'.",
            OTHERWISE,
        ),
    ],
)
def test_reason_is_that_of_the_last_start_and_not_of_one_before_or_of_giving_up(
    last: str, reason: str
) -> None:
    environment = {"MONITOR_SERVICE_RESULT": "start-limit-hit"}
    assert explanation(environment, JOURNAL.format(last=last)) == reason


RUN = "import sys; from device.fault_screen import main; sys.exit(main(seconds={seconds}))"


@pytest.mark.parametrize("driver", ["dummy", "", "nothing-of-this-name"])
def test_after_a_while_the_instrument_is_started_again(tmp_path: Path, driver: str) -> None:
    environment = os.environ | {"SDL_VIDEODRIVER": driver, "HOME": str(tmp_path), "DISPLAY": ""}
    command = [sys.executable, "-c", RUN.format(seconds=0.3)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == TRY_AGAIN
    # What draws where nobody sees it is no screen.
    assert ("(No screen: " in done.stdout) == (driver != "dummy")


@pytest.mark.parametrize("touch", ["KEYDOWN", "MOUSEBUTTONDOWN", "FINGERDOWN"])
def test_touch_starts_the_instrument_again(touch: str) -> None:
    code = (
        "import sys, pygame, device.fault_screen as f; "
        f"pygame.event.wait = lambda ms: pygame.event.Event(pygame.{touch}); "
        "sys.exit(f.main())"
    )
    environment = os.environ | {"SDL_VIDEODRIVER": "dummy"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == TRY_AGAIN


def test_screen_is_shown_until_the_program_is_ended() -> None:
    command = [sys.executable, "-m", "device.fault_screen"]
    environment = os.environ | {"SDL_VIDEODRIVER": "dummy", "MONITOR_SERVICE_RESULT": "watchdog"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline().strip() for _ in range(4)]
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(3.0)
        child.terminate()
        rest = child.stdout.read()
        assert child.wait() == 0
    assert lines == ["", HEADING, REASONS["watchdog"], ADVICE]
    assert "No screen" not in rest


def configured(folder: Path, settings: str) -> dict[str, str]:
    path = folder / "config.toml"
    path.write_text(settings, encoding="utf-8")
    return {CONFIG_VARIABLE: str(path)}


def test_settings_are_where_the_program_looks_for_them() -> None:
    assert (CONFIG_VARIABLE, Path(SYSTEM_CONFIG)) == (PROGRAM_VARIABLE, PROGRAM_CONFIG)


def test_it_looks_as_the_settings_say(tmp_path: Path) -> None:
    environment = configured(tmp_path, 'language = "pt"\ntheme = "light"\nrotation = 90\n')
    look = chosen_look(environment)
    assert look.languages == (Language.PORTUGUESE, Language.ENGLISH, Language.SPANISH)
    assert (look.theme, look.rotation) == (Theme.LIGHT, Rotation.QUARTER)


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "[",
        "language = 'xx'",
        "language = []",
        "rotation = 45",
        "theme = 1",
        "a = " + "[" * 9999,
    ],
)
def test_settings_that_are_what_is_wrong_do_not_matter(tmp_path: Path, settings: str) -> None:
    assert chosen_look(configured(tmp_path, settings)) == Look()


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_it_says_is_said_in_the_clinicians_language(language: Language) -> None:
    for words in (HEADING, ADVICE, OTHERWISE, *REASONS.values()):
        assert (said(words, language) == words) == (language is Language.ENGLISH)


def test_first_words_are_in_the_language_of_the_settings(tmp_path: Path) -> None:
    environment = os.environ | configured(tmp_path, 'language = "es"\n')
    environment |= {"SDL_VIDEODRIVER": "nothing-of-this-name", "MONITOR_SERVICE_RESULT": "timeout"}
    command = [sys.executable, "-c", RUN.format(seconds=0.0)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.splitlines()[1:3] == [
        "El equipo no puede iniciarse",
        "Tardó demasiado en iniciar.",
    ]


def test_without_a_screen_the_words_stand_on_the_console(tmp_path: Path) -> None:
    environment = os.environ | {"SDL_VIDEODRIVER": "nothing-of-this-name", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", RUN.format(seconds=0.0)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert HEADING in done.stdout
    assert "(No screen: " in done.stdout
    assert done.stderr == ""


def test_it_needs_nothing_of_the_program_but_the_type() -> None:
    code = (
        "import sys, device.fault_screen, device.screen.theme; "
        "print(sorted(m for m in sys.modules if m.startswith('device')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    allowed = [
        "device",
        "device.appearance",
        "device.fault_screen",
        "device.language",
        "device.platform",
        "device.platform.regular_files",
        "device.screen",
        "device.screen.theme",
        "device.text",
    ]
    assert done.stdout.splitlines()[-1] == str(allowed)
