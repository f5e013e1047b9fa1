"""Pipes stand for input devices: what is written into them is what the kernel would report."""

import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.platform.snapshot_button import SnapshotButton
from tests.device.scripted import until

EV_SYN, EV_KEY, KEY_A, KEY_CAMERA = 0, 1, 30, 212


def bits(*keys: int) -> bytes:
    return sum(1 << key for key in keys).to_bytes(96, "little")


def open_files() -> list[Path]:
    links = Path("/proc/self/fd").iterdir()
    return [link.readlink() for link in links if link.is_symlink()]


class Bench:
    """A folder of input devices, a time that is set by hand, and a count of presses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds = 100.0
        self.presses = 0
        self.keys = {"event0": bits(KEY_A), "event1": bits(KEY_A, KEY_CAMERA)}
        self.asked: list[str] = []
        self.writers: dict[str, int] = {}

    def query(self, file: int) -> bytes:
        name = Path(f"/proc/self/fd/{file}").readlink().name
        self.asked.append(name)
        if name not in self.keys:
            raise OSError(25, "Inappropriate ioctl for device")
        return self.keys[name]

    def press(self) -> None:
        self.presses += 1

    def plug(self, name: str) -> None:
        os.mkfifo(self.folder / name)
        self.writers[name] = os.open(self.folder / name, os.O_RDWR)

    def pull(self, name: str) -> None:
        (self.folder / name).unlink()
        os.close(self.writers.pop(name))

    def report(self, name: str, *events: tuple[int, int, int], after: float = 1.0) -> None:
        self.seconds += after
        time = int(self.seconds), round(self.seconds % 1 * 1e6)
        content = b"".join(struct.pack("llHHi", *time, *event) for event in events)
        os.write(self.writers[name], content)

    def click(self, name: str = "event1", after: float = 1.0) -> None:
        down, up, end = (EV_KEY, KEY_CAMERA, 1), (EV_KEY, KEY_CAMERA, 0), (EV_SYN, 0, 0)
        self.report(name, down, end, up, end, after=after)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    bench.plug("event0")
    bench.plug("event1")
    with SnapshotButton(bench.press, tmp_path, bench.query, 0.02):
        until(lambda: set(bench.asked) == {"event0", "event1"})
        yield bench
    for writer in bench.writers.values():
        os.close(writer)


def test_each_press_of_the_cameras_button_is_one_call(bench: Bench) -> None:
    for count in (1, 2, 3):
        bench.click()
        until(lambda count=count: bench.presses == count)


def test_other_keys_and_held_buttons_are_no_press(bench: Bench) -> None:
    bench.report("event1", (EV_KEY, KEY_A, 1), (EV_KEY, KEY_CAMERA, 2), (EV_KEY, KEY_CAMERA, 0))
    bench.click()
    until(lambda: bench.presses == 1)
    time.sleep(0.05)
    assert bench.presses == 1


def test_button_that_bounces_is_pressed_once(bench: Bench) -> None:
    bench.click()
    for _ in range(4):
        bench.click(after=0.02)
    bench.click(after=1.0)
    until(lambda: bench.presses == 2)
    time.sleep(0.05)
    assert bench.presses == 2


def test_camera_that_is_plugged_in_later_or_again_is_noticed(bench: Bench) -> None:
    bench.keys["event7"] = bits(KEY_CAMERA)
    bench.plug("event7")
    until(lambda: "event7" in bench.asked)
    bench.click("event7")
    until(lambda: bench.presses == 1)
    bench.pull("event1")
    bench.click("event7")
    until(lambda: bench.presses == 2)
    asked = bench.asked.count("event1")
    bench.plug("event1")
    until(lambda: bench.asked.count("event1") > asked)
    bench.click("event1")
    until(lambda: bench.presses == 3)


def test_device_that_is_no_button_is_asked_once_and_left_closed(bench: Bench) -> None:
    bench.plug("event9")
    until(lambda: "event9" in bench.asked)
    time.sleep(0.1)
    assert bench.asked.count("event0") == bench.asked.count("event9") == 1
    opened = open_files()
    # The pipe's own end that this test writes into.
    assert opened.count(bench.folder / "event0") == 1


def test_clock_that_is_set_back_makes_the_button_no_worse(bench: Bench) -> None:
    bench.click()
    bench.click(after=-50.0)
    until(lambda: bench.presses == 2)


def test_machine_without_input_devices_has_no_button(tmp_path: Path) -> None:
    button = SnapshotButton(lambda: None, tmp_path / "missing")
    button.close()
    button.close()
    assert "snapshot-button" not in {thread.name for thread in threading.enumerate()}


def test_closed_button_leaves_no_file_open(tmp_path: Path) -> None:
    before = len(open_files())
    bench = Bench(tmp_path)
    bench.plug("event1")
    with SnapshotButton(bench.press, tmp_path, bench.query, 0.02):
        until(lambda: bench.asked)
    bench.pull("event1")
    assert len(open_files()) == before
