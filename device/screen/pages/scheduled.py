"""The clinic's worklist: who is to be examined today, or which appointment a patient comes for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

import pygame
from pygame import Rect

from device.faults import Fault
from device.records.listing import WorkKind
from device.records.orders import OrderKey, Scheduled
from device.runtime.clinic_list import Appointments
from device.runtime.desk import Desk
from device.runtime.requests import OpenScheduled, OpenWork
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.grid import below, second_row, tiled, work_area
from device.screen.headings import draw_heading, heading_area
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.quality_marks import draw_hook
from device.screen.records_wording import time_of_day
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step, with_page
from device.screen.view import PageView, Snapshot
from device.screen.widgets import draw_empty
from device.screen.wording import Wording


class ScheduledControl(StrEnum):
    """The page's own targets: a place for each of as many as have room."""

    EARLIER = "earlier"
    FURTHER = "further"
    WORK = "work"
    AGAIN = "again"
    FIRST = "appointment 1"
    SECOND = "appointment 2"
    THIRD = "appointment 3"
    FOURTH = "appointment 4"
    FIFTH = "appointment 5"
    SIXTH = "appointment 6"
    SEVENTH = "appointment 7"
    EIGHTH = "appointment 8"


_ENTRIES: Final = tuple(ScheduledControl)[-8:]


@dataclass(frozen=True, slots=True)
class ScheduledState:
    """What the page remembers.

    Attributes
    ----------
    first
        Which entry stands first.
    of_patient
        Only those are shown that name the open patient, as there are several.
    """

    first: int = 0
    of_patient: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ScheduledView(PageView):
    """Some of those who are to be examined today.

    Attributes
    ----------
    appointments
        What the clinic's worklist said, of those entries that are shown.
    asked
        Who is asked, as the settings call it.
    first
        Which of them stands first.
    names
        The clinic's settings allow patients' names.
    fault
        Why the one that was chosen could not be opened, or None.
    frozen
        A picture is held.
    patient
        Identifier of whoever is open and whose entries alone are shown; empty for all.
    seen
        Keys of the orders that examinations of today are kept with.
    """

    page: ClassVar[PageName] = PageName.SCHEDULED
    appointments: Appointments
    asked: str = ""
    first: int = 0
    names: bool = False
    fault: Fault | None = None
    frozen: bool = False
    patient: str = ""
    seen: frozenset[OrderKey] = frozenset()


@dataclass(frozen=True, slots=True)
class _Entry:
    """The slice of a view that an entry shows."""

    lines: tuple[str, str]
    seen: str
    focused: bool


