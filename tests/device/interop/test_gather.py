from datetime import timedelta

import numpy as np
import pytest

from device.imaging.abcd import AbcdMeasures
from device.imaging.field_of_view import FieldOfView
from device.interop.gather import Source
from device.models.manifest import Manifest
from device.optics import Optics
from device.records.model import Examination, ExaminationRecord
from tests.device.interop.studies import EQUIPMENT, TAKEN

SIDE = 200
FIELD = FieldOfView(50, 0, SIDE)


class OnePicture:
    """An archive of one picture, which something was measured of or not."""

    def __init__(self, diameter_mm: float | None) -> None:
        self.measures = AbcdMeasures(0, 0.1, 1.2, ("black",), 0.5, 0.2, diameter_mm)

    def identifiers(self) -> list[str]:
        return ["x"]

    def read(self, identifier: str) -> Examination:
        record = ExaminationRecord(
            identifier=identifier, taken=TAKEN, field_of_view=FIELD, measures=self.measures
        )
        return Examination(record, np.zeros((SIDE, 300, 3), np.uint8))


def optics(days: float, mm_per_pixel: float = 0.03) -> Optics:
    """Return a calibration so many days after the picture."""
    calibrated = TAKEN + timedelta(days=days)
    return Optics(mm_per_pixel=mm_per_pixel, width=600, height=400, calibrated=calibrated)


@pytest.mark.parametrize(
    ("measured", "calibration", "scale"),
    [
        (None, None, None),
        (None, optics(-1), 0.06),
        # Another dermatoscope, maybe.
        (None, optics(1), None),
        # What was told on the day is told again, whatever was calibrated since.
        (2.0, optics(-1), 0.02),
        (2.0, optics(1), 0.02),
        (2.0, None, 0.02),
    ],
)
def test_scale_is_that_of_the_day_on_which_the_picture_was_taken(
    manifest: Manifest,
    measured: float | None,
    calibration: Optics | None,
    scale: float | None,
) -> None:
    source = Source(OnePicture(measured), None, manifest.classes, EQUIPMENT, lambda: calibration)
    told = source.read("x").mm_per_pixel
    assert told == (None if scale is None else pytest.approx(scale))


def test_calibration_on_the_screen_counts_for_what_is_sent_after_it(manifest: Manifest) -> None:
    now: list[Optics | None] = [None]
    source = Source(OnePicture(None), None, manifest.classes, EQUIPMENT, lambda: now[-1])
    assert source.read("x").mm_per_pixel is None
    now.append(optics(-1, 0.01))
    assert source.read("x").mm_per_pixel == pytest.approx(0.02)
