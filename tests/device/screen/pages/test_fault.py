from dataclasses import replace

import pytest
from pygame import Rect

from device.faults import Fault
from device.models.manifest import Manifest
from device.screen import theme
from device.screen.layout import arrange
from tests.device.screen import states
from tests.device.screen.drawing import SIZES, STATES, Size, count, differ, draw, part


def test_fault_shows_no_finding(unmarked: Manifest, size: Size) -> None:
    layout = arrange(*size)
    pixels = draw(unmarked, size, STATES["fault"])
    for area in layout.bars.values():
        assert count(part(pixels, area), theme.DARK.malignant) == 0
        assert count(part(pixels, area), theme.DARK.benign) < 20
    words = part(pixels, layout.finding)
    assert count(words[: layout.px(44)], theme.DARK.warning) > 50
    assert count(words[layout.px(44) :], theme.DARK.text) > 50


def test_fault_says_what_it_is(manifest: Manifest, size: Size) -> None:
    other = replace(STATES["fault"], fault=Fault("the disk is full", "delete something"))
    area = arrange(*size).finding
    assert differ(draw(manifest, size, other), draw(manifest, size, STATES["fault"]), area)


@pytest.mark.parametrize(
    "words", ["x" * 3000, "word " * 600, "name \udcff\udcfe.png", "bell \x07 esc \x1b[31m", "\n\n"]
)
def test_fault_may_hold_anything(manifest: Manifest, words: str) -> None:
    size = SIZES[1]
    pixels = draw(manifest, size, replace(STATES["fault"], fault=Fault(words, words, words, words)))
    assert count(part(pixels, arrange(*size).finding), theme.DARK.warning) > 50


def test_fault_translates_what_the_catalogues_hold(manifest: Manifest, size: Size) -> None:
    fault = states.STATES["analysis-fault"]
    panel = arrange(*size).panel
    below = Rect(panel.left, panel.top + arrange(*size).px(54), panel.width, panel.height // 3)
    english, spanish = (
        draw(manifest, size, replace(fault, language=language)) for language in ("en", "es")
    )
    assert differ(english, spanish, below)
