"""A page that greets, whole: what it takes to add one (`test_new_page` adds it to a copy)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from pygame import Rect

from device.screen import theme
from device.screen.events import Target
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import State, Step
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording


@dataclass(frozen=True, slots=True, eq=False)
class HelloView(PageView):
    """Who is greeted.

    Attributes
    ----------
    name
        As it was typed.
    frozen
        A picture is held: the shutter would let it go.
    """

    page: ClassVar[PageName] = PageName.HELLO
    name: str
    frozen: bool = False


class HelloPage(Page):
    """Greets whoever types a name."""

    parent: ClassVar[PageName | None] = PageName.SETTINGS
    menu_label: ClassVar[str] = "Hello"
    text_field: ClassVar[bool] = True

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the first and the last of the row."""
        return {Control.SHUTTER: layout.row[0], Control.BACK: layout.row[-1]}

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the two buttons."""
        return (Control.SHUTTER, Control.BACK)

    @classmethod
    def typed(cls, state: State, text: str) -> Step:
        """Add to the name."""
        return replace(state, page_state=f"{state.page_state or ''}{text}"), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return who is greeted."""
        return HelloView(str(snapshot.state.page_state or "world"), snapshot.state.frozen)

    def draw(self, view: HelloView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.draw_buttons(view, wording, {}, frozen=view.frozen)
        greeting = wording.translate("Hello, {name}!", name=view.name)
        self.canvas.part(self.canvas.layout.page, greeting, self._draw_greeting)

    def _draw_greeting(self, greeting: str) -> None:
        page = self.canvas.layout.page
        self.canvas.draw_text(greeting, theme.HEADLINE, page.topleft, page.width, bold=True)


PAGE = HelloPage
