"""The program's exit statuses: each means one thing, and `dermascope --help` names them."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """How the program ended.

    The numbers from 64 to 78 are those of sysexits.h where there is one; 80 and 81 are
    ``dermascope.service``'s own.
    """

    OK = 0
    BAD_INPUT = 2
    INTERNAL_ERROR = 70
    CANNOT_START = 78
    RESTART = 80
    POWER_OFF = 81
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """What it says, for ``--help``."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitStatus.OK: "done",
    ExitStatus.BAD_INPUT: "something that you can correct: an option, a file, a missing screen",
    ExitStatus.INTERNAL_ERROR: "an error of the program itself; please report it",
    ExitStatus.CANNOT_START: "run: cannot start as it is configured; trying again does not help",
    ExitStatus.RESTART: "run --appliance: restart was chosen on the screen",
    ExitStatus.POWER_OFF: "run --appliance: switching off was chosen on the screen",
    ExitStatus.INTERRUPTED: "interrupted from the keyboard",
}
