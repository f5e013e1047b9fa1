"""From the ``source`` setting to an open source of frames."""

from pathlib import Path

from device.capture.demo import DemoSource
from device.capture.frame import FrameSource
from device.capture.replay import ReplaySource
from device.errors import ConfigError


def open_source(setting: str) -> FrameSource:
    """Return the source that a setting names.

    Parameters
    ----------
    setting
        ``demo`` or ``replay:PATH``.

    Raises
    ------
    device.errors.ConfigError
        If the setting is none of these.
    device.errors.SourceError
        If the source cannot be opened.
    """
    kind, _, rest = setting.partition(":")
    if kind == "demo" and not rest:
        return DemoSource()
    if kind == "replay" and rest:
        return ReplaySource(Path(rest).expanduser())
    raise ConfigError(f"source {setting!r} is unknown; use demo or replay:PATH")
