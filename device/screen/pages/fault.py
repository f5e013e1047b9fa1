"""What is shown beside the skin where something of the instrument does not work."""

from dataclasses import replace

from pygame import Rect

from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.field_view import FieldView
from device.screen.pages.live import LivePage
from device.screen.view import TroubleView
from device.screen.wording import Wording, sentence


class TroublePage:
    """Draws what is wrong, whole, where finding, bars and quality would stand."""

    def __init__(self, sheet: Canvas, skin: FieldView, live: LivePage) -> None:
        self._sheet = sheet
        self._skin = skin
        self._live = live

    def draw(self, view: TroubleView, speech: Wording) -> None:
        """Draw the page, but for its status line."""
        self._skin.draw(view.behind, speech)
        self._live.draw_row(replace(view.behind, focus=view.focus), speech)
        sheet, px = self._sheet, self._sheet.layout.px
        panel = sheet.layout.panel
        words = sentence(speech.translate(view.words, **view.values))
        if not sheet.part(panel, speech, words, view.detail):
            return
        self._live.headline(speech.translate("Not working"), theme.WARNING)
        top = panel.top + px(54)
        room = Rect(panel.left, top, panel.width, panel.bottom - top - px(60))
        end = sheet.paragraph(words, 24, room)
        rest = Rect(panel.left, end + px(14), panel.width, panel.bottom - end - px(14))
        sheet.paragraph(view.detail, theme.SMALL, rest, theme.QUIET)
