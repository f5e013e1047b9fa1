"""The provisioning file on the integrator's desk, and at the machine's start."""

import os
import stat
import zoneinfo
from collections.abc import Sequence
from pathlib import Path

import pytest

from device.cli import main
from device.config import CONFIG_VARIABLE, Config, load_config
from device.errors import ConfigError
from device.exit_status import ExitStatus
from device.fault_screen import chosen_look
from device.provisioning.apply import (
    AUTHORIZED_KEYS,
    DATA_DECIDED,
    DATA_KEY,
    DATA_KEY_FILE,
    ENVIRONMENT,
    PROBLEM,
    SETTINGS,
    WPA_SUPPLICANT,
    apply_provision,
    ask_systemd,
    provision_notices,
)
from device.provisioning.data_partition import FOUND, data_partition_notices
from device.provisioning.file import (
    Machine,
    Provision,
    Wifi,
    check_provision,
    read_provision,
)
from tests.device.commands import Capture

PHRASE = "correct horse"
LONG = "correct horse battery"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH clinic@desk"
WHOLE = f"""\
# Of the clinic in the valley.
language = "es"
rotation = 90
source = "picamera"
shutter_pin = 17
case_mix = "referral"

[machine]
version = 1
name = "valley-01"
time_zone = "America/Lima"
ssh_keys = ["{KEY}"]

[machine.wifi]
ssid = "Valley"
password = "correct horse"
country = "PE"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "dermascope.toml", WHOLE)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


class Machinery:
    """What is asked of the machine below."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[str] = []
        self.names: list[str] = []
        self.reloads = 0
        self.zones = folder.with_name("zones")
        for zone in ("America/Lima", "UTC"):
            (self.zones / zone).parent.mkdir(parents=True, exist_ok=True)
            (self.zones / zone).touch()

    def apply(self, file: Path) -> list[str]:
        return apply_provision(
            file,
            self.folder,
            self.folder / "units",
            self._systemctl,
            self.names.append,
            self.zones,
        )

    def _systemctl(self, arguments: Sequence[str]) -> None:
        if arguments == ["daemon-reload"]:
            self.reloads += 1
            return
        verb, unit = arguments
        assert verb == "start"
        self.started.append(unit)

    def said(self, name: str) -> str:
        return (self.folder / name).read_text()

    def mode(self, name: str) -> int:
        return stat.S_IMODE((self.folder / name).stat().st_mode)

    def config(self) -> Config:
        return load_config(self.folder / SETTINGS)


@pytest.fixture
def machine(tmp_path: Path) -> Machinery:
    return Machinery(tmp_path / "run")


def test_file_is_the_programs_settings_and_the_machines(file: Path) -> None:
    assert read_provision(file) == Provision(
        language="es",
        rotation=90,
        source="picamera",
        shutter_pin=17,
        case_mix="referral",
        machine=Machine(
            name="valley-01",
            time_zone="America/Lima",
            ssh_keys=(KEY,),
            wifi=Wifi(ssid="Valley", password=PHRASE, country="PE"),
        ),
    )


def test_sound_file_passes_on_the_desk(file: Path, capsys: Capture) -> None:
    assert main(["provision", "--check", str(file)]) == ExitStatus.OK
    assert "nothing is wrong" in capsys.readouterr().out


