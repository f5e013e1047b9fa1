"""Numbers, findings and faults as words, in the clinician's language."""

from datetime import datetime
from typing import Final

from device.diagnoses import MALIGNANT, Code
from device.faults import Fault, joined
from device.imaging.abcd import AbcdMeasures
from device.imaging.quality import Remark, Shortcoming
from device.inference.finding import Finding, NoCallReason
from device.inference.recommendation import Recommendation
from device.language import Language, translatable, translations
from device.models.manifest import Manifest
from device.records.words import NO_CALLS, RECOMMENDATIONS

INSTRUCTIONS: Final[dict[Shortcoming, str]] = {
    Shortcoming.TOO_SMALL: translatable("Move closer"),
    Shortcoming.NOT_IN_CONTACT: translatable("Place the lens on the skin"),
    Shortcoming.TOO_DARK: translatable("Turn the light up"),
    Shortcoming.TOO_BRIGHT: translatable("Turn the light down"),
    Shortcoming.GLARE: translatable("Wipe the plate, add fluid"),
    Shortcoming.MOVED: translatable("Hold still"),
    Shortcoming.OUT_OF_FOCUS: translatable("Hold still and focus"),
    Shortcoming.NO_LESION_IN_VIEW: translatable("Move onto the lesion"),
    Shortcoming.LESION_TOO_SMALL: translatable("Move closer: the lesion is too small"),
    Shortcoming.OFF_CENTRE: translatable("Centre the lesion"),
}

REMARKS: Final[dict[Remark, str]] = {
    Remark.SEVERAL_LESIONS: translatable("Several lesions: centre one of them"),
    Remark.LARGER_THAN_FIELD: translatable("Larger than the field: take several pictures"),
}

MARKS: Final[tuple[tuple[str, frozenset[Shortcoming]], ...]] = (
    (translatable("Focus"), frozenset({Shortcoming.OUT_OF_FOCUS, Shortcoming.MOVED})),
    (translatable("Light"), frozenset({Shortcoming.TOO_DARK, Shortcoming.TOO_BRIGHT})),
    (translatable("Glare"), frozenset({Shortcoming.GLARE})),
    (
        translatable("Position"),
        frozenset(
            {
                Shortcoming.NOT_IN_CONTACT,
                Shortcoming.NO_LESION_IN_VIEW,
                Shortcoming.LESION_TOO_SMALL,
                Shortcoming.OFF_CENTRE,
                Shortcoming.TOO_SMALL,
            }
        ),
    ),
)

REASONS: Final = (
    translatable("No space left on device"),
    translatable("Permission denied"),
    translatable("Read-only file system"),
    translatable("Input/output error"),
    translatable("No such file or directory"),
    translatable("No such device"),
    translatable("Device or resource busy"),
    translatable("Disk quota exceeded"),
)
"""What the operating system says, in its own English, of a disk or a device that fails."""


NAMED_MEASURES: Final[dict[str, str]] = {
    "shape": translatable("shape"),
    "colour": translatable("colour"),
    "structure": translatable("structure"),
    "white": translatable("white"),
    "red": translatable("red"),
    "light brown": translatable("light brown"),
    "dark brown": translatable("dark brown"),
    "blue-grey": translatable("blue-grey"),
    "black": translatable("black"),
}


