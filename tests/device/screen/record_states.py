"""Every state of the consultation's pages, drawn with values instead of an archive."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import cv2
import msgspec
import numpy as np

from device.anatomy import BodySite, BodySpot, BodyView, Laterality
from device.appearance import Theme
from device.faults import Fault
from device.imaging.field_of_view import FieldOfView
from device.imaging.registration import Refusal, Registration
from device.inference.change import Change, Measure
from device.inference.finding import Finding, to_record
from device.inference.recommendation import Recommendation
from device.records.access import Access, Holder, Protection
from device.records.listing import WorkItem, WorkKind
from device.records.model import ExaminationRecord, PictureKind, Polarization
from device.records.orders import Order, Scheduled
from device.records.patients import Action, Decision, Lesion, Patient, Proof, Role, Sex
from device.runtime.clinic_list import Appointments
from device.runtime.desk import (
    Comparison,
    LesionEntry,
    Matches,
    OpenedPicture,
    Visit,
    WorkEntry,
    WorkPage,
)
from device.screen.forms import DecisionForm, DetailsForm, HolderForm
from device.screen.pages.decision import DecisionView
from device.screen.pages.deletion import DeletionView
from device.screen.pages.details import DetailsView
from device.screen.pages.followup import FollowUpState, FollowUpView, Mode
from device.screen.pages.found import FoundView
from device.screen.pages.holder import HolderView
from device.screen.pages.holders import HoldersView
from device.screen.pages.keyboard import Field, KeyboardState, KeyboardView
from device.screen.pages.lesion import LesionView
from device.screen.pages.newpin import NewPinView
from device.screen.pages.note import NoteView
from device.screen.pages.patient import PatientState, PatientView
from device.screen.pages.picture import PictureView
from device.screen.pages.pin import PinView
from device.screen.pages.scheduled import ScheduledView
from device.screen.pages.spot import SpotView
from device.screen.pages.start import StartView
from device.screen.pages.worklist import WorkView
from device.screen.view import Case, LiveView, PageView
from device.screen.zoom import Zoom
from tests.device.screen.findings import make_finding

NOON = datetime(2026, 3, 4, 12, 34, 56, tzinfo=UTC)
PATIENT = Patient(key="a" * 32, identifier="P-004711", birth_year=1961, sex=Sex.FEMALE, phototype=2)
FOREARM = BodySpot(BodyView.FRONT, 0.845, 0.455, BodySite.FOREARM, Laterality.LEFT)
CHEST = BodySpot(BodyView.FRONT, 0.42, 0.26, BodySite.CHEST, Laterality.RIGHT)
BACK = BodySpot(BodyView.BACK, 0.4, 0.25, BodySite.UPPER_BACK, Laterality.LEFT)
CASE = Case(PATIENT.identifier, 2, FOREARM)
DECIDED = Decision(decided=NOON, role=Role.CLINICIAN, action=Action.FOLLOW_UP, due=date(2026, 6, 4))
FAULT = Fault(
    "the examinations have taken up their share of the disk",
    "move older ones to another disk, or raise records_share",
)

REFUSED = Fault(
    "{target} does not know the instrument, or refuses it",
    "have the title {own} entered there, and check the title {title}",
    detail="Rejected Permanent: Calling AE title not recognised",
    values={"target": "ris", "own": "DERMASCOPE", "title": "RIS"},
)


def drawn_lesion(pigment: int = 120, side: int = 300) -> np.ndarray:
    picture = np.full((side, side, 3), (203, 150, 128), np.uint8)
    cv2.circle(picture, (side // 2, side // 2), side // 4, (pigment, 62, 46), -1)
    return picture


HARMLESS = make_finding("nv")
URGENT = make_finding("nv", 0.53, prediction_set=("nv", "mel"), recommendation=Recommendation.REFER)
UNSURE = make_finding("nv", 0.4, abstention="uncertain", recommendation=Recommendation.NOT_EXCLUDED)
UNFAMILIAR = make_finding(
    "bkl", 0.4, abstention="unfamiliar", recommendation=Recommendation.NOT_EXCLUDED
)


def record(
    days_ago: int, decision: Decision | None = None, said: Finding = HARMLESS, **more: object
) -> ExaminationRecord:
    return ExaminationRecord(
        schema_version=2,
        identifier=f"{1000 - days_ago:06d}-20260304T123456Z-abcdef",
        taken=NOON - timedelta(days=days_ago),
        field_of_view=FieldOfView(0, 0, 300),
        finding=to_record(said, "", []),
        lesion="c" * 32,
        decision=decision,
        **more,
    )


def visit(
    days_ago: int, decision: Decision | None = None, said: Finding = HARMLESS, **more: object
) -> Visit:
    pixels = drawn_lesion(60 + days_ago // 4, 120)
    return Visit(record(days_ago, decision, said, **more), pixels)


SCHEDULED = Scheduled(
    PATIENT.identifier,
    "Núñez, María",
    1961,
    Sex.FEMALE,
    "0930",
    Order(study_uid="1.2.3.4", accession_number="ACC1", description="Skin check"),
)
APPOINTMENTS = Appointments(
    tuple(
        replace(
            SCHEDULED,
            identifier=f"P-00{4711 + i}",
            time=f"{9 + i // 2:02d}{30 * (i % 2):02d}",
            order=msgspec.structs.replace(SCHEDULED.order, study_uid=f"1.2.3.{i}"),
        )
        for i in range(11)
    ),
    NOON.astimezone(),
)
REFERRED = Decision(decided=NOON, role=Role.CLINICIAN, action=Action.REFER)
LESIONS = tuple(
    LesionEntry(
        Lesion(key=f"{number:032x}", patient=PATIENT.key, number=number, spot=spot), 2, newest
    )
    for number, spot, newest in (
        (1, CHEST, visit(90, DECIDED)),
        (2, FOREARM, visit(30, said=URGENT)),
        (3, BACK, visit(7, REFERRED)),
        (4, None, None),
    )
)
VISITS = (
    visit(0, said=URGENT),
    visit(30, DECIDED),
    visit(31, kind=PictureKind.REGION),
    visit(120, DECIDED),
    visit(240),
)
PICTURE = OpenedPicture(record(30, DECIDED), drawn_lesion(90))
LATER = OpenedPicture(record(0), drawn_lesion(70))
CHANGES = (
    Change(Measure.AREA, None, None, 0.62, 0.34, True),
    Change(Measure.DIAMETER, 4.1, 5.0, 0.21, 0.23, False),
    Change(Measure.ASYMMETRY, 0.08, 0.11, 0.03, 0.08, False),
    Change(Measure.COLOUR, None, None, 12.3, 10.5, True),
    Change(Measure.MALIGNANCY, 0.12, 0.2, 0.08, 0.22, False),
)
ALIGNED = Comparison(
    PICTURE, LATER, Registration(np.eye(2, 3), 80, 0.004), drawn_lesion(80), CHANGES
)
WORK = WorkPage(
    WorkKind.OVERDUE,
    tuple(
        WorkEntry(
            visit(100 + i, DECIDED),
            WorkItem(
                WorkKind.OVERDUE,
                record(100 + i, DECIDED),
                LESIONS[i].lesion,
                PATIENT,
                date(2026, 2, 11),
            ),
        )
        for i in range(3)
    ),
    1,
    False,
    {WorkKind.OVERDUE: 12, WorkKind.DUE: 104, WorkKind.UNDECIDED: 3, WorkKind.REFERRED: 27},
)
UNDECIDED = WorkPage(
    WorkKind.UNDECIDED,
    tuple(
        WorkEntry(
            visit(i, said=said),
            WorkItem(WorkKind.UNDECIDED, record(i, said=said), LESIONS[i].lesion, PATIENT, None),
        )
        for i, said in enumerate((URGENT, UNSURE, UNFAMILIAR))
    ),
    1,
    True,
    WORK.counts,
)
UNFILED = WorkPage(None, (WorkEntry(visit(0, said=URGENT), None),), 1, True, WORK.counts)
SIMILAR = ("mel",) * 11 + ("nv",) * 3 + ("bkl", "akiec")
HOLDERS = (
    Holder("Dr Silva", Role.CLINICIAN),
    Holder("Nurse Oliveira", Role.FIELD),
    Holder("Mr Costa", Role.SERVICE),
)
FORM = DecisionForm("000970-20260304T123456Z-abcdef", Action.FOLLOW_UP, 6, "nv", agrees=True)
LONG_NOTE = (
    "New lesion; Has changed, says the patient; Family history of melanoma; Itches or bleeds; "
    "Unlike the patient's other lesions; Second opinion wanted"
)


def record_states(live: LiveView) -> dict[str, PageView]:
    """Return the states of every page of the consultation.

    Parameters
    ----------
    live
        What stands beside them.
    """
    common = {"clock": NOON.astimezone(), "source": "demo"}
    cased = {**common, "case": CASE}
    beside = replace(live, finding=None)
    states: dict[str, PageView] = {
        "start": StartView(beside, unlocked=True, **common),
        "start-typed": StartView(beside, "P-004711", filing=True, focus="open", **common),
        "start-fault": StartView(beside, "P-004711", FAULT, **common),
        "patient": PatientView(PATIENT, LESIONS, **cased),
        "patient-unlike": PatientView(
            PATIENT, (replace(LESIONS[0], unlike=True), *LESIONS[1:]), **cased
        ),
        "patient-fault": PatientView(PATIENT, LESIONS, fault=FAULT, **cased),
        "lesion-fault": LesionView(beside, VISITS, fault=FAULT, **cased),
        "patient-new": PatientView(
            Patient(key="b" * 32, identifier="P-004712"), case=Case("P-004712"), **common
        ),
        "patient-cursor": PatientView(
            PATIENT, LESIONS, PatientState(BodyView.BACK, 3, 4), filing=True, focus="map", **cased
        ),
        **{
            f"patient-{view}": PatientView(PATIENT, LESIONS, PatientState(view), **cased)
            for view in BodyView
            if view is not BodyView.FRONT
        },
        "patient-scheduled": PatientView(PATIENT, LESIONS, scheduled=SCHEDULED, **cased),
        "patient-contradicted": PatientView(
            PATIENT,
            LESIONS,
            scheduled=replace(SCHEDULED, birth_year=1958, sex=Sex.OTHER),
            **cased,
        ),
        "patient-choices": PatientView(PATIENT, LESIONS, choices=2, **cased),
        "scheduled": ScheduledView(
            APPOINTMENTS,
            "ris",
            names=True,
            seen=frozenset(e.order.key for e in APPOINTMENTS.entries[:2]),
            **common,
        ),
        "scheduled-of-patient": ScheduledView(
            replace(APPOINTMENTS, entries=(SCHEDULED, replace(SCHEDULED, time="1500"))),
            "ris",
            patient=PATIENT.identifier,
            **cased,
        ),
        "scheduled-no-longer": ScheduledView(
            replace(APPOINTMENTS, entries=()), "ris", patient=PATIENT.identifier, **cased
        ),
        "scheduled-last": ScheduledView(
            replace(
                APPOINTMENTS,
                entries=tuple(
                    replace(e, time="", order=Order(study_uid="1")) for e in APPOINTMENTS.entries
                ),
            ),
            "ris",
            8,
            focus="appointment 1",
            **common,
        ),
        "scheduled-asking": ScheduledView(replace(APPOINTMENTS, asking=True), "ris", **common),
        "scheduled-empty": ScheduledView(Appointments((), NOON.astimezone()), "ris", **common),
        "scheduled-fault": ScheduledView(Appointments(fault=REFUSED), "ris", **common),
        "scheduled-not-opened": ScheduledView(APPOINTMENTS, "ris", fault=FAULT, **common),
        "details-new": DetailsView(DetailsForm("P-004712"), **common),
        "details": DetailsView(
            DetailsForm("P-004711", "Maria Santos Oliveira", 1961, Sex.FEMALE, 2, PATIENT),
            names=True,
            **cased,
        ),
        "details-fault": DetailsView(DetailsForm("P-004711"), fault=FAULT, **common),
        "details-deletes": DetailsView(
            DetailsForm("P-004711", "", 1961, Sex.FEMALE, 2, PATIENT), deletes=True, **cased
        ),
        "deletion": DeletionView(PATIENT.identifier, 4, 17, **cased),
        "deletion-waiting": DeletionView(PATIENT.identifier, 4, 17, waiting=True, **cased),
        "deletion-fault": DeletionView(PATIENT.identifier, 4, 17, fault=FAULT, **cased),
        "lesion": LesionView(beside, VISITS, polarization=Polarization.UNPOLARIZED, **cased),
        "spot": SpotView(LESIONS, **cased),
        "spot-cursor": SpotView(
            LESIONS, PatientState(BodyView.BACK, cursor=4), focus="map", **cased
        ),
        "spot-fault": SpotView(LESIONS, fault=FAULT, **cased),
        "lesion-new": LesionView(
            beside,
            kept=False,
            region=True,
            case=Case(PATIENT.identifier, 0, FOREARM, region=True),
            **common,
        ),
        "picture": PictureView(PICTURE, **cased),
        "picture-zoomed": PictureView(
            replace(PICTURE, record=record_without_lesion()), Zoom(3.0, 0.4, 0.6), **common
        ),
        "picture-urgent": PictureView(replace(PICTURE, record=record(0, said=URGENT)), **cased),
        "picture-unfamiliar": PictureView(
            replace(PICTURE, record=record(0, DECIDED, UNFAMILIAR)), **cased
        ),
        "picture-opening": PictureView(None, **cased),
        "followup": FollowUpView(ALIGNED, count=4, **cased),
        "followup-blended": FollowUpView(
            ALIGNED, FollowUpState(2, Mode.BLENDED, Zoom(2.0)), 4, **cased
        ),
        "followup-flicker": FollowUpView(
            ALIGNED, FollowUpState(2, Mode.FLICKER), 4, second=True, **cased
        ),
        **{
            f"followup-{refusal}": FollowUpView(
                replace(ALIGNED, registered=refusal, laid=None, changes=CHANGES[2:]), **cased
            )
            for refusal in Refusal
        },
        "followup-comparing": FollowUpView(None, count=4, **cased),
        "followup-unmeasured": FollowUpView(replace(ALIGNED, changes=()), count=2, **cased),
        "decision": DecisionView(FORM, URGENT, frozen=True, **cased),
        "decision-due": DecisionView(
            replace(FORM, months=None, due=date(2026, 7, 10)), make_finding("mel", 0.62), **cased
        ),
        "decision-uncertain": DecisionView(FORM, UNSURE, **cased),
        "decision-unfamiliar": DecisionView(FORM, UNFAMILIAR, **cased),
        "decision-resumed": DecisionView(
            replace(FORM, proof=Proof.HISTOPATHOLOGY, resumed=True), **cased
        ),
        "decision-similar": DecisionView(
            DecisionForm(), make_finding("mel", 0.62), SIMILAR, frozen=True, **cased
        ),
        "decision-empty": DecisionView(DecisionForm(), **cased),
        "decision-other": DecisionView(
            replace(FORM, diagnosis=None, other="Lichen planus", action=Action.EXCISE, months=None),
            fault=FAULT,
            **cased,
        ),
        "note": NoteView(replace(FORM, note="New lesion; Itches or bleeds"), **cased),
        "note-long": NoteView(replace(FORM, note=LONG_NOTE), **cased),
        "keyboard": KeyboardView(KeyboardState(Field.NOTE, LONG_NOTE, FORM), **cased),
        **{
            f"keyboard-{field}": KeyboardView(KeyboardState(field, "1961"), **common)
            for field in Field
        },
        "worklist": WorkView(WORK, clinic=True, **common),
        "worklist-found": WorkView(
            replace(WORK, by_identifier=True, prefix="P-0047"), clinic=True, **common
        ),
        "worklist-undecided": WorkView(UNDECIDED, clinic=True, **common),
        "worklist-unfiled": WorkView(UNFILED, focus="entry 1", **common),
        "worklist-empty": WorkView(
            replace(WORK, kind=WorkKind.DUE, entries=(), last=True), **common
        ),
        "worklist-fault": WorkView(None, FAULT, **common),
        "pin": PinView(beside, 5, Access(Protection.PIN, None), **common),
        "pin-wait": PinView(beside, 0, Access(Protection.PIN, None), 32, FAULT, **common),
        "pin-open": PinView(
            beside, 0, Access(Protection.PIN, Holder("Dr Silva", Role.FIELD)), **common
        ),
        "pin-none": PinView(
            beside, 0, Access(Protection.NOTHING, Holder("instrument", Role.CLINICIAN)), **common
        ),
        "found": FoundView(
            "P-0047",
            Matches(
                (PATIENT, *(Patient(key=f"{i:032x}", identifier=f"P-00471{i}") for i in range(3)))
            ),
            **common,
        ),
        "found-more": FoundView("P-0047", Matches((PATIENT,) * 8, more=True), **common),
        "keyboard-accents": KeyboardView(KeyboardState(Field.NAME, "Jo", accents=True), **common),
        "holders": HoldersView(HOLDERS, Access(Protection.PIN, HOLDERS[0]), **common),
        "holders-field": HoldersView(HOLDERS, Access(Protection.PIN, HOLDERS[1]), **common),
        "holders-none": HoldersView(
            access=Access(Protection.NOTHING, Holder("instrument", Role.CLINICIAN)), **common
        ),
        "holder": HolderView(HolderForm("Dr Silva", Role.CLINICIAN, HOLDERS[0]), **common),
        "holder-removing": HolderView(
            HolderForm("Dr Silva", Role.FIELD, HOLDERS[0], removing=True), fault=FAULT, **common
        ),
        "holder-new": HolderView(HolderForm(role=Role.SERVICE), **common),
        "newpin": NewPinView(beside, "Dr Silva", 4, **common),
        "newpin-old": NewPinView(beside, "", 6, old=True, **common),
        "newpin-again": NewPinView(beside, "Dr Silva", 6, again=True, **common),
        "newpin-unlike": NewPinView(beside, "Dr Silva", unlike=True, **common),
        "newpin-waiting": NewPinView(beside, "Dr Silva", waiting=True, **common),
        "newpin-fault": NewPinView(beside, "Dr Silva", fault=FAULT, **common),
        "live-case": replace(live, case=CASE),
    }
    for name in ("patient", "lesion", "decision", "followup", "worklist", "start", "scheduled"):
        states[f"{name}-light"] = replace(states[name], theme=Theme.LIGHT)
    return states


def record_without_lesion() -> ExaminationRecord:
    return msgspec.structs.replace(record(0), lesion=None)
