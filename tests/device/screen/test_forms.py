from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.diagnoses import Code
from device.records.access import Holder
from device.records.patients import Action, Proof, Role
from device.screen.forms import (
    MONTHS,
    DecisionForm,
    NewPinForm,
    after_pin,
    decision_of,
    form_of,
    months_later,
    with_diagnosis,
    with_next_proof,
)
from tests.device.screen.findings import make_finding

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@given(day=st.dates(date(1970, 1, 1), date(2100, 1, 1)), months=st.integers(1, 24))
def test_months_later_is_in_that_month_and_no_later_in_it(day: date, months: int) -> None:
    later = months_later(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later.day >= 28))


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 3, 4), 6, date(2026, 9, 4)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2027, 11, 30), 3, date(2028, 2, 29)),
        (date(2026, 12, 31), 6, date(2027, 6, 30)),
    ],
)
def test_last_of_a_month_stays_the_last(day: date, months: int, later: date) -> None:
    assert months_later(day, months) == later


@pytest.mark.parametrize("months", MONTHS)
def test_decision_is_read_back_as_it_was_filled_in(months: int) -> None:
    form = DecisionForm(
        "x", Action.FOLLOW_UP, months, Code.NV, agrees=False, note="Itches or bleeds"
    )
    decision = decision_of(form, NOON, Role.FIELD)
    assert (decision.role, decision.decided) == (Role.FIELD, NOON)
    assert decision.due == months_later(NOON.date(), months)
    assert form_of("x", decision) == replace(form, due=decision.due)
    assert form_of("x", None) == DecisionForm("x")


def test_only_what_is_followed_up_is_due() -> None:
    for action in (Action.NOTHING, Action.REFER, Action.EXCISE):
        assert decision_of(DecisionForm("x", action), NOON, Role.CLINICIAN).due is None


def test_whoever_names_what_the_model_named_agrees() -> None:
    finding = make_finding("mel", 0.7)
    form = with_diagnosis(DecisionForm("x", other="Lichen planus"), Code.MEL, finding)
    assert (form.diagnosis, form.agrees, form.other) == (Code.MEL, True, "")
    assert with_diagnosis(form, Code.NV, finding).agrees is False
    # Touched again it is taken back.
    assert with_diagnosis(form, Code.MEL, finding).diagnosis is None
    unfamiliar = replace(finding, abstention="unfamiliar")
    for nothing_said in (None, unfamiliar):
        assert with_diagnosis(DecisionForm("x"), Code.MEL, nothing_said).agrees is None


def test_diagnosis_is_proven_in_one_way_after_another_and_nothing_else_is() -> None:
    form = DecisionForm("x", Action.EXCISE, diagnosis=Code.MEL)
    ways = []
    for _ in range(len(Proof) + 1):
        form = with_next_proof(form)
        ways.append(form.proof)
    assert ways == [*Proof, None]
    assert with_next_proof(DecisionForm("x", Action.EXCISE)).proof is None
    other = with_next_proof(DecisionForm("x", Action.EXCISE, other="Lichen planus"))
    assert other.proof == Proof.HISTOPATHOLOGY
    assert with_diagnosis(replace(other, diagnosis=Code.MEL), Code.MEL, None).proof is None


def test_proof_outlives_a_decision_that_is_entered_anew() -> None:
    form = DecisionForm("x", Action.EXCISE, diagnosis=Code.MEL, proof=Proof.HISTOPATHOLOGY)
    again = form_of("x", decision_of(form, NOON, Role.CLINICIAN))
    assert again == form
    assert decision_of(replace(again, diagnosis=None), NOON, Role.CLINICIAN).proof is None


def test_new_pin_is_entered_twice_and_ones_own_after_the_old_one() -> None:
    form = NewPinForm(Holder("Dr Silva", Role.CLINICIAN))
    assert after_pin(form) == form
    for entered in ("471100", "471101"):
        form = after_pin(replace(form, entered=entered))
    assert (form.unlike, form.new, form.waiting) == (True, "", False)
    for entered in ("471100", "471100"):
        form = after_pin(replace(form, entered=entered))
    assert (form.waiting, form.new, form.entered) == (True, "471100", "")
    own = NewPinForm()
    for entered in ("111111", "222222", "222222"):
        assert not own.waiting
        own = after_pin(replace(own, entered=entered))
    assert (own.old, own.new, own.waiting) == ("111111", "222222", True)
    assert "222222" not in repr(own)