def test_everything_that_is_wrong_is_told_on_the_desk(tmp_path: Path, capsys: Capture) -> None:
    file = write(tmp_path / "a.toml", 'langage = "es"\nrotation = 45\n[machine]\nnmae = "x"\n')
    assert main(["provision", "--check", str(file)]) == ExitStatus.BAD_INPUT
    assert capsys.readouterr().err.splitlines() == [
        f"dermascope: {file}: line 1: langage: there is no such setting; did you mean language?",
        f"dermascope: {file}: line 2: rotation: expected one of 0, 90, 180, 270, not 45",
        f"dermascope: {file}: line 4: machine.nmae: there is no such setting; did you mean name?",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('name = "Valley 1"', "machine.name: expected text in quotes"),
        ("wifi = true", "machine.wifi: expected a section"),
        ('wifi = {ssid = "a", password = "short", country = "PE"}', "machine.wifi.password"),
        ('wifi = {ssid = "a", country = "peru"}', "machine.wifi.country"),
        ('wifi = {ssid = "a"}', "Object missing required field `country`"),
        ("wifi = {ssid = 'a\"b', country = 'PE'}", 'must hold neither "'),
        ('ssh_keys = "ssh-ed25519 AAAA"', "machine.ssh_keys: expected a list"),
        ('ssh_keys = ["-----BEGIN OPENSSH PRIVATE KEY-----"]', "machine.ssh_keys"),
        ('time_zone = "../../etc/passwd"', "machine.time_zone"),
        ("data = {}", "either a passphrase or a key_file opens the data partition"),
        ('data = {passphrase = "long enough", key_file = "k"}', "machine.data.passphrase"),
        ('data = {key_file = "../shadow"}', "machine.data.key_file"),
        ("version = 2", "machine.version: this program reads version 1"),
    ],
)
def test_mistake_in_the_machines_part_is_told(tmp_path: Path, line: str, said: str) -> None:
    (problem,) = check_provision(write(tmp_path / "a.toml", f"threads = 2\n[machine]\n{line}\n"))
    assert said in str(problem)
    assert problem.line == 3


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("machine.wifi", 'password = "contraseña-larga"'),
        ("machine.wifi", "password = 8231645970"),
        ("machine.wifi", 'password = ["8231645970"]'),
        ("machine.data", 'passphrase = "8231645970"'),
        ("machine.data", "passphrase = 8231645970"),
        ("machine.data", 'passphrase = {is = "8231645970"}'),
        ("machine", 'wifi = "8231645970"'),
        ("machine", 'data = "8231645970"'),
    ],
)
def test_rejected_secret_is_told_nowhere(
    tmp_path: Path, machine: Machinery, capsys: Capture, section: str, value: str
) -> None:
    rest = 'ssid = "Valley"\ncountry = "PE"\n' if section == "machine.wifi" else ""
    file = write(tmp_path / "a.toml", f"threads = 2\n[{section}]\n{value}\n{rest}")
    assert main(["provision", "--check", str(file)]) == ExitStatus.BAD_INPUT
    told = capsys.readouterr().err
    assert "line 3: machine." in told
    assert machine.apply(file)
    told += machine.said(PROBLEM) + machine.said(SETTINGS)
    assert "larga" not in told
    assert "8231645970" not in told


def test_secret_that_others_may_read_is_told(file: Path) -> None:
    assert check_provision(file) == []
    file.chmod(0o644)
    (problem,) = check_provision(file)
    assert str(problem) == (
        f"line 16: machine.wifi.password: others may read this secret; run: chmod 600 {file}"
    )


def test_each_secret_that_others_may_read_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", f"{WHOLE}\n[machine.data]\npassphrase = '{LONG}'\n")
    file.chmod(0o644)
    told = [(problem.line, problem.key) for problem in check_provision(file)]
    assert told == [(16, "machine.wifi.password"), (20, "machine.data.passphrase")]


