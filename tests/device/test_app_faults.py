"""What the instrument shows when something fails, and that it goes on."""

import contextlib
import socket
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pygame
import pytest

from device.capture.replay import ReplaySource
from device.faults import Fault
from device.frame import Frame
from device.imaging.field_of_view import FieldOfView
from device.inference.finding import Finding
from device.notices import SECONDS
from device.platform.clock import Clock
from device.platform.signals import Ending
from device.platform.systemd import Notifier
from device.preferences import Preferences, load_preferences, save_preferences
from device.runtime.analysis import FAILED as ANALYSIS_FAILED
from device.runtime.camera import FAILED as CAMERA_FAILED
from device.screen.pages.compare import CompareView
from device.screen.pages.limits import LimitsView
from device.screen.pages.settings import SettingsView
from device.screen.state import Command
from tests.device.clinic import Camera, Clinic, FailsOnce
from tests.device.scripted import GIVE_UP_SECONDS, ScriptedSource, fails


def test_choice_that_cannot_be_kept_is_told(clinic: Clinic) -> None:
    clinic.options = {"preferences_folder": Path("/proc/nobody")}

    def deeds() -> None:
        clinic.click(clinic.target("more"))
        clinic.click(clinic.target("pt", "settings"))
        clinic.until(lambda: isinstance(clinic.view(), SettingsView))
        clinic.until(lambda: clinic.view().fault)
        assert "cannot be kept" in clinic.view().fault.message

    clinic.use(Camera(), deeds)


