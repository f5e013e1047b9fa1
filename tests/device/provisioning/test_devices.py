"""Fifty cards from one table."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError
from device.platform.toml_writer import to_toml
from device.provisioning.devices import provisions_of_table
from device.provisioning.file import read_provision

COMMON = 'language = "es"\nsource = "picamera"\n[machine]\ntime_zone = "America/Lima"\n'


def table(folder: Path, text: str, common: str = COMMON) -> tuple[Path, Path]:
    (folder / "common.toml").write_text(common)
    (folder / "devices.csv").write_text(text)
    return folder / "devices.csv", folder / "common.toml"


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        provisions_of_table(*table(folder, text))
    return str(caught.value).removeprefix(f"{folder}/")


def test_fifty_devices_each_get_what_is_theirs_and_what_is_common(tmp_path: Path) -> None:
    rows = [f"valley-{n:02},{90 if n % 2 else ''},Clinic {n},secret-{n:04},PE" for n in range(50)]
    header = "machine.name,rotation,machine.wifi.ssid,machine.wifi.password,machine.wifi.country"
    files = provisions_of_table(*table(tmp_path, "\n".join((header, *rows))))
    assert list(files) == [f"valley-{n:02}" for n in range(50)]
    for n in (0, 1, 49):
        path = tmp_path / "dermascope.toml"
        path.write_text(files[f"valley-{n:02}"])
        read = read_provision(path)
        assert (read.language, read.source, read.machine.time_zone) == (
            "es", "picamera", "America/Lima",
        )  # fmt: skip
        assert read.rotation == (90 if n % 2 else 0)
        assert read.machine.wifi
        assert read.machine.wifi.password == f"secret-{n:04}"


def test_fields_are_read_as_their_setting_wants_them(tmp_path: Path) -> None:
    text = (
        "\ufeffmachine.name;model;shutter_pin;fullscreen;camera_size;machine.ssh_keys\r\n"
        'a;1234;17;true;[640, 480];"ssh-ed25519 AAAA me; here"\r\n\r\n'
    )
    values = tomllib.loads(provisions_of_table(*table(tmp_path, text))["a"])
    assert values["model"] == "1234"
    assert (values["shutter_pin"], values["fullscreen"]) == (17, True)
    assert values["camera_size"] == [640, 480]
    assert values["machine"]["ssh_keys"] == ["ssh-ed25519 AAAA me; here"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "devices.csv: has no column machine.name"),
        ("language\nes\n", "devices.csv: has no column machine.name"),
        ("machine.name,langage\na,es\n", "devices.csv: line 1: there is no setting langage"),
        ("machine.name\n", "devices.csv: names no device"),
        ("machine.name,rotation\na,90\nb,45\n", "devices.csv: line 3: rotation: expected one of"),
        ("machine.name,rotation\na,90\na,90\n", "devices.csv: line 3: the name a is taken"),
        ("machine.name,rotation\n,90\n", "devices.csv: line 2: the device has no name"),
        ("machine.name,rotation\na\n", "devices.csv: line 2: has 1 fields and not 2"),
        ('machine.name,model\na,"x\n', "devices.csv: line 2: unexpected end of data"),
    ],
)
def test_mistake_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    assert refusal(tmp_path, text).startswith(told)


@pytest.mark.parametrize("secret", ["contraseña-larga", "short"])
def test_secret_is_no_part_of_what_is_told(tmp_path: Path, secret: str) -> None:
    header = "machine.name,machine.wifi.ssid,machine.wifi.password,machine.wifi.country"
    told = refusal(tmp_path, f"{header}\na,Valley,{secret},PE\n")
    assert told.startswith("devices.csv: line 2: machine.wifi.password: expected text")
    assert secret not in told


def test_mistake_in_what_is_common_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"common\.toml: line 1: threads"):
        provisions_of_table(*table(tmp_path, "machine.name\na\n", "threads = 99"))


scalars = st.text(max_size=12) | st.integers(-999, 999) | st.booleans()
tables = st.recursive(
    st.dictionaries(st.text(max_size=6), scalars | st.lists(scalars, max_size=3), max_size=4),
    lambda below: st.dictionaries(st.text(max_size=6), below | scalars, max_size=3),
    max_leaves=8,
)


@given(values=tables)
def test_what_is_written_is_read_back(values: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(values)) == values