def test_file_without_secrets_may_be_read_by_all(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", 'language = "pt"\n')
    file.chmod(0o644)
    assert check_provision(file) == []


def test_missing_file_is_told(tmp_path: Path, capsys: Capture) -> None:
    assert main(["provision", "--check", str(tmp_path / "none.toml")]) == ExitStatus.BAD_INPUT
    assert "no such settings file" in capsys.readouterr().err


def test_start_gives_each_part_to_whom_it_is_for(file: Path, machine: Machinery) -> None:
    assert machine.apply(file) == []
    assert machine.config() == Config(
        language="es", rotation=90, source="picamera", shutter_pin=17, case_mix="referral"
    )
    assert machine.names == ["valley-01"]
    assert machine.said(ENVIRONMENT) == "TZ=America/Lima\n"
    assert machine.said(AUTHORIZED_KEYS) == f"{KEY}\n"
    assert machine.started == ["ssh.service", "wpa_supplicant@wlan0.service"]
    wifi = machine.said(WPA_SUPPLICANT)
    assert 'ssid="Valley"' in wifi
    assert 'psk="correct horse"' in wifi
    assert "country=PE" in wifi


def test_what_is_read_by_the_program_holds_no_secret(file: Path, machine: Machinery) -> None:
    machine.apply(file)
    for path in machine.folder.iterdir():
        if machine.mode(path.name) & 0o077:
            assert "correct horse" not in path.read_text()
            assert "AAAA" not in path.read_text()
    assert machine.mode(SETTINGS) == 0o644
    assert machine.mode(WPA_SUPPLICANT) == machine.mode(AUTHORIZED_KEYS) == 0o600


@pytest.mark.parametrize(
    ("setting", "name", "content"),
    [("passphrase", DATA_KEY, LONG), ("key_file", DATA_KEY_FILE, "valley.key")],
)
def test_what_opens_the_data_partition_is_for_root_alone(
    tmp_path: Path, machine: Machinery, setting: str, name: str, content: str
) -> None:
    file = write(tmp_path / "a.toml", f'[machine.data]\n{setting} = "{content}"\n')
    assert machine.apply(file) == []
    assert (machine.said(name), machine.mode(name)) == (content, 0o600)
    data = {path.name for path in machine.folder.iterdir() if path.name.startswith("data")}
    assert data == {name, DATA_DECIDED}


def test_without_ssh_keys_and_wifi_both_stay_off(tmp_path: Path, machine: Machinery) -> None:
    assert machine.apply(write(tmp_path / "a.toml", 'language = "es"\n')) == []
    assert machine.started == machine.names == []
    assert machine.config().language == "es"


def test_device_without_a_file_starts_with_defaults_and_says_so(
    tmp_path: Path, machine: Machinery
) -> None:
    (problem,) = machine.apply(tmp_path / "none.toml")
    assert problem.startswith("the file is not on the boot partition")
    assert machine.config() == Config()
    (notice,) = provision_notices({CONFIG_VARIABLE: str(machine.folder / SETTINGS)})
    assert problem in notice.text


def test_typo_reaches_the_programs_screen_with_its_line(tmp_path: Path, machine: Machinery) -> None:
    file = write(tmp_path / "a.toml", WHOLE.replace('"picamera"', "3"))
    assert len(machine.apply(file)) == 1
    with pytest.raises(ConfigError, match=r"line 4: source: expected text in quotes"):
        machine.config()
    # The screen that says so stands as the rest of the file wants it.
    look = chosen_look({CONFIG_VARIABLE: str(machine.folder / SETTINGS)})
    assert (look.languages[0], look.rotation) == ("es", 90)


def test_file_that_is_no_toml_reaches_the_screen_with_its_line(
    tmp_path: Path, machine: Machinery
) -> None:
    assert machine.apply(write(tmp_path / "a.toml", f"language = es\n{WHOLE}"))
    with pytest.raises(ConfigError, match="line 1: no TOML: invalid statement"):
        machine.config()
    assert "correct horse" not in machine.said(SETTINGS)
    assert machine.started == []


def test_file_that_is_no_text_is_told_and_not_copied(tmp_path: Path, machine: Machinery) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b'[machine.wifi]\npassword = "caf\xe9 caf\xe9"\n')
    assert machine.apply(file)
    with pytest.raises(ConfigError, match="is not in UTF-8"):
        machine.config()
    assert b"caf" not in (machine.folder / SETTINGS).read_bytes()


def test_typo_in_the_machines_part_is_a_notice_and_stops_nothing(
    tmp_path: Path, machine: Machinery
) -> None:
    file = write(tmp_path / "a.toml", WHOLE.replace('"PE"', '"Peru"'))
    assert machine.apply(file)
    assert machine.config().source == "picamera"
    assert machine.started == []
    (notice,) = provision_notices({CONFIG_VARIABLE: str(machine.folder / SETTINGS)})
    assert "line 17: machine.wifi.country" in notice.text


def test_file_that_was_mended_leaves_no_notice(file: Path, machine: Machinery) -> None:
    bad = write(file.with_name("bad.toml"), "[machine]\nversion = 7\n")
    machine.apply(bad)
    assert provision_notices({CONFIG_VARIABLE: str(machine.folder / SETTINGS)})
    machine.apply(file)
    assert provision_notices({CONFIG_VARIABLE: str(machine.folder / SETTINGS)}) == []


@pytest.mark.parametrize("environment", [{}, {CONFIG_VARIABLE: "/no/such/config.toml"}])
def test_machine_that_was_never_provisioned_has_no_notice(environment: dict[str, str]) -> None:
    assert provision_notices(environment) == []


@pytest.mark.parametrize("invocation", ["", "0123456789abcdef"])
def test_command_leaves_a_desk_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch, no_privilege: None, capsys: Capture,
    invocation: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("INVOCATION_ID", invocation)
    assert main(["provision", "--apply", str(file)]) == ExitStatus.BAD_INPUT
    assert "is for dermascope-provision.service" in capsys.readouterr().err


