"""How the instrument is at one moment, and how it is told."""

import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from device.platform.sensors import temperature

STATUS_FILE: Final = "status.json"


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the instrument is.

    Attributes
    ----------
    version, model
        Of the program; name and version of the model.
    at, started
        When this was told, and when the program began, UTC.
    uptime_seconds
        Since the program began, whatever the clock did.
    frame_age_seconds
        Since the camera's last frame; None before the first.
    findings
        How many there were since the start.
    findings_per_hour
        In the last hour, or since the start where that is less.
    parts
        What each part does (`device.runtime.health`).
    last_error
        What last did not work, in English; empty where all did.
    last_error_age_seconds
        Since it was last seen.
    temperature
        Of the processor, in degrees Celsius; None where the machine does not tell it.
    disk_free_bytes, disk_bytes
        Of the disk that examinations lie on.
    """

    version: str
    model: str
    at: datetime
    started: datetime
    uptime_seconds: float
    frame_age_seconds: float | None = None
    findings: int = 0
    findings_per_hour: float = 0.0
    parts: dict[str, str] = {}
    last_error: str = ""
    last_error_age_seconds: float | None = None
    temperature: float | None = None
    disk_free_bytes: int = 0
    disk_bytes: int = 0


def with_machine(status: Status, folder: Path) -> Status:
    """Return a status with what the machine says of itself now.

    Parameters
    ----------
    folder
        On the disk whose room is told; it need not exist yet.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    usage = shutil.disk_usage(there)
    return msgspec.structs.replace(
        status, temperature=temperature(), disk_free_bytes=usage.free, disk_bytes=usage.total
    )


def as_lines(status: Status) -> Iterator[tuple[str, str]]:
    """Yield what a person is told: a name and a value a line."""
    yield "version", status.version
    yield "model", status.model
    yield "up for", _duration(status.uptime_seconds)
    yield (
        "last frame",
        "none yet"
        if status.frame_age_seconds is None
        else (f"{_duration(status.frame_age_seconds)} ago"),
    )
    yield "findings", f"{status.findings}, {status.findings_per_hour:.0f} an hour"
    yield from status.parts.items()
    if status.temperature is not None:
        yield "temperature", f"{status.temperature:.0f} °C"
    if status.disk_bytes:
        free, whole = status.disk_free_bytes / 1e9, status.disk_bytes / 1e9
        yield "disk", f"{free:.1f} of {whole:.1f} GB free"
    if status.last_error:
        age = _duration(status.last_error_age_seconds or 0.0)
        yield "last error", f"{status.last_error} ({age} ago)"


def _duration(seconds: float) -> str:
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    minutes, hours = seconds / 60.0, seconds / 3600.0
    return f"{minutes:.0f} min" if hours < 2.0 else f"{hours:.1f} h"


_GAUGES: Final[Mapping[str, tuple[str, str]]] = {
    "uptime_seconds": ("dermascope_uptime_seconds", "Since the program began."),
    "frame_age_seconds": ("dermascope_frame_age_seconds", "Since the camera's last frame."),
    "findings_per_hour": ("dermascope_findings_per_hour", "Findings in the last hour."),
    "temperature": ("dermascope_temperature_celsius", "Of the processor."),
    "disk_free_bytes": ("dermascope_disk_free_bytes", "Of the disk with the examinations."),
    "disk_bytes": ("dermascope_disk_bytes", "Size of that disk."),
    "last_error_age_seconds": (
        "dermascope_last_error_age_seconds",
        "Since something last did not work.",
    ),
}


def as_prometheus(status: Status) -> str:
    """Return the text exposition format of Prometheus, version 0.0.4."""
    lines = [
        "# HELP dermascope_info Version of the program and model in use.",
        "# TYPE dermascope_info gauge",
        f'dermascope_info{{version="{_label(status.version)}",model="{_label(status.model)}"}} 1',
        "# HELP dermascope_findings_total Findings since the program began.",
        "# TYPE dermascope_findings_total counter",
        f"dermascope_findings_total {status.findings}",
        "# HELP dermascope_part_state 1 for what each part does now.",
        "# TYPE dermascope_part_state gauge",
        *(
            f'dermascope_part_state{{part="{_label(part)}",state="{_label(state)}"}} 1'
            for part, state in status.parts.items()
        ),
    ]
    for field, (name, text) in _GAUGES.items():
        value = getattr(status, field)
        if value is not None:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value}"]
    return "\n".join(lines) + "\n"


def _label(words: str) -> str:
    return words.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
