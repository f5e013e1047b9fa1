"""What the kernel says of the machine, a line at a time."""

from pathlib import Path
from typing import Final

_SYS: Final = Path("/sys")


def temperature(sys: Path = _SYS) -> float | None:
    """Return that of the hottest part which tells it, in degrees Celsius, or None."""
    told = []
    for zone in sorted((sys / "class" / "thermal").glob("thermal_zone*/temp")):
        text = read_line(zone)
        if text.lstrip("-").isdigit():
            told.append(int(text) / 1000.0)
    return max(told, default=None)


def read_line(path: Path) -> str:
    """Return what a file of the kernel's holds, or nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
