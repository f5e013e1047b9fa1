"""What a page is: where its targets are, what they do, and how it is drawn."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from importlib import import_module
from typing import Any, ClassVar

from pygame import Rect

from device.language import translatable
from device.models.manifest import Manifest
from device.runtime.requests import Request
from device.screen.canvas import Button, Canvas
from device.screen.events import Place, Target
from device.screen.field_view import FieldView
from device.screen.layout import Layout
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page
from device.screen.theme import Palette
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording, shutter_label


class Control(StrEnum):
    """The targets that pages have in common."""

    SHUTTER = "shutter"
    BACK = "back"
    OPACITY = "opacity"


class Page(ABC):
    """A page of the screen.

    A new page is a module that names its subclass of this `PAGE`, and a line in
    `device.screen.registry`. Where the clinician is (the class methods) needs no screen; an
    object draws the page.

    Parameters
    ----------
    canvas
        To draw on.
    field_view
        Draws the field of view, for pages beside which it stands.
    manifest
        Of the model in use: names, operating points, figures.

    Attributes
    ----------
    parent
        The page that Back leads to; None where there is none.
    menu_label
        What the entry in More's menu is called, in English that the catalogues hold; empty for a
        page that is reached in another way.
    back_label
        What Back is called, in English that the catalogues hold.
    shows_capture
        Pressing the shutter stays on this page instead of leading to the live one.
    takes_pictures
        Pressing the shutter takes a picture; where it does not, it does what Back does.
    text_field
        What is typed is for this page.
    keys
        What keys of its own press.
    opening
        What is asked of the records when it is opened from the menu.
    """

    parent: ClassVar[PageName | None] = PageName.LIVE
    menu_label: ClassVar[str] = ""
    back_label: ClassVar[str] = translatable("Back")
    shows_capture: ClassVar[bool] = False
    takes_pictures: ClassVar[bool] = True
    text_field: ClassVar[bool] = False
    keys: ClassVar[Mapping[str, Target]] = {}
    opening: ClassVar[Request | None] = None

    @classmethod
    @abstractmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return where every target is that can be touched on this page in any state."""

    @classmethod
    @abstractmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return what can be touched now, in the order in which the keyboard reaches it."""

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Return where a press of one of the page's own targets leads."""
        return state, None

    @classmethod
    def touched(cls, state: State, target: Target, place: Place, context: Context) -> Step:
        """Return where a finger on one of the page's own targets leads, where its place matters."""
        return cls.pressed(state, target, context)

    @classmethod
    def pinched(cls, state: State, by: float) -> State:
        """Return where two fingers lead that are `by` times as far apart."""
        return state

    @classmethod
    def left(cls, state: State) -> Step:
        """Return where Back leads."""
        return with_page(state, cls.parent or PageName.LIVE), None

    @classmethod
    def typed(cls, state: State, text: str) -> Step:
        """Return where typed text leads, on a page with a text field."""
        return state, None

    @classmethod
    @abstractmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return what there is to be shown on this page."""

    def __init__(self, canvas: Canvas, field_view: FieldView, manifest: Manifest) -> None:
        self.canvas = canvas
        self.field_view = field_view
        self.manifest = manifest

    @property
    def palette(self) -> Palette:
        """The colours of the picture that is drawn."""
        return self.canvas.palette

    @abstractmethod
    def draw(self, view: Any, wording: Wording) -> None:
        """Draw the page, but for its status line.

        Parameters
        ----------
        view
            As the page's own `view` returns it.
        """

    def draw_buttons(
        self, view: PageView, wording: Wording, own: Mapping[Target, Button], *, frozen: bool
    ) -> None:
        """Draw the shutter's button and Back where the page has them, and the page's own buttons.

        Parameters
        ----------
        own
            Their labels, and which are on; the focus is the view's.
        frozen
            A picture is held: the shutter would let it go.
        """
        places = self.places(self.canvas.layout)
        buttons = dict(own)
        if Control.SHUTTER in places:
            buttons[Control.SHUTTER] = Button(shutter_label(frozen, wording), frozen)
        if Control.BACK in places:
            buttons[Control.BACK] = Button(wording.translate(self.back_label))
        self.canvas.draw_buttons(
            places,
            {name: replace(button, focused=view.focus == name) for name, button in buttons.items()},
        )


def page_class(name: PageName) -> type[Page]:
    """Return the page of a name: what its module calls `PAGE`."""
    module = import_module(f"device.screen.pages.{name}")
    page: type[Page] = module.PAGE
    return page


def shown(name: PageName, snapshot: Snapshot) -> PageView:
    """Return what there is to be shown on a page, with what every page has."""
    state = snapshot.state
    return replace(
        page_class(name).view(snapshot),
        clock=snapshot.clock,
        source=snapshot.source,
        language=state.language,
        theme=state.theme,
        focus=state.focus,
        case=snapshot.case,
    )
