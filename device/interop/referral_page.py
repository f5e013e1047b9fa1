"""A page about one examination, for whoever the patient is referred to: PDF, A4 or Letter."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.anatomy import BodySpot
from device.body.atlas import DRAWINGS
from device.diagnoses import MALIGNANT, SCREEN_ORDER, Code
from device.imaging.field_of_view import crop
from device.inference.finding import FindingRecord, NoCallReason
from device.inference.recommendation import Recommendation
from device.interop.dicom_image import MANUFACTURER, age_in_years
from device.interop.sheet import INK, LINE, MARGIN, QUIET, RULE, Paper, Sheet
from device.interop.study import ExaminedLesion
from device.language import Language, Translations, translations
from device.records import words
from device.records.patients import Decision

_PICTURE_SHARE: Final = 0.26
"""Of the page's height: a decision with a long note has room on the same page."""

_BODY_HEIGHT: Final = 120.0

_FOOT: Final = 56.0
"""Height of what stands at the bottom."""

_BENIGN: Final = (0.35, 0.5, 0.65)
_SUSPECT: Final = (0.72, 0.27, 0.1)
_MISLEADING: Final = frozenset(
    {NoCallReason.QUALITY, NoCallReason.NOT_DERMOSCOPIC, NoCallReason.UNFAMILIAR}
)


def referral_page(
    examined: ExaminedLesion,
    language: Language,
    paper: Paper,
    overlay: NDArray[np.uint8] | None = None,
) -> bytes:
    """Return the page as PDF.

    Parameters
    ----------
    examined
        The examination.
    language
        Of the words.
    paper
        Its size.
    overlay
        The picture with the saliency map laid over it: uint8, of the picture's shape, RGB.

    Raises
    ------
    device.errors.ExportError
        If what it takes is not installed.
    """
    texts = translations(language)
    sheet = Sheet(paper, texts.translate("Dermoscopy report"), MANUFACTURER)
    _Page(sheet, texts).draw(examined, overlay)
    return sheet.finished()


