"""The program's exit statuses: each means one thing, and `dermascope --help` names them."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """How the program ended.

    The numbers from 64 to 78 are those of sysexits.h where there is one; 80 and 81 are
    ``dermascope.service``'s own.
    """

    OK = 0
    BAD_INPUT = 2
    CHECK_FAILED = 3
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
    ExitStatus.OK: "success",
    ExitStatus.BAD_INPUT: "error you can fix: bad option, unreadable file, no display",
    ExitStatus.CHECK_FAILED: "selftest: a part of the instrument does not work",
    ExitStatus.INTERNAL_ERROR: "internal error, please report it",
    ExitStatus.CANNOT_START: "run: invalid settings or model bundle, restarting will not help "
    "(other commands exit 2)",
    ExitStatus.RESTART: "run --appliance: the user chose Restart",
    ExitStatus.POWER_OFF: "run --appliance: the user chose to switch off",
    ExitStatus.INTERRUPTED: "interrupted (Ctrl-C)",
}
