"""A plain screen that says what is wrong, for when the instrument cannot be started.

systemd runs this once the instrument has failed too often (``dermascope-fault.service``), and
starts the instrument again when it ends: what was wrong may have passed. It needs nothing of the
program but its fonts and words, so that what broke the program cannot break it too. What was chosen
on the screen it may not read: it speaks the language of the settings first, and then the others.
"""

import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.appearance import Rotation, Theme
from device.language import Language, translatable, translations
from device.platform.regular_files import read_regular_file

if TYPE_CHECKING:
    from pygame import Surface

UNIT: Final = "dermascope.service"
CONFIG_VARIABLE: Final = "DERMASCOPE_CONFIG"
SYSTEM_CONFIG: Final = "/etc/dermascope/config.toml"

HEADING: Final = translatable("The instrument cannot be started")
ADVICE: Final = translatable(
    "It tries again every two minutes, and when you touch the screen. If this stays, switch it off "
    "and on; then call your technician and read this out."
)

REASONS: Final = {
    "watchdog": translatable(
        "It stopped responding: the camera, the analysis or the screen stood still."
    ),
    "timeout": translatable("It took too long to start."),
    "oom-kill": translatable("It ran out of memory."),
    "signal": translatable("The program broke off."),
    "core-dump": translatable("The program broke off."),
}
OTHERWISE: Final = translatable("The program ended with an error.")

RETRY_SECONDS: Final = 120.0
TRY_AGAIN: Final = 80
"""Exit status by which the unit starts the instrument again."""

_PREFIX: Final = "dermascope: "
_STARTS: Final = ("Starting ", f"{UNIT}: Scheduled restart job")
_RESULT: Final = re.compile(rf"{re.escape(UNIT)}: Failed with result '(?P<result>[\w-]+)'")
_EXITED: Final = "Main process exited"
_SECONDS: Final = 5.0
_LINES: Final = 500
_LARGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Look:
    """How the instrument's settings want a screen to be.

    Attributes
    ----------
    languages
        That of the settings first, then all others.
    """

    languages: Sequence[Language] = tuple(Language)
    theme: Theme = Theme.DARK
    rotation: Rotation = Rotation.NONE


def chosen_look(environment: Mapping[str, str]) -> Look:
    """Return what the settings say, or the defaults where they are what is wrong."""
    try:
        path = Path(environment.get(CONFIG_VARIABLE) or SYSTEM_CONFIG)
        settings = tomllib.loads(read_regular_file(path, _LARGEST).decode("utf-8"))
        first = Language(settings.get("language", Language.ENGLISH))
        return Look(
            (first, *(language for language in Language if language != first)),
            Theme(settings.get("theme", Theme.DARK)),
            Rotation(settings.get("rotation", Rotation.NONE)),
        )
    except (OSError, ValueError, RecursionError):
        return Look()


def said(words: str, language: Language) -> str:
    """Return words in a language, or in English where its catalogue is what is wrong."""
    try:
        return translations(language).translate(words)
    except Exception:  # the last resort may not fail
        return words


def explanation(environment: Mapping[str, str], log: str) -> str:
    """Return what is wrong: the program's own last words, else what systemd saw.

    Only the last start counts that came to an end: what was wrong before may be mended, and that
    systemd gave up in the end is no reason.

    Parameters
    ----------
    environment
        Holds ``MONITOR_SERVICE_RESULT`` (systemd.exec(5)).
    log
        The last lines that the service, and systemd about it, wrote.
    """
    lines = _last_run(log.splitlines())
    results = [match["result"] for line in lines if (match := _RESULT.search(line))]
    result = results[-1] if results else environment.get("MONITOR_SERVICE_RESULT", "")
    complaints = [line.removeprefix(_PREFIX) for line in lines if line.startswith(_PREFIX)]
    # Of a program that was stopped from outside, the last words are about something else.
    if complaints and result not in REASONS:
        return complaints[-1].strip()
    return REASONS.get(result, OTHERWISE)


