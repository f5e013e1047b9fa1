"""The network that the settings of a device need."""

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
        (Config(status_address="localhost:9127"), "localhost"),
        (Config(status_address="eth0:9127"), "any"),
        (Config(exchange=Exchange(dicom=(peer("192.0.2.2"),))), "192.0.2.2"),
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
