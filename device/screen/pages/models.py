"""The models' page: which is in use, and what of a stick can be installed: models, an update."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from pygame import Rect

from device.faults import Fault
from device.installation.system_update import Offer, OfferState
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording


class ModelsControl(StrEnum):
    """The page's own targets: the archives by their place, to look again, and the update."""

    FIRST = "first archive"
    SECOND = "second archive"
    THIRD = "third archive"
    LOOK = "look"
    UPDATE = "update"


ARCHIVES = (ModelsControl.FIRST, ModelsControl.SECOND, ModelsControl.THIRD)


@dataclass(frozen=True, slots=True, eq=False)
class ModelsView(PageView):
    """What can be installed, and what came of it.

    Attributes
    ----------
    archives
        Names of the files that were found.
    running
        It is looking or installing.
    outcome
        What came of the last installation, and why; empty where there was none.
    update
        The update of the system on the stick, or None.
    frozen
        A picture is held: the shutter would let it go.
    """

    page: ClassVar[PageName] = PageName.MODELS
    archives: tuple[str, ...] = ()
    running: bool = False
    outcome: tuple[Fault, ...] = ()
    update: Offer | None = None
    frozen: bool = False


class ModelsPage(Page):
    """The model in use, and those on a stick: a touch installs one."""

    parent: ClassVar[PageName | None] = PageName.ABOUT

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, and above it a line for each archive."""
        page, height, gap = layout.page, layout.target_height, layout.px(10)
        top = page.top + layout.px(110)
        lines = [
            Rect(page.left, top + number * (height + gap), page.width, height)
            for number in range(len(ARCHIVES))
        ]
        return {
            Control.SHUTTER: layout.row[0],
            ModelsControl.UPDATE: layout.row[1],
            ModelsControl.LOOK: layout.row[2],
            Control.BACK: layout.row[-1],
            **dict(zip(ARCHIVES, lines, strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then the archives: one that is not there does nothing."""
        row = (Control.SHUTTER, ModelsControl.UPDATE, ModelsControl.LOOK, Control.BACK)
        return (*row, *ARCHIVES)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Look again, or install."""
        if target == ModelsControl.LOOK:
            return state, Command.LOOK_FOR_MODELS
        if target == ModelsControl.UPDATE:
            return state, Command.INSTALL_UPDATE
        return replace(state, page_state=ARCHIVES.index(target)), Command.INSTALL_MODEL

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return what can be installed."""
        return ModelsView(
            snapshot.archives[: len(ARCHIVES)],
            snapshot.installing,
            snapshot.installed,
            snapshot.update,
            snapshot.state.frozen,
        )

    def draw(self, view: ModelsView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        canvas, page, px = self.canvas, self.canvas.layout.page, self.canvas.layout.px
        places = self.places(canvas.layout)
        offered = view.update is not None and view.update.state is OfferState.OFFERED
        row: dict[Target, Button] = {
            ModelsControl.UPDATE: Button(wording.translate("Update"), True if offered else None),
            ModelsControl.LOOK: Button(wording.translate("Look again"), view.running),
        }
        archives = dict(zip(ARCHIVES, view.archives, strict=False))
        above = Rect(page.left, page.top, page.width, places[ARCHIVES[0]].top - page.top)
        canvas.part(above, view.archives, lambda shown: self._draw_head(above, shown, wording))
        for place in ARCHIVES[len(archives) :]:
            canvas.part(places[place], None, lambda _: None)
        install: dict[Target, Button] = {
            place: Button(
                wording.translate("Install {archive}", archive=name), focused=view.focus == place
            )
            for place, name in archives.items()
        }
        self.draw_buttons(view, wording, row | install, frozen=view.frozen)
        top = places[ARCHIVES[-1]].bottom + px(8)
        below = Rect(page.left, top, page.width, page.bottom - top)
        canvas.part(
            below,
            (view.running, view.outcome, view.update),
            lambda shown: self._draw_outcome(below, *shown, wording),
        )

    def _draw_head(self, area: Rect, archives: tuple[str, ...], wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        title = wording.translate("Model {model}", model=self.manifest.model_id)
        canvas.draw_text(title, theme.HEADLINE, area.topleft, area.width, bold=True)
        words = (
            wording.translate("A touch verifies a model, tries it here, and installs it.")
            if archives
            else wording.translate("No stick with a model is plugged in.")
        )
        room = Rect(area.left, area.top + px(50), area.width, area.height - px(50))
        canvas.draw_paragraph(words, 20, room)

    def _draw_outcome(
        self,
        area: Rect,
        running: bool,
        outcome: tuple[Fault, ...],
        update: Offer | None,
        wording: Wording,
    ) -> None:
        if running:
            words = wording.translate("One moment: it is looked at. This may take a minute.")
        else:
            told = outcome or ((update.fault,) if update else ())
            words = " ".join(wording.sentence(fault) for fault in told)
            if told and (technical := wording.technical(told[-1])):
                words = f"{words} {technical}"
        if words:
            _, size = self.canvas.fitting(([words],), (20, theme.SMALL, 16, 14), area)
            self.canvas.draw_paragraph(words, size, area)


PAGE = ModelsPage
