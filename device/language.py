"""The clinician's language: gettext catalogues, handed to whoever writes on the screen."""

import gettext
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol


class Language(StrEnum):
    """A language that there is a catalogue for."""

    ENGLISH = "en"
    SPANISH = "es"
    PORTUGUESE = "pt"


LANGUAGES: Final[Mapping[Language, str]] = {
    Language.ENGLISH: "English",
    Language.SPANISH: "Español",
    Language.PORTUGUESE: "Português",
}
"""Each language, named in itself."""

_DECIMAL_SIGN: Final[Mapping[Language, str]] = {
    Language.ENGLISH: ".",
    Language.SPANISH: ",",
    Language.PORTUGUESE: ",",
}

DOMAIN: Final = "dermascope"
LOCALE: Final = Path(__file__).parent / "locale"


class Translating(Protocol):
    """Whatever puts English words into the language that is in use."""

    def translate(self, words: str, **values: object) -> str:
        """Return the words in that language; see `Translations.translate`."""
        ...


class Translations:
    """The program's words in one language.

    Parameters
    ----------
    language
        One of `LANGUAGES`.
    """

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._catalogue = gettext.translation(DOMAIN, LOCALE, [language])

    def translate(self, words: str, **values: object) -> str:
        """Return English words in this language, with the values put into their {places}.

        Words that no catalogue holds (an error's own message) come back as they are.
        """
        text = self._catalogue.gettext(words) if words else ""
        return text.format(**values) if values else text

    def number(self, value: float, decimals: int) -> str:
        """Return a number with so many decimals, after the sign that is the custom."""
        return f"{value:.{decimals}f}".replace(".", _DECIMAL_SIGN[self.language])


def translatable(words: str) -> str:
    """Return words unchanged: marks them for the catalogues where they are translated later."""
    return words


@lru_cache(maxsize=len(LANGUAGES))
def translations(language: Language) -> Translations:
    """Return the words of a language; its catalogue is read once."""
    return Translations(language)
