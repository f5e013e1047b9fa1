"""Settings files: TOML into one typed value, with a message for whoever wrote the file."""

from pathlib import Path
from typing import TypeVar

import msgspec

from device.errors import ConfigError

T = TypeVar("T")


def read_toml(path: Path, kind: type[T]) -> T:
    """Return the value that a TOML file describes.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing, or holds an unknown or impossible setting.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such settings file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