def test_systemd_is_asked_without_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >> {asked}\nexit 1\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ask_systemd(["start", "ssh.service"])
    assert asked.read_text() == "--no-block start ssh.service\n"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    ask_systemd(["start", "ssh.service"])


def test_mistake_in_a_setting_of_the_program_takes_nothing_from_the_machine(
    tmp_path: Path, machine: Machinery
) -> None:
    text = WHOLE.replace("rotation = 90", "rotation = 45")
    file = write(tmp_path / "a.toml", f"{text}\n[machine.data]\npassphrase = '{LONG}'\n")
    (problem,) = machine.apply(file)
    assert problem.startswith("line 3: rotation")
    assert machine.names == ["valley-01"]
    assert machine.started == ["ssh.service", "wpa_supplicant@wlan0.service"]
    assert machine.said(DATA_KEY) == LONG
    assert (machine.folder / DATA_DECIDED).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"language = es\n[machine]\n",
        b"[machine]\nname = 3\n",
        b"[machine.dta]\nkey_file = 'valley.key'\n",
        b"[machin.data]\nkey_file = 'valley.key'\n",
        b"[machine-data]\nkey_file = 'valley.key'\n",
        b"[exchange]\ninstitution = 'Valley'\nkey_file = 'valley.key'\n",
        b"passphrase = 'a passphrase of the valley'\n",
        b"",
        b"\n",
        b"# The settings of the valley.\n",
        b"\0" * 512,
        b"\xff",
        None,
    ],
)
def test_nothing_is_made_unencrypted_for_settings_that_do_not_decide_it(
    tmp_path: Path, machine: Machinery, content: bytes | None
) -> None:
    file = tmp_path / "a.toml"
    if content is not None:
        file.write_bytes(content)
    machine.apply(write(tmp_path / "before.toml", "language = 'es'\n"))
    assert (machine.folder / DATA_DECIDED).exists()
    assert machine.apply(file)
    assert not (machine.folder / DATA_DECIDED).exists()
    assert not (machine.folder / DATA_KEY_FILE).exists()
    environment = {CONFIG_VARIABLE: str(machine.folder / SETTINGS)}
    (machine.folder / FOUND).write_text("unknown\n")
    (notice,) = data_partition_notices(environment)
    assert "is not made yet, as the settings are wrong" in notice.text


def test_what_opens_the_data_partition_is_there_before_anything_else_can_fail(
    tmp_path: Path, machine: Machinery
) -> None:
    def refuses(name: str) -> None:
        raise OSError("no name is set here")

    file = write(tmp_path / "a.toml", f"{WHOLE}\n[machine.data]\nkey_file = 'valley.key'\n")
    with pytest.raises(OSError, match="no name is set here"):
        apply_provision(file, machine.folder, tmp_path, print, refuses, machine.zones)
    assert machine.said(DATA_KEY_FILE) == "valley.key"
    assert (machine.folder / DATA_DECIDED).exists()


def test_data_partition_is_not_made_while_its_key_cannot_be_written(
    tmp_path: Path, machine: Machinery
) -> None:
    (machine.folder / DATA_KEY / "in the way").mkdir(parents=True)
    file = write(tmp_path / "a.toml", f"[machine.data]\npassphrase = '{LONG}'\n")
    with pytest.raises(OSError, match=DATA_KEY):
        machine.apply(file)
    assert not (machine.folder / DATA_DECIDED).exists()


def test_file_without_a_setting_is_told_on_the_desk(tmp_path: Path) -> None:
    (problem,) = check_provision(write(tmp_path / "a.toml", "# Nothing yet.\n"))
    assert str(problem) == "the file holds no setting; copy it again, or write one"


def test_time_zone_that_there_is_not_is_told_and_utc_used(
    tmp_path: Path, machine: Machinery
) -> None:
    file = write(tmp_path / "a.toml", '[machine]\ntime_zone = "America/Bogata"\n')
    if zoneinfo.available_timezones():
        (told,) = check_provision(file)
        assert str(told) == "line 2: machine.time_zone: no such time zone: America/Bogata"
    (problem,) = machine.apply(file)
    assert problem == "machine.time_zone: this system knows no America/Bogata; UTC is used"
    assert machine.said(ENVIRONMENT) == "TZ=UTC\n"
    (notice,) = provision_notices({CONFIG_VARIABLE: str(machine.folder / SETTINGS)})
    assert "America/Bogata" in notice.text
