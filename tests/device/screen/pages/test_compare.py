from dataclasses import replace

import numpy as np
import pytest

from device.diagnoses import Code
from device.models.manifest import Manifest
from device.screen import theme
from device.screen.layout import arrange
from device.screen.pages.base import Control
from device.screen.pages.compare import CompareControl, CompareView
from device.screen.registry import PageName
from tests.device.screen import states
from tests.device.screen.drawing import NOON, SKIN, Size, count, draw, part, places
from tests.device.screen.findings import make_finding


@pytest.mark.parametrize(
    ("number", "older", "newer"), [(0, False, False), (1, True, False), (3, False, True)]
)
def test_target_that_leads_nowhere_is_grey(
    manifest: Manifest, size: Size, number: int, older: bool, newer: bool
) -> None:
    view = replace(states.COMPARE, number=number, count=3 if number else 0)
    pixels, areas = draw(manifest, size, view), places(PageName.COMPARE, arrange(*size))
    for name, leads in (
        (CompareControl.OLDER, older),
        (CompareControl.NEWER, newer),
        (Control.BACK, True),
    ):
        assert (count(part(pixels, areas[name]), theme.DARK.touch) > 100) == leads


def test_compared_pictures_stand_side_by_side_upright(manifest: Manifest, size: Size) -> None:
    left, right = (
        np.full((9, 9, 3), (9, 99, 40), np.uint8),
        np.full((9, 9, 3), (99, 9, 50), np.uint8),
    )
    finding = make_finding()
    view = CompareView(states.Picture(NOON, left, finding), states.Picture(None, right, finding))
    pixels = draw(manifest, size, view)
    _, of_left = np.nonzero((pixels == (9, 99, 40)).all(axis=2))
    _, of_right = np.nonzero((pixels == (99, 9, 50)).all(axis=2))
    assert of_left.max() < of_right.min()
    assert len(of_left) == len(of_right) > 0.05 * size[0] * size[1]


def test_compare_shows_no_bars_of_what_cannot_be_judged(unmarked: Manifest, size: Size) -> None:
    def view(doubt: str | None, leading: Code) -> CompareView:
        picture = states.Picture(NOON, SKIN, make_finding(leading, abstention=doubt))
        return CompareView(None, picture)

    same = [draw(unmarked, size, view("unfamiliar", code)) for code in ("mel", "nv")]
    np.testing.assert_array_equal(*same)
    assert (draw(unmarked, size, view(None, "nv")) != same[0]).any()
