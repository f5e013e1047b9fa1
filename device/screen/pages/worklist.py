"""The worklist: what is overdue, due, undecided or referred, and pictures without a code."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.faults import Fault
from device.inference.recommendation import Recommendation
from device.records.listing import WorkKind
from device.records.words import site_line
from device.runtime.desk import WorkEntry, WorkPage
from device.runtime.requests import OpenPicture, OpenWork
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.forms import SearchForm
from device.screen.grid import below, rows_of_targets, second_row, stacked, tiled, work_area
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.pages.keyboard import Field, KeyboardState
from device.screen.pages.patient import open_lesion
from device.screen.pages.picture import PictureState
from device.screen.records_wording import WORK, asked_for, due_line, lesion_name, state_of, urgent
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step, with_page
from device.screen.view import ByIdentity, PageView, Snapshot
from device.screen.widgets import Card, draw_card, draw_empty
from device.screen.wording import Wording


class WorkControl(StrEnum):
    """The page's own targets."""

    EARLIER = "earlier"
    FURTHER = "further"
    OVERDUE = "overdue"
    DUE = "due"
    UNDECIDED = "undecided"
    REFERRED = "referred"
    UNFILED = "unfiled"
    CLINIC = "clinic"
    ORDER = "order"
    FIND = "find"
    FIRST = "entry 1"
    SECOND = "entry 2"
    THIRD = "entry 3"
    FOURTH = "entry 4"


_KINDS: Final[Mapping[Target, WorkKind | None]] = {
    WorkControl.OVERDUE: WorkKind.OVERDUE,
    WorkControl.DUE: WorkKind.DUE,
    WorkControl.UNDECIDED: WorkKind.UNDECIDED,
    WorkControl.REFERRED: WorkKind.REFERRED,
    WorkControl.UNFILED: None,
}
_ENTRIES: Final = tuple(WorkControl)[-4:]
_SECOND: Final = (WorkControl.CLINIC, WorkControl.ORDER, WorkControl.FIND)


@dataclass(frozen=True, slots=True, eq=False)
class WorkView(PageView):
    """A page of the worklist.

    Attributes
    ----------
    work
        None until it is read.
    fault
        Why it cannot be read, or None.
    frozen
        A picture is held.
    clinic
        The settings name the clinic's worklist.
    """

    page: ClassVar[PageName] = PageName.WORKLIST
    work: WorkPage | None
    fault: Fault | None = None
    frozen: bool = False
    clinic: bool = False


