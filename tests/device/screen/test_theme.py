from pathlib import Path

import pygame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.language import LANGUAGES, translations
from device.models.manifest import Manifest
from device.screen import theme
from device.screen.display import close_screen, open_offscreen
from device.screen.wording import INSTRUCTIONS, MARKS, NOTICE

FONTS = Path(theme.__file__).parent / "fonts"
LETTERS = st.text(
    st.sampled_from("abcdefghijklmnoprstuvwxyzABCDEFGáéíóúñçãõê0123456789 %<>.,'"), max_size=90
)


def luminance(colour: theme.Colour) -> float:
    linear = [
        v / 12.92 if (v := c / 255) <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for c in colour
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


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
    picture = theme.Fonts().text("I", 40, theme.WARNING)
    middle = picture.get_at((picture.get_width() // 2, picture.get_height() // 2))
    assert tuple(middle) == (*theme.WARNING, 255)
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


@pytest.mark.parametrize("name", ["TEXT", "QUIET", "TOUCH", "MALIGNANT", "WARNING"])
def test_words_stand_out_from_the_background(name: str) -> None:
    assert contrast(getattr(theme, name), theme.BACKGROUND) >= 4.5


def test_words_on_a_target_that_is_on_stand_out() -> None:
    assert contrast(theme.BACKGROUND, theme.TOUCH) >= 4.5


@pytest.mark.parametrize("name", ["BACKGROUND", "SURFACE", "TEXT", "QUIET", "BENIGN"])
def test_greys_have_no_tint_that_shifts_the_white_point(name: str) -> None:
    assert len(set(getattr(theme, name))) == 1


def test_colours_with_a_meaning_are_all_different() -> None:
    meaning = {theme.TOUCH, theme.MALIGNANT, theme.WARNING, theme.BENIGN, theme.BACKGROUND}
    assert len(meaning) == 5


def test_type_is_of_use_again_after_the_screen_was_closed_and_opened() -> None:
    before = pygame.image.tobytes(theme.Fonts().text("Melanoma", 20), "RGBA")
    close_screen()
    open_offscreen((640, 480))
    assert pygame.image.tobytes(theme.Fonts().text("Melanoma", 20), "RGBA") == before
