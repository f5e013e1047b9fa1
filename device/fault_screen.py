"""A plain screen that says what is wrong, for when the instrument cannot be started.

systemd runs this once the instrument has failed too often (``dermascope-fault.service``), and
starts the instrument again when it ends: what was wrong may have passed. It needs nothing of the
program but its fonts, so that what broke the program cannot break it too.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Final

UNIT: Final = "dermascope.service"

HEADING: Final = "The instrument cannot be started"
ADVICE: Final = (
    "It tries again every two minutes, and when you touch the screen. If this stays, switch it off "
    "and on; then call your technician and read this out."
)

REASONS: Final = {
    "watchdog": "It stopped responding: the camera, the analysis or the screen stood still.",
    "timeout": "It took too long to start.",
    "oom-kill": "It ran out of memory.",
    "signal": "The program broke off.",
    "core-dump": "The program broke off.",
}
OTHERWISE: Final = "The program ended with an error."

RETRY_SECONDS: Final = 120.0
TRY_AGAIN: Final = 80
"""Exit status by which the unit starts the instrument again."""

_PREFIX: Final = "dermascope: "
_STARTS: Final = ("Starting ", f"{UNIT}: Scheduled restart job")
_RESULT: Final = re.compile(rf"{re.escape(UNIT)}: Failed with result '(?P<result>[\w-]+)'")
_EXITED: Final = "Main process exited"
_SECONDS: Final = 5.0
_LINES: Final = 500


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


def show(reason: str, seconds: float = RETRY_SECONDS) -> bool:
    """Draw the screen and keep it for a while.

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

    from device.screen import theme

    pygame.display.init()
    driver = pygame.display.get_driver().lower()
    if driver in ("offscreen", "dummy") and driver != os.environ.get("SDL_VIDEODRIVER"):
        raise pygame.error("none was found")
    pygame.font.init()
    bare = driver in ("kmsdrm", "dummy")
    screen = pygame.display.set_mode((0, 0) if bare else (1024, 600))
    width, height = screen.get_size()
    unit = max(min(width / 1024, height / 600), 0.3)
    kind = theme.Fonts()
    screen.fill(theme.BACKGROUND)
    left, top = round(48 * unit), round(64 * unit)
    for words, size, colour, bold in (
        (HEADING, 36, theme.WARNING, True),
        (reason, 26, theme.TEXT, False),
        (ADVICE, 26, theme.QUIET, False),
    ):
        pixels = round(size * unit)
        for line in kind.lines(words, pixels, width - 2 * left, bold):
            screen.blit(kind.fitted(line, pixels, width - 2 * left, colour, bold), (left, top))
            top += round(pixels * 1.5)
        top += pixels
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


def main(seconds: float = RETRY_SECONDS) -> int:
    """Show what is wrong on the screen, or on the console where there is no screen."""
    reason = explanation(os.environ, read_log())
    sys.stdout.write(f"\n{HEADING}\n{reason}\n{ADVICE}\n")
    sys.stdout.flush()
    try:
        again = show(reason, seconds)
    except Exception as error:
        # The last resort may not fail: its words stand on the console.
        sys.stdout.write(f"(No screen: {error})\n")
        sys.stdout.flush()
        time.sleep(seconds)
        again = True
    return TRY_AGAIN if again else 0


if __name__ == "__main__":
    sys.exit(main())
