"""The page that lists who has a PIN."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.faults import Fault
from device.records.access import Access, Holder, Protection
from device.records.patients import Role
from device.records.roles import Permission, may
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.forms import HolderForm, NewPinForm
from device.screen.headings import draw_heading, eight_choices, heading_area
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.records_wording import ROLES
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording


class HoldersControl(StrEnum):
    """The page's own targets: a place for each of as many as have room."""

    OWN = "own"
    ADD = "add"
    FIRST = "holder 1"
    SECOND = "holder 2"
    THIRD = "holder 3"
    FOURTH = "holder 4"
    FIFTH = "holder 5"
    SIXTH = "holder 6"
    SEVENTH = "holder 7"
    EIGHTH = "holder 8"


_PLACES: Final = tuple(HoldersControl)[2:]


@dataclass(frozen=True, slots=True, eq=False)
class HoldersView(PageView):
    """Who has a PIN.

    Attributes
    ----------
    holders
        Everyone who has one.
    access
        What opens the records, and who did.
    fault
        Why they cannot be told, or None.
    frozen
        A picture is held.
    """

    page: ClassVar[PageName] = PageName.HOLDERS
    holders: tuple[Holder, ...] = ()
    access: Access | None = None
    fault: Fault | None = None
    frozen: bool = False


class HoldersPage(Page):
    """Lists who has a PIN, and leads to giving one."""

    parent: ClassVar[PageName | None] = PageName.PIN

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, and two columns of names."""
        row = (Control.SHUTTER, HoldersControl.OWN, HoldersControl.ADD, Control.BACK)
        return {
            **dict(zip(row, layout.row, strict=True)),
            **dict(zip(_PLACES, eight_choices(layout), strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then the names."""
        return (Control.SHUTTER, HoldersControl.OWN, HoldersControl.ADD, Control.BACK, *_PLACES)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Change one's own PIN, give somebody one, or open whoever has one."""
        desk = context.desk
        if target == HoldersControl.OWN:
            if not _own(desk.access):
                return state, None
            opened = with_page(state, PageName.NEW_PIN)
            return replace(opened, page_state=NewPinForm()), None
        if not gives_pins(desk.access):
            return state, None
        form = HolderForm(role=Role.CLINICIAN if not desk.holders else Role.FIELD)
        if target != HoldersControl.ADD:
            place = _PLACES.index(HoldersControl(target))
            if place >= len(desk.holders):
                return state, None
            holder = desk.holders[place]
            form = HolderForm(holder.name, holder.role, holder)
        return replace(with_page(state, PageName.HOLDER), page_state=form), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return who has a PIN."""
        desk = snapshot.desk
        return HoldersView(desk.holders, desk.access, desk.fault, snapshot.state.frozen)

    def draw(self, view: HoldersView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        gives = gives_pins(view.access)
        buttons: dict[Target, Button] = {
            HoldersControl.OWN: Button(
                wording.translate("My PIN"), False if _own(view.access) else None
            ),
            HoldersControl.ADD: Button(
                wording.translate("Add"), (not view.holders) if gives else None
            ),
        }
        for place, control in enumerate(_PLACES):
            there = place < len(view.holders)
            label = holder_line(view.holders[place], wording) if there else ""
            buttons[control] = Button(label, False if there and gives else None)
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        above = heading_area(self.canvas.layout)
        said, warned = wording.translate("Whoever has a PIN can open the records."), False
        if view.fault is not None:
            said, warned = wording.sentence(view.fault), True
        elif not view.holders:
            said, warned = wording.translate("Nobody has one: whoever has the disk reads it."), True
        colour = self.palette.warning if warned else self.palette.quiet
        self.canvas.part(
            above, (wording.translate("PINs"), said, colour),
            lambda shown: draw_heading(self.canvas, above, *shown),
        )  # fmt: skip


def holder_line(holder: Holder, wording: Wording) -> str:
    """Return who has a PIN and what for."""
    return f"{holder.name} · {wording.translate(ROLES[holder.role])}"


def gives_pins(access: Access | None) -> bool:
    """Return whether whoever opened the records may give PINs and take them."""
    return access is not None and may(access.role, Permission.PINS)


def _own(access: Access | None) -> bool:
    """Return whether whoever opened the records did so with a PIN."""
    return access is not None and access.protection is Protection.PIN and not access.locked


PAGE = HoldersPage
