"""Where the clinician is, and where a touch or a key leads. Plain values: no screen, no camera."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from device.diagnoses import CODES, SCREEN_ORDER, Code
from device.language import LANGUAGES, Language

Page = Literal["live", "compare", "settings", "about", "off"]
Control = Literal[
    "shutter", "overlay", "compare", "more", "back", "previous", "next", "quit", "about",
    "opacity", "en", "es", "pt", "restart", "off",
]  # fmt: skip
Target = Control | Code
Ending = Literal["quit", "restart", "off"]
Request = Literal["take", "release", "explain", "save"] | Ending

PAGES: Final[tuple[Page, ...]] = ("live", "compare", "settings", "about", "off")
OPACITY_STEP: Final = 0.1
LOWEST_OPACITY: Final = 0.1

USED_KEYS: Final = frozenset(
    {"escape", "space", "tab", "shift tab", "left", "right", "up", "down", "return", "enter", "o"}
)
"""Names of the keys that mean something, as SDL names them; ``enter`` is that of the keypad."""

_ROW: Final[dict[Page, tuple[Control, ...]]] = {
    "live": ("shutter", "overlay", "compare", "more"),
    "compare": ("shutter", "previous", "next", "back"),
    "settings": ("shutter", "quit", "about", "back"),
    "about": ("shutter", "back"),
    "off": ("shutter", "back"),
}
_ABOVE_THE_ROW: Final[dict[Page, tuple[Target, ...]]] = {
    "live": SCREEN_ORDER,
    "compare": (),
    "settings": (*LANGUAGES, "opacity"),
    "about": (),
    "off": ("restart", "off"),
}


@dataclass(frozen=True, slots=True)
class State:
    """Where the clinician is and what was chosen.

    Attributes
    ----------
    page
        What is shown.
    frozen
        A picture is held, on whatever page.
    overlay
        Show the saliency.
    code
        For which diagnosis; None for the likeliest malignant one.
    opacity
        Of the overlay, `LOWEST_OPACITY` to 1.
    language
        Of every word.
    focus
        What Enter would press, where the keyboard is in use.
    earlier
        Which earlier picture is compared with: 0 is the newest.
    appliance
        There is nothing behind the program that a finger could reach: it is not quit, but started
        anew or switched off, and only on a page that asks for it.
    """

    page: Page = "live"
    frozen: bool = False
    overlay: bool = False
    code: Code | None = None
    opacity: float = 0.6
    language: Language = "en"
    focus: Target | None = None
    earlier: int = 0
    appliance: bool = False


@dataclass(frozen=True, slots=True)
class Touch:
    """A finger or the mouse is on a target.

    Attributes
    ----------
    along
        How far along it, 0 to 1; a slider follows it.
    """

    target: Target
    along: float = 0.0


@dataclass(frozen=True, slots=True)
class Lift:
    """The finger has left a slider."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key was pressed, named as SDL names it; ``shift tab`` is one too."""

    name: str


Input = Touch | Lift | Key
Step = tuple[State, Request | None]


def targets(state: State) -> tuple[Target, ...]:
    """Return what can be touched now, in the order in which the keyboard reaches it."""
    slider: tuple[Target, ...] = ("opacity",) if state.page == "live" and state.overlay else ()
    return (*_ROW[state.page], *_ABOVE_THE_ROW[state.page], *slider)


def step(state: State, given: Input, *, earlier: int = 0, pedal: str = "") -> Step:
    """Return where an input leads, and what the program must do.

    Parameters
    ----------
    state
        Where the clinician is.
    given
        What was touched or pressed.
    earlier
        How many earlier pictures there are to compare with.
    pedal
        Name of the key that a foot pedal sends; it is the shutter, as the space bar is.

    Returns
    -------
    State
        The next state. A request that cannot be met is taken back by whoever could not meet it.
    str or None
        ``take`` and ``release`` a picture; ``explain``: the overlay or its diagnosis changed;
        ``save`` the settings; ``quit``, ``restart`` or switch ``off``.
    """
    if isinstance(given, Lift):
        return state, "save"
    if isinstance(given, Touch):
        if given.target not in targets(state):
            return state, None
        if given.target == "opacity":
            return _faded(replace(state, focus=None), given.along), None
        return _press(replace(state, focus=None), given.target, earlier)
    return _key(state, given.name, earlier, pedal)


def _key(state: State, name: str, earlier: int, pedal: str) -> Step:
    if name == "space" or (pedal and name == pedal):
        return _press(state, "shutter", earlier)
    if name == "escape":
        return _press(state, "back", earlier)
    if name == "o" and state.page == "live":
        return _press(state, "overlay", earlier)
    if name in ("left", "right") and state.focus == "opacity":
        change = OPACITY_STEP if name == "right" else -OPACITY_STEP
        return _faded(state, state.opacity + change), "save"
    if name in ("tab", "right", "down"):
        return _moved(state, 1), None
    if name in ("shift tab", "left", "up"):
        return _moved(state, -1), None
    if name in ("return", "enter") and state.focus in targets(state):
        return _press(state, state.focus, earlier)
    return state, None


def _press(state: State, target: Target, earlier: int) -> Step:
    if target in CODES:
        return replace(state, overlay=True, code=target), "explain"
    for language in LANGUAGES:
        if target == language:
            return replace(state, language=language), "save"
    if target == "shutter":
        page: Page = state.page if state.page == "compare" else "live"
        state = state if page == state.page else _turned(state, page)
        return replace(state, frozen=not state.frozen), "release" if state.frozen else "take"
    if target == "overlay":
        return replace(state, overlay=not state.overlay), "explain"
    if target == "back":
        return _back(state)
    if target in ("previous", "next"):
        place = state.earlier + (1 if target == "previous" else -1)
        return replace(state, earlier=max(0, min(place, earlier - 1))), None
    if target == "quit":
        return (_turned(state, "off"), None) if state.appliance else (state, "quit")
    if target in ("restart", "off"):
        return state, target
    pages: dict[Target, Page] = {"compare": "compare", "more": "settings", "about": "about"}
    return (_turned(state, pages[target]) if target in pages else state), None


def _back(state: State) -> Step:
    if state.page in ("about", "off"):
        return _turned(state, "settings"), None
    if state.page != "live":
        return _turned(state, "live"), None
    return replace(state, frozen=False), "release" if state.frozen else None


def _turned(state: State, page: Page) -> State:
    return replace(state, page=page, focus=None, earlier=0)


def _moved(state: State, by: int) -> State:
    reached = targets(state)
    if state.focus not in reached:
        return replace(state, focus=reached[0 if by > 0 else -1])
    return replace(state, focus=reached[(reached.index(state.focus) + by) % len(reached)])


def _faded(state: State, opacity: float) -> State:
    return replace(state, opacity=round(max(LOWEST_OPACITY, min(opacity, 1.0)), 2))
