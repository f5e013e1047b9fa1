"""What the instrument is to other systems: from the settings and the board."""

import contextlib
import hashlib
from pathlib import Path
from typing import Final

from device import __version__
from device.exchange import Exchange
from device.interop.study import Equipment

_BOARD: Final = Path("/proc/device-tree/serial-number")
_MACHINE: Final = Path("/etc/machine-id")


def equipment_of(exchange: Exchange, board: Path = _BOARD, machine: Path = _MACHINE) -> Equipment:
    """Return what the instrument is.

    Parameters
    ----------
    exchange
        The settings.
    board
        File of the board's serial number.
    machine
        File of the installation's identifier (machine-id(5)), which is to be hashed wherever it is
        shown, for a board that has no number.
    """
    return Equipment(
        serial_number=exchange.serial_number or _read(board) or _hashed(_read(machine)),
        software=__version__,
        institution=exchange.institution,
        department=exchange.department,
        contact=exchange.contact,
        immersion=exchange.immersion,
        magnification=exchange.magnification,
        colour_temperature=exchange.colour_temperature,
    )


def _read(path: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip("\0 \n")
    return ""


def _hashed(identifier: str) -> str:
    return hashlib.sha256(f"dermascope {identifier}".encode()).hexdigest()[:16]
