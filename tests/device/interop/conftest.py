import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from device.frame import Frame, SourceKind
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding
from device.records.encrypted_archive import EncryptedArchive
from tests.device.interop.peers import garbage_is_collected_where_it_was_made
from tests.device.records.conftest import CHEAP


@pytest.fixture(scope="module")
def finding(analyzer: Analyzer, frames: tuple[Frame, ...]) -> Finding:
    """What the shipped model says of a drawn melanoma."""
    return analyzer.analyze(frames[1])


_garbage = pytest.fixture(autouse=True, scope="module")(garbage_is_collected_where_it_was_made)


@pytest.fixture(autouse=True)
def _a_time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clinics date by the wall clock: not every one of them stands in Greenwich."""
    monkeypatch.setenv("TZ", "America/Bogota")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def kept_examination(tmp_path: Path, frames: tuple[Frame, ...], finding: Finding) -> Path:
    """Return a clinic's folder with one examination."""
    folder = tmp_path / "examinations"
    archive = EncryptedArchive(folder, pin_cost=CHEAP)
    archive.keep(replace(frames[1], kind=SourceKind.CAMERA), finding, [], None)
    archive.close()
    return folder
