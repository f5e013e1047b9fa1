"""The scale is read off a ruler under the lens, on the screen."""

from pathlib import Path

import numpy as np
import pytest

from device.frame import Frame
from device.imaging.ruler import find_ticks
from device.optics import load_optics
from device.screen.pages.calibration import CalibrationView
from tests.device.clinic import Camera, Clinic
from tests.device.imaging.test_ruler import ruler

SPACING = 30.0


class Ruler(Camera):
    """Sees a ruler, or skin without one."""

    def __init__(self) -> None:
        super().__init__()
        self.laid = True
        self._ruler = ruler(SPACING)
        self._skin = np.full_like(self._ruler, 170)

    def _taken(self, pixels: np.ndarray) -> Frame:
        return super()._taken(self._ruler if self.laid else self._skin)


def open_page(clinic: Clinic) -> None:
    clinic.until_finding()
    clinic.click(clinic.target("more"))
    clinic.click(clinic.target("calibration", "settings"))
    clinic.until(lambda: isinstance(clinic.view(), CalibrationView))


def test_scale_is_read_kept_and_used_at_once(clinic: Clinic, tmp_path: Path) -> None:
    clinic.options = {"preferences_folder": tmp_path}
    expected = 1.0 / find_ticks(ruler(SPACING)).spacing

    def deeds() -> None:
        open_page(clinic)
        assert clinic.view().mm_per_pixel is None
        assert clinic.live().field_mm is None
        clinic.click(clinic.target("read-scale", "calibration"))
        clinic.until(lambda: clinic.view().mm_per_pixel)
        assert clinic.view().mm_per_pixel == pytest.approx(expected)
        assert clinic.live().field_mm == pytest.approx(600 / SPACING, rel=0.01)
        clinic.click(clinic.target("back", "calibration"))
        clinic.click(clinic.target("back", "settings"))
        clinic.until_live()
        clinic.take()
        measures = clinic.live().measures
        if measures is not None:
            assert measures.diameter_mm is not None

    clinic.use(Ruler(), deeds)
    kept = load_optics(tmp_path)
    assert kept is not None
    assert kept.mm_per_pixel == pytest.approx(expected)
    assert (kept.width, kept.height) == (600, 600)


def test_without_a_ruler_it_is_said_what_to_do_and_the_scale_stays(
    clinic: Clinic, tmp_path: Path
) -> None:
    clinic.options = {"preferences_folder": tmp_path}
    camera = Ruler()

    def deeds() -> None:
        open_page(clinic)
        clinic.click(clinic.target("read-scale", "calibration"))
        clinic.until(lambda: clinic.view().mm_per_pixel)
        before = clinic.view().mm_per_pixel
        camera.laid = False
        clinic.until(lambda: clinic.live().field.std() == 0)
        clinic.click(clinic.target("read-scale", "calibration"))
        clinic.until(lambda: clinic.view().result and clinic.view().result.fault)
        assert clinic.view().result.fault.message == "no ruler was found in the picture"
        assert clinic.view().mm_per_pixel == before

    clinic.use(camera, deeds)
    assert load_optics(tmp_path) is not None
