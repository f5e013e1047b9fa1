"""The about page: what the instrument is, and how good it was found to be."""

from collections.abc import Mapping
from typing import Final

from pygame import Rect

from device import __version__
from device.language import translatable
from device.models.manifest import Manifest
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.view import AboutView
from device.screen.wording import NOTICE, Wording

FIGURES: Final[Mapping[str, str]] = {
    "accuracy": translatable("Accuracy"),
    "balanced_accuracy": translatable("Balanced accuracy"),
    "melanoma_auc": translatable("Melanoma, AUC"),
    "malignant_auc": translatable("Malignant group, AUC"),
    "melanoma_sensitivity_at_0.90_specificity": translatable("Melanoma found, specificity 90 %"),
    "melanoma_specificity_at_0.95_sensitivity": translatable("Specificity, melanoma found 95 %"),
    "expected_calibration_error": translatable("Calibration error"),
}
"""Those of the manifest's figures that a clinician is shown, in this order; the card has all."""


class AboutPage:
    """Draws the about page."""

    def __init__(self, sheet: Canvas, manifest: Manifest) -> None:
        self._sheet = sheet
        self._manifest = manifest

    def draw(self, view: AboutView, speech: Wording) -> None:
        """Draw the page, but for its status line."""
        sheet, page, px = self._sheet, self._sheet.layout.page, self._sheet.layout.px
        shutter = speech.translate("Live") if view.frozen else speech.translate("Freeze")
        sheet.row(
            "about",
            view.focus,
            ("shutter", shutter, view.frozen),
            ("back", speech.translate("Back"), False),
        )
        if not sheet.part(page, speech, view.signed_by):
            return
        title = f"dermascope {__version__}"
        sheet.words(title, theme.HEADLINE, page.topleft, page.width, bold=True)
        top = page.top + px(50)
        if sheet.layout.portrait:
            words = Rect(page.left, top, page.width, px(350))
            figures = Rect(page.left, words.bottom, page.width, page.bottom - words.bottom)
        else:
            gap = px(28)
            width = round((page.width - gap) * 0.44)
            words = Rect(page.left, top, width, page.bottom - top)
            left = words.right + gap
            figures = Rect(left, top, page.right - left, page.bottom - top)
        self._draw_words(words, view, speech)
        self._draw_figures(figures, speech)

    def _draw_words(self, area: Rect, view: AboutView, speech: Wording) -> None:
        manifest, px = self._manifest, self._sheet.layout.px
        origin = manifest.provenance
        signature = speech.translate(
            "Signature holds; signed by key {key}…", key=view.signed_by[:16]
        )  # fmt: skip
        top = area.top
        for words, colour in (
            (speech.translate("Model {model}", model=manifest.model_id), theme.TEXT),
            (signature, theme.TEXT),
            (speech.translate(NOTICE), theme.WARNING),
            (speech.translate("Licence: {licence}", licence=origin.licence), theme.QUIET),
            (speech.translate("Data: {data}; {split}", data=origin.dataset, split=origin.split),
             theme.QUIET),
        ):  # fmt: skip
            room = Rect(area.left, top, area.width, area.bottom - top)
            top = self._sheet.paragraph(words, 20, room, colour) + px(10)

    def _draw_figures(self, area: Rect, speech: Wording) -> None:
        sheet, px = self._sheet, self._sheet.layout.px
        heading = speech.translate("Measured on lesions kept apart; intervals of 95 %")
        top = sheet.paragraph(heading, 20, area, theme.QUIET) + px(8)
        shown = [(name, FIGURES[name]) for name in FIGURES if name in self._manifest.metrics]
        step = min(px(44), (area.bottom - top) // max(1, len(shown)))
        for i, (name, label) in enumerate(shown):
            figure = self._manifest.metrics[name]
            value = speech.translate(
                "{value} ({low} to {high})",
                value=f"{figure.value:.2f}", low=f"{figure.low:.2f}", high=f"{figure.high:.2f}",
            )  # fmt: skip
            middle = top + i * step + step // 2
            said = sheet.words(
                value, 20, (area.right, middle), area.width, bold=True, anchor="midright"
            )
            room = said.left - area.left - px(12)
            sheet.words(speech.translate(label), 20, (area.left, middle), room, anchor="midleft")
