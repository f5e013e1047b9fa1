"""The provisioning file: every setting of the program, and a section for the machine.

It lies on the boot partition of a card, which any computer can write. The section ``machine`` holds
secrets, and never reaches the program.
"""

import stat
import tomllib
import zoneinfo
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from device.config import Config
from device.errors import ConfigError
from device.platform.toml_file import read_text
from device.platform.toml_problems import Problem, line_of, toml_problems

FILE_NAME: Final = "dermascope.toml"
BOOT_FILE: Final = Path("/boot/firmware") / FILE_NAME
VERSION: Final = 1
MACHINE: Final = "machine"
"""The section that holds secrets."""

HostName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")]
SshKey = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com)"
        r" [A-Za-z0-9+/=]+( [ -~]*)?\Z"
    ),
]
Country = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}\Z")]
TimeZone = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*\Z")]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Wifi(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A wireless network; without this section the radio stays off.

    Attributes
    ----------
    ssid
        Its name.
    password
        Of WPA2 or WPA3; empty for an open network.
    country
        Whose rules the radio follows, as ISO 3166 has it (``ES``).
    """

    ssid: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    password: Annotated[str, msgspec.Meta(max_length=63, pattern=r"^([ -~]{8,63})?\Z")] = ""
    country: Country

    def __post_init__(self) -> None:
        # The quotes and lines of wpa_supplicant's own file.
        if not self.ssid.isprintable() or '"' in self.ssid or '"' in self.password:
            raise ValueError('the name and the password must hold neither " nor line breaks')


class DataEncryption(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the data partition is encrypted when it is made (LUKS); one of both opens it.

    Attributes
    ----------
    passphrase
        That opens it.
    key_file
        Name of a file, on a USB stick that is plugged in at the start, whose bytes open it.
    """

    passphrase: Annotated[str, msgspec.Meta(max_length=512, pattern=r"^([ -~]{12,})?\Z")] = ""
    key_file: Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})?\Z")] = ""

    def __post_init__(self) -> None:
        if bool(self.passphrase) == bool(self.key_file):
            raise ValueError("either a passphrase or a key_file opens the data partition")


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is set for the machine below the program.

    Attributes
    ----------
    version
        Of this section: a program reads that of its own time.
    name
        The host's; empty for that of the image.
    time_zone
        As the IANA names it (``America/Lima``).
    ssh_keys
        Public keys that may log in as root over ssh; ssh stays off without one.
    wifi
        None to leave the radio off.
    data
        None where the data partition is not encrypted as a whole.
    """

    version: Literal[1] = VERSION
    name: HostName | Literal[""] = ""
    time_zone: TimeZone = "UTC"
    ssh_keys: tuple[SshKey, ...] = ()
    wifi: Wifi | None = None
    data: DataEncryption | None = None

    @property
    def secrets(self) -> list[tuple[str, ...]]:
        """Where it holds what others may not read, each as a path of keys below the file."""
        held: list[tuple[str, ...]] = []
        if self.wifi is not None and self.wifi.password:
            held.append(("machine", "wifi", "password"))
        if self.data is not None and self.data.passphrase:
            held.append(("machine", "data", "passphrase"))
        return held


class Provision(Config, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The program's settings, and the machine's.

    Attributes
    ----------
    machine
        For the machine below the program.
    """

    machine: Machine = Machine()


def provision_problems(text: str) -> list[Problem]:
    """Return all that is wrong with a provisioning file; empty where nothing is.

    What stands in the section ``machine`` is not told: it is shown on a screen and in a log.
    """
    reason = f"this program reads version {VERSION}; use the program that the file is for"
    return [
        replace(problem, reason=reason) if problem.key == "machine.version" else problem
        for problem in toml_problems(text, Provision, secret={MACHINE})
    ]


def file_problems(text: str) -> list[Problem]:
    """Return all that is wrong with a provisioning file that is whole: it holds a setting."""
    problems = provision_problems(text)
    if problems or tomllib.loads(text):
        return problems
    return [Problem("", "the file holds no setting; copy it again, or write one")]


def check_provision(path: Path) -> list[Problem]:
    """Return all that is wrong with a file on an integrator's desk.

    Also that others may read the secrets in it, where the file system knows of others.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing, cannot be read or is no text.
    """
    text = read_text(path)
    problems = file_problems(text)
    if problems:
        return problems
    zone = read_provision(path).machine.time_zone
    known = zoneinfo.available_timezones()
    if known and zone not in known:
        at = ("machine", "time_zone")
        return [Problem(".".join(at), f"no such time zone: {zone}", line_of(text, at))]
    if not path.stat().st_mode & _OTHERS:
        return []
    reason = f"others may read this secret; run: chmod 600 {path}"
    return [
        Problem(".".join(secret), reason, line_of(text, secret))
        for secret in read_provision(path).machine.secrets
    ]


def read_provision(path: Path) -> Provision:
    """Return what a provisioning file says.

    Raises
    ------
    device.errors.ConfigError
        If it is missing, or anything in it is wrong.
    """
    text = read_text(path)
    problems = provision_problems(text)
    if problems:
        raise ConfigError(f"{path}: {problems[0]}")
    return msgspec.toml.decode(text, type=Provision)


def read_machine(text: str) -> Machine | None:
    """Return the section ``machine``, whatever else is wrong; None where it cannot be read."""
    try:
        return msgspec.convert(tomllib.loads(text).get(MACHINE, {}), Machine)
    except (tomllib.TOMLDecodeError, RecursionError, msgspec.ValidationError):
        return None