class _Page:
    """Where on the page the next thing is drawn."""

    def __init__(self, sheet: Sheet, texts: Translations) -> None:
        self._sheet = sheet
        self._texts = texts
        self._top = sheet.height - MARGIN

    def draw(self, examined: ExaminedLesion, overlay: NDArray[np.uint8] | None) -> None:
        """Draw all of it, from the top."""
        self._head(examined)
        self._about(examined)
        self._pictures(examined, overlay)
        middle = self._sheet.left + self._sheet.width * 0.6
        below = self._finding(examined, self._sheet.left, middle - 16)
        beside = self._beside(examined, middle, self._sheet.right)
        self._top = min(below, beside) - 8
        self._decision(examined)
        self._foot(examined)

    def _head(self, examined: ExaminedLesion) -> None:
        title = self._texts.translate("Dermoscopy report")
        self._sheet.say(title, self._sheet.left, self._top - 14, 17, bold=True)
        taken = f"{examined.taken:%Y-%m-%d %H:%M}"
        self._sheet.say(taken, self._sheet.right, self._top - 12, 11, right=True)
        equipment = examined.equipment
        whose = ", ".join(part for part in (equipment.institution, equipment.department) if part)
        self._top -= 20
        if whose:
            self._sheet.say(
                whose, self._sheet.left, self._top - 11, 10, QUIET, longest=self._sheet.width
            )
            self._top -= 15
        self._sheet.rule(self._top - 5)
        self._top -= 11

    def _about(self, examined: ExaminedLesion) -> None:
        patient, lesion = examined.patient, examined.lesion
        who, what = [], []
        if patient is None:
            who.append(self._texts.translate("Filed under no patient"))
        else:
            who.append(patient.identifier)
            who.append(patient.name)
            if patient.birth_year is not None:
                born = self._texts.translate("born {year}", year=patient.birth_year)
                age = age_in_years(examined)
                who.append(born if age is None else f"{born} ({age})")
            if patient.sex is not None:
                who.append(self._texts.translate(words.SEXES[patient.sex]))
            if patient.phototype is not None:
                numeral = ("I", "II", "III", "IV", "V", "VI")[patient.phototype - 1]
                who.append(self._texts.translate("phototype {type}", type=numeral))
        if lesion is not None:
            what.append(self._texts.translate("Lesion {number}", number=lesion.number))
            what.append(words.site_line(lesion.spot, self._texts))
        for parts, size in ((who, 12), (what, 11)):
            line = " · ".join(part for part in parts if part)
            if line:
                self._sheet.say(
                    line,
                    self._sheet.left,
                    self._top - 13,
                    size,
                    bold=size == 12,
                    longest=self._sheet.width,
                )
                self._top -= 17
        self._top -= 8

    def _pictures(self, examined: ExaminedLesion, overlay: NDArray[np.uint8] | None) -> None:
        gap = 14.0
        room = (self._sheet.width - gap) / 2
        side = min(room, self._sheet.height * _PICTURE_SHARE)
        pixels = examined.examination.image
        field = examined.examination.record.field_of_view
        shown = [pixels] if overlay is None else [pixels, overlay]
        highest = 0.0
        for number, picture in enumerate(shown):
            part = crop(picture, field) if field is not None else picture
            height, width = part.shape[:2]
            scale = min(side / width, side / height)
            left = self._sheet.left + number * (room + gap)
            self._sheet.picture(
                part, left, self._top - height * scale, width * scale, height * scale
            )
            if number == 0 and examined.mm_per_pixel is not None:
                self._sheet.scale_bar(
                    left, self._top - height * scale, scale / examined.mm_per_pixel
                )
            highest = max(highest, height * scale)
        self._top -= highest + 6
        if overlay is not None:
            what = self._texts.translate(
                "Where the picture points to the likeliest malignant diagnosis"
            )
            left = self._sheet.left + room + gap
            self._sheet.say(what, left, self._top - 7, 8, QUIET, longest=room)
        self._top -= 16

    def _finding(self, examined: ExaminedLesion, left: float, right: float) -> float:
        finding, top = examined.finding, self._top
        top = self._sheet.heading(self._texts.translate("What the model says"), left, top)
        if finding is None:
            self._sheet.say(self._texts.translate("No finding"), left, top - 10, 10)
            return top - LINE
        if finding.recommendation is not None:
            top = self._recommended(finding.recommendation, left, top)
        if finding.no_call is not None:
            self._sheet.say(
                self._texts.translate(words.NO_CALLS[finding.no_call]),
                left,
                top - 11,
                10,
                bold=True,
            )
            top -= 16
        # As on the screen: of what the model does not know its probabilities mislead.
        if finding.no_call not in _MISLEADING:
            for code in SCREEN_ORDER:
                top = self._bar(examined, finding, code, left, right, top)
        others = [c for c in finding.prediction_set if c != finding.diagnosis and c in MALIGNANT]
        if others and finding.no_call is None:
            names = ", ".join(examined.name_of(c, self._texts.language) for c in others)
            top = self._sheet.paragraph(
                self._texts.translate("Not excluded: {diagnoses}", diagnoses=names),
                left,
                right,
                top,
            )
        return top

    def _recommended(self, recommendation: Recommendation, left: float, top: float) -> float:
        """Draw what the finding asks for, marked by shape as on the screen."""
        canvas, middle = self._sheet.canvas, top - 8
        canvas.setStrokeColorRGB(*INK)
        canvas.setFillColorRGB(*INK)
        canvas.setLineWidth(1.3)
        if recommendation is Recommendation.NO_SIGN:
            canvas.circle(left + 6, middle, 5, stroke=1, fill=0)
        else:
            path = canvas.beginPath()
            path.moveTo(left + 6, middle + 6)
            path.lineTo(left + 12, middle - 5)
            path.lineTo(left, middle - 5)
            path.close()
            canvas.drawPath(path, stroke=1, fill=int(recommendation is Recommendation.REFER))
        text = self._texts.translate(words.RECOMMENDATIONS[recommendation])
        self._sheet.say(text, left + 19, top - 12, 12, bold=True)
        return top - 22

    def _bar(
        self,
        examined: ExaminedLesion,
        finding: FindingRecord,
        code: Code,
        left: float,
        right: float,
        top: float,
    ) -> float:
        probability = finding.probabilities[code]
        leads = code == finding.diagnosis and finding.no_call is None
        begin, end = left + 138, right - 38
        name = examined.name_of(code, self._texts.language)
        self._sheet.say(name, left, top - 10, 9, bold=leads, longest=130)
        canvas = self._sheet.canvas
        canvas.setFillColorRGB(*(_SUSPECT if code in MALIGNANT else _BENIGN))
        canvas.rect(begin, top - 11, max(0.6, (end - begin) * probability), 8, stroke=0, fill=1)
        canvas.setStrokeColorRGB(*RULE)
        canvas.setLineWidth(0.5)
        canvas.rect(begin, top - 11, end - begin, 8, stroke=1, fill=0)
        self._sheet.say(_percent(probability), right, top - 10, 9, bold=leads, right=True)
        return top - 14.5

    def _beside(self, examined: ExaminedLesion, left: float, right: float) -> float:
        measures, top = examined.examination.record.measures, self._top
        if measures is not None:
            top = self._sheet.heading(self._texts.translate("Measured (ABCD)"), left, top)
            translate = self._texts.translate
            axes = (translate("none"), translate("1 axis"), translate("2 axes"))
            diameter, border = measures.diameter_mm, measures.border
            for name, value in (
                (translate("Asymmetry"), axes[measures.asymmetry]),
                (
                    translate("Border"),
                    "–" if border is None else translate("{value} of {most}", value=border, most=8),
                ),
                (self._texts.translate("Colours"), str(len(measures.colours))),
                (
                    self._texts.translate("Diameter"),
                    "–" if diameter is None else f"{self._texts.number(diameter, 1)} mm",
                ),
            ):
                self._sheet.say(name, left, top - 10, 9)
                self._sheet.say(value, right, top - 10, 9, right=True)
                top -= LINE
            top -= 6
        spot = examined.lesion.spot if examined.lesion else None
        if spot is not None:
            top = self._body(spot, left, right, top)
        return top

    def _body(self, spot: BodySpot, left: float, right: float, top: float) -> float:
        """Draw where on the body map the lesion was entered."""
        body = DRAWINGS[spot.view]
        scale = min((right - left) / body.width, _BODY_HEIGHT / body.height)
        begin = left + (right - left - body.width * scale) / 2
        canvas = self._sheet.canvas
        canvas.setStrokeColorRGB(*QUIET)
        for lines, width in ((body.details, 0.3), (body.contours, 0.7)):
            canvas.setLineWidth(width)
            for line in lines:
                path = canvas.beginPath()
                for number, (x, y) in enumerate(line):
                    (path.lineTo if number else path.moveTo)(begin + x * scale, top - y * scale)
                canvas.drawPath(path, stroke=1, fill=0)
        for letter in body.letters:
            text = self._texts.translate(words.SIDE_LETTERS[letter.laterality])
            x, y = letter.at
            self._sheet.say(text, begin + x * scale - 3, top - y * scale - 3, 8, QUIET)
        x, y = spot.x * body.width, spot.y * body.height
        canvas.setFillColorRGB(*_SUSPECT)
        canvas.setStrokeColorRGB(*INK)
        canvas.circle(begin + x * scale, top - y * scale, 3.2, stroke=1, fill=1)
        return top - body.height * scale - 6

    def _decision(self, examined: ExaminedLesion) -> None:
        self._top = self._sheet.heading(
            self._texts.translate("The clinician's decision"), self._sheet.left, self._top
        )
        decision = examined.decision
        if decision is None:
            self._sheet.say(
                self._texts.translate("Not decided"), self._sheet.left, self._top - 10, 10
            )
            self._top -= LINE
            return
        action = self._texts.translate(words.ACTIONS[decision.action])
        if decision.due is not None:
            action = f"{action}: {decision.due.isoformat()}"
        self._sheet.say(action, self._sheet.left, self._top - 12, 12, bold=True)
        self._top -= 19
        for text in self._decided(examined, decision):
            for line in self._sheet.split(text, self._sheet.width):
                if self._top - LINE < MARGIN + _FOOT:
                    self._foot(examined)
                    self._sheet.canvas.showPage()
                    self._top = self._sheet.height - MARGIN
                self._top = self._sheet.line(line, self._sheet.left, self._top)

    def _decided(self, examined: ExaminedLesion, decision: Decision) -> list[str]:
        lines = []
        diagnosis = (
            examined.name_of(decision.diagnosis, self._texts.language)
            if decision.diagnosis is not None
            else decision.other_diagnosis
        )
        if diagnosis:
            lines.append(self._texts.translate("Diagnosis: {diagnosis}", diagnosis=diagnosis))
        if decision.proof is not None:
            proof = self._texts.translate(words.PROOFS[decision.proof])
            lines.append(self._texts.translate("Proven by: {proof}", proof=proof))
        if decision.agrees is not None:
            lines.append(
                self._texts.translate("Agrees with the model")
                if decision.agrees
                else self._texts.translate("Does not agree with the model")
            )
        if decision.note:
            lines.append(self._texts.translate("Note: {note}", note=decision.note))
        return lines

    def _foot(self, examined: ExaminedLesion) -> None:
        """Draw what stands at the bottom of every page, and the room for a signature."""
        equipment, finding = examined.equipment, examined.finding
        bottom = MARGIN
        made = f"{MANUFACTURER} {equipment.software}, {equipment.serial_number}"
        if finding is not None:
            made += " · " + self._texts.translate("Model {model}", model=finding.model)
        self._sheet.say(made, self._sheet.left, bottom, 8, QUIET, longest=self._sheet.width)
        self._sheet.say(
            self._texts.translate(words.NOTICE), self._sheet.left, bottom + 12, 9, bold=True,
            longest=self._sheet.width,
        )  # fmt: skip
        canvas = self._sheet.canvas
        canvas.setStrokeColorRGB(*QUIET)
        canvas.setLineWidth(0.7)
        line = self._sheet.left + self._sheet.width * 0.6
        canvas.line(line, bottom + 40, self._sheet.right, bottom + 40)
        self._sheet.say(self._texts.translate("Date and signature"), line, bottom + 30, 8, QUIET)


def _percent(probability: float) -> str:
    """Return a probability as the screen shows it; never 0 or 100, which no model can know."""
    if probability < 0.01:
        return "< 1 %"
    if probability > 0.99:
        return "> 99 %"
    return f"{probability * 100:.0f} %"
