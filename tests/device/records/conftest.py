"""What the tests of the archive share."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.capture.demo import SCENES, demo_frame
from device.frame import Frame, SourceKind
from device.records.encrypted_archive import EncryptedArchive
from device.records.keyring import PinCost
from tests.device.clocks import ManualClock

CHEAP = PinCost(passes=1, memory_kib=64)
"""A PIN that takes no time to try."""


@pytest.fixture(scope="session")
def small_frame() -> Frame:
    """A camera's picture that is quick to keep."""
    frame = replace(demo_frame(SCENES[0]), kind=SourceKind.CAMERA)
    return replace(frame, pixels=np.ascontiguousarray(frame.pixels[::6, ::6]))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def archive(tmp_path: Path, clock: ManualClock) -> Iterator[EncryptedArchive]:
    archive = EncryptedArchive(tmp_path / "examinations", clock, pin_cost=CHEAP)
    yield archive
    archive.close()
