"""The about page: what the instrument is, and how good it was found to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from pygame import Rect

from device import __version__
from device.diagnoses import CODES, MALIGNANT
from device.inference.recommendation import GROUPS, Recommendation, band_figure
from device.language import translatable
from device.models.manifest import Manifest
from device.records.words import NOTICE
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step, with_page
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording, percent

PRACTICES: Final[Mapping[str, str]] = {
    "screening": translatable("screening practice"),
    "referral": translatable("skin cancer clinic"),
}

LIMITS: Final = translatable(
    "Not for nails, mucous membranes, ulcerated, tattooed or treated skin, children, or "
    "photographs taken without a dermatoscope."
)

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

GROUP_NAMES: Final[Mapping[str, str]] = {
    "melanomas": translatable("Melanomas"),
    "malignant": translatable("Malignant"),
    "naevi": translatable("Naevi"),
}


@dataclass(frozen=True, slots=True, eq=False)
class AboutView(PageView):
    """What the instrument is, beside what the bundle's own manifest says.

    Attributes
    ----------
    signed_by
        The trusted public key (hexadecimal) that the bundle's signature belongs to.
    frozen
        A picture is held: the shutter would let it go.
    """

    page: ClassVar[PageName] = PageName.ABOUT
    signed_by: str
    frozen: bool = False


class AboutPage(Page):
    """What the instrument is, and how good it was found to be."""

    parent: ClassVar[PageName | None] = PageName.SETTINGS
    menu_label: ClassVar[str] = translatable("About")

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row."""
        return {
            Control.SHUTTER: layout.row[0],
            PageName.MODELS: layout.row[1],
            PageName.SELFTEST: layout.row[2],
            Control.BACK: layout.row[-1],
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row."""
        return (Control.SHUTTER, PageName.MODELS, PageName.SELFTEST, Control.BACK)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Look for models, or begin a self-test, and show what is found."""
        if target == PageName.MODELS:
            return with_page(state, PageName.MODELS), Command.LOOK_FOR_MODELS
        return with_page(state, PageName.SELFTEST), Command.SELF_TEST

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return what the instrument is."""
        return AboutView(snapshot.signed_by, snapshot.state.frozen)

    def draw(self, view: AboutView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        own: dict[Target, Button] = {
            PageName.MODELS: Button(wording.translate("Models")),
            PageName.SELFTEST: Button(wording.translate("Self-test")),
        }
        self.draw_buttons(view, wording, own, frozen=view.frozen)
        self.canvas.part(
            self.canvas.layout.page,
            view.signed_by,
            lambda signed_by: self._draw_page(signed_by, wording),
        )

    def _draw_page(self, signed_by: str, wording: Wording) -> None:
        canvas, page, px = self.canvas, self.canvas.layout.page, self.canvas.layout.px
        title = f"dermascope {__version__}"
        canvas.draw_text(title, theme.HEADLINE, page.topleft, page.width, bold=True)
        top = page.top + px(50)
        if canvas.layout.portrait:
            words = Rect(page.left, top, page.width, px(350))
            figures = Rect(page.left, words.bottom, page.width, page.bottom - words.bottom)
        else:
            gap = px(28)
            width = round((page.width - gap) * 0.44)
            words = Rect(page.left, top, width, page.bottom - top)
            left = words.right + gap
            figures = Rect(left, top, page.right - left, page.bottom - top)
        self._draw_words(words, signed_by, wording)
        self._draw_figures(figures, wording)

    def _draw_words(self, area: Rect, signed_by: str, wording: Wording) -> None:
        manifest, px = self.manifest, self.canvas.layout.px
        licence = manifest.provenance.licence
        signature = wording.translate("Signature holds; signed by key {key}…", key=signed_by[:16])
        top = area.top
        for words, colour in (
            (wording.translate("Model {model}", model=manifest.model_id), self.palette.text),
            (signature, self.palette.text),
            *((words, self.palette.text) for words in _case_mix(manifest, wording)),
            (wording.translate(NOTICE), self.palette.warning),
            (wording.translate(LIMITS), self.palette.warning),
            (wording.translate("Licence: {licence}", licence=licence), self.palette.quiet),
        ):  # fmt: skip
            room = Rect(area.left, top, area.width, area.bottom - top)
            top = self.canvas.draw_paragraph(words, 20, room, colour) + px(10)

    def _draw_figures(self, area: Rect, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        heading = wording.translate("Measured on lesions kept apart; intervals of 95 %")
        top = canvas.draw_paragraph(heading, 20, area, self.palette.quiet) + px(8)
        shown = [(name, FIGURES[name]) for name in FIGURES if name in self.manifest.metrics]
        bands = self._band_figures()
        rows = len(shown) + (len(bands) + 2 if bands else 0)
        step = min(px(44), (area.bottom - top) // max(1, rows))
        for i, (name, label) in enumerate(shown):
            figure = self.manifest.metrics[name]
            value = wording.translate(
                "{value} ({low} to {high})",
                value=wording.number(figure.value, 2),
                low=wording.number(figure.low, 2),
                high=wording.number(figure.high, 2),
            )
            middle = top + i * step + step // 2
            drawn = canvas.draw_text(
                value, 20, (area.right, middle), area.width, bold=True, anchor="midright"
            )
            room = drawn.left - area.left - px(12)
            text = wording.translate(label)
            canvas.draw_text(text, 20, (area.left, middle), room, anchor="midleft")
        if bands:
            top += len(shown) * step
            below = Rect(area.left, top, area.width, area.bottom - top)
            self._draw_bands(below, step, bands, wording)

    def _band_figures(self) -> dict[Recommendation, dict[str, float]]:
        """Return how often each recommendation is made of each group, where that is known."""
        metrics = self.manifest.metrics
        found = {
            recommendation: {
                group: metrics[name].value
                for group in GROUPS
                if (name := band_figure(group, recommendation)) in metrics
            }
            for recommendation in Recommendation
        }
        return {band: shares for band, shares in found.items() if len(shares) == len(GROUPS)}

    def _draw_bands(
        self,
        area: Rect,
        step: int,
        bands: Mapping[Recommendation, Mapping[str, float]],
        wording: Wording,
    ) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        heading = wording.translate("How often each is recommended, of lesions that are")
        middle = area.top + step // 2
        canvas.draw_text(
            heading, theme.SMALL, (area.left, middle), area.width, self.palette.quiet,
            anchor="midleft",
        )  # fmt: skip
        width = round(area.width * 0.19)
        rights = [area.right - width * (len(GROUPS) - 1 - i) for i in range(len(GROUPS))]
        for right, group in zip(rights, GROUPS, strict=True):
            name = wording.translate(GROUP_NAMES[group])
            canvas.draw_text(
                name, theme.SMALL, (right, middle + step), width - px(8), self.palette.quiet,
                anchor="midright",
            )  # fmt: skip
        for i, (recommendation, shares) in enumerate(bands.items()):
            middle = area.top + step * (i + 2) + step // 2
            colour = canvas.recommendation_colour(recommendation)
            canvas.draw_recommendation_sign(recommendation, area.left, middle, px(7), colour)
            left = area.left + px(22)
            room = rights[0] - width - left
            words = wording.recommended(recommendation)
            canvas.draw_text(words, 20, (left, middle), room, anchor="midleft")
            for right, group in zip(rights, GROUPS, strict=True):
                canvas.draw_text(
                    percent(shares[group]), 20, (right, middle), width - px(8), bold=True,
                    anchor="midright",
                )  # fmt: skip


def _case_mix(manifest: Manifest, wording: Wording) -> tuple[str, ...]:
    """Return what the probabilities assume of the practice; nothing where that has no name."""
    for mix in manifest.live.case_mixes:
        if mix.name == manifest.case_mix:
            malignant = sum(s for c, s in zip(CODES, mix.shares, strict=True) if c in MALIGNANT)
            return (
                wording.translate(
                    "Probabilities for: {practice}, {share} of its lesions malignant",
                    practice=wording.translate(PRACTICES.get(mix.name, mix.name)),
                    share=percent(malignant),
                ),
            )
    return ()


PAGE = AboutPage
