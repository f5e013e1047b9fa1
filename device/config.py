"""One TOML file, one typed value: every setting has a default."""

import os
from pathlib import Path
from typing import Annotated, Final

import msgspec

from device.appearance import Rotation, Theme
from device.errors import ConfigError
from device.exchange import Exchange
from device.language import Language
from device.paths import shipped_models, state_folder, user_path
from device.platform.toml_file import read_toml
from device.text import printable_path

CONFIG_VARIABLE: Final = "DERMASCOPE_CONFIG"
SYSTEM_CONFIG: Final = Path("/etc/dermascope/config.toml")
DEFAULT_MODEL: Final = "multicentre"

_LONG_SIDE: Final = 640

Side = Annotated[int, msgspec.Meta(ge=240, le=8192)]

PublicKey = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

PROJECT_KEY: Final = "ad5cace617d5c5269dcdb6c04abec1fb5b13c745b77b0106b049fe09c24e4d1c"
"""Public half of the key that signs the bundles which ship with the project."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The instrument's settings.

    Attributes
    ----------
    model
        Folder of the model bundle; empty for the one that ships with the program.
    case_mix
        Name of the practice that the probabilities are for, as the bundle names it: ``screening``
        or ``referral``; empty for the bundle's first.
    trusted_keys
        Public keys (Ed25519, hexadecimal) whose bundles this device runs.
    threads
        Threads that the network may use.
    source
        Where frames come from: ``demo``, ``replay:PATH``, ``mjpeg:URL``, ``picamera``,
        ``picamera-fake``, ``picamera-fake:faults``, ``usb``, ``usb:/dev/videoN`` or
        ``usb:/dev/v4l/by-id/NAME``; see `device.capture.sources`.
    camera_size
        Width and height to ask of a USB camera, in pixels.
    shutter_pin
        GPIO pin of the shutter button, as Broadcom counts; none where there is no button.
    width, height
        Of the window in pixels, where there is one; a screen without windows is filled. At least
        640 x 480, either way up.
    rotation
        By how many degrees the picture is turned clockwise on a panel that is mounted across or
        upside down: 0, 90, 180 or 270. Touches are turned with it.
    fullscreen
        Fill the screen even where windows exist.
    language
        Of the screen, until another is chosen there: ``en``, ``es`` or ``pt``.
    theme
        Of the screen, until another is chosen there: ``dark``, or ``light`` for the sun.
    pedal_key
        Name of the key that a foot pedal sends, as SDL names it (``b``, ``f5``, ``page down``);
        it is the shutter, as the space bar always is. Empty for none.
    records_folder
        Where examinations are kept; empty for ``examinations`` in the state folder.
    records_key_file
        A file that opens the records in the place of a PIN; empty for none.
    records_years
        How long after a patient's newest picture records are kept, for ``dermascope records
        expire``; 0 for ever.
    records_share
        How much of the disk that they lie on examinations may take up, in per cent.
    status_address
        Where the status can be read over a port: ``localhost:PORT`` or ``INTERFACE:PORT``; empty
        for nowhere.
    device_class
        Name of the kind of device, for bundles that are made for some kinds alone; empty for none.
    exchange
        Who the instrument is to the clinic's other systems, and where it may send.
    patient_names
        Whether a patient's name may be entered beside the identifier.
    lock_minutes
        After how many minutes without a touch records that a PIN opened are locked; 0 for never.
    """

    model: str = ""
    case_mix: str = ""
    trusted_keys: tuple[PublicKey, ...] = (PROJECT_KEY,)
    threads: Annotated[int, msgspec.Meta(ge=1, le=8)] = 1
    source: str = "demo"
    camera_size: tuple[Side, Side] = (1280, 720)
    shutter_pin: Annotated[int, msgspec.Meta(ge=0, le=27)] | None = None
    width: Annotated[int, msgspec.Meta(ge=480, le=7680)] = 1024
    height: Annotated[int, msgspec.Meta(ge=480, le=7680)] = 600
    rotation: Rotation = Rotation.NONE
    fullscreen: bool = False
    language: Language = Language.ENGLISH
    theme: Theme = Theme.DARK
    pedal_key: Annotated[str, msgspec.Meta(max_length=24, pattern="^[ -~]*$")] = ""
    records_folder: str = ""
    records_key_file: str = ""
    records_years: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    records_share: Annotated[int, msgspec.Meta(ge=1, le=100)] = 80
    status_address: str = ""
    device_class: Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9-]{0,39})?$")] = ""
    exchange: Exchange = Exchange()
    patient_names: bool = False
    lock_minutes: Annotated[int, msgspec.Meta(ge=0, le=240)] = 10

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, str) and "\0" in value:
                raise ValueError(f"{name}: holds a null character")
        if max(self.width, self.height) < _LONG_SIDE:
            raise ValueError(
                f"width and height: one of them must be {_LONG_SIDE} or more, or words do not fit"
            )


def load_config(path: Path | None = None) -> Config:
    """Return the settings from a file.

    Parameters
    ----------
    path
        The file; without one, that which ``DERMASCOPE_CONFIG`` names, else
        ``/etc/dermascope/config.toml`` where it exists, else the defaults.

    Raises
    ------
    device.errors.ConfigError
        If a named file is missing or holds an unknown or impossible setting.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if path is None:
        if named:
            path = Path(named)
        elif SYSTEM_CONFIG.is_file():
            path = SYSTEM_CONFIG
        else:
            return Config()
    return read_toml(path, Config)


def records_folder(config: Config) -> Path:
    """Return the folder where examinations are kept.

    Raises
    ------
    device.errors.ConfigError
        If the setting is no absolute path: it would depend on where the program is started.
    """
    if config.records_folder:
        return _absolute("records_folder", config.records_folder)
    return state_folder() / "examinations"


def records_key_file(config: Config) -> Path | None:
    """Return the file that opens the records, or None where the settings name none.

    Raises
    ------
    device.errors.ConfigError
        If the setting is no absolute path.
    """
    if not config.records_key_file:
        return None
    return _absolute("records_key_file", config.records_key_file)


def _absolute(setting: str, text: str) -> Path:
    path = user_path(setting, text)
    if not path.is_absolute():
        raise ConfigError(
            f"{setting}: {printable_path(path)} is not absolute; begin it with / or ~/"
        )
    return path


def model_folder(config: Config) -> Path:
    """Return the folder of the bundle to use: the setting's, else the project's default bundle.

    Raises
    ------
    device.errors.ConfigError
        If the setting names a user that there is not.
    """
    if config.model:
        return user_path("model", config.model)
    return shipped_models() / DEFAULT_MODEL
