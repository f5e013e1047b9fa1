"""The page on which somebody is given a PIN, or it is taken away."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.faults import Fault
from device.records.access import Holder
from device.records.patients import Role
from device.runtime.requests import RemovePin
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.forms import HolderForm, NewPinForm
from device.screen.grid import gap
from device.screen.headings import draw_label
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.pages.keyboard import Field, KeyboardState
from device.screen.records_wording import ROLE_MAY, ROLES
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording

_LABEL: Final = 34


class HolderControl(StrEnum):
    """The page's own targets, beside the roles."""

    NAME = "name"
    REMOVE = "remove"
    SET = "set"


@dataclass(frozen=True, slots=True, eq=False)
class HolderView(PageView):
    """Whom a PIN is given.

    Attributes
    ----------
    form
        As far as it is filled in.
    fault
        Why it was not done, or None.
    frozen
        A picture is held.
    """

    page: ClassVar[PageName] = PageName.HOLDER
    form: HolderForm
    fault: Fault | None = None
    frozen: bool = False


class HolderPage(Page):
    """Gives somebody a PIN, with a role."""

    parent: ClassVar[PageName | None] = PageName.HOLDERS

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, the name, and the roles below it."""
        row = (Control.SHUTTER, HolderControl.REMOVE, HolderControl.SET, Control.BACK)
        page, label = layout.page, layout.px(_LABEL)
        name = Rect(page.left, page.top + label, page.width, layout.target_height)
        roles = name.move(0, layout.target_height + label)
        return {
            **dict(zip(row, layout.row, strict=True)),
            HolderControl.NAME: name,
            **dict(zip(Role, layout.columns(roles, len(Role)), strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, the name, the roles."""
        row = (Control.SHUTTER, HolderControl.REMOVE, HolderControl.SET, Control.BACK)
        return (*row, HolderControl.NAME, *Role)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Fill in, go on to the PIN, or take one away where that is touched twice."""
        form = _form(state)
        if target == HolderControl.NAME:
            typing = KeyboardState(Field.HOLDER, form.name, form)
            return replace(with_page(state, PageName.KEYBOARD), page_state=typing), None
        if target == HolderControl.SET:
            if not form.name:
                return state, None
            new = NewPinForm(Holder(form.name, form.role))
            return replace(with_page(state, PageName.NEW_PIN), page_state=new), None
        if target == HolderControl.REMOVE:
            if form.before is None:
                return state, None
            if form.removing:
                return state, RemovePin(form.before.name)
            return replace(state, page_state=replace(form, removing=True)), None
        chosen = replace(form, role=Role(target), removing=False)
        return replace(state, page_state=chosen), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the form."""
        state = snapshot.state
        return HolderView(_form(state), snapshot.desk.fault, state.frozen)

    def draw(self, view: HolderView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        form, translate = view.form, wording.translate
        remove = translate("Really?") if form.removing else translate("Take away")
        buttons: dict[Target, Button] = {
            HolderControl.NAME: Button(form.name or translate("Name"), bool(form.name)),
            HolderControl.REMOVE: Button(remove, form.removing if form.before else None),
            HolderControl.SET: Button(translate("PIN"), True if form.name else None),
            **{role: Button(translate(ROLES[role]), role == form.role) for role in Role},
        }
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        layout = self.canvas.layout
        places, page = self.places(layout), layout.page
        self._label(places[HolderControl.NAME], translate("Who is given a PIN?"))
        self._label(places[Role.CLINICIAN], translate("As what?"))
        top = places[Role.CLINICIAN].bottom + gap(layout)
        foot = Rect(page.left, top, page.width, page.bottom - top)
        said = wording.sentence(view.fault) if view.fault else translate(ROLE_MAY[form.role])
        self.canvas.part(
            foot, (said, view.fault is not None), lambda shown: self._draw_foot(foot, *shown)
        )

    def _label(self, choice: Rect, words: str) -> None:
        height = self.canvas.layout.px(_LABEL)
        above = Rect(choice.left, choice.top - height, self.canvas.layout.page.width, height)
        draw_label(self.canvas, above, words)

    def _draw_foot(self, area: Rect, said: str, warned: bool) -> None:
        colour = self.palette.warning if warned else self.palette.text
        _, size = self.canvas.fitting(([said],), (theme.BODY, 20, theme.SMALL, 15), area)
        self.canvas.draw_paragraph(said, size, area, colour)


def _form(state: State) -> HolderForm:
    return state.page_state if isinstance(state.page_state, HolderForm) else HolderForm()


PAGE = HolderPage
