"""The page that says, once before the first examination, what the instrument is not for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import pygame
from pygame import Rect

from device.language import LANGUAGES, Language, translatable
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step, with_page
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording

NOT_FOR: Final = (
    translatable("Nails and mucous membranes"),
    translatable("Ulcerated, tattooed or treated skin"),
    translatable("Children"),
    translatable("Photographs taken without a dermatoscope"),
)


@dataclass(frozen=True, slots=True, eq=False)
class LimitsView(PageView):
    """What the instrument is not for."""

    page: ClassVar[PageName] = PageName.LIMITS


class LimitsPage(Page):
    """What the instrument is not for, in a language that can be chosen here."""

    back_label: ClassVar[str] = translatable("Understood")
    takes_pictures: ClassVar[bool] = False

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the languages at the top, and the way on where Back is on other pages."""
        page = layout.page
        top = Rect(page.left, page.top, page.width, layout.target_height)
        languages = layout.columns(top, len(LANGUAGES))
        return {
            Control.BACK: layout.row[-2].union(layout.row[-1]),
            **dict(zip(LANGUAGES, languages, strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the way on, then the languages."""
        return (Control.BACK, *LANGUAGES)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Choose a language."""
        if target in LANGUAGES:
            return replace(state, language=Language(target)), Command.SAVE_PREFERENCES
        return state, None

    @classmethod
    def left(cls, state: State) -> Step:
        """Go on to the live view, and remember that this was read."""
        read = replace(with_page(state, PageName.LIVE), limits_read=True)
        return read, Command.SAVE_PREFERENCES

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return that it is to be said."""
        return LimitsView()

    def draw(self, view: LimitsView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        languages: dict[Target, Button] = {
            code: Button(name, code == view.language) for code, name in LANGUAGES.items()
        }
        self.draw_buttons(view, wording, languages, frozen=False)
        page, top = self.canvas.layout.page, self.canvas.layout.target_height
        below = Rect(page.left, page.top + top, page.width, page.height - top)
        self.canvas.part(below, None, lambda _: self._draw_words(below, wording))

    def _draw_words(self, area: Rect, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        top = area.top + px(18)
        heading = wording.translate("Do not use it on")
        canvas.draw_text(heading, theme.HEADLINE, (area.left, top), area.width, bold=True)
        top += px(52)
        indent = px(30)
        for words in NOT_FOR:
            middle = top + canvas.line_height(24) // 2
            mark = Rect(area.left + px(4), middle - px(5), px(12), px(12))
            pygame.draw.rect(canvas.screen, self.palette.warning, mark)
            room = Rect(area.left + indent, top, area.width - indent, area.bottom - top)
            top = canvas.draw_paragraph(wording.translate(words), 24, room) + px(8)
        words = wording.translate(
            "Suspicious lesions are excised or referred, whatever the screen says."
        )
        room = Rect(area.left, top + px(14), area.width, area.bottom - top - px(14))
        canvas.draw_paragraph(words, 24, room)


PAGE = LimitsPage
