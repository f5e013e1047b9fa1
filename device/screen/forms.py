"""What is filled in on a page, before it is kept. Plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from device.diagnoses import Code
from device.inference.finding import Finding
from device.records.access import Holder
from device.records.listing import WorkKind
from device.records.orders import Scheduled
from device.records.patients import Action, Decision, Key, Patient, Proof, Role, Sex

MONTHS: Final = (3, 6, 12)
"""After how many a lesion can be seen again."""

LONGEST_NOTE: Final = 500
LONGEST_NAME: Final = 64
LONGEST_PIN: Final = 64


@dataclass(frozen=True, slots=True)
class DetailsForm:
    """What is entered of a patient.

    Attributes
    ----------
    identifier, name, birth_year, sex, phototype
        As `device.records.patients.Patient` has them.
    before
        The patient as it is kept; None for one who is not yet.
    """

    identifier: str = ""
    name: str = ""
    birth_year: int | None = None
    sex: Sex | None = None
    phototype: int | None = None
    before: Patient | None = None


@dataclass(frozen=True, slots=True)
class DecisionForm:
    """What is entered of a decision.

    Attributes
    ----------
    subject
        The shot whose picture is held, or the identifier of a kept examination.
    action, months
        What is done, and after how many months the lesion is seen again.
    diagnosis, other
        The clinician's own: one of the seven, or in words.
    agrees
        Whether the clinician agrees with the model, where that was said.
    proof
        How the diagnosis was proven; None while it is clinical.
    note
        In the clinician's words.
    due
        When it is seen again, where that was decided before and is not chosen anew.
    resumed
        It was filled in before the records were locked.
    """

    subject: object = None
    action: Action | None = None
    months: int | None = None
    diagnosis: Code | None = None
    other: str = ""
    agrees: bool | None = None
    proof: Proof | None = None
    note: str = ""
    due: date | None = None
    resumed: bool = False

    @property
    def diagnosed(self) -> bool:
        """Whether a diagnosis is entered."""
        return self.diagnosis is not None or bool(self.other)


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision that was being entered when the records were locked.

    Attributes
    ----------
    form
        As far as it was filled in.
    role
        Of whoever filled it in; None where the records were locked already.
    lesion
        The lesion that was open, or None.
    scheduled
        The entry of the clinic's worklist that its patient was opened by, or None.
    """

    form: DecisionForm
    role: Role | None = None
    lesion: Key | None = None
    scheduled: Scheduled | None = None


def new_details(identifier: str, listed: Sequence[Scheduled], named: bool) -> DetailsForm:
    """Return the form of a patient who is not known yet, with what the clinic's list tells.

    Parameters
    ----------
    listed
        The list's entries of this identifier; where they contradict each other nothing is taken.
    named
        The clinic's settings allow patients' names.
    """
    told = {(one.name, one.birth_year, one.sex) for one in listed}
    if len(told) != 1:
        return DetailsForm(identifier)
    name, birth_year, sex = told.pop()
    return DetailsForm(identifier, name if named else "", birth_year, sex)


def form_of(subject: object, before: Decision | None) -> DecisionForm:
    """Return the form for an examination, with what was decided before."""
    if before is None:
        return DecisionForm(subject)
    day = before.decided.astimezone().date()
    return DecisionForm(
        subject,
        before.action,
        next((each for each in MONTHS if months_later(day, each) == before.due), None),
        before.diagnosis,
        before.other_diagnosis,
        before.agrees,
        before.proof,
        before.note,
        before.due,
    )


def with_next_proof(form: DecisionForm) -> DecisionForm:
    """Return the form with the next way in which a diagnosis can be proven, or with none."""
    if not form.diagnosed:
        return form
    ways = (None, *Proof)
    return replace(form, proof=ways[(ways.index(form.proof) + 1) % len(ways)])


def with_diagnosis(form: DecisionForm, code: Code, finding: Finding | None) -> DecisionForm:
    """Return the form with the clinician's diagnosis, or without it where it was that already.

    Whoever names what the model named agrees with it, unless the other is said.
    """
    if form.diagnosis == code:
        return replace(form, diagnosis=None, agrees=None, proof=None)
    agrees = code == finding.leading if finding is not None and finding.rankable else None
    return replace(form, diagnosis=code, other="", agrees=agrees)


def decision_of(form: DecisionForm, now: datetime, role: Role) -> Decision:
    """Return a filled-in form as the decision that is kept.

    Parameters
    ----------
    now
        Local time.
    role
        Of whoever decides.
    """
    assert form.action is not None
    due = None
    if form.action == Action.FOLLOW_UP:
        due = form.due or months_later(now.date(), form.months or MONTHS[0])
    return Decision(
        decided=now,
        role=role,
        action=form.action,
        due=due,
        diagnosis=form.diagnosis,
        other_diagnosis=form.other,
        agrees=form.agrees,
        proof=form.proof if form.diagnosed else None,
        note=form.note,
    )


def months_later(day: date, months: int) -> date:
    """Return the same day of a later month, or its last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError(day)


@dataclass(frozen=True, slots=True)
class HolderForm:
    """Whom a PIN is given.

    Attributes
    ----------
    name, role
        As `device.records.access.Holder` has them.
    before
        Whoever has one already, or None.
    removing
        It was touched once that it is taken away.
    """

    name: str = ""
    role: Role = Role.CLINICIAN
    before: Holder | None = None
    removing: bool = False


@dataclass(frozen=True, slots=True)
class NewPinForm:
    """A new PIN, as far as it was entered.

    Attributes
    ----------
    holder
        Who is given it; None for whoever changes their own.
    old
        Their own, as it is.
    new
        The new one, once it was entered for the first time.
    entered
        What is being entered.
    unlike
        It was not the same the second time.
    waiting
        It is being kept.
    """

    holder: Holder | None = None
    old: str = field(default="", repr=False)
    new: str = field(default="", repr=False)
    entered: str = field(default="", repr=False)
    unlike: bool = False
    waiting: bool = False

    @property
    def asks_old(self) -> bool:
        """Whether the old one comes next."""
        return self.holder is None and not self.old


def after_pin(form: NewPinForm) -> NewPinForm:
    """Return the form after what was entered is taken as the old, the new, or the same again."""
    if not form.entered:
        return form
    if form.asks_old:
        return replace(form, old=form.entered, entered="")
    if not form.new:
        return replace(form, new=form.entered, entered="")
    if form.entered != form.new:
        return replace(form, new="", entered="", unlike=True)
    return replace(form, entered="", waiting=True)


@dataclass(frozen=True, slots=True)
class SearchForm:
    """What is looked for in the worklist by the beginning of an identifier.

    Attributes
    ----------
    kind
        That is listed.
    """

    kind: WorkKind