class ScheduledPage(Page):
    """Opens a patient who is to be examined today, or takes up one of the open one's orders."""

    parent: ClassVar[PageName | None] = PageName.START

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, two buttons in the second row, and eight entries."""
        row = (Control.SHUTTER, ScheduledControl.EARLIER, ScheduledControl.FURTHER, Control.BACK)
        second = second_row(layout)
        room = below(layout, heading_area(layout), work_area(layout))
        rows, columns = (8, 1) if layout.portrait else (4, 2)
        return {
            **dict(zip(row, layout.row, strict=True)),
            ScheduledControl.WORK: second[0],
            ScheduledControl.AGAIN: second[1],
            **dict(zip(_ENTRIES, tiled(layout, room, rows, columns), strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, the second row, the entries."""
        return (Control.SHUTTER, *tuple(ScheduledControl)[:2], Control.BACK,
                ScheduledControl.WORK, ScheduledControl.AGAIN, *_ENTRIES)  # fmt: skip

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Open a patient, turn the page, ask again, or go to the instrument's own worklist."""
        remembered = _remembered(state)
        said = _of(remembered, context.appointments, context.desk, context.listed)
        if target == ScheduledControl.WORK:
            return with_page(state, PageName.WORKLIST), OpenWork(WorkKind.OVERDUE)
        if target == ScheduledControl.AGAIN:
            asked = None if said.asking else Command.ASK_FOR_CLINIC_LIST
            return replace(state, page_state=replace(remembered, first=0)), asked
        # What may change at any moment is not touched.
        entries, first = _shown(said), _first(remembered, said)
        if target in (ScheduledControl.EARLIER, ScheduledControl.FURTHER):
            by = len(_ENTRIES) if target == ScheduledControl.FURTHER else -len(_ENTRIES)
            turned = first + by if 0 <= first + by < len(entries) else first
            return replace(state, page_state=replace(remembered, first=turned)), None
        place = first + _ENTRIES.index(ScheduledControl(target))
        if place >= len(entries):
            return state, None
        return state, OpenScheduled(entries[place], named=state.names)

    @classmethod
    def left(cls, state: State) -> Step:
        """Go back to where a patient is looked for, or go on with the open one without an order."""
        opened = _remembered(state).of_patient
        return with_page(state, PageName.PATIENT if opened else PageName.START), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return who is to be examined."""
        state, desk, remembered = snapshot.state, snapshot.desk, _remembered(snapshot.state)
        said = _of(remembered, snapshot.appointments, desk, snapshot.listed)
        patient = desk.patient if remembered.of_patient else None
        return ScheduledView(
            said,
            state.clinic_list,
            _first(remembered, said),
            state.names,
            desk.fault,
            state.frozen,
            patient.identifier if patient else "",
            desk.seen,
        )

    def draw(self, view: ScheduledView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        said, entries = view.appointments, _shown(view.appointments)
        further = view.first + len(_ENTRIES) < len(entries)
        again = wording.translate("Refresh")
        if said.fault is not None or not entries:
            again = wording.translate("Try again")
        buttons: dict[Target, Button] = {
            ScheduledControl.EARLIER: Button(
                wording.translate("Previous"), False if view.first else None
            ),
            ScheduledControl.FURTHER: Button(wording.translate("Next"), False if further else None),
            ScheduledControl.WORK: Button(wording.translate("Instrument's list")),
            ScheduledControl.AGAIN: Button(again, None if said.asking else said.fault is not None),
        }
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        layout = self.canvas.layout
        heading = heading_area(layout)
        words, warned = _said(view, wording)
        colour = self.palette.warning if warned else self.palette.quiet
        self.canvas.part(
            heading, (wording.translate("Clinic's list"), words, colour),
            lambda shown: draw_heading(self.canvas, heading, *shown),
        )  # fmt: skip
        places = self.places(layout)
        for place, target in enumerate(_ENTRIES, view.first):
            self._draw_entry(places[target], place, target, view, wording)

    def _draw_entry(
        self, area: Rect, place: int, target: Target, view: ScheduledView, wording: Wording
    ) -> None:
        canvas, entries = self.canvas, _shown(view.appointments)
        if place >= len(entries):
            canvas.part(area, None, lambda _: draw_empty(canvas, area))
            return
        entry = entries[place]
        first = "   ".join(word for word in (time_of_day(entry.time), entry.identifier) if word)
        name = entry.name if view.names else ""
        second = ", ".join(word for word in (name, entry.order.description) if word)
        seen = wording.translate("Seen") if entry.order.key in view.seen else ""
        shown = _Entry((first, second), seen, view.focus == target)
        canvas.part(area, shown, lambda shown: self._draw_lines(area, shown))

    def _draw_lines(self, area: Rect, shown: _Entry) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        pygame.draw.rect(canvas.screen, self.palette.touch, area, px(2), border_radius=px(8))
        left, width = area.left + px(14), area.width - px(28)
        first, second = shown.lines
        if shown.seen:
            end = (area.right - px(14), area.centery)
            word = canvas.draw_text(
                shown.seen, theme.SMALL, end, width // 3, bold=True, anchor="midright"
            )
            draw_hook(canvas, (word.left - px(16), area.centery))
            width = word.left - px(32) - left
        middle = area.centery - px(13) if second else area.centery
        canvas.draw_text(first, theme.BODY, (left, middle), width, bold=True, anchor="midleft")
        canvas.draw_text(
            second, theme.SMALL, (left, area.centery + px(14)), width, self.palette.quiet,
            anchor="midleft",
        )  # fmt: skip
        canvas.draw_focus(area.inflate(-px(6), -px(6)), focused=shown.focused)


def _said(view: ScheduledView, wording: Wording) -> tuple[str, bool]:
    """Return what stands above the entries, and whether something is wrong."""
    said = view.appointments
    fault = view.fault or said.fault
    if view.patient and len(said.entries) > 1 and not said.asking and view.fault is None:
        return wording.translate(
            "{patient} has several appointments today. Which is it?", patient=view.patient
        ), False
    if said.asking:
        return wording.translate("Asking {target}.", target=view.asked), False
    if fault is not None:
        return wording.sentence(fault), True
    if said.heard is None:
        return "", False
    if not said.entries and view.patient:
        return wording.translate(
            "{patient} is no longer on the clinic's list.", patient=view.patient
        ), False
    if not said.entries:
        return wording.translate("Nobody is scheduled for today."), False
    return wording.translate(
        "Today: {count}, {seen} of them seen here, as of {time}.",
        count=len(said.entries),
        seen=sum(entry.order.key in view.seen for entry in said.entries),
        time=f"{said.heard:%H:%M}",
    ), False


def _shown(said: Appointments) -> tuple[Scheduled, ...]:
    """Return the entries that can be touched: none that may be others a moment later."""
    return () if said.asking else said.entries


def _remembered(state: State) -> ScheduledState:
    return state.page_state if isinstance(state.page_state, ScheduledState) else ScheduledState()


def _of(
    remembered: ScheduledState, said: Appointments, desk: Desk, listed: tuple[Scheduled, ...]
) -> Appointments:
    """Return what the worklist said of the open patient, where that one alone is shown."""
    if not remembered.of_patient:
        return said
    return replace(said, entries=(desk.scheduled,) if desk.scheduled else listed)


def _first(remembered: ScheduledState, said: Appointments) -> int:
    return remembered.first if remembered.first < len(said.entries) else 0


PAGE = ScheduledPage
