"""The settings page, beside the skin: language, theme, opacity, the optics' scale, more pages."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.appearance import Theme
from device.faults import Fault
from device.language import LANGUAGES, Language, translatable
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page, page_class
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step, with_page
from device.screen.view import LiveView, PageView, Snapshot
from device.screen.wording import Wording

_ENTRIES: Final = 3
"""Targets to a row above the lowest."""

_FAULT_SIZES: Final = (theme.BODY, 20, theme.SMALL, 16, 14)

THEMES: Final[Mapping[Theme, str]] = {
    Theme.DARK: translatable("Dark screen"),
    Theme.LIGHT: translatable("Light screen"),
}


class SettingsControl(StrEnum):
    """The page's own targets, beside languages, themes and further pages."""

    QUIT = "quit"


@dataclass(frozen=True, slots=True, eq=False)
class SettingsView(PageView):
    """What can be set, beside the skin.

    Attributes
    ----------
    beside
        The skin, as the live page would show it.
    mm_per_pixel
        What the optics were calibrated to, or None.
    fault
        Why the settings could not be kept, or None.
    appliance
        The instrument can be switched off here, but not quit.
    """

    page: ClassVar[PageName] = PageName.SETTINGS
    beside: LiveView
    mm_per_pixel: float | None = None
    fault: Fault | None = None
    appliance: bool = False


@dataclass(frozen=True, slots=True)
class _Slider:
    """The slice of a view that the slider shows."""

    opacity: float
    focused: bool


@dataclass(frozen=True, slots=True)
class _Notes:
    """The slice of a view that stands below all targets: what is wrong, else the optics' scale."""

    mm_per_pixel: float | None
    fault: Fault | None


def menu() -> tuple[PageName, ...]:
    """Return the pages that are reached from this one: the first two by buttons of the row."""
    return tuple(name for name in PageName if page_class(name).menu_label)


class SettingsPage(Page):
    """What can be set, and the way to further pages."""

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row; above it languages, themes, the slider, and what the row has no room for.

        Nothing that ends the program stands where the live page has a target.
        """
        panel, height, gap = layout.panel, layout.target_height, round(13 * layout.unit)
        one, two, *others = menu()
        languages = Rect(panel.left, panel.top, panel.width, height)
        themes = languages.move(0, height + gap)
        slider = Rect(panel.left, themes.bottom + gap, panel.width, layout.px(71))
        entries = (*others, SettingsControl.QUIT)
        # The way out in the upper row: the lower one is near the overlay's legend.
        upper = Rect(panel.left, slider.bottom + gap, panel.width, height)
        lower = upper.move(0, height + gap)
        return {
            Control.SHUTTER: layout.row[0],
            one: layout.row[1],
            two: layout.row[2],
            Control.BACK: layout.row[3],
            **dict(zip(LANGUAGES, layout.columns(languages, len(LANGUAGES)), strict=True)),
            **dict(zip(THEMES, layout.columns(themes, len(THEMES)), strict=True)),
            Control.OPACITY: slider,
            **dict(zip(entries[-_ENTRIES:], layout.columns(upper, _ENTRIES), strict=False)),
            **dict(zip(entries[:-_ENTRIES], layout.columns(lower, _ENTRIES), strict=False)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then languages, themes, the slider, further pages, and the way out."""
        one, two, *others = menu()
        row = (Control.SHUTTER, one, two, Control.BACK)
        return (*row, *LANGUAGES, *THEMES, Control.OPACITY, *others, SettingsControl.QUIT)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Choose a language or a theme, quit, or open another page."""
        if target in LANGUAGES:
            return replace(state, language=Language(target)), Command.SAVE_PREFERENCES
        if target in THEMES:
            return replace(state, theme=Theme(target)), Command.SAVE_PREFERENCES
        if target == SettingsControl.QUIT:
            return (
                (with_page(state, PageName.POWER), None)
                if state.appliance
                else (state, Command.QUIT)
            )
        return with_page(state, PageName(target)), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return what can be set."""
        return SettingsView(
            snapshot.live,
            snapshot.mm_per_pixel,
            snapshot.preferences_fault,
            snapshot.state.appliance,
        )

    def draw(self, view: SettingsView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.field_view.draw(view.beside, wording)
        canvas, px, panel = self.canvas, self.canvas.layout.px, self.canvas.layout.panel
        places = self.places(canvas.layout)
        buttons = self._buttons(view, wording)
        self.draw_buttons(view, wording, buttons, frozen=view.beside.frozen is not None)
        slider = places[Control.OPACITY]
        canvas.part(
            slider,
            _Slider(view.beside.opacity, view.focus == Control.OPACITY),
            lambda shown: self._draw_slider(slider, shown, wording),
        )
        top = max(area.bottom for area in self._entries(places)) + px(6)
        below = Rect(panel.left, top, panel.width, panel.bottom - top)
        canvas.part(
            below,
            _Notes(view.mm_per_pixel, view.fault),
            lambda shown: self._draw_notes(below, shown, wording),
        )

    @staticmethod
    def _entries(places: Mapping[Target, Rect]) -> list[Rect]:
        return [places[name] for name in (*menu()[2:], SettingsControl.QUIT)]

    def _buttons(self, view: SettingsView, wording: Wording) -> Mapping[Target, Button]:
        leave = wording.translate("Off") if view.appliance else wording.translate("Quit")
        return {
            SettingsControl.QUIT: Button(leave),
            **{page: Button(wording.translate(page_class(page).menu_label)) for page in menu()},
            **{code: Button(name, code == view.language) for code, name in LANGUAGES.items()},
            **{
                name: Button(wording.translate(label), name == view.theme)
                for name, label in THEMES.items()
            },
        }

    def _draw_slider(self, area: Rect, shown: _Slider, wording: Wording) -> None:
        percent = round(shown.opacity * 100)
        label = wording.translate("Opacity of the overlay {percent} %", percent=percent)
        self.canvas.draw_slider(area, label, shown.opacity, focused=shown.focused)

    def _draw_notes(self, area: Rect, shown: _Notes, wording: Wording) -> None:
        canvas = self.canvas
        if shown.fault is not None:
            said = [wording.sentence(shown.fault), wording.technical(shown.fault)]
            _, size = canvas.fitting((said,), _FAULT_SIZES, area)
            end = canvas.draw_paragraph(said[0], size, area, self.palette.warning)
            rest = Rect(area.left, end, area.width, area.bottom - end)
            canvas.draw_paragraph(said[1], size, rest, self.palette.quiet)
            return
        canvas.draw_paragraph(wording.scale(shown.mm_per_pixel), theme.BODY, area)


PAGE = SettingsPage
