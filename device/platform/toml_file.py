"""Settings files: TOML into one typed value, with a message for whoever wrote the file."""

from codecs import BOM_UTF8
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from device.errors import ConfigError
from device.platform.regular_files import read_regular_file
from device.platform.toml_problems import toml_problems

_LARGEST: Final = 1 << 20

T = TypeVar("T")


def read_toml(path: Path, kind: type[T]) -> T:
    """Return the value that a TOML file describes.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing, or holds an unknown or impossible setting.
    """
    text = read_text(path)
    try:
        return msgspec.toml.decode(text, type=kind)
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply; no setting is") from None
    except msgspec.DecodeError as error:
        problems = toml_problems(text, kind)
        raise ConfigError(f"{path}: {problems[0] if problems else error}") from None


def read_text(path: Path) -> str:
    """Return the text of a settings file.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing, cannot be read or is no text.
    """
    try:
        # Editors on Windows begin a file with a byte order mark.
        return read_regular_file(path, _LARGEST).removeprefix(BOM_UTF8).decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such settings file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not in UTF-8; save it as that") from None
