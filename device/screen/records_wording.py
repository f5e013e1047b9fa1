"""Patients, lesions and decisions as words, in the clinician's language."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from device.anatomy import BodyView
from device.diagnoses import MALIGNANT, Code
from device.imaging.registration import Refusal
from device.inference.change import Change, Measure
from device.inference.recommendation import Recommendation
from device.language import translatable
from device.records.listing import WorkKind
from device.records.model import ExaminationRecord, finding_of
from device.records.orders import Scheduled
from device.records.patients import Action, Decision, Patient, Role
from device.records.words import ACTIONS, SEXES, site_line
from device.screen.view import Case
from device.screen.wording import Wording, percent

VIEWS: Final[Mapping[BodyView, str]] = {
    BodyView.FRONT: translatable("Front"),
    BodyView.BACK: translatable("Back view"),
    BodyView.HEAD_FRONT: translatable("Head"),
    BodyView.HEAD_LEFT: translatable("Head, left"),
    BodyView.HEAD_RIGHT: translatable("Head, right"),
    BodyView.HANDS: translatable("Hands"),
    BodyView.FEET: translatable("Feet"),
}

ROLES: Final[Mapping[Role, str]] = {
    Role.CLINICIAN: translatable("Clinician"),
    Role.FIELD: translatable("Field worker"),
    Role.SERVICE: translatable("Service"),
}

ROLE_MAY: Final[Mapping[Role, str]] = {
    Role.CLINICIAN: translatable("May do everything."),
    Role.FIELD: translatable(
        "Takes pictures, enters patients and decides. Deletes nothing, takes nothing out."
    ),
    Role.SERVICE: translatable("Backs up, restores and verifies. Sees no patient."),
}

UNLIKE: Final = translatable("Unlike this patient's other naevi")

WORK: Final[Mapping[WorkKind | None, str]] = {
    WorkKind.OVERDUE: translatable("Overdue"),
    WorkKind.DUE: translatable("Due"),
    WorkKind.UNDECIDED: translatable("Undecided"),
    WorkKind.REFERRED: translatable("Referred"),
    None: translatable("No code"),
}

MEASURES: Final[Mapping[Measure, str]] = {
    Measure.AREA: translatable("Area"),
    Measure.DIAMETER: translatable("Diameter"),
    Measure.ASYMMETRY: translatable("Asymmetry"),
    Measure.COLOUR: translatable("Colour"),
    Measure.MALIGNANCY: translatable("Malignancy"),
}

REFUSALS: Final[Mapping[Refusal, str]] = {
    Refusal.FEATURELESS: translatable("Not aligned: one picture shows too little to hold on to."),
    Refusal.UNLIKE: translatable("Not aligned: too little is alike in both pictures."),
    Refusal.MAGNIFIED: translatable("Not aligned: the magnifications differ too much."),
}

PHRASES: Final = (
    translatable("New lesion"),
    translatable("Has changed, says the patient"),
    translatable("Itches or bleeds"),
    translatable("Family history of melanoma"),
    translatable("Unlike the patient's other lesions"),
    translatable("Second opinion wanted"),
)
"""What a note is mostly made of."""


_MOST_SIMILAR: Final = 3
"""Diagnoses that are told of similar lesions: the commonest, and every malignant one."""


def similar_line(similar: Sequence[Code], wording: Wording) -> str:
    """Return what the proven lesions were that look most alike; empty where there is no index."""
    if not similar:
        return ""
    counted = Counter(similar).most_common()
    cases = ", ".join(
        f"{count} {wording.names[code]}"
        for place, (code, count) in enumerate(counted)
        if place < _MOST_SIMILAR or code in MALIGNANT
    )
    return wording.translate(
        "Of the {count} most similar proven lesions: {cases}", count=len(similar), cases=cases
    )


def lesion_name(number: int, wording: Wording) -> str:
    """Return what a lesion is called; 0 is a new one."""
    if number == 0:
        return wording.translate("New lesion")
    return wording.translate("Lesion {number}", number=number)


def case_lines(case: Case, wording: Wording) -> tuple[str, ...]:
    """Return whom and what the next picture is of, in fewer and fewer words."""
    if case.filing:
        return wording.translate("{patient}: choose a lesion", patient=case.patient), case.patient
    if case.lesion is None:
        return wording.translate("{patient}: no lesion chosen", patient=case.patient), case.patient
    lesion = f"{case.patient} · {lesion_name(case.lesion, wording)}"
    short = f"{case.patient} · {case.lesion or '+'}"
    more = wording.translate("Region") if case.region else site_line(case.spot, wording)
    return (f"{lesion} · {more}", lesion, short, case.patient) if more else (lesion, short)


def about(patient: Patient, wording: Wording) -> str:
    """Return what is known of a patient beside the identifier; may be empty."""
    words = [patient.name]
    if patient.birth_year:
        words.append(wording.translate("born {year}", year=patient.birth_year))
    if patient.sex:
        words.append(wording.translate(SEXES[patient.sex]))
    if patient.phototype:
        words.append(wording.translate("phototype {type}", type=roman(patient.phototype)))
    return ", ".join(word for word in words if word)


def roman(phototype: int) -> str:
    """Return a phototype as it is written."""
    return ("I", "II", "III", "IV", "V", "VI")[phototype - 1]


def decided(decision: Decision | None, wording: Wording) -> str:
    """Return a decision in a line."""
    if decision is None:
        return wording.translate("Not decided")
    if decision.action == Action.FOLLOW_UP and decision.due is not None:
        return wording.translate("Follow up {date}", date=decision.due.isoformat())
    return wording.translate(ACTIONS[decision.action])


def state_of(record: ExaminationRecord, wording: Wording) -> str:
    """Return what was decided of a picture, or what the model asks for while nothing is."""
    return ": ".join((decided(record.decision, wording), *asked_for(record, wording)))


def asked_for(record: ExaminationRecord, wording: Wording) -> tuple[str, ...]:
    """Return what the model asks for of a picture that nothing is decided of, or nothing."""
    asked = urgent(record)
    return (wording.recommended(asked),) if asked is not None else ()


def urgent(record: ExaminationRecord) -> Recommendation | None:
    """Return what an undecided picture's finding asks for, where that cannot be left at."""
    finding = finding_of(record) if record.decision is None else None
    asked = finding.headlined if finding is not None else None
    return None if asked == Recommendation.NO_SIGN else asked


