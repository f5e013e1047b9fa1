"""What the screen says of findings and quality, in the clinician's language."""

from datetime import datetime
from typing import Final

from device.diagnoses import MALIGNANT, Code
from device.imaging.lesion import Measures
from device.imaging.quality import Shortcoming
from device.inference.finding import Finding, NoCall
from device.language import Language, message, texts
from device.models.manifest import Manifest

NOTICE: Final = message("Decision support. The diagnosis is the clinician's.")

INSTRUCTIONS: Final[dict[Shortcoming, str]] = {
    "too-small": message("Move closer"),
    "not-in-contact": message("Place the lens on the skin"),
    "too-dark": message("Turn the light up"),
    "too-bright": message("Turn the light down"),
    "glare": message("Wipe the plate, add fluid"),
    "moved": message("Hold still"),
    "out-of-focus": message("Hold still and focus"),
    "no-lesion-in-view": message("Move onto the lesion"),
    "off-centre": message("Centre the lesion"),
}

MARKS: Final[tuple[tuple[str, frozenset[Shortcoming]], ...]] = (
    (message("Focus"), frozenset({"out-of-focus", "moved"})),
    (message("Light"), frozenset({"too-dark", "too-bright"})),
    (message("Glare"), frozenset({"glare"})),
    (
        message("Position"),
        frozenset({"not-in-contact", "no-lesion-in-view", "off-centre", "too-small"}),
    ),
)

_IN_ONE_LINE: Final[dict[NoCall, str]] = {
    "quality": message("No call: poor picture"),
    "unfamiliar": message("No call: unfamiliar"),
    "uncertain": message("No call: uncertain"),
}


class Speech:
    """The words of one language, with the model's own names for the diagnoses."""

    def __init__(self, language: Language, manifest: Manifest) -> None:
        self._texts = texts(language)
        self.names: dict[Code, str] = {
            c.code: c.names.get(language, c.names["en"]) for c in manifest.classes
        }

    def say(self, words: str, **values: object) -> str:
        """Return English words in this language; see `device.language.Texts.say`."""
        return self._texts.say(words, **values)

    def listed(self, codes: tuple[Code, ...]) -> str:
        """Name diagnoses, malignant ones first."""
        return ", ".join(self.names[c] for c in _malignant_first(codes))

    def in_one_line(self, finding: Finding | None) -> str:
        """Return a finding as one line."""
        if finding is None:
            return self.say("No finding")
        if finding.no_call is not None:
            return self.say(_IN_ONE_LINE[finding.no_call])
        code = finding.leading
        return f"{self.names[code]}  {percent(finding.probability(code))}"

    def measured(self, measures: Measures) -> tuple[tuple[str, str], ...]:
        """Return the ABCD rule's four measures, each with its name."""
        axes = (self.say("none"), self.say("1 axis"), self.say("2 axes"))[measures.asymmetry]
        diameter = measures.diameter_mm
        return (
            (self.say("Asymmetry"), axes),
            (self.say("Border"), f"{measures.border_irregularity:.1f}"),
            (self.say("Colours"), str(len(measures.colours))),
            (self.say("Diameter"), "–" if diameter is None else f"{diameter:.1f} mm"),
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
