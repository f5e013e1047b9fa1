"""Bundles on sticks that were plugged in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from device.models.archive import SUFFIX

MOUNTS: Final = (Path("/media"), Path("/run/media"), Path("/mnt"))
"""Where sticks are mounted."""


def found_archives(mounts: Sequence[Path] = MOUNTS) -> list[Path]:
    """Return the bundle archives on sticks: at the top of what is mounted, or one folder below."""
    found: list[Path] = []
    for mount in mounts:
        for pattern in (f"*{SUFFIX}", f"*/*{SUFFIX}", f"*/*/*{SUFFIX}"):
            try:
                found += (path for path in sorted(mount.glob(pattern)) if path.is_file())
            except OSError:
                # Taken out while it was looked at.
                continue
    return found
