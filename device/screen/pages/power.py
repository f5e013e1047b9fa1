"""The page that asks before the instrument is started anew or switched off, beside the skin."""

from pygame import Rect

from device.screen import theme
from device.screen.canvas import Sheet
from device.screen.field_view import Skin
from device.screen.view import OffView
from device.screen.wording import Speech


class OffPage:
    """Draws the page."""

    def __init__(self, sheet: Sheet, skin: Skin) -> None:
        self._sheet = sheet
        self._skin = skin

    def draw(self, view: OffView, speech: Speech) -> None:
        """Draw the page, but for its status line."""
        self._skin.draw(view.behind, speech)
        sheet, px = self._sheet, self._sheet.layout.px
        frozen = view.behind.frozen is not None
        sheet.row(
            "off",
            view.focus,
            ("shutter", speech.say("Live") if frozen else speech.say("Freeze"), frozen),
            ("restart", speech.say("Restart"), False),
            ("off", speech.say("Switch off"), False),
            ("back", speech.say("Back"), False),
        )
        panel = sheet.layout.panel
        top = panel.top
        above = Rect(panel.left, top, panel.width, sheet.layout.targets["off"]["off"].top - top)
        if sheet.part(above, speech):
            sheet.words(
                speech.say("Switch off?"), theme.HEADLINE, above.topleft, above.width, bold=True
            )
            words = Rect(above.left, above.top + px(50), above.width, above.height - px(50))
            sheet.paragraph(speech.say("Kept examinations stay."), theme.BODY, words)
