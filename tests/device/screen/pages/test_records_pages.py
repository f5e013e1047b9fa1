"""Where the pages of the consultation lead. Plain values: no screen, no archive."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from device.anatomy import BodySite, BodyView, Laterality
from device.body.atlas import DRAWINGS
from device.inference.finding import to_record
from device.records.access import Access, Holder, Protection
from device.records.model import PictureKind
from device.records.patients import Action, Decision, Role
from device.runtime.desk import Desk, Matches
from device.runtime.messages import Shot
from device.runtime.requests import (
    AddPatient,
    ChangePatient,
    ChangePin,
    ClosePatient,
    CompareVisits,
    Decide,
    DeletePatient,
    FileExamination,
    FindPatient,
    ListHolders,
    Lock,
    MoveLesion,
    NewLesion,
    OpenLesion,
    OpenPicture,
    OpenScheduled,
    OpenWork,
    RemovePin,
    SetPin,
    Unlock,
)
from device.screen.events import Key, Pinch, Place, ShutterPress, Text, Touch
from device.screen.forms import (
    DecisionForm,
    DetailsForm,
    HolderForm,
    NewPinForm,
    form_of,
    months_later,
)
from device.screen.layout import arrange
from device.screen.navigation import step
from device.screen.pages.base import page_class
from device.screen.pages.followup import FollowUpState
from device.screen.pages.keyboard import ACCENTED, Field, KeyboardState
from device.screen.pages.patient import PatientState
from device.screen.pages.picture import PictureState
from device.screen.pages.scheduled import ScheduledState
from device.screen.registry import PageName
from device.screen.state import Command, Context, State
from device.screen.view import LiveView, Snapshot
from device.screen.widgets import fitted
from tests.device.screen.findings import make_finding
from tests.device.screen.record_states import (
    APPOINTMENTS,
    LESIONS,
    NOON,
    PATIENT,
    PICTURE,
    VISITS,
    WORK,
)

DESK = Desk(patient=PATIENT, lesions=LESIONS, visits=VISITS, work=WORK, picture=PICTURE)
OPEN = Context(desk=DESK)
BEHIND = [
    page
    for page in PageName
    if page_class(page).takes_pictures and not page_class(page).shows_capture
]


def on_body(spot: object, size: tuple[int, int] = (400, 500)) -> Place:
    drawing = DRAWINGS[spot.view]
    scale, left, top = fitted(drawing, *size)
    return Place(
        left + spot.x * drawing.width * scale, top + spot.y * drawing.height * scale, *size
    )


def spot_of(view: BodyView, site: BodySite, side: Laterality | None) -> object:
    (spot,) = (s for s in DRAWINGS[view].spots() if (s.site, s.laterality) == (site, side))
    return spot


@pytest.mark.parametrize("page", BEHIND)
def test_shutter_works_at_once_on_every_page(page: PageName) -> None:
    state, command = step(State(page), ShutterPress(), OPEN)
    assert (state.page, state.frozen, command) == (PageName.LIVE, True, Command.CAPTURE)


def test_live_page_leads_to_the_patient_and_to_the_decision() -> None:
    assert step(State(), Touch("case"), Context())[0].page == PageName.START
    assert step(State(), Touch("case"), OPEN)[0].page == PageName.PATIENT
    assert step(State(lesion="c" * 32), Touch("case"), OPEN)[0].page == PageName.LESION
    shot = Shot()
    held, _ = step(State(frozen=True), Touch("case"), Context(shot=shot))
    assert (held.page, held.page_state) == (PageName.DECISION, DecisionForm(shot))
    # While it is still being taken there is nothing to decide about.
    assert step(State(frozen=True), Touch("case"), Context())[0].page == PageName.LIVE


def test_identifier_is_typed_cleaned_and_looked_for() -> None:
    state = State(PageName.START)
    for event in (Touch("4"), Touch("7"), Touch("7"), Touch("delete"), Text("1a "), Text("b")):
        state, _ = step(state, event)
    assert state.page_state == "471a b"
    assert step(state, Touch("open")) == (state, FindPatient("471a b", beginning=True))
    assert step(state, Key("return")) == (state, FindPatient("471a b", beginning=True))
    assert step(State(PageName.START), Touch("open"))[1] is None
    letters, _ = step(state, Touch("letters"))
    assert letters.page_state == KeyboardState(Field.IDENTIFIER, "471a b")
    typed, _ = step(letters, Touch("z"))
    back, request = step(typed, Touch("done"))
    assert (back.page, request) == (PageName.START, FindPatient("471a bZ", beginning=True))


def test_a_hundred_letters_are_no_longer_than_an_identifier() -> None:
    state, _ = step(State(PageName.START), Text("x" * 100))
    assert len(state.page_state) == 64


def test_finger_beside_a_known_lesion_means_it_and_elsewhere_a_new_one() -> None:
    state = State(PageName.PATIENT)
    opened, request = step(state, Touch("map", 0.0, on_body(LESIONS[1].lesion.spot)), OPEN)
    assert request == OpenLesion(LESIONS[1].lesion.key)
    assert (opened.page, opened.lesion) == (PageName.LESION, LESIONS[1].lesion.key)
    thigh = spot_of(BodyView.FRONT, BodySite.THIGH, Laterality.LEFT)
    opened, request = step(state, Touch("map", 0.0, on_body(thigh)), OPEN)
    assert isinstance(request.lesion, NewLesion)
    assert opened.lesion is request.lesion
    assert request.lesion.patient == PATIENT.key
    spot = request.lesion.spot
    assert (spot.site, spot.laterality) == (BodySite.THIGH, Laterality.LEFT)
    # Of another view is another lesion, wherever that lies on the sheet.
    back = State(PageName.PATIENT, page_state=PatientState(BodyView.BACK))
    _, request = step(back, Touch("map", 0.0, on_body(LESIONS[1].lesion.spot)), OPEN)
    assert isinstance(request.lesion, NewLesion)


def test_finger_beside_the_body_means_nothing() -> None:
    state = State(PageName.PATIENT)
    assert step(state, Touch("map", 0.0, Place(2, 2, 400, 500)), OPEN) == (state, None)


def test_body_is_turned_and_the_keyboard_points_at_it() -> None:
    state, _ = step(State(PageName.PATIENT), Touch("side"), OPEN)
    assert state.page_state.view == BodyView.HEAD_LEFT
    state, _ = step(state, Touch("side"), OPEN)
    assert state.page_state.view == BodyView.HEAD_RIGHT
    for place in (0, 1):
        state, _ = step(state, Key("."), OPEN)
        assert (state.page_state.cursor, state.focus) == (place, "map")
    state, _ = step(state, Key(","), OPEN)
    _, request = step(state, Key("return"), OPEN)
    assert request.lesion.spot == DRAWINGS[BodyView.HEAD_RIGHT].spots()[0]


def test_lesions_are_gone_through_and_begin_anew() -> None:
    state, _ = step(State(PageName.PATIENT), Touch("more"), OPEN)
    _, request = step(state, Touch("lesion 1"), OPEN)
    assert request == OpenLesion(LESIONS[3].lesion.key)
    assert step(state, Touch("lesion 2"), OPEN) == (state, None)
    state, _ = step(state, Touch("more"), OPEN)
    assert state.page_state.first == 0


def test_picture_that_waits_is_filed_under_the_lesion_that_is_chosen() -> None:
    state = State(PageName.PATIENT, filing="000001-x")
    opened, request = step(state, Touch("lesion 1"), OPEN)
    assert request == FileExamination("000001-x", LESIONS[0].lesion.key)
    assert (opened.filing, opened.page) == ("", PageName.LESION)
    for way_out in (Touch("back"), Key("escape")):
        closed, request = step(state, way_out, OPEN)
        assert (closed.filing, request) == ("", ClosePatient())


def test_leaving_a_lesion_closes_it() -> None:
    state = State(PageName.LESION, lesion="c" * 32, region=True)
    left, request = step(state, Touch("back"), OPEN)
    assert (left.page, left.lesion, left.region) == (PageName.PATIENT, None, False)
    assert request == OpenLesion(None)


def test_lesion_on_the_wrong_place_is_moved_by_finger_and_by_key() -> None:
    key = LESIONS[2].lesion.key
    opened = Context(desk=replace(DESK, lesion=key, opened=LESIONS[2].lesion))
    state = State(PageName.LESION, lesion=key)
    # A new one is not kept yet: it is pointed at anew. Another one is not meant.
    assert step(state, Touch("move"), OPEN) == (state, None)
    other = replace(state, lesion=LESIONS[1].lesion.key)
    assert step(other, Touch("move"), opened) == (other, None)
    spot, request = step(state, Touch("move"), opened)
    assert (spot.page, spot.page_state, request) == (
        PageName.SPOT, PatientState(BodyView.BACK), None,
    )  # fmt: skip
    assert step(spot, Touch("back"), opened)[0] == state
    # Beside the body nothing lies, nor where nobody points.
    beside = Touch("map", 0.0, Place(2, 2, 400, 500))
    for event in (beside, Touch("map")):
        assert step(spot, event, opened)[1] is None
    turned, _ = step(spot, Touch("front"), opened)
    # Also where another one lies already.
    there = LESIONS[1].lesion.spot
    waiting, request = step(turned, Touch("map", 0.0, on_body(there)), opened)
    assert (request.lesion, waiting) == (LESIONS[2].lesion.key, turned)
    assert (request.spot.site, request.spot.laterality) == (there.site, there.laterality)
    for key in (".", ".", ","):
        turned, _ = step(turned, Key(key), opened)
    _, request = step(turned, Key("return"), opened)
    assert request == MoveLesion(LESIONS[2].lesion.key, DRAWINGS[BodyView.FRONT].spots()[0])


def test_details_are_optional_and_taken_back_by_a_second_touch() -> None:
    new = Context(desk=Desk(unknown="P-9"))
    state = State(PageName.DETAILS, page_state=DetailsForm("P-9"))
    assert step(state, Touch("keep"), new) == (state, AddPatient("P-9"))
    for target in ("male", "III", "III"):
        state, _ = step(state, Touch(target), new)
    assert step(state, Touch("keep"), new)[1] == AddPatient("P-9", sex="male")
    # A name only where the clinic's settings allow it.
    assert step(state, Touch("name"), new)[0] == state
    named, _ = step(replace(state, names=True), Touch("name"), new)
    assert named.page_state.field == Field.NAME
    year, _ = step(state, Touch("birth year"), new)
    for letter in "19x61":
        year, _ = step(year, Text(letter))
    state, _ = step(year, Touch("done"))
    assert (state.page, state.page_state.birth_year) == (PageName.DETAILS, 1961)


def test_details_of_a_known_patient_are_changed() -> None:
    details, _ = step(State(PageName.PATIENT), Touch("details"), OPEN)
    details, _ = step(details, Touch("VI"), OPEN)
    _, request = step(details, Touch("keep"), OPEN)
    assert isinstance(request, ChangePatient)
    assert (request.patient.key, request.patient.phototype) == (PATIENT.key, 6)
    assert step(details, Touch("back"), OPEN)[0].page == PageName.PATIENT
    unknown = State(PageName.DETAILS, page_state=DetailsForm("P-9"))
    assert step(unknown, Touch("back"))[0].page == PageName.START


def test_patient_is_deleted_by_whoever_may_and_after_a_second_touch_elsewhere() -> None:
    form = DetailsForm(PATIENT.identifier, before=PATIENT)
    state = State(PageName.DETAILS, page_state=form)
    delete = Touch("delete patient")
    for access in (CLINICIAN, BESIDE):
        context = Context(desk=replace(DESK, access=access))
        asked, request = step(state, delete, context)
        assert (asked, request) == (State(PageName.DELETION), None)
        waiting, request = step(asked, Touch("delete for good"), context)
        assert request == DeletePatient(PATIENT.key)
        assert step(waiting, Touch("delete for good"), context) == (waiting, None)
        assert step(asked, Touch("back"), context) == (State(PageName.PATIENT), None)
        # Nor while the picture that is held may be of this patient, or of one who is not kept.
        for other in (replace(state, frozen=True), replace(state, page_state=DetailsForm("P-9"))):
            assert step(other, delete, context) == (other, None)
    for access in (FIELD, None, Access(Protection.PIN, None)):
        context = Context(desk=replace(DESK, access=access))
        assert step(state, delete, context) == (state, None)
        asked = State(PageName.DELETION)
        assert step(asked, Touch("delete for good"), context) == (asked, None)


@pytest.mark.parametrize("size", [(640, 480), (800, 480), (1024, 600), (480, 800), (600, 1024)])
def test_finger_that_comes_down_twice_deletes_nobody(size: tuple[int, int]) -> None:
    layout = arrange(*size)
    asked = page_class(PageName.DETAILS).places(layout)["delete patient"]
    answered = page_class(PageName.DELETION).places(layout)["delete for good"]
    assert not asked.colliderect(answered)


def test_decision_is_kept_with_an_action_and_not_without() -> None:
    shot = Shot()
    access = Access(Protection.PIN, Holder("Ana", Role.FIELD))
    context = Context(desk=replace(DESK, access=access))
    state = State(PageName.DECISION, frozen=True, page_state=DecisionForm(shot))
    assert step(state, Touch("keep"), context) == (state, None)
    for target in ("12 months", "bkl", "disagree"):
        state, _ = step(state, Touch(target), context)
    after, request = step(state, Touch("keep"), context)
    assert isinstance(request, Decide)
    assert request.subject is shot
    decision = request.decision
    assert (decision.action, decision.diagnosis, decision.agrees, decision.role) == (
        Action.FOLLOW_UP, "bkl", False, Role.FIELD,
    )  # fmt: skip
    assert (after.page, after.frozen, after.lesion) == (PageName.PATIENT, False, None)
    assert step(state, Touch("keep"), Context())[0].page == PageName.LIVE


def test_kept_picture_is_decided_about_beside_what_the_model_said_of_it() -> None:
    finding = make_finding("mel", 0.6)
    record = msgspec.structs.replace(PICTURE.record, finding=to_record(finding, "", []))
    desk = replace(DESK, picture=replace(PICTURE, record=record))
    state = State(PageName.DECISION, page_state=DecisionForm(record.identifier))
    # What is held meanwhile is of another picture.
    context = Context(desk=desk, shot=Shot(), finding=make_finding("nv", 0.9))
    for target, agrees in (("mel", True), ("nv", False)):
        filled, _ = step(state, Touch(target), context)
        assert (filled.page_state.diagnosis, filled.page_state.agrees) == (target, agrees)
    snapshot = Snapshot(
        state=replace(state, frozen=True),
        live=LiveView(None, context.finding),
        clock=NOON,
        source="demo",
        signed_by="",
        desk=desk,
    )
    assert page_class(PageName.DECISION).view(snapshot).finding.leading == "mel"
    other = Context(desk=DESK, shot=Shot(), finding=context.finding)
    filled, _ = step(replace(state, page_state=DecisionForm(Shot())), Touch("nv"), other)
    assert filled.page_state.agrees is None


def test_nothing_forces_a_decision() -> None:
    held = State(PageName.DECISION, frozen=True, page_state=DecisionForm(Shot(), Action.REFER))
    left, command = step(held, Touch("back"), OPEN)
    assert (left.page, left.frozen, command) == (PageName.LIVE, True, None)
    kept = State(PageName.DECISION, page_state=DecisionForm("000001-x"))
    for lesion, before in ((None, PageName.WORKLIST), ("c" * 32, PageName.LESION)):
        left, command = step(replace(kept, lesion=lesion), Touch("back"), OPEN)
        shown = PictureState("000001-x", before)
        assert (left.page, left.page_state) == (PageName.PICTURE, shown)
        assert command == OpenPicture("000001-x")


def test_note_is_put_together_and_goes_into_the_decision() -> None:
    state = State(PageName.DECISION, page_state=DecisionForm("x"), language="pt")
    state, _ = step(state, Touch("note"))
    for target in ("phrase 1", "phrase 3", "phrase 1"):
        state, _ = step(state, Touch(target))
    assert state.page_state.note == "Prurido ou sangramento"
    state, _ = step(state, Touch("keyboard"))
    state, _ = step(state, Text("; dói"))
    state, _ = step(state, Key("return"))
    state, _ = step(state, Touch("back"))
    assert (state.page, state.page_state.note) == (PageName.DECISION, "Prurido ou sangramento; dói")
    other, _ = step(state, Touch("other"))
    other, _ = step(other, Text("Lichen"))
    other, _ = step(other, Touch("done"))
    assert (other.page_state.other, other.page_state.note) == (
        "Lichen",
        "Prurido ou sangramento; dói",
    )


def test_typing_is_given_up_without_a_change() -> None:
    form = DecisionForm("x", note="kept")
    typing = State(PageName.KEYBOARD, page_state=KeyboardState(Field.NOTE, "lost", form))
    left, _ = step(typing, Key("escape"))
    assert (left.page, left.page_state) == (PageName.NOTE, form)


def test_worklist_is_turned_and_opens_what_it_names() -> None:
    state = State(PageName.WORKLIST)
    assert step(state, Touch("due"), OPEN)[1] == OpenWork("due")
    assert step(state, Touch("unfiled"), OPEN)[1] == OpenWork(None)
    assert step(state, Touch("further"), OPEN)[1] == OpenWork("overdue", 1)
    opened, request = step(state, Touch("entry 1"), OPEN)
    lesion = WORK.entries[0].visit.record.lesion
    assert (opened.page, opened.lesion, request) == (PageName.LESION, lesion, OpenLesion(lesion))
    assert step(state, Touch("entry 4"), OPEN) == (state, None)


def test_worklist_begins_with_the_clinics_where_the_settings_name_one() -> None:
    start, page = State(PageName.START), State(PageName.WORKLIST)
    opened, request = step(start, Touch("worklist"), OPEN)
    assert (opened.page, request) == (PageName.WORKLIST, OpenWork("overdue"))
    assert step(page, Touch("clinic"), OPEN) == (page, None)
    for state, target in ((start, "worklist"), (page, "clinic")):
        opened, command = step(replace(state, clinic_list="ris"), Touch(target), OPEN)
        assert (opened.page, command) == (PageName.SCHEDULED, Command.LOOK_AT_CLINIC_LIST)
    own, request = step(opened, Touch("work"), OPEN)
    assert (own.page, request) == (PageName.WORKLIST, OpenWork("overdue"))
    assert step(opened, Touch("back"), OPEN)[0].page == PageName.START


def test_worklist_is_put_in_order_and_searched_by_identifier() -> None:
    state = State(PageName.WORKLIST)
    assert step(state, Touch("order"), OPEN)[1] == OpenWork("overdue", by_identifier=True)
    found = replace(WORK, by_identifier=True, prefix="P-0")
    searched = Context(desk=replace(DESK, work=found))
    assert step(state, Touch("order"), searched)[1] == OpenWork("overdue")
    for target, request in (
        ("due", OpenWork("due", 0, True, "P-0")),
        ("further", OpenWork("overdue", 1, True, "P-0")),
    ):
        assert step(state, Touch(target), searched)[1] == request
    typing, request = step(state, Touch("find"), searched)
    assert (typing.page, typing.page_state.text, request) == (PageName.KEYBOARD, "P-0", None)
    for event in (Text("0"), Touch("x"), Touch("delete")):
        typing, _ = step(typing, event)
    back, request = step(typing, Key("return"))
    assert (back, request) == (state, OpenWork("overdue", 0, True, "P-00"))
    assert step(typing, Key("escape"))[0].page == PageName.WORKLIST
    # Pictures without a code have no identifier.
    unfiled = Context(desk=replace(DESK, work=replace(WORK, kind=None)))
    for context in (unfiled, Context()):
        for target in ("order", "find"):
            assert step(state, Touch(target), context) == (state, None)


def test_entry_of_the_clinics_list_is_opened_by_touch_and_by_key() -> None:
    state, listed = State(PageName.SCHEDULED), Context(appointments=APPOINTMENTS)
    third = OpenScheduled(APPOINTMENTS.entries[2])
    assert step(state, Touch("appointment 3"), listed) == (state, third)
    assert step(replace(state, focus="appointment 3"), Key("return"), listed)[1] == third
    named = replace(state, names=True)
    assert step(named, Touch("appointment 3"), listed)[1] == replace(third, named=True)
    for _ in range(2):
        state, _ = step(state, Touch("further"), listed)
    assert step(state, Touch("appointment 3"), listed)[1] == OpenScheduled(APPOINTMENTS.entries[10])
    assert step(state, Touch("appointment 4"), listed) == (state, None)
    for _ in range(2):
        state, _ = step(state, Touch("earlier"), listed)
    assert step(state, Touch("appointment 3"), listed)[1] == third


def test_one_of_several_appointments_is_chosen_or_none() -> None:
    own = (APPOINTMENTS.entries[0], replace(APPOINTMENTS.entries[0], time="1500"))
    state = State(PageName.SCHEDULED, page_state=ScheduledState(of_patient=True))
    open_one = Context(desk=DESK, appointments=APPOINTMENTS, listed=own)
    assert step(state, Touch("appointment 2"), open_one) == (state, OpenScheduled(own[1]))
    assert step(state, Touch("appointment 3"), open_one) == (state, None)
    assert step(state, Touch("again"), open_one) == (state, Command.ASK_FOR_CLINIC_LIST)
    asking = replace(open_one, appointments=replace(APPOINTMENTS, asking=True))
    assert step(state, Touch("appointment 2"), asking) == (state, None)
    # One is left, and was taken up meanwhile.
    taken = replace(open_one, desk=replace(DESK, scheduled=own[1]), listed=())
    assert step(state, Touch("appointment 1"), taken) == (state, OpenScheduled(own[1]))
    assert step(state, Touch("back"), open_one) == (State(PageName.PATIENT), None)


def test_list_that_may_change_under_the_finger_is_not_touched_and_asked_for_again() -> None:
    state = State(PageName.SCHEDULED, page_state=ScheduledState(8))
    asking = Context(appointments=replace(APPOINTMENTS, asking=True))
    assert step(state, Touch("appointment 1"), asking) == (state, None)
    assert step(state, Touch("again"), asking)[1] is None
    again = step(state, Touch("again"), Context(appointments=APPOINTMENTS))
    first = State(PageName.SCHEDULED, page_state=ScheduledState())
    assert again == (first, Command.ASK_FOR_CLINIC_LIST)
    # A shorter one begins at its beginning.
    short = Context(appointments=replace(APPOINTMENTS, entries=APPOINTMENTS.entries[:2]))
    _, request = step(state, Touch("appointment 1"), short)
    assert request == OpenScheduled(APPOINTMENTS.entries[0])


def test_two_visits_are_gone_through_and_end_at_both_ends() -> None:
    lesion = State(PageName.LESION)
    state, request = step(lesion, Touch("follow up"), OPEN)
    names = [v.record.identifier for v in VISITS if v.record.kind == "dermoscopic"]
    assert request == CompareVisits(names[1], names[0])
    state, request = step(state, Touch("older"), OPEN)
    assert request == CompareVisits(names[2], names[0])
    for _ in range(4):
        state, request = step(state, Touch("older"), OPEN)
    assert (state.page_state.earlier, request) == (3, None)
    state, _ = step(state, Touch("flicker"), OPEN)
    state = step(state, Pinch(2.0), OPEN)[0]
    assert state.page_state == FollowUpState(3, "flicker", state.page_state.zoom)
    assert state.page_state.zoom.by == pytest.approx(2.0)
    alone = Context(desk=replace(DESK, visits=VISITS[:1]))
    assert step(lesion, Touch("follow up"), alone) == (lesion, None)


def test_picture_is_made_larger_by_buttons_keys_and_two_fingers() -> None:
    state = State(PageName.PICTURE, page_state=PictureState("x"))
    by_button = step(state, Touch("larger"), OPEN)[0]
    assert step(state, Key("="), OPEN)[0].page_state == by_button.page_state
    assert by_button.page_state.zoom.by == pytest.approx(1.5)
    assert step(by_button, Touch("smaller"), OPEN)[0].page_state.zoom.by == pytest.approx(1.0)
    assert step(state, Pinch(3.0), OPEN)[0].page_state.zoom.by == pytest.approx(3.0)
    moved = step(step(state, Pinch(3.0), OPEN)[0], Key("end"), OPEN)[0]
    assert moved.page_state.zoom.x > 0.5
    corner = Touch("picture", 0.0, Place(0, 0, 300, 300))
    assert step(by_button, corner, OPEN)[0].page_state.zoom.x == 0.5, "it is not read yet"
    shown = replace(by_button.page_state, identifier=PICTURE.record.identifier)
    assert step(replace(by_button, page_state=shown), corner, OPEN)[0].page_state.zoom.x < 0.5
    from_list = State(PageName.PICTURE, page_state=PictureState("x", PageName.WORKLIST))
    assert step(from_list, Touch("back"), OPEN)[0].page == PageName.WORKLIST


def test_what_lies_on_the_desk_of_another_picture_or_lesion_is_not_acted_upon() -> None:
    """While the one that was asked for is read, or where it cannot be."""
    mine = State(PageName.PICTURE, page_state=PictureState(PICTURE.record.identifier))
    decided, _ = step(mine, Touch("decide"), OPEN)
    assert decided.page_state.subject == PICTURE.record.identifier
    assert decided.page_state.action is Action.FOLLOW_UP
    other = replace(mine, page_state=PictureState("another"))
    assert step(other, Touch("decide"), OPEN) == (other, None)
    lesion = State(PageName.LESION, lesion=LESIONS[1].lesion.key)
    desk = replace(DESK, lesion=LESIONS[0].lesion.key, opened=LESIONS[0].lesion)
    for target in ("picture 1", "follow up"):
        assert step(lesion, Touch(target), Context(desk=desk)) == (lesion, None)
    snapshot = Snapshot(
        state=lesion, live=LiveView(None), clock=NOON, source="demo", signed_by="", desk=desk
    )
    shown = page_class(PageName.LESION).view(snapshot)
    assert (shown.visits, shown.kept) == ((), False)
    there = page_class(PageName.LESION).view(
        replace(snapshot, state=replace(lesion, lesion=LESIONS[0].lesion.key))
    )
    assert (there.visits, there.kept) == (VISITS, True)


def test_picture_of_the_region_is_not_decided_on() -> None:
    region = msgspec.structs.replace(PICTURE.record, kind=PictureKind.REGION)
    context = Context(desk=replace(DESK, picture=replace(PICTURE, record=region)))
    state = State(PageName.PICTURE, page_state=PictureState(region.identifier))
    assert step(state, Touch("decide"), context) == (state, None)


@pytest.mark.parametrize(
    ("page", "target", "page_state"),
    [
        (PageName.LESION, "back", None),
        (PageName.PATIENT, "back", None),
        (PageName.DECISION, "keep", DecisionForm("x", Action.NOTHING)),
    ],
)
def test_the_region_is_left_with_its_lesion(
    page: PageName, target: str, page_state: object
) -> None:
    state = State(page, lesion="c" * 32, region=True, page_state=page_state)
    left, _ = step(state, Touch(target), OPEN)
    assert (left.lesion, left.region) == (None, False)


def test_day_to_be_seen_again_stays_unless_it_is_chosen_anew() -> None:
    earlier = Decision(
        decided=NOON - timedelta(days=100), role=Role.FIELD, action=Action.FOLLOW_UP,
        due=months_later((NOON - timedelta(days=100)).date(), 6),
    )  # fmt: skip
    state = State(PageName.DECISION, page_state=form_of("x", earlier))
    assert state.page_state.months == 6
    context = replace(OPEN, now=NOON)
    noted, _ = step(state, Touch("disagree"), context)
    _, request = step(noted, Touch("keep"), context)
    assert (request.decision.due, request.decision.decided) == (earlier.due, NOON)
    # What was decided on another day is no longer six months from then.
    assert form_of("x", request.decision).months is None
    other, _ = step(state, Touch("12 months"), context)
    _, request = step(other, Touch("keep"), context)
    assert request.decision.due == months_later(NOON.date(), 12)
    off, _ = step(state, Touch("6 months"), context)
    assert (off.page_state.action, off.page_state.due) == (None, None)


def test_who_names_another_diagnosis_in_words_agrees_with_the_model_no_more() -> None:
    agreed = DecisionForm("x", Action.EXCISE, diagnosis="mel", agrees=True)
    for form, agrees in ((agreed, None), (replace(agreed, agrees=False), False)):
        typing = KeyboardState(Field.DIAGNOSIS, "Scar", form)
        done, _ = step(State(PageName.KEYBOARD, page_state=typing), Touch("done"))
        assert (done.page_state.other, done.page_state.diagnosis) == ("Scar", None)
        assert done.page_state.agrees is agrees
    # Whoever said so of words alone goes on saying so.
    typing = KeyboardState(Field.DIAGNOSIS, "Melanoma in situ", DecisionForm("x", agrees=True))
    done, _ = step(State(PageName.KEYBOARD, page_state=typing), Touch("done"))
    assert done.page_state.agrees is True


@pytest.mark.parametrize("typed", ["¹⁹⁵²", "١٩٥٢", "19a2"])
def test_year_of_birth_is_typed_in_digits(typed: str) -> None:
    form = DetailsForm("P-9")
    state = State(PageName.KEYBOARD, page_state=KeyboardState(Field.BIRTH_YEAR, "", form))
    assert step(state, Text(typed))[0] == state
    there = replace(state, page_state=KeyboardState(Field.BIRTH_YEAR, typed, form))
    assert step(there, Touch("done"))[0].page_state.birth_year is None


def test_picture_is_filed_by_hand() -> None:
    state = State(PageName.PICTURE, page_state=PictureState("x"))
    assert step(state, Touch("file"), OPEN)[0] == State(PageName.PATIENT, filing="x")
    assert step(state, Touch("file"), Context())[0] == State(PageName.START, filing="x")


def test_pin_is_entered_and_never_stays() -> None:
    state = State(PageName.PIN)
    for event in (*(Touch(figure) for figure in "123"), Text("x"), Touch("delete"), Text("4")):
        state, _ = step(state, event)
    after, request = step(state, Touch("open"))
    assert (after.page_state, request) == (None, Unlock("1234"))
    assert "1234" not in repr(request)
    assert step(State(PageName.PIN), Touch("open"))[1] is None
    assert step(state, Touch("lock")) == (State(PageName.PIN), Lock())


CLINICIAN = Access(Protection.PIN, Holder("Dr Silva", Role.CLINICIAN))
FIELD = Access(Protection.PIN, Holder("Nurse", Role.FIELD))
BESIDE = Access(Protection.NOTHING, Holder("instrument", Role.CLINICIAN))


def test_pins_are_reached_from_where_one_is_entered_by_whoever_is_in() -> None:
    for access, page in (
        (BESIDE, PageName.HOLDERS),
        (FIELD, PageName.HOLDERS),
        (Access(Protection.PIN, None), PageName.PIN),
        (None, PageName.PIN),
    ):
        context = Context(desk=Desk(access=access))
        opened, request = step(State(PageName.PIN), Touch("open"), context)
        assert opened.page == page
        assert request == (ListHolders() if page == PageName.HOLDERS else None)


def test_only_whoever_may_gives_pins_and_only_with_a_pin_is_there_an_own_one() -> None:
    holders = (CLINICIAN.holder, FIELD.holder)
    for access, own, others in (
        (CLINICIAN, True, True),
        (FIELD, True, False),
        (BESIDE, False, True),
    ):
        context = Context(desk=Desk(access=access, holders=holders))
        for target, leads, page in (
            ("own", own, PageName.NEW_PIN),
            ("add", others, PageName.HOLDER),
            ("holder 2", others, PageName.HOLDER),
            ("holder 3", False, PageName.HOLDER),
        ):
            state, request = step(State(PageName.HOLDERS), Touch(target), context)
            assert (state.page == page, request) == (leads, None)
    context = Context(desk=Desk(access=CLINICIAN, holders=holders))
    state, _ = step(State(PageName.HOLDERS), Touch("holder 2"), context)
    assert state.page_state == HolderForm("Nurse", Role.FIELD, FIELD.holder)


def test_first_pin_is_a_clinicians_unless_that_is_changed() -> None:
    for holders, role in (((), Role.CLINICIAN), ((CLINICIAN.holder,), Role.FIELD)):
        context = Context(desk=Desk(access=BESIDE, holders=holders))
        state, _ = step(State(PageName.HOLDERS), Touch("add"), context)
        assert state.page_state == HolderForm(role=role)


def test_pin_is_given_to_a_name_with_a_role() -> None:
    state = State(PageName.HOLDER, page_state=HolderForm())
    assert step(state, Touch("set"), OPEN)[0] == state
    state, _ = step(state, Touch("name"), OPEN)
    for letter in "ana":
        state, _ = step(state, Touch(letter), OPEN)
    state, _ = step(state, Touch("done"), OPEN)
    state, _ = step(state, Touch("service"), OPEN)
    assert state.page_state == HolderForm("Ana", Role.SERVICE)
    state, _ = step(state, Touch("set"), OPEN)
    holder = Holder("Ana", Role.SERVICE)
    assert (state.page, state.page_state) == (PageName.NEW_PIN, NewPinForm(holder))
    for entered in ("12345", "123456", "123456"):
        for figure in entered:
            state, _ = step(state, Touch(figure), OPEN)
        state, request = step(state, Touch("next"), OPEN)
        if entered == "12345":
            # Too short to be one: nothing happens until it is long enough.
            assert state.page_state.entered == "12345"
            for _ in entered:
                state, _ = step(state, Key("backspace"), OPEN)
    assert request == SetPin(holder, "123456")
    assert "123456" not in repr(request)
    # While it is kept nothing else is entered.
    assert step(state, Touch("7"), OPEN) == (state, None)
    assert step(state, Text("7"), OPEN) == (state, None)


def test_own_pin_is_changed_after_the_old_one() -> None:
    state = State(PageName.NEW_PIN, page_state=NewPinForm())
    for entered in ("111111", "222222", "222222"):
        state, _ = step(state, Text(entered), OPEN)
        state, request = step(state, Key("return"), OPEN)
    assert request == ChangePin("111111", "222222")


def test_pin_with_letters_is_entered_by_touch() -> None:
    state, _ = step(State(PageName.PIN, page_state="47"), Touch("letters"), OPEN)
    assert state.page_state == KeyboardState(Field.PIN, "47")
    state, _ = step(state, Touch("x"), OPEN)
    state, _ = step(state, Touch("done"), OPEN)
    assert (state.page, state.page_state) == (PageName.PIN, "47x")
    new = State(PageName.NEW_PIN, page_state=NewPinForm(entered="47"))
    state, _ = step(new, Touch("letters"), OPEN)
    state, _ = step(state, Touch("y"), OPEN)
    state, _ = step(state, Touch("done"), OPEN)
    assert (state.page, state.page_state.entered) == (PageName.NEW_PIN, "47y")


def test_pin_is_taken_away_where_that_is_touched_twice() -> None:
    form = HolderForm("Nurse", Role.FIELD, FIELD.holder)
    state, request = step(State(PageName.HOLDER, page_state=form), Touch("remove"), OPEN)
    assert (state.page_state.removing, request) == (True, None)
    assert step(state, Touch("remove"), OPEN)[1] == RemovePin("Nurse")
    assert not step(state, Touch("clinician"), OPEN)[0].page_state.removing
    new = State(PageName.HOLDER, page_state=HolderForm("Ana"))
    assert step(new, Touch("remove"), OPEN) == (new, None)


@pytest.mark.parametrize(
    ("keys", "typed"),
    [
        (("j", "o", "accents", "s", "o"), "João"),
        (("accents", "a", "n", "accents", "u"), "Ánú"),
        (("accents", "capitals", "n", "x"), "ÑX"),
        # A key that has no accented letter does nothing, and none is typed by accident.
        (("accents", "z", "accents", "z"), "Z"),
    ],
)
def test_letters_of_spanish_and_portuguese_are_typed(keys: tuple[str, ...], typed: str) -> None:
    state = State(PageName.KEYBOARD, page_state=KeyboardState(Field.NAME, "", DetailsForm("P-1")))
    for key in keys:
        state, _ = step(state, Touch(key), OPEN)
    assert state.page_state.text == typed


def test_every_letter_that_spanish_and_portuguese_have_is_there() -> None:
    assert set("áéíóúüñ" + "ãõâêôàç") == set(ACCENTED.values())


def test_one_of_several_patients_is_chosen_or_a_new_one_added() -> None:
    desk = Desk(unknown="P-0047", matches=Matches((PATIENT,)))
    context, state = Context(desk=desk), State(PageName.FOUND)
    assert step(state, Touch("patient 1"), context) == (state, FindPatient(PATIENT.identifier))
    assert step(state, Touch("patient 2"), context) == (state, None)
    added, request = step(state, Touch("add"), context)
    assert (added.page, added.page_state, request) == (
        PageName.DETAILS, DetailsForm("P-0047"), None,
    )  # fmt: skip
    listed = replace(context, listed=APPOINTMENTS.entries[:1])
    assert step(state, Touch("add"), listed)[0].page_state.birth_year == 1961


@pytest.mark.parametrize(("abstention", "told"), [(None, True), ("unfamiliar", False)])
def test_similar_lesions_are_told_where_one_decides_unless_nothing_is_to_be_read(
    abstention: str | None, told: bool
) -> None:
    finding = replace(make_finding("mel", 0.6, abstention=abstention), similar=("mel", "nv"))
    held = Snapshot(
        state=State(PageName.DECISION, frozen=True, page_state=DecisionForm(Shot())),
        live=LiveView(None, finding),
        clock=NOON,
        source="demo",
        signed_by="",
    )
    record = msgspec.structs.replace(PICTURE.record, finding=to_record(finding, "", []))
    desk = replace(DESK, picture=replace(PICTURE, record=record))
    opened = replace(
        held, state=State(PageName.DECISION, page_state=DecisionForm(record.identifier)), desk=desk
    )
    page = page_class(PageName.DECISION)
    for snapshot in (held, opened):
        assert page.view(snapshot).similar == (("mel", "nv") if told else ())
    other = replace(opened, state=State(PageName.DECISION, page_state=DecisionForm("another")))
    assert page.view(other).similar == ()
