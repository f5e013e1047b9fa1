"""The page on which a patient is added, or what is known of one is changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

import msgspec
from pygame import Rect

from device.faults import Fault
from device.records.patients import Sex
from device.records.roles import Permission, may
from device.records.words import SEXES
from device.runtime.desk import Desk
from device.runtime.requests import AddPatient, ChangePatient
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.forms import DetailsForm
from device.screen.grid import second_row
from device.screen.headings import draw_heading, draw_label
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.pages.keyboard import Field, KeyboardState
from device.screen.records_wording import roman
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording

_HEADER: Final = 92
_LABEL: Final = 30


class TypeControl(StrEnum):
    """Fitzpatrick's phototypes."""

    ONE = "I"
    TWO = "II"
    THREE = "III"
    FOUR = "IV"
    FIVE = "V"
    SIX = "VI"


class DetailsControl(StrEnum):
    """The page's own targets, beside sexes and phototypes."""

    NAME = "name"
    BIRTH_YEAR = "birth year"
    KEEP = "keep"
    DELETE = "delete patient"


@dataclass(frozen=True, slots=True, eq=False)
class DetailsView(PageView):
    """A patient's form.

    Attributes
    ----------
    form
        As far as it is filled in.
    names
        The clinic's settings allow names.
    fault
        Why it was not kept, or None.
    frozen
        A picture is held.
    deletes
        Whoever opened the records may delete the patient.
    """

    page: ClassVar[PageName] = PageName.DETAILS
    form: DetailsForm
    names: bool = False
    fault: Fault | None = None
    frozen: bool = False
    deletes: bool = False


class DetailsPage(Page):
    """Adds a patient, or changes what is known of one, or leads to deleting one."""

    parent: ClassVar[PageName | None] = PageName.START

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, a button in the second row, and three lines of choices on the page."""
        page = layout.page
        height, label = layout.target_height, layout.px(_LABEL)
        top = page.top + layout.px(_HEADER)
        first = Rect(page.left, top, page.width, height)
        second = first.move(0, height + label)
        third = second.move(0, height + label)
        name, year = layout.columns(first, 2)
        return {
            Control.SHUTTER: layout.row[0],
            DetailsControl.KEEP: layout.row[1].union(layout.row[2]),
            Control.BACK: layout.row[3],
            DetailsControl.DELETE: second_row(layout)[0],
            DetailsControl.NAME: name,
            DetailsControl.BIRTH_YEAR: year,
            **dict(zip(Sex, layout.columns(second, len(Sex)), strict=True)),
            **dict(zip(TypeControl, layout.columns(third, len(TypeControl)), strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then the choices."""
        row = (Control.SHUTTER, DetailsControl.KEEP, Control.BACK)
        own = (DetailsControl.DELETE, DetailsControl.NAME, DetailsControl.BIRTH_YEAR)
        return (*row, *own, *Sex, *TypeControl)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Fill in, or keep what was filled in."""
        form = _form(state, context.desk.unknown)
        if target == DetailsControl.KEEP:
            return state, _request(form)
        if target == DetailsControl.DELETE:
            if not _deletes(state, context.desk):
                return state, None
            return with_page(state, PageName.DELETION), None
        if target == DetailsControl.NAME:
            if not state.names:
                return state, None
            return _typing(state, KeyboardState(Field.NAME, form.name, form)), None
        if target == DetailsControl.BIRTH_YEAR:
            year = str(form.birth_year or "")
            return _typing(state, KeyboardState(Field.BIRTH_YEAR, year, form)), None
        if target in tuple(Sex):
            sex = Sex(target)
            chosen = replace(form, sex=None if form.sex == sex else sex)
        else:
            phototype = list(TypeControl).index(TypeControl(target)) + 1
            chosen = replace(form, phototype=None if form.phototype == phototype else phototype)
        return replace(state, page_state=chosen), None

    @classmethod
    def left(cls, state: State) -> Step:
        """Go back to the patient, or to where another one is looked for."""
        form = state.page_state
        kept = isinstance(form, DetailsForm) and form.before is not None
        return with_page(state, PageName.PATIENT if kept else PageName.START), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the form."""
        state = snapshot.state
        return DetailsView(
            _form(state, snapshot.desk.unknown),
            state.names,
            snapshot.desk.fault,
            state.frozen,
            _deletes(state, snapshot.desk),
        )

    def draw(self, view: DetailsView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        canvas, px, form = self.canvas, self.canvas.layout.px, view.form
        keep = wording.translate("Keep") if form.before else wording.translate("Add patient")
        year = str(form.birth_year) if form.birth_year else wording.translate("Year of birth")
        buttons: dict[Target, Button] = {
            DetailsControl.KEEP: Button(keep, True),
            DetailsControl.DELETE: Button(
                wording.translate("Delete patient"), False if view.deletes else None
            ),
            DetailsControl.NAME: Button(
                form.name or wording.translate("Name"), bool(form.name) if view.names else None
            ),
            DetailsControl.BIRTH_YEAR: Button(year, bool(form.birth_year)),
            **{sex: Button(wording.translate(SEXES[sex]), sex == form.sex) for sex in Sex},
            **{
                control: Button(roman(i), i == form.phototype)
                for i, control in enumerate(TypeControl, 1)
            },
        }
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        page, places = canvas.layout.page, self.places(canvas.layout)
        above = Rect(page.left, page.top, page.width, px(_HEADER))
        canvas.part(
            above, (form.identifier, form.before is None, view.fault),
            lambda shown: self._draw_header(above, *shown, wording),
        )  # fmt: skip
        label = Rect(page.left, places[TypeControl.ONE].top - px(_LABEL), page.width, px(_LABEL))
        draw_label(canvas, label, wording.translate("Phototype (Fitzpatrick)"))

    def _draw_header(
        self, area: Rect, identifier: str, new: bool, fault: Fault | None, wording: Wording
    ) -> None:
        said = wording.translate("Not known yet. Everything below may stay empty.") if new else ""
        colour = self.palette.text
        if fault is not None:
            said, colour = wording.sentence(fault), self.palette.warning
        draw_heading(self.canvas, area, identifier, said, colour)


def _typing(state: State, typing: KeyboardState) -> State:
    return replace(with_page(state, PageName.KEYBOARD), page_state=typing)


def _form(state: State, unknown: str) -> DetailsForm:
    form = state.page_state
    return form if isinstance(form, DetailsForm) else DetailsForm(unknown)


def _deletes(state: State, desk: Desk) -> bool:
    """Return whether the patient can be deleted: one who is kept, while no picture is held."""
    kept = _form(state, desk.unknown).before is not None and desk.patient is not None
    return kept and not state.frozen and may(desk.role, Permission.DELETE)


def _request(form: DetailsForm) -> AddPatient | ChangePatient | None:
    if form.before is None:
        if not form.identifier:
            return None
        return AddPatient(form.identifier, form.name, form.birth_year, form.sex, form.phototype)
    return ChangePatient(
        msgspec.structs.replace(
            form.before,
            name=form.name,
            birth_year=form.birth_year,
            sex=form.sex,
            phototype=form.phototype,
        )
    )


PAGE = DetailsPage
