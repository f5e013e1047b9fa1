"""The network that the settings of a device need."""

import shutil
import subprocess
from pathlib import Path

import pytest

from device.config import Config
from device.exchange import DicomPeer, Exchange, FhirServer
from device.provisioning.apply import NETWORK
from device.provisioning.network import network_drop_in
from tests.device.provisioning.test_file import Machinery, write


def peer(host: str) -> DicomPeer:
    return DicomPeer(name="pacs", host=host, title="PACS")


def fhir(url: str) -> FhirServer:
    return FhirServer(name="records", url=url, patients="urn:oid:1.2")


def allowed(config: Config) -> str:
    """Return what a drop-in allows; empty where there is none."""
    lines = network_drop_in(config).splitlines()
    assert not lines or lines[:2] == [
        "[Service]",
        "RestrictAddressFamilies=AF_INET AF_INET6",
    ]
    return lines[2].removeprefix("IPAddressAllow=") if lines else ""


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (Config(), ""),
        (Config(source="usb:/dev/video0"), ""),
        (Config(source="mjpeg:http://192.0.2.7:8080/video"), "192.0.2.7"),
        (Config(source="mjpeg:http://user:word@[2001:db8::7]/video"), "2001:db8::7"),
        (Config(source="mjpeg:http://camera.example/video"), "any"),
        (Config(source="mjpeg:http://[fe80::7%25eth0]:8080/video"), "fe80::7"),
        (Config(status_address="localhost:9127"), "localhost"),
        (Config(status_address="eth0:9127"), "any"),
        (Config(exchange=Exchange(dicom=(peer("192.0.2.2"),))), "192.0.2.2"),
        (Config(exchange=Exchange(dicom=(peer("fe80::1%eth0"),))), "fe80::1"),
        (Config(exchange=Exchange(dicom=(peer("[fe80::1%eth0]"),))), "fe80::1"),
        (Config(exchange=Exchange(worklist=peer("192.0.2.2%eth0"))), "any"),
        (Config(exchange=Exchange(worklist=peer("pacs.example"))), "any"),
        (
            Config(
                exchange=Exchange(
                    dicom=(peer("192.0.2.2"),), fhir=(fhir("https://192.0.2.3/fhir"),)
                )
            ),
            "192.0.2.2 192.0.2.3",
        ),
    ],
)
def test_what_the_settings_name_is_allowed_and_nothing_else(config: Config, expected: str) -> None:
    assert allowed(config) == expected


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)
@pytest.mark.parametrize("host", ["fe80::1%eth0", "2001:db8::7", "192.0.2.2", "pacs.example"])
def test_systemd_takes_every_address(tmp_path: Path, host: str) -> None:
    unit = tmp_path / "dermascope.service"
    drop_in = network_drop_in(Config(exchange=Exchange(dicom=(peer(host),))))
    unit.write_text(f"{drop_in}ExecStart=/bin/true\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_device_whose_settings_name_no_network_gets_none(tmp_path: Path) -> None:
    machine = Machinery(tmp_path / "run")
    machine.apply(write(tmp_path / "dermascope.toml", 'source = "usb"\n'))
    assert not (machine.folder / "units").exists()
    assert machine.reloads == 0


def test_a_network_camera_is_let_through_at_the_start_of_the_machine(tmp_path: Path) -> None:
    machine = Machinery(tmp_path / "run")
    text = 'source = "mjpeg:http://192.0.2.7/video"\n'
    assert machine.apply(write(tmp_path / "dermascope.toml", text)) == []
    drop_in = (machine.folder / "units" / NETWORK).read_text()
    assert "IPAddressAllow=192.0.2.7\n" in drop_in
    assert machine.reloads == 1


def test_settings_that_are_wrong_open_nothing(tmp_path: Path) -> None:
    machine = Machinery(tmp_path / "run")
    text = 'source = "mjpeg:http://192.0.2.7/video"\nrotation = 45\n'
    assert machine.apply(write(tmp_path / "dermascope.toml", text))
    assert not (machine.folder / "units").exists()


@pytest.mark.parametrize(
    "mistake",
    [
        '[machine]\nname = "Valley_01"\n',
        "[machine]\ndata = {}\n",
        '[machine]\ntime_zone = "Nowhere"\n',
    ],
)
def test_a_mistake_in_the_machines_part_takes_no_network_from_the_program(
    tmp_path: Path, mistake: str
) -> None:
    machine = Machinery(tmp_path / "run")
    text = 'source = "mjpeg:http://192.0.2.7/video"\n'
    assert machine.apply(write(tmp_path / "dermascope.toml", text + mistake))
    assert machine.config().source == "mjpeg:http://192.0.2.7/video"
    assert "IPAddressAllow=192.0.2.7\n" in (machine.folder / "units" / NETWORK).read_text()


@pytest.mark.parametrize("content", [b"\xff", b"source = ", b"[machin]\n", None])
def test_settings_that_cannot_be_read_open_nothing(tmp_path: Path, content: bytes | None) -> None:
    machine = Machinery(tmp_path / "run")
    file = tmp_path / "dermascope.toml"
    if content is not None:
        file.write_bytes(b'source = "mjpeg:http://192.0.2.7/video"\n' + content)
    assert machine.apply(file)
    assert not (machine.folder / "units").exists()
