"""A plain screen that says what is wrong, for when the instrument cannot be started.

systemd runs this once the instrument has failed too often (``dermascope-fault.service``). It
needs nothing of the program but its fonts, so that what broke the program cannot break it too.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

UNIT: Final = "dermascope.service"

HEADING: Final = "The instrument cannot be started"
ADVICE: Final = "Switch it off and on. If this stays, call your technician and read this out."

REASONS: Final = {
    "watchdog": "It stopped responding: the camera, the analysis or the screen stood still.",
    "timeout": "It took too long to start.",
    "oom-kill": "It ran out of memory.",
    "signal": "The program broke off.",
    "core-dump": "The program broke off.",
}
OTHERWISE: Final = "The program ended with an error."

_PREFIX: Final = "dermascope: "
_SECONDS: Final = 5.0
_LINES: Final = 50


def explanation(environment: Mapping[str, str], log: str) -> str:
    """Return what is wrong: the program's own last words, else what systemd saw.

    Parameters
    ----------
    environment
        Holds ``MONITOR_SERVICE_RESULT`` (systemd.exec(5)).
    log
        The last lines that the service wrote.
    """
    complaints = [x.removeprefix(_PREFIX) for x in log.splitlines() if x.startswith(_PREFIX)]
    result = environment.get("MONITOR_SERVICE_RESULT", "")
    # Of a program that was stopped from outside, the last words are about something else.
    if complaints and result not in REASONS:
        return complaints[-1].strip()
    return REASONS.get(result, OTHERWISE)


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


def show(reason: str) -> None:
    """Draw the screen and keep it until the program is ended.

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
    pygame.font.init()
    bare = pygame.display.get_driver() in ("kmsdrm", "dummy")
    screen = pygame.display.set_mode((0, 0) if bare else (1024, 600))
    width, height = screen.get_size()
    unit = max(min(width / 1024, height / 600), 0.3)
    kind = theme.Fonts()
    screen.fill(theme.DARK.background)
    left, top = round(48 * unit), round(64 * unit)
    for words, size, colour, bold in (
        (HEADING, 36, theme.DARK.warning, True),
        (reason, 26, theme.DARK.text, False),
        (ADVICE, 26, theme.DARK.quiet, False),
    ):
        pixels = round(size * unit)
        for line in kind.lines(words, pixels, width - 2 * left, bold):
            screen.blit(kind.fitted(line, pixels, width - 2 * left, colour, bold), (left, top))
            top += round(pixels * 1.5)
        top += pixels
    pygame.display.flip()
    while pygame.event.wait().type != pygame.QUIT:
        pygame.display.flip()


def main() -> int:
    """Show what is wrong on the screen, or on the console where there is no screen."""
    reason = explanation(os.environ, read_log())
    sys.stdout.write(f"\n{HEADING}\n{reason}\n{ADVICE}\n")
    sys.stdout.flush()
    try:
        show(reason)
    except Exception as error:
        # The last resort may not fail: its words stand on the console.
        sys.stdout.write(f"(No screen: {error})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
