"""The guides name what the program has."""

import re
from pathlib import Path

import pytest

from device.config import PROJECT_KEY, Config
from device.exit_status import ExitStatus
from device.provisioning.file import Machine

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def integrator() -> str:
    return (ROOT / "docs" / "integrator.md").read_text(encoding="utf-8")


def test_every_setting_is_told(integrator: str) -> None:
    for name in Config.__struct_fields__:
        assert f"| `{name}` |" in integrator


def test_every_setting_of_the_machine_is_told(integrator: str) -> None:
    for name in Machine.__struct_fields__:
        assert f"| `machine.{name}` |" in integrator


def test_every_exit_status_is_told(integrator: str) -> None:
    for status in ExitStatus:
        assert f"| {status.value} | {status.meaning} |" in integrator


def test_the_projects_key_is_told_to_whoever_adds_another(integrator: str) -> None:
    assert f'"{PROJECT_KEY}"' in integrator


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", guide.read_text(encoding="utf-8")):
        assert (guide.parent / target).exists(), target


def test_every_room_of_the_device_is_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in (ROOT / "device").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"`{path.name}/`" in text
        elif path.suffix == ".py" and not path.name.startswith("__"):
            assert f"`{path.stem}`" in text, path
