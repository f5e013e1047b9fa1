"""The settings page, beside the skin: language, opacity, what the optics are calibrated to."""

from pygame import Rect

from device.language import LANGUAGES
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.field_view import FieldView
from device.screen.view import SettingsView
from device.screen.wording import Wording, sentence


class SettingsPage:
    """Draws the settings page."""

    def __init__(self, sheet: Canvas, skin: FieldView) -> None:
        self._sheet = sheet
        self._skin = skin

    def draw(self, view: SettingsView, speech: Wording) -> None:
        """Draw the page, but for its status line."""
        self._skin.draw(view.behind, speech)
        sheet, px = self._sheet, self._sheet.layout.px
        panel, places = sheet.layout.panel, sheet.layout.targets["settings"]
        frozen = view.behind.frozen is not None
        sheet.row(
            "settings",
            view.focus,
            ("shutter", speech.translate("Live") if frozen else speech.translate("Freeze"), frozen),
            (
                "quit",
                speech.translate("Off") if view.appliance else speech.translate("Quit"),
                False,
            ),
            ("about", speech.translate("About"), False),
            ("back", speech.translate("Back"), False),
            *((code, own_name, code == view.language) for code, own_name in LANGUAGES.items()),
        )
        first = places[next(iter(LANGUAGES))]
        above = Rect(panel.left, panel.top, panel.width, first.top - panel.top)
        if sheet.part(above, speech):
            sheet.words(
                speech.translate("Settings"), theme.HEADLINE, above.topleft, above.width, bold=True
            )
            sheet.words(
                speech.translate("Language"),
                theme.BODY,
                (above.left, above.top + px(48)),
                above.width,
            )
        slider = places["opacity"]
        opacity, focused = view.behind.opacity, view.focus == "opacity"
        if sheet.part(slider, speech, opacity, focused):
            label = speech.translate(
                "Opacity of the overlay {percent} %", percent=round(opacity * 100)
            )
            sheet.slider(slider, label, opacity, focused=focused)
        top = slider.bottom + px(22)
        below = Rect(panel.left, top, panel.width, panel.bottom - top)
        if sheet.part(below, speech, view.mm_per_pixel, view.trouble):
            if view.mm_per_pixel is None:
                words = speech.translate("Lengths: not calibrated, so no millimetres are shown.")
            else:
                micrometres = f"{view.mm_per_pixel * 1000:.1f}"
                words = speech.translate("Lengths: {length} µm per pixel.", length=micrometres)
            end = sheet.paragraph(words, theme.BODY, below)
            if view.trouble:
                rest = Rect(below.left, end + px(10), below.width, below.bottom - end - px(10))
                trouble = sentence(speech.translate(view.trouble))
                sheet.paragraph(trouble, theme.BODY, rest, theme.WARNING)