class Wording:
    """The words of one language, with the model's own names for the diagnoses."""

    def __init__(self, language: Language, manifest: Manifest) -> None:
        self._texts = translations(language)
        self.names: dict[Code, str] = {
            c.code: c.names.get(language, c.names["en"]) for c in manifest.classes
        }

    def translate(self, words: str, **values: object) -> str:
        """Return English words in this language; see `device.language.Translations.translate`."""
        return self._texts.translate(words, **values)

    def number(self, value: float, decimals: int) -> str:
        """Return a number as this language writes it; see `device.language.Translations.number`."""
        return self._texts.number(value, decimals)

    def listed(self, codes: tuple[Code, ...], *, short: bool = False) -> str:
        """Name diagnoses, malignant ones first; in short, the benign ones are only counted."""
        benign = [c for c in codes if c not in MALIGNANT]
        if not short or len(benign) < 2 or len(benign) == len(codes):
            return ", ".join(self.names[c] for c in _malignant_first(codes))
        malignant = ", ".join(self.names[c] for c in codes if c in MALIGNANT)
        return self.translate(
            "{diagnoses} and {count} benign", diagnoses=malignant, count=len(benign)
        )

    def recommended(self, recommendation: Recommendation | None) -> str:
        """Return what a finding asks for; empty where it asks for nothing."""
        return self.translate(RECOMMENDATIONS[recommendation]) if recommendation else ""

    def not_excluded(
        self,
        leading: Code,
        prediction_set: tuple[Code, ...],
        recommendation: Recommendation | None,
    ) -> str:
        """Return which malignant diagnoses a call does not exclude; empty where it does all."""
        # A benign diagnosis is never what must not be missed.
        others = tuple(c for c in prediction_set if c != leading and c in MALIGNANT)
        if others:
            return self.translate("Not excluded: {diagnoses}", diagnoses=self.listed(others))
        if recommendation == Recommendation.NOT_EXCLUDED:
            return self.translate("Malignancy is not excluded.")
        return ""

    def not_excluded_uncalled(
        self, no_call: NoCallReason, recommendation: Recommendation | None
    ) -> str:
        """Return that a picture of which no call is made may show something malignant; or empty."""
        if recommendation is None or no_call == NoCallReason.NOT_DERMOSCOPIC:
            return ""
        return self.translate("Malignancy is not excluded.")

    def in_one_line(self, finding: Finding | None) -> str:
        """Return a finding as one line, but for what it asks for."""
        if finding is None:
            return self.translate("No finding")
        if finding.no_call is not None:
            return self.translate(NO_CALLS[finding.no_call])
        code = finding.leading
        return f"{self.names[code]}  {percent(finding.probability(code))}"

    def parted(self, finding: Finding, before: Finding | None) -> str:
        """Return what the live view said where a held picture's finding parts from it, or empty."""
        if before is None or not finding.parts_from(before):
            return ""
        another = before.no_call is not None or before.leading != finding.leading
        # A diagnosis alone may sound harmless.
        more = _urgency(before.headlined) > _urgency(finding.headlined)
        words = self.recommended(before.recommendation) if more or not another else ""
        return self.translate(
            "The live estimate differed: {finding}", finding=words or self.in_one_line(before)
        )

    def sentence(self, fault: Fault) -> str:
        """Return what is wrong and what to do, as it stands alone on the screen."""
        parts = self.translate(fault.message), self.translate(fault.action)
        text = joined(*parts, fault.values)
        return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""

    def technical(self, fault: Fault) -> str:
        """Return what stands below the sentence, for whoever repairs it; may be empty."""
        if not fault.technical:
            return ""
        *where, reason = fault.technical.split(": ")
        reason = self.translate(reason) if reason in REASONS else reason
        return self.translate("For the technician: {detail}", detail=": ".join((*where, reason)))

    def measured(self, measures: AbcdMeasures) -> tuple[tuple[str, str], ...]:
        """Return the ABCD rule's figures and the diameter in short, each with its name."""
        diameter = measures.diameter_mm
        return (
            (self.translate("Asymmetry"), self._of(measures.asymmetry, 2)),
            (self.translate("Border"), self._of(measures.border, 8)),
            (self.translate("Colours"), self._of(len(measures.colours), 6)),
            (
                self.translate("Diameter"),
                "–" if diameter is None else f"{self.number(diameter, 1)} mm",
            ),
        )

    def abcd(self, measures: AbcdMeasures) -> list[str]:
        """Return the ABCD rule's figures and the diameter, each as a line."""
        diameter = self.translate("not calibrated")
        if measures.diameter_mm is not None:
            diameter = f"{self.number(measures.diameter_mm, 1)} mm"
        return [
            self._figure("Asymmetry", self._of(measures.asymmetry, 2), measures.asymmetric_in),
            self._figure("Border", self._of(measures.border, 8), ()),
            self._figure("Colours", self._of(len(measures.colours), 6), measures.colours),
            self._figure("Diameter", diameter, ()),
        ]

    def scale(self, mm_per_pixel: float | None) -> str:
        """Return what the optics are calibrated to."""
        if mm_per_pixel is None:
            return self.translate("Lengths: not calibrated, so no millimetres are shown.")
        micrometres = self.number(mm_per_pixel * 1000, 1)
        return self.translate("Lengths: {length} µm per pixel.", length=micrometres)

    def _of(self, value: int | None, most: int) -> str:
        if value is None:
            return "–"
        return self.translate("{value} of {most}", value=value, most=most)

    def _figure(self, name: str, value: str, named: tuple[str, ...]) -> str:
        words = ", ".join(self.translate(NAMED_MEASURES.get(word, word)) for word in named)
        return f"{self.translate(name)}: {value}" + (f" ({words})" if words else "")


def shutter_label(frozen: bool, wording: Wording) -> str:
    """Return what the shutter's button is called: what pressing it does."""
    return wording.translate("Live") if frozen else wording.translate("Capture")


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


def _urgency(recommendation: Recommendation | None) -> int:
    asking = (Recommendation.NOT_EXCLUDED, Recommendation.REFER)
    return 1 + asking.index(recommendation) if recommendation in asking else 0
