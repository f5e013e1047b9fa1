import io
import string
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from device.language import DOMAIN, LANGUAGES, LOCALE, Translations, translatable, translations

EVERY = sorted(LANGUAGES)
KEYWORDS = dict.fromkeys(
    [
        "translate",
        "translatable",
        "SourceError",
        "UnexpectedSourceError",
        "RecordError",
        "ScreenError",
        "BundleError",
        "UntrustedError",
    ]
)


def catalogue(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def said_by_the_code() -> set[str]:
    found = extract_from_dir(LOCALE.parent, keywords=KEYWORDS, comment_tags=(), callback=None)
    return {words for _, _, words, _, _ in found}


def places(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


def read(language: str):
    with catalogue(language).open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def test_there_is_a_catalogue_for_every_language_and_no_other() -> None:
    assert sorted(p.name for p in LOCALE.iterdir()) == EVERY


@pytest.mark.parametrize("language", EVERY)
def test_catalogue_holds_what_the_code_says_and_nothing_else(language: str) -> None:
    held = read(language)
    assert {m.id for m in held if m.id} == said_by_the_code(), "run: make messages"
    assert not held.obsolete


@pytest.mark.parametrize("language", EVERY)
def test_every_message_is_translated_for_certain_and_keeps_its_places(language: str) -> None:
    for m in read(language):
        if m.id:
            assert m.string, m.id
            assert not m.fuzzy, m.id
            assert places(m.string) == places(m.id), m.id


def test_english_is_what_the_code_says() -> None:
    assert all(m.string == m.id for m in read("en") if m.id)


@pytest.mark.parametrize("language", EVERY)
def test_compiled_catalogue_is_that_of_its_source(language: str) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, read(language))
    compiled.seek(0)
    fresh = {m.id: m.string for m in read_mo(compiled) if m.id}
    with catalogue(language).with_suffix(".mo").open("rb") as file:
        shipped = {m.id: m.string for m in read_mo(file) if m.id}
    assert shipped == fresh, "run: make messages"


def test_words_are_said_in_each_language() -> None:
    said = {translations(language).translate("Waiting for a picture") for language in LANGUAGES}
    assert len(said) == len(LANGUAGES)
    assert (
        translations("es").translate("Malignant or pre-malignant {percent}", percent="7 %")
        == "Maligno o premaligno 7 %"
    )


def test_words_that_no_catalogue_holds_come_back_as_they_are() -> None:
    for language in LANGUAGES:
        for words in ("the camera {0} was unplugged", "", "{", "100 %"):
            assert Translations(language).translate(words) == words


def test_marking_changes_nothing() -> None:
    assert translatable("Back") == "Back"
