"""What the start of the machine found of the data partition, on the screen."""

import re
from pathlib import Path

import pytest

from build_host.image.recipe import OVERLAY
from device.config import CONFIG_VARIABLE
from device.provisioning.data_partition import FOUND, data_partition_notices

SCRIPT = (OVERLAY / "usr/lib/dermascope/data").read_text()


def found(folder: Path, word: str) -> list[str]:
    (folder / FOUND).write_text(f"{word}\n")
    notices = data_partition_notices({CONFIG_VARIABLE: str(folder / "config.toml")})
    return [notice.text for notice in notices]


def test_everything_that_the_start_can_find_is_told(tmp_path: Path) -> None:
    words = set(re.findall(r'\bwithout (\w+) "|\bfound (\w+)$', SCRIPT, re.MULTILINE))
    said = [found(tmp_path, one or other) for one, other in words]
    assert len(said) == 6
    assert all(len(texts) == 1 and "data partition" in texts[0] for texts in said)
    assert f"FOUND=/run/dermascope/{FOUND}\n" in SCRIPT


@pytest.mark.parametrize("word", ["", "lock", "x" * 10_000])
def test_what_is_not_known_is_not_told(tmp_path: Path, word: str) -> None:
    assert found(tmp_path, word) == []


@pytest.mark.parametrize("environment", [{}, {CONFIG_VARIABLE: "/no/such/config.toml"}])
def test_a_machine_with_nothing_wrong_has_no_notice(environment: dict[str, str]) -> None:
    assert data_partition_notices(environment) == []