class WorklistPage(Page):
    """Shows what is to be done, and opens it."""

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, the second row, the kinds at the top, and four entries below."""
        row = (Control.SHUTTER, WorkControl.EARLIER, WorkControl.FURTHER, Control.BACK)
        page = work_area(layout)
        rows, columns = (2, 3) if layout.portrait else (1, len(_KINDS))
        kinds = rows_of_targets(layout, page.topleft, page.width, rows)
        entries = stacked(layout, below(layout, kinds, page), len(_ENTRIES))
        return {
            **dict(zip(row, layout.row, strict=True)),
            **dict(zip(_SECOND, second_row(layout), strict=False)),
            **dict(zip(_KINDS, tiled(layout, kinds, rows, columns), strict=False)),
            **dict(zip(_ENTRIES, entries, strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, the second row, the kinds, the entries."""
        row = (Control.SHUTTER, WorkControl.EARLIER, WorkControl.FURTHER, Control.BACK)
        return (*row, *_SECOND, *_KINDS, *_ENTRIES)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Turn to another kind or page, or open an entry."""
        work = context.desk.work
        if target == WorkControl.CLINIC:
            if not state.clinic_list:
                return state, None
            return with_page(state, PageName.SCHEDULED), Command.LOOK_AT_CLINIC_LIST
        if target in _KINDS:
            if work is None:
                return state, OpenWork(_KINDS[target])
            return state, OpenWork(_KINDS[target], 0, work.by_identifier, work.prefix)
        if work is None:
            return state, None
        if target in (WorkControl.ORDER, WorkControl.FIND):
            return _searched(state, target, work)
        if target in (WorkControl.EARLIER, WorkControl.FURTHER):
            turn = 1 if target == WorkControl.FURTHER else -1
            return state, OpenWork(work.kind, turn, work.by_identifier, work.prefix)
        place = _ENTRIES.index(WorkControl(target))
        if place >= len(work.entries):
            return state, None
        record = work.entries[place].visit.record
        if record.lesion is not None:
            return open_lesion(replace(state, filing=""), record.lesion)
        shown = PictureState(record.identifier, PageName.WORKLIST)
        opened = replace(with_page(state, PageName.PICTURE), page_state=shown)
        return opened, OpenPicture(record.identifier)

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the page of the worklist."""
        desk, state = snapshot.desk, snapshot.state
        return WorkView(desk.work, desk.fault, state.frozen, bool(state.clinic_list))

    def draw(self, view: WorkView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        canvas, work = self.canvas, view.work
        further = work is not None and not work.last
        earlier = work is not None and work.number > 1
        buttons: dict[Target, Button] = {
            WorkControl.EARLIER: Button(wording.translate("Previous"), False if earlier else None),
            WorkControl.FURTHER: Button(wording.translate("Next"), False if further else None),
            WorkControl.CLINIC: Button(
                wording.translate("Clinic's list"), False if view.clinic else None
            ),
            **_search_buttons(work, wording),
            **{
                control: Button(_label(kind, work, wording), work is not None and kind == work.kind)
                for control, kind in _KINDS.items()
            },
        }
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        places = self.places(canvas.layout)
        entries = work.entries if work else ()
        for i, target in enumerate(_ENTRIES):
            entry = entries[i] if i < len(entries) else None
            self._draw_entry(places[target], i, entry, target, view, wording)

    def _draw_entry(
        self,
        area: Rect,
        i: int,
        entry: WorkEntry | None,
        target: Target,
        view: WorkView,
        wording: Wording,
    ) -> None:
        canvas = self.canvas
        if entry is not None:
            today = view.clock.date() if view.clock else entry.visit.record.taken.date()
            card = Card(
                ByIdentity(entry.visit.thumbnail),
                _lines(entry, today, wording),
                warned=_warns(entry),
                focused=view.focus == target,
            )
            canvas.part(area, card, lambda card: draw_card(canvas, area, card, beside=True))
            return
        said = ""
        if i == 0:
            said = wording.sentence(view.fault) if view.fault else ""
            if not said and view.work is not None:
                said = wording.translate("Nothing here.")
        canvas.part(area, said, lambda said: self._draw_nothing(area, said))

    def _draw_nothing(self, area: Rect, said: str) -> None:
        draw_empty(self.canvas, area)
        inner = area.inflate(-self.canvas.layout.px(24), -self.canvas.layout.px(16))
        if said:
            self.canvas.draw_paragraph(said, theme.BODY, inner, self.palette.quiet)


def _searched(state: State, target: Target, work: WorkPage) -> Step:
    """Return where ordering or searching leads; what has no patient has no identifier."""
    if work.kind is None:
        return state, None
    if target == WorkControl.ORDER:
        return state, OpenWork(work.kind, by_identifier=not work.by_identifier)
    typing = KeyboardState(Field.SEARCH, work.prefix, SearchForm(work.kind))
    return replace(with_page(state, PageName.KEYBOARD), page_state=typing), None


def _search_buttons(work: WorkPage | None, wording: Wording) -> dict[Target, Button]:
    searched = work is not None and work.kind is not None
    prefix = work.prefix if work is not None else ""
    ordered = work is not None and work.by_identifier
    return {
        WorkControl.ORDER: Button(
            wording.translate("By identifier"), ordered if searched else None
        ),
        WorkControl.FIND: Button(
            f"{prefix} …" if prefix else wording.translate("Find"),
            bool(prefix) if searched else None,
        ),
    }


def _label(kind: WorkKind | None, work: WorkPage | None, wording: Wording) -> str:
    name = wording.translate(WORK[kind])
    if work is None or kind is None:
        return name
    return f"{name} {work.counts.get(kind, 0)}"


def _warns(entry: WorkEntry) -> bool:
    """Return whether an entry is late, or the model asks for what nobody has decided."""
    late = entry.item is not None and entry.item.kind is WorkKind.OVERDUE
    return late or urgent(entry.visit.record) == Recommendation.REFER


def _lines(entry: WorkEntry, today: date, wording: Wording) -> tuple[str, ...]:
    """Return what an entry says: when and who, which lesion, what was decided."""
    record, item = entry.visit.record, entry.item
    taken = f"{record.taken.astimezone():%Y-%m-%d %H:%M}"
    if item is None or item.patient is None or item.lesion is None:
        return taken, wording.translate("Without a code"), *asked_for(record, wording)
    first = item.patient.identifier
    if item.due is not None:
        first = f"{first}   {due_line(item.due, today, wording)}"
    where = site_line(item.lesion.spot, wording)
    lesion = lesion_name(item.lesion.number, wording)
    second = f"{lesion}  {where}" if where else lesion
    return first, second, f"{taken[:10]}   {state_of(record, wording)}"


PAGE = WorklistPage
