"""Draws a view onto a surface. Nothing here waits or opens a device."""

from typing import Final

import cv2
import numpy as np
import pygame
from numpy.typing import NDArray
from pygame import Rect, Surface

from device.diagnoses import MALIGNANT, SCREEN_ORDER, Code
from device.imaging.overlay import heat_colours
from device.imaging.quality import Shortcoming
from device.inference.finding import Finding, NoCall
from device.inference.manifest import Manifest
from device.screen import theme
from device.screen.layout import Layout, Target, arrange
from device.screen.view import View

STALE_SECONDS: Final = 1.0

INSTRUCTIONS: Final[dict[Shortcoming, str]] = {
    "not-in-contact": "Place the lens on the skin",
    "too-dark": "Turn the light up",
    "too-bright": "Turn the light down",
    "glare": "Wipe the plate, add fluid",
    "out-of-focus": "Hold still and focus",
}

REASONS: Final[dict[NoCall, str]] = {
    "quality": "The picture is not good enough.",
    "unfamiliar": "This does not look like the lesions the model knows.",
    "uncertain": "Too uncertain between several diagnoses.",
}

MARKS: Final[tuple[tuple[str, frozenset[Shortcoming]], ...]] = (
    ("Focus", frozenset({"out-of-focus"})),
    ("Light", frozenset({"too-dark", "too-bright"})),
    ("Glare", frozenset({"glare"})),
    ("Contact", frozenset({"not-in-contact"})),
)

NOTICE: Final = "Decision support. The diagnosis is the clinician's."


def percent(probability: float) -> str:
    """Return a probability as whole per cent; never 0 or 100, which no model can know."""
    if probability < 0.01:
        return "< 1 %"
    if probability > 0.99:
        return "> 99 %"
    return f"{probability * 100:.0f} %"


