import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pygame

from device.capture.replay import ReplaySource
from device.frame import SourceKind, frame_now
from device.platform.clock import Clock
from device.records.encrypted_archive import EncryptedArchive
from device.runtime.recent import MAX_RECENT
from device.screen.pages.compare import CompareView
from device.screen.view import LiveView
from tests.device.clinic import Camera, Clinic, lesion


def test_released_pictures_can_be_compared_the_newest_first(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        kept = []
        for _ in range(2):
            clinic.take()
            kept.append(clinic.live())
            clinic.release()
            clinic.settle()
        clinic.open_compare()
        clinic.until(lambda: isinstance(clinic.view(), CompareView))
        view = clinic.view()
        assert (view.number, view.count, view.present.time) == (1, 2, None)
        np.testing.assert_array_equal(view.earlier.field, kept[1].field)
        clinic.click(clinic.target("older", "compare"))
        clinic.until(lambda: clinic.view().number == 2)
        view = clinic.view()
        np.testing.assert_array_equal(view.earlier.field, kept[0].field)
        assert view.earlier.finding.probabilities == kept[0].finding.probabilities
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.view().present.time)

    clinic.use(Camera(), deeds)


def test_still_picture_is_compared_without_a_change(clinic: Clinic, photo: Path) -> None:
    def deeds() -> None:
        clinic.until_finding()
        alone = clinic.live().finding
        clinic.take()
        clinic.release()
        clinic.until(lambda: clinic.live().finding.probabilities == alone.probabilities)
        clinic.press(pygame.K_o)
        clinic.open_compare()
        clinic.until(lambda: isinstance(clinic.view(), CompareView))
        end = time.monotonic() + 1.0
        findings = set()
        while time.monotonic() < end:
            view = clinic.view()
            if view.present.finding:
                findings.add(view.present.finding.probabilities)
            time.sleep(0.005)
        assert findings == {view.earlier.finding.probabilities}
        averaged = clinic.analyzer.manifest.live.test_time_augmentation == "dihedral"
        assert (findings != {alone.probabilities}) == averaged
        # Back among the bars of the live view, maps are made again.
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.view().present.time)
        clinic.press(pygame.K_ESCAPE)
        clinic.until(lambda: isinstance(clinic.view(), LiveView))
        clinic.until(lambda: clinic.live().frozen and clinic.live().overlay is not None)

    clinic.use(ReplaySource(photo, Clock(), paced=False), deeds)


def test_no_more_than_twelve_earlier_pictures_are_held(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        for _ in range(MAX_RECENT + 2):
            clinic.take()
            clinic.release()
        assert len(clinic.app.recent) == MAX_RECENT

    clinic.use(Camera(), deeds)


def test_examinations_of_earlier_days_can_be_compared(clinic: Clinic, tmp_path: Path) -> None:
    records = EncryptedArchive(tmp_path)
    frame = replace(frame_now(lesion(blur=1.0), 0, "camera"), kind=SourceKind.CAMERA)
    finding = clinic.analyzer.asked.analyze(frame)
    records.keep(frame, finding, [], None)
    damaged = records.keep(frame, finding, [], None)
    assert damaged.startswith("000002-")
    (tmp_path / "pictures" / "0000" / "0000002.picture").write_bytes(b"no picture")
    clinic.options = {"archive": records}

    def deeds() -> None:
        clinic.until(lambda: clinic.app.recent)
        (earlier,) = clinic.app.recent.pictures()
        assert abs((earlier.time - frame.time).total_seconds()) < 1.0
        assert earlier.finding.probabilities == finding.probabilities
        assert earlier.finding.no_call == finding.no_call
        np.testing.assert_array_equal(earlier.field, lesion(blur=1.0)[:, 50:350])

    clinic.use(Camera(), deeds)
