from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pygame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygame import Surface

from device.appearance import Theme
from device.language import LANGUAGES, translations
from device.models.manifest import Manifest
from device.records.words import NOTICE
from device.screen import theme
from device.screen.display import close_screen, open_offscreen
from device.screen.renderer import Renderer
from device.screen.wording import INSTRUCTIONS, MARKS
from tests.device.screen import states
from tests.device.screen.drawing import count, draw, pixels_of

FONTS = Path(theme.__file__).parent / "fonts"
LETTERS = st.text(
    st.sampled_from("abcdefghijklmnoprstuvwxyzABCDEFGáéíóúñçãõê0123456789 %<>.,'"), max_size=90
)


def linear(channel: int) -> float:
    v = channel / 255
    return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4


def luminance(colour: theme.Colour) -> float:
    red, green, blue = (linear(c) for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: theme.Colour, other: theme.Colour) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@given(words=LETTERS, size=st.integers(9, 60), width=st.integers(80, 900), bold=st.booleans())
def test_fitted_words_are_never_wider_than_their_room(
    words: str, size: int, width: int, bold: bool
) -> None:
    picture = theme.Fonts().fitted(words, size, width, bold=bold)
    assert picture.get_width() <= max(width, 2 * size)


def test_words_that_fit_are_drawn_in_full_size() -> None:
    kind = theme.Fonts()
    fitted, plain = kind.fitted("Melanoma", 20, 500), kind.text("Melanoma", 20)
    assert fitted.get_size() == plain.get_size()
    assert pygame.image.tobytes(fitted, "RGBA") == pygame.image.tobytes(plain, "RGBA")


def test_words_shrink_before_they_are_cut() -> None:
    kind = theme.Fonts()
    whole = kind.text("Basal cell carcinoma", 32)
    smaller = kind.fitted("Basal cell carcinoma", 32, whole.get_width() - 10)
    assert whole.get_height() * 0.7 < smaller.get_height() < whole.get_height()
    assert smaller.get_width() > whole.get_width() * 0.8


def test_words_that_are_cut_show_it() -> None:
    kind = theme.Fonts()
    cut = kind.fitted("Basal cell carcinoma and much more", 20, 90)
    shorter = kind.text("Basal cell carcinoma and much more"[:8], 15)
    dots = kind.text("…", 15).get_width()
    assert cut.get_width() <= 90
    assert cut.get_width() > shorter.get_width() - dots


@given(words=LETTERS, size=st.integers(9, 40), width=st.integers(80, 600))
def test_broken_lines_keep_every_word_in_order(words: str, size: int, width: int) -> None:
    broken = theme.Fonts().lines(words, size, width)
    assert " ".join(broken).split() == words.split()
    assert all(broken)


@given(words=LETTERS, size=st.integers(9, 40), width=st.integers(80, 600))
def test_broken_lines_fit_unless_they_are_one_word(words: str, size: int, width: int) -> None:
    kind = theme.Fonts()
    for line in kind.lines(words, size, width):
        assert " " not in line or kind.text(line, size).get_width() <= width


def test_nothing_breaks_into_no_lines() -> None:
    assert theme.Fonts().lines("  \n ", 20, 100) == []


