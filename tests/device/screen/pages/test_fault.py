from dataclasses import replace

import pytest
from pygame import Rect

from device.models.manifest import Manifest
from device.screen import theme
from device.screen.layout import arrange
from tests.device.screen import states
from tests.device.screen.drawing import SIZES, STATES, Size, count, differ, draw, part


def test_trouble_shows_no_finding(unmarked: Manifest, size: Size) -> None:
    layout = arrange(*size)
    pixels = draw(unmarked, size, STATES["trouble"])
    for area in layout.bars.values():
        assert count(part(pixels, area), theme.MALIGNANT) == 0
        assert count(part(pixels, area), theme.BENIGN) < 20
    words = part(pixels, layout.finding)
    assert count(words[: layout.px(44)], theme.WARNING) > 50
    assert count(words[layout.px(44) :], theme.TEXT) > 50


def test_trouble_says_what_it_is(manifest: Manifest, size: Size) -> None:
    other = replace(STATES["trouble"], words="The disk is full; delete something")
    area = arrange(*size).finding
    assert differ(draw(manifest, size, other), draw(manifest, size, STATES["trouble"]), area)


@pytest.mark.parametrize(
    "words", ["x" * 3000, "word " * 600, "name \udcff\udcfe.png", "bell \x07 esc \x1b[31m", "\n\n"]
)
def test_trouble_may_hold_anything(manifest: Manifest, words: str) -> None:
    size = SIZES[1]
    pixels = draw(manifest, size, replace(STATES["trouble"], words=words))
    assert count(part(pixels, arrange(*size).finding), theme.WARNING) > 50


def test_trouble_translates_what_the_catalogues_hold(manifest: Manifest, size: Size) -> None:
    trouble = states.STATES["analysis-trouble"]
    panel = arrange(*size).panel
    below = Rect(panel.left, panel.top + arrange(*size).px(54), panel.width, panel.height // 3)
    english, spanish = (
        draw(manifest, size, replace(trouble, language=language)) for language in ("en", "es")
    )
    assert differ(english, spanish, below)
