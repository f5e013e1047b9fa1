"""The page with letters to be touched, for where there is no keyboard."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

import pygame
from pygame import Rect

from device.imaging.codes import LONGEST, clean_identifier
from device.language import translatable
from device.runtime.requests import FindPatient, OpenWork
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.forms import (
    LONGEST_NAME,
    LONGEST_NOTE,
    LONGEST_PIN,
    DecisionForm,
    DetailsForm,
    HolderForm,
    NewPinForm,
    SearchForm,
)
from device.screen.grid import rows_of_targets, second_row, stacked, work_area
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording

_WIDE: Final = ("1234567890", "qwertyuiop", "asdfghjkl-", "zxcvbnm,./")
_TALL: Final = ("abcdefg", "hijklmn", "opqrstu", "vwxyz-,", "1234567", "890./")
"""On a screen that is upright ten keys side by side are too narrow for a glove."""

_YEAR: Final = 4


class Field(StrEnum):
    """What is typed."""

    IDENTIFIER = "identifier"
    NAME = "name"
    BIRTH_YEAR = "birth year"
    NOTE = "note"
    DIAGNOSIS = "diagnosis"
    HOLDER = "holder"
    PIN = "pin"
    NEW_PIN = "new pin"
    SEARCH = "search"


HEADINGS: Final[Mapping[Field, str]] = {
    Field.IDENTIFIER: translatable("Patient"),
    Field.NAME: translatable("Name"),
    Field.BIRTH_YEAR: translatable("Year of birth"),
    Field.NOTE: translatable("Note"),
    Field.DIAGNOSIS: translatable("Other diagnosis"),
    Field.HOLDER: translatable("Name"),
    Field.PIN: translatable("PIN"),
    Field.NEW_PIN: translatable("PIN"),
    Field.SEARCH: translatable("Beginning of the identifier"),
}
_LONGEST: Final[Mapping[Field, int]] = {
    Field.IDENTIFIER: LONGEST,
    Field.NAME: LONGEST_NAME,
    Field.BIRTH_YEAR: _YEAR,
    Field.NOTE: LONGEST_NOTE,
    Field.DIAGNOSIS: LONGEST_NAME,
    Field.HOLDER: LONGEST_NAME,
    Field.PIN: LONGEST_PIN,
    Field.NEW_PIN: LONGEST_PIN,
    Field.SEARCH: LONGEST,
}
_SECRET: Final = frozenset({Field.PIN, Field.NEW_PIN})
_NAMES: Final = frozenset({Field.NAME, Field.HOLDER})

Form = DetailsForm | DecisionForm | HolderForm | NewPinForm | SearchForm
"""What something that is typed can be a part of."""

ACCENTED: Final[Mapping[str, str]] = dict(zip("aeiouncspqrlyw", "áéíóúñçãõâêôüà", strict=True))
"""What stands on a letter's key while accents are wanted: on its own, or on the one beside it."""

LetterKey = StrEnum("LetterKey", {f"KEY_{i}": key for i, key in enumerate("".join(_WIDE))})  # type: ignore[misc]


class KeyboardControl(StrEnum):
    """The page's own targets, beside the letters."""

    CAPITALS = "capitals"
    ACCENTS = "accents"
    SPACE = "space"
    DELETE = "delete"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class KeyboardState:
    """What is typed, and for what.

    Attributes
    ----------
    field
        For what.
    text
        As far as it was typed.
    form
        That it is a part of, where it is.
    capitals
        The next letters are capitals.
    accents
        The next letter has an accent.
    """

    field: Field = Field.NOTE
    text: str = ""
    form: Form | None = None
    capitals: bool = False
    accents: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class KeyboardView(PageView):
    """What is typed.

    Attributes
    ----------
    typing
        As far as it was typed.
    frozen
        A picture is held.
    """

    page: ClassVar[PageName] = PageName.KEYBOARD
    typing: KeyboardState
    frozen: bool = False


