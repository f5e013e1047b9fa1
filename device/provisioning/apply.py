"""Applying a provisioning file at the start of the machine, before the program.

Nothing here may keep the screen dark: whatever is wrong is left to the program, which says on its
screen what is wrong and in which line.
"""

import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from device.config import CONFIG_VARIABLE
from device.errors import ConfigError
from device.faults import Fault
from device.language import translatable
from device.platform.durable_files import write_atomically
from device.platform.toml_file import read_text
from device.provisioning.file import (
    Machine,
    Wifi,
    file_problems,
    read_machine,
)
from device.provisioning.network import network_of
from device.provisioning.program_part import program_part

RUN_FOLDER: Final = Path("/run/dermascope")
UNIT_FOLDER: Final = Path("/run/systemd/system/dermascope.service.d")
NETWORK: Final = "network.conf"
"""A drop-in for the program's unit, where its settings name what a network leads to."""

SETTINGS: Final = "config.toml"
"""What the program reads: its part of the file."""

PROBLEM: Final = "problem"
"""The first thing that is wrong with the file; empty where nothing is."""

ENVIRONMENT: Final = "environment"
"""What the program's unit sets: the time zone."""

DATA_KEY: Final = "data.key"
"""What opens the data partition."""

DATA_KEY_FILE: Final = "data.key-file"
"""Name of the file on a stick that holds it."""

DATA_DECIDED: Final = "data.decided"
"""There once the settings have said whether the data partition is to be encrypted, after the key:
without it the partition is not made."""

AUTHORIZED_KEYS: Final = "authorized_keys"
WPA_SUPPLICANT: Final = "wpa_supplicant-wlan0.conf"

PROVISION_WRONG: Final = translatable("the provisioning file is wrong ({problem})")
CORRECT_IT: Final = translatable("correct it on the boot partition, and start again")

ABSENT: Final = "the file is not on the boot partition, and the defaults hold; copy it there"

ZONES: Final = Path("/usr/share/zoneinfo")

_PUBLIC: Final = 0o644
_PRIVATE: Final = 0o600
_FOLDER: Final = 0o755

_log = logging.getLogger(__name__)

SystemCtl = Callable[[Sequence[str]], None]
"""Asks systemd for something."""


def apply_provision(
    file: Path,
    folder: Path,
    units: Path,
    systemctl: SystemCtl,
    set_name: Callable[[str], None],
    zones: Path = ZONES,
) -> list[str]:
    """Apply a file as far as it is right; return what is wrong with it.

    Parameters
    ----------
    file
        On the boot partition; where there is none, the defaults hold, and that is told.
    folder
        Where the results are written: in memory, so that a file that was taken away is forgotten.
    units
        Of drop-ins for the program's unit, likewise.
    systemctl
        Starts units; `ask_systemd` on a machine.
    set_name
        Names the host.
    zones
        Of the time zones that this system knows.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(_FOLDER)
    settings, machine, problems = _read(file)
    # Before anything else can fail: a data partition made in plain cannot be encrypted later.
    _decide(folder, machine, problems)
    machine = machine or Machine()
    zone = machine.time_zone
    if not (zones / zone).is_file():
        problems.append(f"machine.time_zone: this system knows no {zone}; UTC is used")
        zone = "UTC"
    write_atomically(folder / SETTINGS, settings, _PUBLIC)
    write_atomically(folder / PROBLEM, "\n".join(problems[:1]).encode(), _PUBLIC)
    if problems:
        _log.error("the provisioning file is wrong; the screen says where")
    if drop_in := network_of(settings):
        units.mkdir(parents=True, exist_ok=True)
        write_atomically(units / NETWORK, drop_in.encode(), _PUBLIC)
        systemctl(["daemon-reload"])
    write_atomically(folder / ENVIRONMENT, f"TZ={zone}\n".encode(), _PUBLIC)
    if machine.name:
        set_name(machine.name)
    if machine.ssh_keys:
        keys = "".join(f"{key}\n" for key in machine.ssh_keys)
        write_atomically(folder / AUTHORIZED_KEYS, keys.encode(), _PRIVATE)
        systemctl(["start", "ssh.service"])
    if machine.wifi is not None:
        content = wpa_supplicant(machine.wifi)
        write_atomically(folder / WPA_SUPPLICANT, content.encode(), _PRIVATE)
        systemctl(["start", "wpa_supplicant@wlan0.service"])
    return problems


def _read(file: Path) -> tuple[bytes, Machine | None, list[str]]:
    """Return the program's settings, the machine's where they can be read, and what is wrong."""
    try:
        text = read_text(file)
    except ConfigError as error:
        if file.exists():
            # The program refuses it for the same reason; what is in it may hold secrets.
            return b"\xff", None, [str(error)]
        return b"", None, [ABSENT]
    problems = [str(problem) for problem in file_problems(text)]
    return program_part(text).encode(), read_machine(text), problems


def _decide(folder: Path, machine: Machine | None, problems: Sequence[str]) -> None:
    """Write what opens the data partition, then that it may be made.

    A file that is missing or was not copied whole, and one with a section that is misspelt, do not
    say that nothing is to be encrypted. Where a key stands in it, no other mistake changes that.
    """
    decided = folder / DATA_DECIDED
    decided.unlink(missing_ok=True)
    if machine is None or (machine.data is None and problems):
        return
    if machine.data is not None:
        kept = {DATA_KEY: machine.data.passphrase, DATA_KEY_FILE: machine.data.key_file}
        for name, content in kept.items():
            if content:
                write_atomically(folder / name, content.encode(), _PRIVATE)
    write_atomically(decided, b"", _PUBLIC)


def provision_notices(environment: Mapping[str, str] = os.environ) -> list[Fault]:
    """Return what is wrong with the file that the program's settings were made from.

    Parameters
    ----------
    environment
        Names the program's settings (``DERMASCOPE_CONFIG``); what is wrong lies beside them.
    """
    problem = beside_settings(PROBLEM, environment)
    return [Fault(PROVISION_WRONG, CORRECT_IT, values={"problem": problem})] if problem else []


def beside_settings(name: str, environment: Mapping[str, str]) -> str:
    """Return what the start of the machine wrote beside the program's settings, or nothing."""
    named = environment.get(CONFIG_VARIABLE)
    try:
        return Path(named).with_name(name).read_text(encoding="utf-8") if named else ""
    except (OSError, ValueError):
        return ""


def under_systemd(environment: Mapping[str, str]) -> bool:
    """Return whether a unit started this program (systemd.exec(5), ``INVOCATION_ID``)."""
    return bool(environment.get("INVOCATION_ID"))


def wpa_supplicant(wifi: Wifi) -> str:
    """Return wpa_supplicant.conf(5) for one network."""
    security = "key_mgmt=NONE"
    if wifi.password:
        security = f'psk="{wifi.password}"\n    key_mgmt=WPA-PSK SAE\n    ieee80211w=1'
    return (
        f"country={wifi.country}\nupdate_config=0\nnetwork={{\n"
        f'    ssid="{wifi.ssid}"\n    {security}\n}}\n'
    )


def ask_systemd(arguments: Sequence[str]) -> None:
    """Ask without waiting: it is itself waiting for this start to go on."""
    program = shutil.which("systemctl")
    if program is None:
        return
    done = subprocess.run([program, "--no-block", *arguments], check=False, capture_output=True)
    if done.returncode:
        _log.error("systemctl %s failed with %d", " ".join(arguments), done.returncode)