def time_of_day(time: str) -> str:
    """Return a time as DICOM writes it, HHMM, as it is read; empty where it is none."""
    return f"{time[:2]}:{time[2:]}" if len(time) == 4 and time.isdigit() else ""


def order_line(scheduled: Scheduled) -> str:
    """Return the appointment that pictures are taken for."""
    said = (time_of_day(scheduled.time), scheduled.order.description)
    return " ".join(word for word in said if word)


def contradicted(patient: Patient, scheduled: Scheduled, wording: Wording) -> str:
    """Return what the clinic's list says otherwise of a patient, or nothing."""
    said = []
    if scheduled.birth_year and patient.birth_year not in (None, scheduled.birth_year):
        said.append(wording.translate("born {year}", year=scheduled.birth_year))
    if scheduled.sex and patient.sex not in (None, scheduled.sex):
        said.append(wording.translate(SEXES[scheduled.sex]))
    return ", ".join(said)


def due_line(due: date, today: date, wording: Wording) -> str:
    """Return when something is due, and by how many days it is late."""
    late = (today - due).days
    if late > 0:
        return wording.translate("{date}, {days} days late", date=due.isoformat(), days=late)
    return due.isoformat()


def change_words(change: Change, wording: Wording) -> tuple[str, str]:
    """Return what became of a measure, and how sure that is."""
    sign = "+" if change.difference > 0 else "−"
    size, unsure = abs(change.difference), change.uncertainty
    match change.measure:
        case Measure.AREA | Measure.DIAMETER:
            said = f"{sign}{size * 100:.0f} %", f"± {unsure * 100:.0f} %"
        case Measure.COLOUR:
            said = f"ΔE {wording.number(size, 1)}", f"± {wording.number(unsure, 1)}"
        case Measure.ASYMMETRY:
            said = f"{sign}{size * 100:.0f}", f"± {unsure * 100:.0f}"
        case Measure.MALIGNANCY:
            assert change.before is not None
            assert change.after is not None
            moved = wording.translate(
                "{before} to {after}", before=percent(change.before), after=percent(change.after)
            )
            said = moved, f"± {unsure * 100:.0f}"
    return said
