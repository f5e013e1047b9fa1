from datetime import UTC, datetime

import numpy as np
import pytest

from device.capture.demo import SCENES, demo_frame
from device.imaging.abcd import measure_abcd
from device.imaging.field_of_view import crop, find_field
from device.imaging.lesion import segment_lesion
from device.inference.change import Measure
from device.records.model import Examination, ExaminationRecord, Polarization
from device.runtime.comparison import compared


def kept(polarization: Polarization | None) -> Examination:
    image = np.ascontiguousarray(demo_frame(SCENES[3]).pixels)
    where = find_field(image)
    field = crop(image, where)
    outline = segment_lesion(field)
    assert outline is not None
    record = ExaminationRecord(
        identifier="x",
        taken=datetime(2026, 3, 4, tzinfo=UTC),
        field_of_view=where,
        measures=measure_abcd(field, outline),
        polarization=polarization,
    )
    return Examination(record, image)


@pytest.mark.parametrize(
    ("earlier", "later", "alike"),
    [
        (None, None, True),
        (Polarization.POLARIZED, None, True),
        (Polarization.POLARIZED, Polarization.POLARIZED, True),
        (Polarization.POLARIZED, Polarization.UNPOLARIZED, False),
    ],
)
def test_colours_are_compared_in_the_same_light_alone(
    earlier: Polarization | None, later: Polarization | None, alike: bool
) -> None:
    found = compared(kept(earlier), kept(later))
    assert found.lit_alike == alike
    measures = {change.measure for change in found.changes}
    assert measures >= {Measure.AREA, Measure.ASYMMETRY}
    assert (Measure.COLOUR in measures) == alike
