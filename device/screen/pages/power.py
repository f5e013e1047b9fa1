"""The page that asks before the instrument is started anew or switched off, beside the skin."""

from pygame import Rect

from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.field_view import FieldView
from device.screen.view import OffView
from device.screen.wording import Wording


class OffPage:
    """Draws the page."""

    def __init__(self, sheet: Canvas, skin: FieldView) -> None:
        self._sheet = sheet
        self._skin = skin

    def draw(self, view: OffView, speech: Wording) -> None:
        """Draw the page, but for its status line."""
        self._skin.draw(view.behind, speech)
        sheet, px = self._sheet, self._sheet.layout.px
        frozen = view.behind.frozen is not None
        sheet.row(
            "off",
            view.focus,
            ("shutter", speech.translate("Live") if frozen else speech.translate("Freeze"), frozen),
            ("restart", speech.translate("Restart"), False),
            ("off", speech.translate("Switch off"), False),
            ("back", speech.translate("Back"), False),
        )
        panel = sheet.layout.panel
        top = panel.top
        above = Rect(panel.left, top, panel.width, sheet.layout.targets["off"]["off"].top - top)
        if sheet.part(above, speech):
            sheet.words(
                speech.translate("Switch off?"),
                theme.HEADLINE,
                above.topleft,
                above.width,
                bold=True,
            )
            words = Rect(above.left, above.top + px(50), above.width, above.height - px(50))
            sheet.paragraph(speech.translate("Kept examinations stay."), theme.BODY, words)
