"""Draws what there is to be shown, and says what a finger on the screen means."""

from pygame import Rect, Surface

from device.language import Language
from device.models.manifest import Manifest
from device.records.words import NOTICE
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.events import Drag, Place, Target, Touch
from device.screen.field_view import FieldView
from device.screen.layout import Layout, arrange
from device.screen.pages.base import page_class
from device.screen.records_wording import case_lines
from device.screen.registry import PageName
from device.screen.state import State
from device.screen.view import Case, PageView
from device.screen.wording import Wording


class Renderer:
    """Draws views for one screen size and one model.

    Made after the screen is opened. A part of the screen is drawn again only when what it shows
    has changed, so nobody else may draw on the surface in between.

    Parameters
    ----------
    size
        Width and height of the screen in pixels.
    manifest
        Of the model in use: names, operating points, figures.
    """

    def __init__(self, size: tuple[int, int], manifest: Manifest) -> None:
        self.layout: Layout = arrange(*size)
        self._manifest = manifest
        self._canvas = Canvas(self.layout)
        self._wording: dict[Language, Wording] = {}
        field_view = FieldView(self._canvas)
        self._pages = {
            name: page_class(name)(self._canvas, field_view, manifest) for name in PageName
        }

    def draw(self, screen: Surface, view: PageView) -> None:
        """Draw a whole view."""
        if view.language not in self._wording:
            self._wording[view.language] = Wording(view.language, self._manifest)
        wording = self._wording[view.language]
        self._canvas.begin(screen, (view.page, view.language), theme.PALETTES[view.theme])
        self._pages[view.page].draw(view, wording)
        clock = view.clock.strftime("%H:%M") if view.clock else ""
        self._canvas.part(
            self.layout.status,
            (wording.translate(view.source), clock, view.case),
            lambda shown: self._draw_status(*shown, wording),
        )
        self._canvas.end()

    def touched(self, state: State, position: tuple[int, int]) -> Touch | None:
        """Return what a finger at a place on the screen means."""
        places = self._places(state)
        for target in page_class(state.page).targets(state):
            if places[target].collidepoint(position):
                area = places[target]
                x, y = position[0] - area.left, position[1] - area.top
                place = Place(x, y, area.width, area.height)
                return Touch(target, self._along(area, position), place)
        return None

    def dragged(self, state: State, target: Target, position: tuple[int, int]) -> Drag | None:
        """Return what a finger means that went down on a target and may have slid off it.

        None where the page has no such target any more.
        """
        area = self._places(state).get(target)
        return Drag(target, self._along(area, position)) if area else None

    def _places(self, state: State) -> dict[Target, Rect]:
        return dict(page_class(state.page).places(self.layout))

    def _along(self, area: Rect, position: tuple[int, int]) -> float:
        track = self.layout.slider_track(area)
        return max(0.0, min((position[0] - track.left) / track.width, 1.0))

    def _draw_status(self, source: str, clock: str, case: Case | None, wording: Wording) -> None:
        canvas, area, px = self._canvas, self.layout.status, self.layout.px
        model, pad, size = self._manifest.model_id, px(14), theme.SMALL
        # The notice is never what gives way.
        notice = canvas.draw_text(
            wording.translate(NOTICE), size, (area.left + pad, area.centery),
            area.width - 2 * pad, canvas.palette.quiet, anchor="midleft",
        )  # fmt: skip
        room = area.right - pad - notice.right - pad
        if case is not None:
            # Whom the next picture is of is more than the model's name.
            lines = case_lines(case, wording)
            words = next(
                (w for w in lines if canvas.fonts.width(w, px(size), bold=True) <= room), lines[-1]
            )
            palette = canvas.palette
            # What is taken now is filed under nobody.
            colour = palette.touch if case.lesion is not None or case.filing else palette.warning
            canvas.draw_text(
                words, size, (area.right - pad, area.centery), room, colour,
                bold=True, anchor="midright",
            )  # fmt: skip
            return
        choices = ["   ".join(w for w in words if w) for words in
                   ((model, source, clock), (model, clock), (clock,))]  # fmt: skip
        fitting = [w for w in choices if canvas.fonts.width(w, px(size)) <= room]
        if fitting:
            canvas.draw_text(
                fitting[0], size, (area.right - pad, area.centery), room, canvas.palette.quiet,
                anchor="midright",
            )  # fmt: skip