def test_fault_of_the_camera_thread_is_shown_and_it_goes_on(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until(clinic.fault)
        assert clinic.fault() == CAMERA_FAILED
        assert clinic.view().fault.detail == "ZeroDivisionError: by nought"
        clinic.until_finding()
        clinic.until(lambda: not clinic.fault())

    clinic.use(FailsOnce(), deeds)


def test_fault_of_the_analysis_thread_is_shown_and_it_goes_on(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        works, clinic.analyzer.live = clinic.analyzer.live, fails
        clinic.until(clinic.fault)
        assert clinic.fault() == ANALYSIS_FAILED
        clinic.analyzer.live = works
        clinic.until(lambda: not clinic.fault())

    clinic.use(Camera(), deeds)


def test_trouble_is_shown_and_goes_when_the_source_recovers(clinic: Clinic) -> None:
    camera = Camera(failures=2)

    def deeds() -> None:
        clinic.until(clinic.fault)
        assert clinic.fault() == "the camera was unplugged"
        assert clinic.live().finding is None
        clinic.until_finding()
        clinic.until(lambda: not clinic.fault())

    clinic.use(camera, deeds)
    assert camera.reads > 2


def test_trouble_in_the_middle_recovers_too(clinic: Clinic) -> None:
    camera = Camera()

    def deeds() -> None:
        clinic.until_finding()
        assert clinic.live().lost is None
        camera.failures = 1
        clinic.until(clinic.fault)
        old = clinic.live().finding
        assert clinic.live().lost
        clinic.until(lambda: not clinic.fault())
        clinic.until(lambda: clinic.live().finding is not old)
        assert clinic.live().lost is None
        clinic.take()
        camera.failures = 1
        # What is held was never live.
        clinic.until(lambda: not camera.failures)
        assert clinic.live().lost is None

    clinic.use(camera, deeds)


def test_camera_that_is_lost_is_seen_beside_an_earlier_picture_too(clinic: Clinic) -> None:
    camera = Camera()

    def deeds() -> None:
        clinic.until_finding()
        clinic.open_compare()
        clinic.until(lambda: isinstance(clinic.view(), CompareView))
        assert clinic.view().lost is None
        camera.failures = 2
        clinic.until(lambda: clinic.view().lost)
        clinic.until(lambda: not clinic.view().lost)

    clinic.use(camera, deeds)


def test_trouble_stays_while_nothing_can_be_read(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"hello")
    source = ReplaySource(tmp_path, Clock(), paced=False)

    def deeds() -> None:
        clinic.until(clinic.fault)
        # The source is tried again every second: its second failure must not look like success.
        for _ in range(15):
            time.sleep(0.1)
            assert clinic.fault()

    clinic.use(source, deeds)


def test_service_manager_hears_when_the_picture_stands_and_that_all_is_well(
    clinic: Clinic, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(GIVE_UP_SECONDS)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        clinic.options = {"notifier": Notifier(environment)}
        heard: list[bytes] = []

        def deeds() -> None:
            while b"READY=1" not in heard or heard.count(b"WATCHDOG=1") < 2:
                heard.append(manager.recv(400))

        clinic.use(Camera(), deeds)
        manager.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(manager.recv(400))
    assert heard.count(b"READY=1") == 1
    assert heard[-1] == b"STOPPING=1"


def test_stuck_camera_misses_the_watchdog(clinic: Clinic, tmp_path: Path) -> None:
    go_on = threading.Event()

    class Stuck(Camera):
        def read(self, timeout: float = 1.0) -> Frame:
            if self.reads > 3:
                go_on.wait(GIVE_UP_SECONDS)
            return super().read(timeout)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(GIVE_UP_SECONDS)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        clinic.options = {"notifier": Notifier(environment)}
        clinic.clock = Clock(speed=5.0)

        def deeds() -> None:
            try:
                while not manager.recv(400).startswith(b"STATUS=No progress: camera"):
                    pass
                manager.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    while True:
                        assert manager.recv(400) != b"WATCHDOG=1"
            finally:
                go_on.set()

        clinic.use(Stuck(), deeds)


def test_finding_of_one_camera_is_not_shown_for_the_next_that_is_plugged_in(
    clinic: Clinic,
) -> None:
    analyze, go_on = clinic.analyzer.live, threading.Event()

    class Replaced(Camera):
        shape = (480, 640)

        def read(self, timeout: float = 1.0) -> Frame:
            frame = super().read(timeout)
            return replace(frame, pixels=np.full((*self.shape, 3), 90, np.uint8))

    camera = Replaced()

    def late(frame: Frame, motion: float | None = None, **how: bool) -> Finding:
        if frame.pixels.shape[:2] != (480, 640):
            go_on.wait(GIVE_UP_SECONDS)
        finding = analyze(frame, motion, **how)
        side = frame.pixels.shape[0] // 3
        return replace(finding, field=FieldOfView(frame.pixels.shape[1] - side, 2 * side, side))

    def deeds() -> None:
        clinic.analyzer.live = late
        clinic.until_finding()
        camera.shape = (240, 320)
        clinic.until(lambda: clinic.live().field.shape == (240, 240, 3))
        assert clinic.live().finding is None
        go_on.set()
        clinic.until_finding()
        clinic.until(lambda: clinic.live().field.shape == (80, 80, 3))

    clinic.use(camera, deeds)


def test_card_that_is_slow_does_not_hold_the_screen_up(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.options = {"preferences_folder": tmp_path}
    go_on, begun = threading.Event(), threading.Event()

    def slow(folder: Path, chosen: Preferences) -> None:
        begun.set()
        go_on.wait(GIVE_UP_SECONDS)
        save_preferences(folder, chosen)

    monkeypatch.setattr("device.runtime.recorder.save_preferences", slow)

    def deeds() -> None:
        clinic.until_finding()
        clinic.click(clinic.target("more"))
        clinic.click(clinic.target("es", "settings"))
        assert begun.wait(GIVE_UP_SECONDS)
        clinic.click(clinic.target("pt", "settings"))
        clinic.until(lambda: clinic.view().language == "pt")
        pygame.event.post(pygame.event.Event(pygame.QUIT))
        clinic.until(lambda: not any(t.name == "analysis" for t in threading.enumerate()))
        go_on.set()

    clinic.use(Camera(), deeds)
    # What was chosen last is written, though the program was told to end.
    assert load_preferences(tmp_path, Preferences()).language == "pt"


def test_what_was_found_wrong_at_the_start_is_shown_one_after_another(clinic: Clinic) -> None:
    clinic.options = {"notices": [Fault("the first"), Fault("the second")]}
    clinic.clock = Clock(speed=10.0)

    def deeds() -> None:
        clinic.until(lambda: clinic.fault() == "the first")
        clinic.until(lambda: clinic.fault() == "the second")
        clinic.until(lambda: not clinic.fault())
        clinic.until_finding()

    clinic.use(Camera(), deeds)


def test_what_was_found_wrong_at_the_start_waits_for_the_page_that_shows_it(clinic: Clinic) -> None:
    clinic.options = {"notices": [Fault("the first")], "preferences": Preferences()}
    clinic.clock = Clock(speed=100.0)

    def deeds() -> None:
        clinic.until(lambda: isinstance(clinic.view(), LimitsView))
        began = clinic.clock.monotonic()
        clinic.until(lambda: clinic.clock.monotonic() - began > 10 * SECONDS)
        clinic.click(clinic.target("back", "limits"))
        clinic.until(lambda: clinic.fault() == "the first")
        clinic.until_live()

    clinic.use(Camera(), deeds)


def test_press_of_the_shutter_does_not_wait_for_what_was_found_wrong(clinic: Clinic) -> None:
    clinic.options = {"notices": [Fault("the first")]}

    def deeds() -> None:
        clinic.until(lambda: clinic.fault() == "the first")
        clinic.settle()
        clinic.take()
        clinic.release()
        assert not clinic.fault()

    clinic.use(Camera(), deeds)


def test_finding_grows_old_though_the_clock_goes_back(clinic: Clinic) -> None:
    class GoesBack(Clock):
        back = timedelta(0)

        def now(self) -> datetime:
            return super().now() - self.back

    clock = GoesBack()
    source = ScriptedSource()
    source._clock = clock
    analyze, go_on = clinic.analyzer.live, threading.Event()

    def slow(*given: object, **how: bool) -> Finding:
        if clinic.live().finding is not None:
            go_on.wait(GIVE_UP_SECONDS)
        return analyze(*given, **how)

    clinic.analyzer.live = slow

    def deeds() -> None:
        clinic.until_finding()
        clock.back = timedelta(days=1)
        clinic.until(lambda: clinic.live().finding_age > 1.0)
        go_on.set()

    clinic.use(source, deeds)


def test_told_to_end_by_a_signal_it_ends_and_notices(clinic: Clinic) -> None:
    ending = Ending()
    clinic.options = {"ending": ending}

    def deeds() -> None:
        clinic.until_finding()
        ending.asked.set()
        assert ending.noticed.wait(GIVE_UP_SECONDS)

    clinic.use(Camera(), deeds)
    assert clinic.ending is Command.QUIT