class Renderer:
    """Draws views for one screen size and one model.

    Parameters
    ----------
    size
        Width and height of the screen in pixels.
    manifest
        Of the model in use: names, operating points.
    language
        Of the diagnoses' names.
    """

    def __init__(self, size: tuple[int, int], manifest: Manifest, language: str = "en") -> None:
        self.layout: Layout = arrange(*size)
        self._manifest = manifest
        self._type = theme.Type()
        self._names: dict[Code, str] = {
            c.code: c.names.get(language, c.names["en"]) for c in manifest.classes
        }
        self._ticks = {
            "mel": sorted(p.threshold for p in manifest.operating_points if p.score == "mel")
        }
        self._heat: tuple[object, float, Surface] | None = None

    def draw(self, screen: Surface, view: View) -> None:
        """Draw a whole view."""
        screen.fill(theme.BACKGROUND)
        self._draw_field(screen, view)
        finding = view.finding
        faded = finding is not None and view.finding_age > STALE_SECONDS
        if view.trouble:
            self._draw_trouble(screen, view.trouble)
        else:
            if finding is None:
                self._draw_headline(screen, "Waiting for a picture", [], theme.QUIET)
            else:
                self._draw_finding(screen, finding, faded)
            withheld = finding is None or finding.no_call == "quality"
            for code in SCREEN_ORDER:
                self._draw_bar(screen, code, None if withheld else finding, faded, view)
            pygame.draw.rect(screen, theme.SURFACE, self.layout.rule)
            self._draw_quality(screen, finding)
        for name, area in self.layout.targets.items():
            self._draw_target(screen, name, area, view)
        self._draw_status(screen, view)

    def target_at(self, position: tuple[int, int]) -> Target | None:
        """Return what is touched at a place on the screen."""
        for name, area in self.layout.targets.items():
            if area.collidepoint(position):
                return name
        return None

    def bar_at(self, position: tuple[int, int]) -> Code | None:
        """Return the diagnosis whose bar is touched."""
        for code, area in self.layout.bars.items():
            if area.collidepoint(position):
                return code
        return None

    def _draw_field(self, screen: Surface, view: View) -> None:
        area = self.layout.field
        if view.field is None:
            pygame.draw.rect(screen, theme.SURFACE, area, self.layout.px(2))
            return
        screen.blit(_picture(view.field, area.size), area)
        if view.overlay_wanted and view.overlay is not None:
            screen.blit(self._heat_surface(view.overlay, view.opacity), area)
            code = view.explained
            if code is not None:
                self._draw_legend(screen, code)
        if view.frozen is not None:
            pygame.draw.rect(screen, theme.TOUCH, area, self.layout.px(6))
            moment = view.frozen.astimezone().strftime("%H:%M:%S")
            self._label(screen, f"Frozen {moment}", (area.left, area.top), theme.TOUCH)
        elif view.finding is not None and view.finding_age > STALE_SECONDS:
            words = f"Finding is {view.finding_age:.0f} s old"
            self._label(screen, words, (area.left, area.top), theme.WARNING)

    def _heat_surface(self, overlay: NDArray[np.float32], opacity: float) -> Surface:
        if self._heat is None or self._heat[0] is not overlay or self._heat[1] != opacity:
            size = self.layout.field.size
            colours = heat_colours(overlay, size, opacity)
            surface = pygame.image.frombuffer(colours.tobytes(), size, "RGBA").convert_alpha()
            self._heat = (overlay, opacity, surface)
        return self._heat[2]

    def _draw_legend(self, screen: Surface, code: Code) -> None:
        area = self.layout.field
        words = f"Where it speaks for: {self._names[code]}"
        height = self.layout.px(34)
        self._label(screen, words, (area.left, area.bottom - height), theme.TEXT)

    def _label(
        self, screen: Surface, words: str, at: tuple[int, int], colour: theme.Colour
    ) -> None:
        pad = self.layout.px(8)
        width = self.layout.field.width - 2 * pad
        picture = self._type.fitted(words, self.layout.px(20), width, colour)
        box = Rect(at, (picture.get_width() + 2 * pad, self.layout.px(34)))
        pygame.draw.rect(screen, theme.BACKGROUND, box)
        screen.blit(picture, picture.get_rect(midleft=(box.left + pad, box.centery)))

    def _draw_finding(self, screen: Surface, finding: Finding, faded: bool) -> None:
        if finding.no_call is not None:
            colour = theme.QUIET if faded else theme.WARNING
            self._draw_headline(screen, "No call", [REASONS[finding.no_call]], colour)
            return
        code = finding.leading
        colour = theme.MALIGNANT if code in MALIGNANT else theme.TEXT
        detail = [f"Malignant group {percent(finding.malignancy)}"]
        others = self._not_excluded(finding)
        if others:
            detail.append(others)
        headline = f"{self._names[code]}  {percent(finding.probability(code))}"
        self._draw_headline(screen, headline, detail, theme.QUIET if faded else colour)

    def _not_excluded(self, finding: Finding) -> str:
        """Name the other diagnoses of the prediction set on one line, malignant ones first."""
        others = [c for c in finding.prediction_set if c != finding.leading]
        others.sort(key=lambda c: c not in MALIGNANT)
        named = ", ".join(self._names[c] for c in others)
        short = ", ".join(others)
        room, size = self.layout.finding.width, self.layout.px(20)
        words = f"Not excluded: {named}"
        return words if self._type.width(words, size) <= room else f"Not excluded: {short}"

    def _draw_headline(
        self, screen: Surface, headline: str, detail: list[str], colour: theme.Colour
    ) -> None:
        area, px = self.layout.finding, self.layout.px
        screen.blit(
            self._type.fitted(headline, px(32), area.width, colour, bold=True), area.topleft
        )
        size = px(20)
        lines = [part for words in detail for part in self._type.lines(words, size, area.width)]
        for i, line in enumerate(lines[:2]):
            picture = self._type.fitted(line, size, area.width, theme.TEXT)
            screen.blit(picture, (area.left, area.top + px(44) + i * px(27)))

    def _draw_trouble(self, screen: Surface, trouble: str) -> None:
        """Draw what is wrong, whole, where bars and quality would stand."""
        self._draw_headline(screen, "Not working", [], theme.WARNING)
        area, px = self.layout.finding, self.layout.px
        size, step = px(24), px(34)
        top, bottom = area.top + px(52), self.layout.quality.bottom
        for i, line in enumerate(self._type.lines(trouble, size, area.width)):
            if top + (i + 1) * step > bottom:
                break
            screen.blit(
                self._type.fitted(line, size, area.width, theme.TEXT), (area.left, top + i * step)
            )

    def _draw_bar(
        self, screen: Surface, code: Code, finding: Finding | None, faded: bool, view: View
    ) -> None:
        area, px = self.layout.bars[code], self.layout.px
        probability = finding.probability(code) if finding else 0.0
        leading = finding is not None and finding.no_call is None and finding.leading == code
        malignant = code in MALIGNANT
        full = theme.MALIGNANT if malignant else theme.BENIGN
        colour = theme.QUIET if faded or finding is None else theme.TEXT
        bar_height = px(9)
        bar = Rect(area.left, area.bottom - bar_height - px(3), area.width, bar_height)
        middle = (area.top + bar.top) // 2
        size = px(20)
        left = area.left
        if malignant:
            side = px(7)
            points = [
                (left, middle + side),
                (left + 2 * side, middle + side),
                (left + side, middle - side),
            ]
            pygame.draw.polygon(screen, theme.MALIGNANT, points)
        left += px(22)
        number = percent(probability) if finding else "–"
        figure = self._type.text(number, size, colour, leading)
        screen.blit(figure, figure.get_rect(midright=(area.right, middle)))
        short = self._type.text(code, px(16), theme.QUIET)
        room = area.right - left - px(78) - short.get_width() - px(8)
        name = self._type.fitted(self._names[code], size, room, colour, leading)
        screen.blit(name, name.get_rect(midleft=(left, middle)))
        screen.blit(
            short, short.get_rect(midleft=(left + name.get_width() + px(8), middle + px(1)))
        )
        if view.overlay_wanted and view.explained == code:
            pygame.draw.line(
                screen,
                theme.TOUCH,
                (left, bar.top - px(2)),
                (left + name.get_width(), bar.top - px(2)),
                px(2),
            )
        pygame.draw.rect(screen, theme.SURFACE, bar)
        ticks = [bar.left + round(t * bar.width) for t in self._ticks.get(code, [])]
        if len(ticks) > 1:
            pygame.draw.rect(
                screen, (88, 88, 88), Rect(ticks[0], bar.top, ticks[-1] - ticks[0], bar.height)
            )
        if finding is not None:
            filled = Rect(bar.left, bar.top, round(bar.width * probability), bar.height)
            pygame.draw.rect(screen, theme.QUIET if faded else full, filled)
            if leading:
                pygame.draw.rect(screen, theme.TEXT, filled, px(2))
        for tick in ticks:
            pygame.draw.line(
                screen, theme.TEXT, (tick, bar.top - px(3)), (tick, bar.bottom + px(2) - 1), px(2)
            )

    def _draw_quality(self, screen: Surface, finding: Finding | None) -> None:
        area, px = self.layout.quality, self.layout.px
        step = area.width / len(MARKS)
        failed = frozenset(finding.quality.shortcomings) if finding else frozenset()
        for i, (name, shortcomings) in enumerate(MARKS):
            left, middle = area.left + round(i * step), area.top + px(16)
            bad = bool(failed & shortcomings)
            self._draw_mark(screen, (left + px(9), middle), bad, finding is None)
            words = self._type.fitted(
                name, px(20), round(step) - px(26), theme.WARNING if bad else theme.TEXT
            )
            screen.blit(words, words.get_rect(midleft=(left + px(24), middle)))
        if finding is None:
            return
        sufficient = finding.quality.sufficient
        first = None if sufficient else INSTRUCTIONS[finding.quality.shortcomings[0]]
        words = self._type.fitted(
            first or "The picture is good",
            px(24),
            area.width,
            theme.QUIET if sufficient else theme.WARNING,
            bold=not sufficient,
        )
        screen.blit(words, words.get_rect(midleft=(area.left, area.top + px(50))))

    def _draw_mark(self, screen: Surface, centre: tuple[int, int], bad: bool, empty: bool) -> None:
        """Draw a hook for good, a filled triangle for bad, a ring for not known."""
        px = self.layout.px
        x, y = centre
        if empty:
            pygame.draw.circle(screen, theme.QUIET, centre, px(8), px(2))
        elif bad:
            points = [(x - px(9), y + px(8)), (x + px(9), y + px(8)), (x, y - px(9))]
            pygame.draw.polygon(screen, theme.WARNING, points)
        else:
            hook = [(x - px(8), y), (x - px(2), y + px(6)), (x + px(8), y - px(7))]
            pygame.draw.lines(screen, theme.TEXT, False, hook, px(3))

    def _draw_target(self, screen: Surface, name: Target, area: Rect, view: View) -> None:
        words = {
            "shutter": "Live" if view.frozen else "Freeze",
            "overlay": "Overlay off" if view.overlay_wanted else "Overlay",
            "diagnosis": "Next map",
            "quit": "Quit",
        }[name]
        px = self.layout.px
        on = (name == "overlay" and view.overlay_wanted) or (name == "shutter" and view.frozen)
        pygame.draw.rect(screen, theme.TOUCH, area, 0 if on else px(2), border_radius=px(8))
        colour = theme.BACKGROUND if on else theme.TOUCH
        label = self._type.fitted(words, px(20), area.width - px(10), colour, bold=True)
        screen.blit(label, label.get_rect(center=area.center))

    def _draw_status(self, screen: Surface, view: View) -> None:
        area, px = self.layout.status, self.layout.px
        clock = view.clock.strftime("%H:%M") if view.clock else ""
        right = "   ".join(w for w in (self._manifest.model_id, view.source, clock) if w)
        size, pad = px(18), px(14)
        model = self._type.text(right, size, theme.QUIET)
        screen.blit(model, model.get_rect(midright=(area.right - pad, area.centery)))
        room = area.width - model.get_width() - 3 * pad
        notice = self._type.fitted(NOTICE, size, room, theme.QUIET)
        screen.blit(notice, notice.get_rect(midleft=(area.left + pad, area.centery)))


def _picture(field: NDArray[np.uint8], size: tuple[int, int]) -> Surface:
    shrinks = field.shape[1] > size[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scaled = np.ascontiguousarray(cv2.resize(field, size, interpolation=how))
    return pygame.image.frombuffer(scaled.data, size, "RGB")