class KeyboardPage(Page):
    """Types a line or a note."""

    parent: ClassVar[PageName | None] = PageName.START
    text_field: ClassVar[bool] = True
    keys: ClassVar[Mapping[str, Target]] = {
        "return": KeyboardControl.DONE,
        "enter": KeyboardControl.DONE,
        "backspace": KeyboardControl.DELETE,
    }

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the letters above both rows, and what else the keyboard has in the second."""
        area = work_area(layout)
        rows = _TALL if layout.portrait else _WIDE
        letters = rows_of_targets(layout, area.topleft, area.width, len(rows))
        letters.bottom = area.bottom
        places: dict[Target, Rect] = {
            LetterKey(letter): key
            for row, letters_of_row in zip(stacked(layout, letters, len(rows)), rows, strict=True)
            for letter, key in zip(letters_of_row, layout.columns(row, len(rows[0])), strict=False)
        }
        capitals, accents, space, delete = second_row(layout)
        return {
            Control.SHUTTER: layout.row[0],
            KeyboardControl.DONE: layout.row[1].union(layout.row[2]),
            Control.BACK: layout.row[3],
            **places,
            KeyboardControl.CAPITALS: capitals,
            KeyboardControl.ACCENTS: accents,
            KeyboardControl.SPACE: space,
            KeyboardControl.DELETE: delete,
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, the second row, then the letters."""
        row = (Control.SHUTTER, KeyboardControl.DONE, Control.BACK)
        return (*row, *tuple(KeyboardControl)[:4], *LetterKey)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Type a letter, or go back with what was typed."""
        typing = _typing(state)
        match target:
            case KeyboardControl.DONE:
                return _done(state, typing)
            case KeyboardControl.CAPITALS:
                return replace(
                    state, page_state=replace(typing, capitals=not typing.capitals)
                ), None
            case KeyboardControl.ACCENTS:
                return replace(state, page_state=replace(typing, accents=not typing.accents)), None
            case KeyboardControl.DELETE:
                return replace(state, page_state=replace(typing, text=typing.text[:-1])), None
            case KeyboardControl.SPACE:
                return cls.typed(state, " ")
        letter = str(target)
        if typing.accents:
            if letter not in ACCENTED:
                return state, None
            letter = ACCENTED[letter]
            # One word has seldom two of them.
            state = replace(state, page_state=replace(typing, accents=False))
        return cls.typed(state, letter.upper() if _capital(typing) else letter)

    @classmethod
    def typed(cls, state: State, text: str) -> Step:
        """Add to the text."""
        typing = _typing(state)
        if typing.field == Field.BIRTH_YEAR and not _digits(text):
            return state, None
        longer = "".join(c for c in typing.text + text if c.isprintable())
        return replace(
            state, page_state=replace(typing, text=longer[: _LONGEST[typing.field]])
        ), None

    @classmethod
    def left(cls, state: State) -> Step:
        """Go back without what was typed."""
        typing = _typing(state)
        return replace(with_page(state, _before(typing)), page_state=typing.form), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return what is typed; of a PIN only how much."""
        typing = _typing(snapshot.state)
        if typing.field in _SECRET:
            typing = replace(typing, text="•" * len(typing.text), form=None)
        return KeyboardView(typing, snapshot.live.frozen is not None)

    def draw(self, view: KeyboardView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        capital = _capital(view.typing)
        buttons: dict[Target, Button] = {
            KeyboardControl.CAPITALS: Button("ABC", view.typing.capitals),
            KeyboardControl.ACCENTS: Button("áñç", view.typing.accents),
            KeyboardControl.SPACE: Button(wording.translate("Space")),
            KeyboardControl.DELETE: Button(wording.translate("Delete")),
            KeyboardControl.DONE: Button(wording.translate("Done"), True),
            **{key: _key(key, view.typing, capital=capital) for key in LetterKey},
        }
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        area = work_area(self.canvas.layout)
        letters = self.places(self.canvas.layout)
        top = min(letters[key].top for key in LetterKey)
        above = Rect(area.left, area.top, area.width, top - area.top - self.canvas.layout.px(10))
        self.canvas.part(above, view.typing, lambda shown: self._draw_text(above, shown, wording))

    def _draw_text(self, area: Rect, shown: KeyboardState, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        heading = wording.translate(HEADINGS[shown.field])
        canvas.draw_text(heading, theme.BODY, area.topleft, area.width, self.palette.quiet)
        box = Rect(area.left, area.top + px(32), area.width, area.height - px(32))
        pygame.draw.rect(canvas.screen, self.palette.surface, box, px(2), border_radius=px(6))
        inner = box.inflate(-px(16), -px(10))
        if shown.field not in (Field.NOTE,):
            canvas.draw_text(
                shown.text, theme.HEADLINE, inner.midleft, inner.width, bold=True, anchor="midleft"
            )
            return
        _, size = canvas.fitting(([shown.text],), (24, theme.BODY, theme.SMALL, 14), inner)
        canvas.draw_paragraph(shown.text, size, inner)


def _typing(state: State) -> KeyboardState:
    return state.page_state if isinstance(state.page_state, KeyboardState) else KeyboardState()


def _key(key: str, typing: KeyboardState, *, capital: bool) -> Button:
    letter = ACCENTED.get(key, "") if typing.accents else str(key)
    return Button(letter.upper() if capital else letter, False if letter else None)


def _capital(typing: KeyboardState) -> bool:
    """Return whether the next letter is a capital: of identifiers and names at their beginning."""
    if typing.field in (Field.IDENTIFIER, Field.SEARCH):
        return not typing.capitals
    begins = not typing.text or typing.text.endswith(" ")
    return typing.capitals or (begins and typing.field in _NAMES)


def _before(typing: KeyboardState) -> PageName:
    match typing.field:
        case Field.IDENTIFIER:
            return PageName.START
        case Field.NAME | Field.BIRTH_YEAR:
            return PageName.DETAILS
        case Field.DIAGNOSIS:
            return PageName.DECISION
        case Field.NOTE:
            return PageName.NOTE
        case Field.HOLDER:
            return PageName.HOLDER
        case Field.PIN:
            return PageName.PIN
        case Field.NEW_PIN:
            return PageName.NEW_PIN
        case Field.SEARCH:
            return PageName.WORKLIST


def _done(state: State, typing: KeyboardState) -> Step:
    before = with_page(state, _before(typing))
    if typing.field == Field.IDENTIFIER:
        text = typing.text.strip()
        identifier = clean_identifier(text)
        request = FindPatient(identifier, beginning=True) if identifier else None
        return replace(before, page_state=text), request
    if isinstance(typing.form, SearchForm):
        prefix = clean_identifier(typing.text)
        return before, OpenWork(typing.form.kind, by_identifier=True, prefix=prefix)
    if typing.field == Field.PIN:
        return replace(before, page_state=typing.text), None
    return replace(before, page_state=filled_in(typing)), None


def _digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def filled_in(typing: KeyboardState) -> Form | None:
    """Return the form that what is typed is a part of, with it; None where it is part of none."""
    text, form = typing.text.strip(), typing.form
    match form:
        case DetailsForm() if typing.field == Field.NAME:
            return replace(form, name=text)
        case DetailsForm():
            year = len(text) == _YEAR and _digits(text)
            return replace(form, birth_year=int(text) if year else None)
        case DecisionForm() if typing.field == Field.NOTE:
            return replace(form, note=text)
        case DecisionForm():
            # Whoever named one of the seven and now says another agrees with the model no more.
            agrees = None if form.agrees and form.diagnosis is not None else form.agrees
            proof = form.proof if text else None
            return replace(form, other=text, diagnosis=None, agrees=agrees, proof=proof)
        case HolderForm():
            return replace(form, name=text)
        case NewPinForm():
            return replace(form, entered=typing.text, unlike=False)
    return None


PAGE = KeyboardPage
