"""The status of an instrument that runs on this machine."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from device.errors import StatusError
from device.paths import status_folder
from device.platform.clock import Clock
from device.platform.regular_files import read_regular_file
from device.status.report import STATUS_FILE, Status

SERVICE_FOLDER: Final = Path("/run/dermascope-status")
"""RuntimeDirectory= of dermascope.service."""

STALE_SECONDS: Final = 60.0
_LIMIT: Final = 64 << 10


def read_status(
    clock: Clock,
    environment: Mapping[str, str] = os.environ,
    service: Path = SERVICE_FOLDER,
) -> Status:
    """Return what the instrument told last: the service, else a program of this user.

    Raises
    ------
    device.errors.StatusError
        If none runs, or it has said nothing for a minute.
    """
    own = status_folder(environment)
    for folder in (service, *([own] if own else [])):
        status = _read(folder)
        if status is None:
            continue
        age = (clock.now() - status.at).total_seconds()
        if age > STALE_SECONDS:
            raise StatusError(
                f"the instrument has said nothing for {age:.0f} s: it hangs or was killed; see "
                "journalctl -u dermascope"
            )
        return status
    raise StatusError("no instrument runs on this machine; start it: systemctl start dermascope")


def _read(folder: Path) -> Status | None:
    try:
        content = read_regular_file(folder / STATUS_FILE, _LIMIT)
        return msgspec.json.decode(content, type=Status)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