def test_text_has_its_colour_on_nothing() -> None:
    picture = theme.Fonts().text("I", 40, theme.DARK.warning)
    middle = picture.get_at((picture.get_width() // 2, picture.get_height() // 2))
    assert tuple(middle) == (*theme.DARK.warning, 255)
    assert picture.get_at((0, 0))[3] == 0


@pytest.mark.parametrize("name", ["OpenSans-Regular.ttf", "OpenSans-Bold.ttf"])
def test_figures_are_of_equal_width(name: str) -> None:
    advances = [metric[4] for metric in pygame.font.Font(FONTS / name, 64).metrics("0123456789")]
    assert len(set(advances)) == 1


def test_bold_is_another_face() -> None:
    kind = theme.Fonts()
    assert kind.text("Melanoma", 20, bold=True).get_width() > kind.text("Melanoma", 20).get_width()


@pytest.mark.parametrize("name", ["OpenSans-Regular.ttf", "OpenSans-Bold.ttf"])
def test_font_has_every_letter_that_the_screen_writes(name: str, manifest: Manifest) -> None:
    english = [NOTICE, *INSTRUCTIONS.values(), *(mark for mark, _ in MARKS)]
    words = [translations(language).translate(w) for language in LANGUAGES for w in english]
    words += LANGUAGES.values()
    words += [name for c in manifest.classes for name in c.names.values()]
    words += ["0123456789 % < > – …", "µ· áéíóúüñ¿¡ÁÉÍÓÚÑ àâãçêõÀÂÃÇÊÕ"]
    letters = "".join(sorted(set("".join(words))))
    found = pygame.font.Font(FONTS / name, 20).metrics(letters)
    assert [c for c, metric in zip(letters, found, strict=True) if metric is None] == []


PALETTES = pytest.mark.parametrize("palette", theme.PALETTES.values(), ids=theme.PALETTES.keys())
AA_TEXT, AA_SHAPE = 4.5, 3.0
"""The contrasts that WCAG 2.2 asks for at level AA (1.4.3 and 1.4.11)."""


@PALETTES
@pytest.mark.parametrize("name", ["text", "quiet", "touch", "malignant", "warning"])
def test_words_stand_out_from_the_background(palette: theme.Palette, name: str) -> None:
    assert contrast(getattr(palette, name), palette.background) >= AA_TEXT


@PALETTES
def test_words_on_a_target_stand_out(palette: theme.Palette) -> None:
    assert contrast(palette.background, palette.touch) >= AA_TEXT
    assert contrast(palette.quiet, palette.surface) >= AA_TEXT


@PALETTES
@pytest.mark.parametrize("name", ["text", "quiet", "benign", "touch", "malignant"])
def test_fillings_stand_out_from_the_ground_of_their_bar(palette: theme.Palette, name: str) -> None:
    assert contrast(getattr(palette, name), palette.surface) >= AA_SHAPE


@PALETTES
@pytest.mark.parametrize("name", ["background", "surface", "text", "quiet", "benign", "unsure"])
def test_greys_have_no_tint_that_shifts_the_white_point(palette: theme.Palette, name: str) -> None:
    assert len(set(getattr(palette, name))) == 1


# Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113: full severity, on linear light.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


@PALETTES
@pytest.mark.parametrize("vision", VISION)
def test_colours_with_a_meaning_are_told_apart(palette: theme.Palette, vision: str) -> None:
    meaning = (palette.touch, palette.malignant, palette.warning)
    light = np.array([[linear(c) for c in colour] for colour in meaning], np.float32)
    seen = np.clip(light @ VISION[vision].T, 0, 1).astype(np.float32)
    lab = cv2.cvtColor(seen[None], cv2.COLOR_LRGB2Lab)[0]
    for one, other in combinations(lab, 2):
        assert np.linalg.norm(one - other) > 25


@pytest.mark.parametrize("state", states.STATES)
def test_light_theme_leaves_nothing_of_the_dark_one(manifest: Manifest, state: str) -> None:
    size = (1024, 600)
    view = replace(states.STATES[state], theme=Theme.LIGHT)
    pixels = draw(manifest, size, view)
    # The skin and the colours of a map are the same in any light.
    for name in ("touch", "malignant", "warning"):
        assert count(pixels, getattr(theme.DARK, name)) == 0, name
    # The edges of dark letters hold some of every grey, and nowhere a square of it.
    for name in ("background", "surface", "text"):
        grey = (pixels == np.array(getattr(theme.DARK, name))).all(axis=2).astype(np.uint8)
        assert not cv2.erode(grey, np.ones((3, 3), np.uint8)).any(), name
    assert count(pixels, theme.LIGHT.background) > 0.2 * size[0] * size[1]


@pytest.mark.parametrize("state", ["malignant", "frozen-overlay", "settings", "compare"])
def test_theme_may_change_at_any_time(manifest: Manifest, state: str) -> None:
    size = (800, 480)
    renderer, surface = Renderer(size, manifest), Surface(size)
    for shown in (Theme.DARK, Theme.LIGHT, Theme.DARK):
        view = replace(states.STATES[state], theme=shown)
        renderer.draw(surface, view)
        np.testing.assert_array_equal(pixels_of(surface), draw(manifest, size, view))


def test_type_is_of_use_again_after_the_screen_was_closed_and_opened() -> None:
    before = pygame.image.tobytes(theme.Fonts().text("Melanoma", 20), "RGBA")
    close_screen()
    open_offscreen((640, 480))
    assert pygame.image.tobytes(theme.Fonts().text("Melanoma", 20), "RGBA") == before
