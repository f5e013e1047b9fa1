"""What the tests of the archive share."""

import contextlib
import os
import resource
import signal
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

NOBODY = 65534


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file become larger than so many bytes, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


@contextlib.contextmanager
def write_protected(folder: Path) -> Iterator[None]:
    """Let the program read a folder and not write it, even where it is root's."""
    paths = [folder, *folder.rglob("*")]
    root = os.geteuid() == 0
    before = {path: path.stat() for path in paths}
    for path in paths:
        path.chmod(0o500 if path.is_dir() else 0o400)
        if root:
            os.chown(path, NOBODY, NOBODY)
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path in paths:
            if root:
                os.chown(path, before[path].st_uid, before[path].st_gid)
            path.chmod(before[path].st_mode & 0o777)


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
