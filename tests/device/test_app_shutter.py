"""The instrument's shutter: what it takes, judges and keeps."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest

from device.app import App
from device.errors import ConfigError, RecordError, SourceError
from device.frame import Frame
from device.inference.analyzer import Analyzer, Progress
from device.inference.finding import Finding
from device.latest import Latest
from device.models.manifest import Manifest
from device.optics import Optics
from device.platform.clock import Clock
from device.records.encrypted_archive import EncryptedArchive
from device.runtime.analysis import NOT_JUDGED
from device.runtime.camera import BURST
from device.screen.display import close_screen, open_offscreen
from device.screen.events import ShutterPress
from device.screen.input_mapper import press_shutter
from device.screen.pages.compare import CompareView
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.view import KeepStatus
from device.session import FLASH_SECONDS
from tests.device.clinic import READ, SIZE, Camera, Clinic, Handheld, lesion
from tests.device.clocks import ManualClock
from tests.device.screen import states
from tests.device.screen.drawing import draw
from tests.device.scripted import GIVE_UP_SECONDS, fails


def test_pedal_is_the_shutter(clinic: Clinic) -> None:
    clinic.options = {"pedal_key": "f5"}

    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_F5)
        clinic.until(lambda: clinic.live().frozen)

    clinic.use(Camera(), deeds)


@pytest.mark.parametrize("name", ["no such key", "space", "tab"])
def test_pedal_that_cannot_be_one_is_refused(clinic: Clinic, name: str) -> None:
    clinic.options = {"pedal_key": name}
    with pytest.raises(ConfigError, match=f'pedal_key: .*"{name}"'):
        clinic.use(Camera(), lambda: None)


def test_shutter_is_seen_to_work_by_a_short_flash(analyzer: Analyzer) -> None:
    screen, clock = open_offscreen(SIZE), ManualClock()
    renderer = Renderer(SIZE, analyzer.manifest)
    app = App(Camera(), analyzer, renderer, signed_by="", clock=clock, preferences=READ)
    session = app.session
    begun = []
    for _ in range(100):
        before = session.view().flash
        # However fast the shutter is pressed.
        session.state = replace(session.state, frozen=False)
        session.handle(ShutterPress())
        if session.view().flash and not before:
            begun.append(clock.monotonic())
        clock.sleep(0.02)
    assert begun[0] == 100.0
    assert min(np.diff(begun)) > 1 / 3
    clock.sleep(FLASH_SECONDS)
    assert not session.view().flash
    del screen
    close_screen()


@pytest.mark.parametrize("page", [PageName.LIVE, PageName.COMPARE])
def test_flash_lightens_the_skin_and_nothing_else(manifest: Manifest, page: PageName) -> None:
    open_offscreen(SIZE)
    view = states.LIVE if page == PageName.LIVE else states.STATES["compare"]
    plain, flash = (draw(manifest, SIZE, replace(view, flash=on)) for on in (False, True))
    changed = (plain != flash).any(axis=2)
    assert (flash[changed] >= plain[changed]).all()
    # Photosensitive eyes are spared a screen in white.
    assert 0.05 < changed.mean() < 0.6
    assert flash[changed].mean() - plain[changed].mean() < 100
    close_screen()


def test_shutter_keeps_the_sharpest_of_a_burst_with_the_exposure_held(clinic: Clinic) -> None:
    camera = Handheld()

    def deeds() -> None:
        clinic.until_finding()
        clinic.take()
        view = clinic.live()
        np.testing.assert_array_equal(view.field, lesion(blur=0.4)[:, 50:350])

    clinic.use(camera, deeds)
    assert camera.stills == BURST
    assert camera.locks == [(True, 0), (False, BURST)]


def test_taken_picture_is_measured_and_kept(clinic: Clinic, tmp_path: Path) -> None:
    records = EncryptedArchive(tmp_path / "examinations")
    optics: Latest[Optics] = Latest(Clock())
    optics.put(Optics(mm_per_pixel=0.05, width=400, height=300, calibrated=datetime.now(UTC)))
    clinic.options = {"archive": records, "optics": optics}

    def deeds() -> None:
        clinic.until_finding()
        clinic.take()
        clinic.until(lambda: clinic.live().kept)
        view = clinic.live()
        assert view.measures.diameter_mm == pytest.approx(6.0, abs=0.5)
        assert np.abs(view.outline.mean(axis=0) - 0.5).max() < 0.05
        (identifier,) = records.identifiers()
        kept = records.read(identifier)
        np.testing.assert_array_equal(kept.image, lesion(blur=0.4))
        assert kept.record.measures == view.measures
        assert tuple(kept.record.finding.probabilities.values()) == view.finding.probabilities

    clinic.use(Handheld(), deeds)


def test_picture_that_cannot_be_judged_is_kept_and_that_is_told(
    clinic: Clinic, tmp_path: Path
) -> None:
    records = EncryptedArchive(tmp_path)
    clinic.options = {"archive": records}

    def fails_at_the_model(
        frames: Sequence[Frame], progress: Progress, chosen: Callable[[Frame], None]
    ) -> None:
        chosen(frames[2])
        fails()

    def deeds() -> None:
        clinic.until_finding()
        clinic.analyzer.burst = fails_at_the_model
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.fault() == NOT_JUDGED)

    clinic.use(Handheld(), deeds)
    (identifier,) = records.identifiers()
    kept = records.read(identifier)
    np.testing.assert_array_equal(kept.image, lesion(blur=0.4))
    assert kept.record.finding is None


def test_picture_that_cannot_be_kept_is_told(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    clinic.options = {"archive": EncryptedArchive(tmp_path / "file" / "examinations")}

    def deeds() -> None:
        clinic.until_finding()
        clinic.take()
        clinic.until(lambda: clinic.live().kept == KeepStatus.NOT_KEPT)
        assert clinic.live().finding is not None

    clinic.use(Handheld(), deeds)


def test_button_presses_the_shutter_from_its_own_thread(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        press_shutter()
        clinic.until(lambda: clinic.live().frozen)

    clinic.use(Camera(), deeds)


def test_camera_that_fails_at_the_shutter_leaves_the_view_live(clinic: Clinic) -> None:
    class NoStill(Camera):
        def still(self, timeout: float = 1.0) -> Frame:
            raise SourceError("the camera was unplugged")

    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_SPACE)
        clinic.until(clinic.fault)
        clinic.settle()
        assert clinic.live().frozen is None
        assert clinic.live().progress is None

    clinic.use(NoStill(), deeds)


def test_motion_of_the_hand_is_part_of_the_finding(clinic: Clinic) -> None:
    class Shaking(Camera):
        def read(self, timeout: float = 1.0) -> Frame:
            frame = super().read(timeout)
            pixels = np.roll(lesion(blur=1.0), 24 * (self.reads % 2), axis=1)
            return replace(frame, pixels=pixels)

    def deeds() -> None:
        clinic.until_finding()
        clinic.until(lambda: (clinic.live().finding.quality.motion or 0.0) > 0.05)

    clinic.use(Shaking(), deeds)


def test_pressing_again_while_the_picture_is_taken_loses_nothing(
    clinic: Clinic, tmp_path: Path
) -> None:
    records = EncryptedArchive(tmp_path)
    clinic.options = {"archive": records}
    judge, begun, go_on = clinic.analyzer.burst, threading.Event(), threading.Event()

    def slow(*given: object) -> tuple[Frame, Finding]:
        begun.set()
        go_on.wait(GIVE_UP_SECONDS)
        return judge(*given)

    def deeds() -> None:
        clinic.until_finding()
        clinic.analyzer.burst = slow
        clinic.press(pygame.K_SPACE)
        assert begun.wait(GIVE_UP_SECONDS)
        clinic.press(pygame.K_SPACE, pygame.K_ESCAPE, pygame.K_SPACE)
        clinic.until(lambda: not pygame.event.peek(pygame.KEYDOWN, pump=False))
        go_on.set()
        clinic.until(lambda: clinic.live().frozen)
        clinic.until(lambda: clinic.live().kept)
        clinic.release()
        assert len(clinic.app.recent) == len(records.identifiers()) == 1

    clinic.use(Camera(), deeds)


def test_press_that_came_to_nothing_is_told_long_enough_to_be_read(clinic: Clinic) -> None:
    class NoStill(Camera):
        broken = True

        def still(self, timeout: float = 1.0) -> Frame:
            if self.broken:
                raise SourceError("the camera was unplugged")
            return super().still(timeout)

    camera = NoStill()

    def deeds() -> None:
        clinic.until_finding()
        clinic.open_compare()
        clinic.until(lambda: isinstance(clinic.view(), CompareView))
        clinic.press(pygame.K_SPACE)
        clinic.until(clinic.fault)
        # The live view goes on behind it.
        reads = camera.reads
        clinic.until(lambda: camera.reads > reads + 20)
        assert clinic.fault() == "the camera was unplugged"
        camera.broken = False
        clinic.take()
        assert not clinic.fault()

    clinic.use(camera, deeds)


def test_picture_that_is_let_go_before_it_could_be_kept_is_told(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, go_on = EncryptedArchive(tmp_path), threading.Event()
    clinic.options = {"archive": records}

    def slow(*given: object, **filing: object) -> str:
        go_on.wait(GIVE_UP_SECONDS)
        raise RecordError("the examination could not be kept")

    monkeypatch.setattr(records, "keep", slow)

    def deeds() -> None:
        clinic.until_finding()
        clinic.take()
        clinic.release()
        go_on.set()
        clinic.until(clinic.fault)
        assert clinic.fault() == "the examination could not be kept"

    clinic.use(Camera(), deeds)


def test_picture_that_could_not_be_kept_is_told_though_the_next_is_held_already(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, go_on = EncryptedArchive(tmp_path), threading.Event()
    clinic.options = {"archive": archive}
    keep, times = archive.keep, []

    def fails_first(*given: Any, **filing: Any) -> str:
        times.append(None)
        if len(times) == 1:
            go_on.wait(GIVE_UP_SECONDS)
            raise RecordError("the examination could not be kept")
        return keep(*given, **filing)

    monkeypatch.setattr(archive, "keep", fails_first)

    def deeds() -> None:
        clinic.until_finding()
        clinic.take()
        clinic.release()
        clinic.take()
        go_on.set()
        clinic.until(lambda: clinic.live().kept)
        clinic.release()
        clinic.until(clinic.fault)
        assert clinic.fault() == "the examination could not be kept"

    clinic.use(Camera(), deeds)
