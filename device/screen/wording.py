"""What the screen says of findings and quality, in the clinician's language."""

from datetime import datetime
from typing import Final

from device.diagnoses import MALIGNANT, Code
from device.imaging.lesion import AbcdMeasures
from device.imaging.quality import Shortcoming
from device.inference.finding import Finding, NoCallReason
from device.language import Language, translatable, translations
from device.models.manifest import Manifest

NOTICE: Final = translatable("Decision support. The diagnosis is the clinician's.")

INSTRUCTIONS: Final[dict[Shortcoming, str]] = {
    "too-small": translatable("Move closer"),
    "not-in-contact": translatable("Place the lens on the skin"),
    "too-dark": translatable("Turn the light up"),
    "too-bright": translatable("Turn the light down"),
    "glare": translatable("Wipe the plate, add fluid"),
    "moved": translatable("Hold still"),
    "out-of-focus": translatable("Hold still and focus"),
    "no-lesion-in-view": translatable("Move onto the lesion"),
    "off-centre": translatable("Centre the lesion"),
}

MARKS: Final[tuple[tuple[str, frozenset[Shortcoming]], ...]] = (
    (translatable("Focus"), frozenset({"out-of-focus", "moved"})),
    (translatable("Light"), frozenset({"too-dark", "too-bright"})),
    (translatable("Glare"), frozenset({"glare"})),
    (
        translatable("Position"),
        frozenset({"not-in-contact", "no-lesion-in-view", "off-centre", "too-small"}),
    ),
)

_IN_ONE_LINE: Final[dict[NoCallReason, str]] = {
    "quality": translatable("No call: poor picture"),
    "unfamiliar": translatable("No call: unfamiliar"),
    "uncertain": translatable("No call: uncertain"),
}


class Wording:
    """The words of one language, with the model's own names for the diagnoses."""

    def __init__(self, language: Language, manifest: Manifest) -> None:
        self._texts = translations(language)
        self.names: dict[Code, str] = {
            c.code: c.names.get(language, c.names["en"]) for c in manifest.classes
        }

    def translate(self, words: str, **values: object) -> str:
        """Return English words in this language; see `device.language.Texts.translate`."""
        return self._texts.translate(words, **values)

    def listed(self, codes: tuple[Code, ...]) -> str:
        """Name diagnoses, malignant ones first."""
        return ", ".join(self.names[c] for c in _malignant_first(codes))

    def in_one_line(self, finding: Finding | None) -> str:
        """Return a finding as one line."""
        if finding is None:
            return self.translate("No finding")
        if finding.no_call is not None:
            return self.translate(_IN_ONE_LINE[finding.no_call])
        code = finding.leading
        return f"{self.names[code]}  {percent(finding.probability(code))}"

    def measured(self, measures: AbcdMeasures) -> tuple[tuple[str, str], ...]:
        """Return the ABCD rule's four measures, each with its name."""
        axes = (self.translate("none"), self.translate("1 axis"), self.translate("2 axes"))[
            measures.asymmetry
        ]
        diameter = measures.diameter_mm
        return (
            (self.translate("Asymmetry"), axes),
            (self.translate("Border"), f"{measures.border_irregularity:.1f}"),
            (self.translate("Colours"), str(len(measures.colours))),
            (self.translate("Diameter"), "–" if diameter is None else f"{diameter:.1f} mm"),
        )


def codes_listed(codes: tuple[Code, ...]) -> str:
    """List HAM10000 codes, malignant ones first, for where names have no room."""
    return ", ".join(_malignant_first(codes))


def sentence(words: str) -> str:
    """Return an error's words with a capital and a full stop, as they stand alone on the screen."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}." if words else ""


def percent(probability: float) -> str:
    """Return a probability as whole per cent; never 0 or 100, which no model can know."""
    if probability < 0.01:
        return "< 1 %"
    if probability > 0.99:
        return "> 99 %"
    return f"{probability * 100:.0f} %"


def moment(time: datetime) -> str:
    """Return the local time of day, to the second."""
    return time.astimezone().strftime("%H:%M:%S")


def day_or_moment(time: datetime, now: datetime | None) -> str:
    """Return the local time of day, or of another day its date, which every reader reads alike."""
    local = time.astimezone()
    if now is None or local.date() == now.date():
        return moment(time)
    return f"{local:%Y-%m-%d}"


def _malignant_first(codes: tuple[Code, ...]) -> list[Code]:
    return sorted(codes, key=lambda c: c not in MALIGNANT)
