"""The page on which the clinician decides: what is done, and if wanted the own diagnosis."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.diagnoses import SCREEN_ORDER, Code
from device.faults import Fault
from device.inference.finding import Finding
from device.records.model import finding_of
from device.records.patients import Action, Role
from device.records.words import ACTIONS, PROOFS
from device.runtime.desk import Desk
from device.runtime.requests import Decide, OpenPicture
from device.screen import theme
from device.screen.canvas import Button
from device.screen.conclusion import conclusion_of, draw_conclusion
from device.screen.events import Target
from device.screen.forms import (
    MONTHS,
    DecisionForm,
    decision_of,
    with_diagnosis,
    with_next_proof,
)
from device.screen.grid import rows_of_targets, second_row, tiled, work_area
from device.screen.headings import draw_label
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.pages.keyboard import Field, KeyboardState
from device.screen.pages.picture import PictureState
from device.screen.records_wording import similar_line
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page, without_lesion
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording

_LABEL: Final = 30
_CONCLUSION: Final = 54
_MARGIN: Final = 26


class DecisionControl(StrEnum):
    """The page's own targets, beside the diagnoses."""

    NOTHING = "nothing"
    REFER = "refer"
    EXCISE = "excise"
    SOON = "3 months"
    LATER = "6 months"
    YEAR = "12 months"
    AGREE = "agree"
    DISAGREE = "disagree"
    OTHER = "other"
    PROOF = "proof"
    NOTE = "note"
    KEEP = "keep"


_ACTIONS: Final = (
    DecisionControl.NOTHING,
    DecisionControl.SOON,
    DecisionControl.REFER,
    DecisionControl.LATER,
    DecisionControl.EXCISE,
    DecisionControl.YEAR,
)
_OF: Final[Mapping[Target, tuple[Action, int | None]]] = {
    DecisionControl.NOTHING: (Action.NOTHING, None),
    DecisionControl.REFER: (Action.REFER, None),
    DecisionControl.EXCISE: (Action.EXCISE, None),
    DecisionControl.SOON: (Action.FOLLOW_UP, MONTHS[0]),
    DecisionControl.LATER: (Action.FOLLOW_UP, MONTHS[1]),
    DecisionControl.YEAR: (Action.FOLLOW_UP, MONTHS[2]),
}
_OPINION: Final = (DecisionControl.AGREE, DecisionControl.DISAGREE)
_DIAGNOSES: Final = (*SCREEN_ORDER, DecisionControl.OTHER)


@dataclass(frozen=True, slots=True, eq=False)
class DecisionView(PageView):
    """A decision's form.

    Attributes
    ----------
    form
        As far as it is filled in.
    finding
        What the model said, or None.
    similar
        Diagnoses of the proven lesions that look most like the picture, or none.
    fault
        Why it was not kept, or None.
    frozen
        A picture is held.
    """

    page: ClassVar[PageName] = PageName.DECISION
    form: DecisionForm
    finding: Finding | None = None
    similar: tuple[Code, ...] = ()
    fault: Fault | None = None
    frozen: bool = False