def _last_run(lines: list[str]) -> list[str]:
    """Return the lines of the newest start that has an end in them, else all."""
    end = len(lines)
    for begin in range(len(lines) - 1, -1, -1):
        if lines[begin].startswith(_STARTS):
            run = lines[begin:end]
            if any(line.startswith(_PREFIX) or _EXITED in line for line in run):
                return run
            if any((match := _RESULT.search(line)) and match["result"] in REASONS for line in run):
                return run
            end = begin
    return lines[:end] if end else lines


def read_log() -> str:
    """Return the last lines of the service in the journal, or nothing where it cannot be read."""
    command = ["journalctl", f"--unit={UNIT}", "--boot", f"--lines={_LINES}", "--output=cat"]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def show(reason: str, look: Look, seconds: float = RETRY_SECONDS) -> bool:
    """Draw the screen and keep it for a while.

    Parameters
    ----------
    reason
        What is wrong, in English.

    Returns
    -------
    bool
        Whether to try again: the time is over, or someone touched the screen; False where the
        program is ended.

    Raises
    ------
    ImportError
        If there is no pygame.
    pygame.error
        If there is no screen.
    """
    import pygame

    pygame.display.init()
    driver = pygame.display.get_driver().lower()
    if driver in ("offscreen", "dummy") and driver != os.environ.get("SDL_VIDEODRIVER"):
        raise pygame.error("none was found")
    pygame.font.init()
    bare = driver in ("kmsdrm", "dummy")
    screen = pygame.display.set_mode((0, 0) if bare else (1024, 600))
    across = look.rotation in (Rotation.QUARTER, Rotation.THREE_QUARTERS)
    picture = pygame.Surface(screen.get_size()[::-1] if across else screen.get_size())
    _draw(picture, reason, look)
    screen.blit(pygame.transform.rotate(picture, -look.rotation), (0, 0))
    touches = (pygame.KEYDOWN, pygame.MOUSEBUTTONDOWN, pygame.FINGERDOWN)
    end = time.monotonic() + seconds
    while (left_over := end - time.monotonic()) > 0.0:
        pygame.display.flip()
        event = pygame.event.wait(max(1, round(left_over * 1000)))
        if event.type == pygame.QUIT:
            return False
        if event.type in touches:
            break
    return True


def _draw(picture: "Surface", reason: str, look: Look) -> None:
    """Draw all that is said: large in the first language, and what to do in the others below."""
    from device.screen import theme

    width, height = picture.get_size()
    unit = max(min(max(width, height) / 1024, min(width, height) / 600), 0.3)
    kind, palette = theme.Fonts(), theme.PALETTES[look.theme]
    picture.fill(palette.background)
    left, top = round(48 * unit), round(36 * unit)
    first, *others = look.languages
    paragraphs = [
        (said(HEADING, first), 36, palette.warning, True),
        (said(reason, first), 26, palette.text, False),
        (said(ADVICE, first), 26, palette.text, False),
        *((f"{said(HEADING, x)}. {said(ADVICE, x)}", 20, palette.quiet, False) for x in others),
    ]
    for words, size, colour, bold in paragraphs:
        pixels = round(size * unit)
        for line in kind.lines(words, pixels, width - 2 * left, bold):
            picture.blit(kind.fitted(line, pixels, width - 2 * left, colour, bold), (left, top))
            top += round(pixels * 1.4)
        top += round(0.8 * pixels)


def main(seconds: float = RETRY_SECONDS) -> int:
    """Show what is wrong on the screen, or on the console where there is no screen."""
    reason, look = explanation(os.environ, read_log()), chosen_look(os.environ)
    words = (said(x, look.languages[0]) for x in (HEADING, reason, ADVICE))
    sys.stdout.write("\n" + "".join(f"{line}\n" for line in words))
    sys.stdout.flush()
    try:
        again = show(reason, look, seconds)
    except Exception as error:
        # The last resort may not fail: its words stand on the console.
        sys.stdout.write(f"(No screen: {error})\n")
        sys.stdout.flush()
        time.sleep(seconds)
        again = True
    return TRY_AGAIN if again else 0


if __name__ == "__main__":
    sys.exit(main())
