"""The clinician's language: gettext catalogues, handed to whoever writes on the screen."""

import gettext
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

Language = Literal["en", "es", "pt"]

LANGUAGES: Final[Mapping[Language, str]] = {
    "en": "English",
    "es": "Español",
    "pt": "Português",
}
"""What there is a catalogue for, each named in its own language."""

DOMAIN: Final = "dermascope"
LOCALE: Final = Path(__file__).parent / "locale"


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
        said = self._catalogue.gettext(words) if words else ""
        return said.format(**values) if values else said


def translatable(words: str) -> str:
    """Return words unchanged; marks them for the catalogues where they are not said at once."""
    return words


@lru_cache(maxsize=len(LANGUAGES))
def translations(language: Language) -> Translations:
    """Return the words of a language; its catalogue is read once."""
    return Translations(language)