class DecisionPage(Page):
    """Decides about an examination."""

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row; actions and opinion, and beside or below them the diagnoses."""
        row = (Control.SHUTTER, DecisionControl.NOTE, DecisionControl.KEEP, Control.BACK)
        actions, opinion, diagnoses = _areas(layout)
        return {
            **dict(zip(row, layout.row, strict=True)),
            **dict(zip(_ACTIONS, tiled(layout, actions, 3, 2), strict=True)),
            **dict(zip(_OPINION, layout.columns(opinion, 2), strict=True)),
            **dict(zip(_DIAGNOSES, tiled(layout, diagnoses, 4, 2), strict=True)),
            DecisionControl.PROOF: _proof_area(layout),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then actions, opinion, diagnoses."""
        row = (Control.SHUTTER, DecisionControl.NOTE, DecisionControl.KEEP, Control.BACK)
        return (*row, *_ACTIONS, *_OPINION, *_DIAGNOSES, DecisionControl.PROOF)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Fill in, or keep what was filled in."""
        form = form_in(state)
        if target == DecisionControl.KEEP:
            if form.action is None or form.subject is None:
                return state, None
            access = context.desk.access
            role = access.role if access and access.role else Role.CLINICIAN
            request = Decide(form.subject, decision_of(form, context.now, role))
            return _after(state, context), request
        if target == DecisionControl.NOTE:
            return replace(with_page(state, PageName.NOTE), page_state=form), None
        if target == DecisionControl.OTHER:
            typing = KeyboardState(Field.DIAGNOSIS, form.other, form)
            return replace(with_page(state, PageName.KEYBOARD), page_state=typing), None
        if target == DecisionControl.PROOF:
            return replace(state, page_state=with_next_proof(form)), None
        if target in _OF:
            action, months = _OF[target]
            again = (form.action, form.months) == (action, months)
            form = replace(form, action=action, months=months, due=None)
            form = replace(form, action=None, months=None) if again else form
        elif target in _OPINION:
            agrees = target == DecisionControl.AGREE
            form = replace(form, agrees=None if form.agrees == agrees else agrees)
        else:
            held = context.finding if form.subject is context.shot else None
            form = with_diagnosis(form, Code(target), held or _kept_finding(form, context.desk))
        return replace(state, page_state=form), None

    @classmethod
    def left(cls, state: State) -> Step:
        """Go back undecided: to the picture that is held, or to the one that was opened."""
        subject = form_in(state).subject
        if not isinstance(subject, str):
            return with_page(state, PageName.LIVE), None
        before = PageName.WORKLIST if state.lesion is None else PageName.LESION
        opened = with_page(state, PageName.PICTURE)
        return replace(opened, page_state=PictureState(subject, before)), OpenPicture(subject)

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the form, and what the model said."""
        state, form = snapshot.state, form_in(snapshot.state)
        finding = _kept_finding(form, snapshot.desk)
        if state.frozen and not isinstance(form.subject, str):
            finding = snapshot.live.finding
        return DecisionView(
            form,
            finding,
            finding.similar if finding and finding.rankable else (),
            snapshot.desk.fault,
            state.frozen,
        )

    def draw(self, view: DecisionView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        form, translate = view.form, wording.translate
        follow_up = {
            control: translate("See again in {months} months", months=months)
            for control, (_, months) in _OF.items()
            if months
        }
        labels: dict[Target, str] = {
            **follow_up,
            DecisionControl.NOTHING: translate(ACTIONS[Action.NOTHING]),
            DecisionControl.REFER: translate(ACTIONS[Action.REFER]),
            DecisionControl.EXCISE: translate(ACTIONS[Action.EXCISE]),
        }
        chosen = (form.action, form.months)
        ready = form.action is not None
        buttons: dict[Target, Button] = {
            DecisionControl.NOTE: Button(translate("Note"), bool(form.note)),
            DecisionControl.KEEP: Button(translate("Keep"), True if ready else None),
            **{control: Button(labels[control], _OF[control] == chosen) for control in _ACTIONS},
            DecisionControl.AGREE: Button(translate("I agree"), form.agrees is True),
            DecisionControl.DISAGREE: Button(translate("I do not agree"), form.agrees is False),
            **{code: Button(wording.names[code], code == form.diagnosis) for code in SCREEN_ORDER},
            DecisionControl.OTHER: Button(
                form.other or translate("Other diagnosis"), bool(form.other)
            ),
            DecisionControl.PROOF: Button(
                translate(PROOFS[form.proof]) if form.proof else translate("Proven?"),
                form.proof is not None if form.diagnosed else None,
            ),
        }
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        actions, opinion, diagnoses = _areas(self.canvas.layout)
        done = translate("What is done")
        if form.due is not None:
            done = f"{done}: {translate('Follow up {date}', date=form.due.isoformat())}"
        self._label(actions, done)
        self._label(diagnoses, translate("Own diagnosis"))
        self._draw_model(opinion, view.finding, wording)
        page = work_area(self.canvas.layout)
        top = max(opinion.bottom, diagnoses.bottom) + self.canvas.layout.px(10)
        foot = Rect(page.left, top, page.width, page.bottom - top)
        self.canvas.part(
            foot,
            (form.note, form.resumed, similar_line(view.similar, wording), view.fault),
            lambda shown: self._draw_foot(foot, *shown, wording),
        )

    def _draw_foot(
        self,
        area: Rect,
        note: str,
        resumed: bool,
        similar: str,
        fault: Fault | None,
        wording: Wording,
    ) -> None:
        """Draw why it is not kept, else the note, else what similar lesions were."""
        words, colour = note or similar, self.palette.text
        if fault is not None:
            words, colour = wording.sentence(fault), self.palette.warning
        elif resumed:
            words = wording.translate("Entered before it was locked, and not kept yet.")
            colour = self.palette.warning
        _, size = self.canvas.fitting(([words],), (20, theme.SMALL, 15), area)
        self.canvas.draw_paragraph(words, size, area, colour)

    def _draw_model(self, choices: Rect, finding: Finding | None, wording: Wording) -> None:
        """Draw what the model said above the choices that are about it."""
        px, model = self.canvas.layout.px, wording.translate("Model")
        above = Rect(choices.left, choices.top - px(_CONCLUSION), choices.width, px(_CONCLUSION))
        above.height -= px(4)
        if finding is None:
            draw_label(self.canvas, above, model)
            return
        self.canvas.part(
            above,
            conclusion_of(finding, wording),
            lambda shown: draw_conclusion(self.canvas, above, shown, model),
        )

    def _label(self, choices: Rect, words: str) -> None:
        px = self.canvas.layout.px
        above = Rect(choices.left, choices.top - px(_LABEL), choices.width, px(_LABEL) - px(2))
        draw_label(self.canvas, above, words)


def _kept_finding(form: DecisionForm, desk: Desk) -> Finding | None:
    """Return what the model said of a kept picture that is decided about, or None."""
    picture = desk.picture_of(form.subject)
    return finding_of(picture.record) if picture is not None else None


def form_in(state: State) -> DecisionForm:
    """Return the form that a page remembers."""
    return state.page_state if isinstance(state.page_state, DecisionForm) else DecisionForm()


def _areas(layout: Layout) -> tuple[Rect, Rect, Rect]:
    """Return where actions, the opinion of the model and diagnoses are chosen."""
    page, label = layout.page, layout.px(_LABEL)
    width = page.width
    if not layout.portrait:
        width = (page.width - layout.px(_MARGIN)) // 2
    actions = rows_of_targets(layout, (page.left, page.top + label), width, 3)
    below = actions.bottom + layout.px(_CONCLUSION)
    opinion = rows_of_targets(layout, (page.left, below), width, 1)
    top = (page.left, opinion.bottom + label)
    if not layout.portrait:
        top = (page.right - width, page.top + label)
    return actions, opinion, rows_of_targets(layout, top, width, 4)


def _proof_area(layout: Layout) -> Rect:
    """Return the half of the second row that is nearer to Keep."""
    _, _, third, fourth = second_row(layout)
    return third.union(fourth)


def _after(state: State, context: Context) -> State:
    """Return where a decision leads: to the patient's next lesion, or back to the live view."""
    page = PageName.PATIENT if context.desk.patient is not None else PageName.LIVE
    return replace(with_page(without_lesion(state), page), frozen=False)


PAGE = DecisionPage
