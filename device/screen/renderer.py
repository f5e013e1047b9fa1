"""Draws a view onto a surface. Nothing here waits or opens a device."""

from pygame import Surface

from device.language import Language
from device.models.manifest import Manifest
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.field_view import FieldView
from device.screen.layout import Layout, arrange
from device.screen.navigation import State, Target, Touch, targets
from device.screen.pages.about import AboutPage
from device.screen.pages.compare import ComparePage
from device.screen.pages.fault import TroublePage
from device.screen.pages.live import LivePage
from device.screen.pages.power import OffPage
from device.screen.pages.settings import SettingsPage
from device.screen.view import AboutView, CompareView, LiveView, OffView, SettingsView, View
from device.screen.wording import NOTICE, Wording


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
        self._sheet = Canvas(self.layout)
        self._speech: dict[Language, Wording] = {}
        skin = FieldView(self._sheet)
        self._live = LivePage(self._sheet, skin, manifest)
        self._compare = ComparePage(self._sheet)
        self._settings = SettingsPage(self._sheet, skin)
        self._off = OffPage(self._sheet, skin)
        self._about = AboutPage(self._sheet, manifest)
        self._trouble = TroublePage(self._sheet, skin, self._live)

    def draw(self, screen: Surface, view: View) -> None:
        """Draw a whole view."""
        if view.language not in self._speech:
            self._speech[view.language] = Wording(view.language, self._manifest)
        speech = self._speech[view.language]
        self._sheet.open(screen, (type(view), view.language))
        if isinstance(view, LiveView):
            self._live.draw(view, speech)
        elif isinstance(view, CompareView):
            self._compare.draw(view, speech)
        elif isinstance(view, SettingsView):
            self._settings.draw(view, speech)
        elif isinstance(view, OffView):
            self._off.draw(view, speech)
        elif isinstance(view, AboutView):
            self._about.draw(view, speech)
        else:
            self._trouble.draw(view, speech)
        self._draw_status(view, speech)
        self._sheet.close()

    def touched(self, state: State, position: tuple[int, int]) -> Touch | None:
        """Return what a finger at a place on the screen means."""
        places = self.layout.targets[state.page]
        reached = [t for t in targets(state) if places[t].collidepoint(position)]
        return self.along(state, reached[0], position) if reached else None

    def along(self, state: State, target: Target, position: tuple[int, int]) -> Touch:
        """Return what a finger means that went down on a target and may have slid off it."""
        track = self.layout.slider_track(self.layout.targets[state.page][target])
        share = (position[0] - track.left) / track.width
        return Touch(target, max(0.0, min(share, 1.0)))

    def _draw_status(self, view: View, speech: Wording) -> None:
        area, px = self.layout.status, self.layout.px
        clock = view.clock.strftime("%H:%M") if view.clock else ""
        model, pad, size = self._manifest.model_id, px(14), theme.SMALL
        source = speech.translate(view.source)
        if not self._sheet.part(area, speech, source, clock):
            return
        # The notice is never what gives way.
        notice = self._sheet.words(
            speech.translate(NOTICE), size, (area.left + pad, area.centery), area.width - 2 * pad,
            theme.QUIET, anchor="midleft",
        )  # fmt: skip
        room = area.right - pad - notice.right - pad
        choices = ["   ".join(w for w in words if w) for words in
                   ((model, source, clock), (model, clock), (clock,))]  # fmt: skip
        fitting = [w for w in choices if self._sheet.type.width(w, px(size)) <= room]
        if fitting:
            self._sheet.words(
                fitting[0], size, (area.right - pad, area.centery), room, theme.QUIET,
                anchor="midright",
            )  # fmt: skip
