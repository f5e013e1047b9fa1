"""Odd and damaged settings files by the thousand: what is refused, and what the rest leads to.

``python -m tests.fuzz.settings --count 100000`` prints its table of ``docs/robustness.md``.
"""

import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

# Before anything imports pygame.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

from device.capture.sources import open_source
from device.config import load_config, model_folder, records_folder, records_key_file
from device.errors import DermascopeError
from device.interop.targets import connections
from device.platform.clock import Clock
from device.platform.toml_file import read_text
from device.platform.toml_problems import toml_problems
from device.platform.toml_writer import to_toml
from device.provisioning.file import Provision, read_provision
from device.provisioning.program_part import program_part
from device.screen.display import close_screen, open_offscreen
from device.screen.input_mapper import InputMapper
from device.screen.renderer import Renderer
from device.status.server import listening_address
from tests.device.models.two_networks import shipped_bundle
from tests.fuzz.files import damaged
from tests.fuzz.odd_values import WAYS, changed
from tests.fuzz.outcomes import SEED, Outcome, attempts, options, table

TEXT: Final = "the file damaged"

SOUND: Final[dict[str, Any]] = {
    "model": "/opt/models/clinic",
    "case_mix": "referral",
    "trusted_keys": ["ad5cace617d5c5269dcdb6c04abec1fb5b13c745b77b0106b049fe09c24e4d1c"],
    "threads": 2,
    "source": "usb:/dev/video0",
    "camera_size": [1280, 720],
    "shutter_pin": 17,
    "width": 800,
    "height": 480,
    "rotation": 90,
    "fullscreen": True,
    "language": "es",
    "theme": "light",
    "pedal_key": "page down",
    "records_folder": "/media/clinic/examinations",
    "records_key_file": "/media/clinic/key",
    "records_years": 10,
    "records_share": 50,
    "status_address": "localhost:9127",
    "device_class": "clinic",
    "patient_names": True,
    "lock_minutes": 5,
    "exchange": {
        "institution": "Clinic",
        "contact": True,
        "immersion": "water",
        "magnification": 10.0,
        "colour_temperature": 5000,
        "dicom": [
            {
                "name": "pacs",
                "host": "pacs.clinic",
                "port": 104,
                "title": "PACS",
                "tls": {"authority": "/etc/ca.pem", "certificate": "", "key": ""},
            }
        ],
        "fhir": [{"name": "fhir", "url": "https://fhir.clinic/r4", "patients": "urn:oid:1.2.3"}],
        "worklist": {"name": "list", "host": "pacs.clinic", "title": "WL"},
    },
    "machine": {
        "version": 1,
        "name": "scope-1",
        "time_zone": "America/Lima",
        "ssh_keys": ["ssh-ed25519 AAAA someone"],
        "wifi": {"ssid": "Valley", "password": "a password", "country": "PE"},
        "data": {"passphrase": "a passphrase of the valley"},
    },
}
"""Every setting, with something else than its default."""


def attack(count: int, seed: int = SEED) -> dict[str, Outcome]:
    """Read odd settings, do with them what a start does, and return what came of them.

    Parameters
    ----------
    count
        How many, over all ways to be odd.
    seed
        Of the oddities.

    Raises
    ------
    Exception
        Whatever is not an error of the program's own of one line: the attack has succeeded.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as opened:
        open_offscreen((640, 480))
        opened.callback(close_screen)
        renderer = Renderer((640, 480), shipped_bundle("multicentre").manifest)
        path = Path(folder) / "dermascope.toml"

        def prepared(way: str, number: int) -> Callable[[], None]:
            content = to_toml(SOUND if way == TEXT else changed(SOUND, way, chance))
            raw = content.encode("utf-8", "replace")
            path.write_bytes(damaged(raw, chance) if way == TEXT else raw)
            return partial(use, path, renderer)

        return attempts(count, seed, (*WAYS, TEXT), prepared, DermascopeError)


def use(path: Path, renderer: Renderer) -> None:
    """Do what the start of a card and of the program does with a settings file."""
    text = read_text(path)
    toml_problems(text, Provision)
    path.with_name("config.toml").write_text(program_part(text), encoding="utf-8")
    read_provision(path)
    config = load_config(path.with_name("config.toml"))
    model_folder(config)
    records_folder(config)
    records_key_file(config)
    InputMapper(renderer, config.pedal_key)
    connections(config.exchange)
    if config.status_address:
        listening_address(config.status_address)
    open_source(config.source, Clock(), config.camera_size).close()


def main() -> None:
    """Attack as often as the command line says, and print the table."""
    told = options(__doc__, 100_000)
    outcomes = attack(told.count, told.seed)
    sys.stdout.write(table(outcomes, "what is odd", "settings files", "used") + "\n")


if __name__ == "__main__":
    main()
