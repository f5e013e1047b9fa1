"""The field of view: the skin, and over it only what was asked for."""

from typing import Final, Literal

import cv2
import numpy as np
import pygame
from numpy.typing import NDArray
from pygame import Rect, Surface

from device.diagnoses import Code
from device.imaging.overlay import colour_scale, saliency_rgba
from device.language import translatable
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.view import LiveView
from device.screen.wording import Wording, moment

STALE_SECONDS: Final = 1.0
_DIM: Final = (84, 84, 84)
"""Of 255: dark enough that nobody takes it for live, light enough to know it again."""

Pixels = NDArray[np.uint8]
Evidence = Literal["sought", "none", "some"]

_SAID: Final[dict[Evidence, str]] = {
    "sought": translatable("Calculating: {diagnosis}"),
    "none": translatable("Nothing here speaks for: {diagnosis}"),
    "some": translatable("Speaks for: {diagnosis}"),
}


class PictureBox:
    """A square of the screen into which pictures are scaled, again and again.

    Parameters
    ----------
    side
        In pixels.
    """

    def __init__(self, side: int) -> None:
        self._size = (side, side)
        self._scaled = np.empty((side, side, 3), np.uint8)
        # The surface shares these bytes; in the screen's own order they are copied, not converted.
        self._bytes = np.empty((side, side, 4), np.uint8)
        self._surface = pygame.image.frombuffer(self._bytes.data, self._size, "BGRA")
        self._surface.set_alpha(None)
        self._of: Pixels | None = None

    def picture(self, pixels: Pixels) -> Surface:
        """Return a picture, uint8 (height, width, 3) RGB, at the size of the box.

        The surface is the same every time.
        """
        if pixels is not self._of:
            self._of = pixels
            # Whole steps first: averaging them is fast, and what is left is less than a half.
            whole = pixels.shape[0] // self._size[1]
            if whole > 1:
                half = (pixels.shape[1] // whole, pixels.shape[0] // whole)
                pixels = cv2.resize(
                    pixels[: half[1] * whole, : half[0] * whole], half,
                    interpolation=cv2.INTER_AREA,
                ).astype(np.uint8, copy=False)  # fmt: skip
            cv2.resize(pixels, self._size, dst=self._scaled, interpolation=cv2.INTER_LINEAR)
            cv2.cvtColor(self._scaled, cv2.COLOR_RGB2BGRA, dst=self._bytes)
        return self._surface


class FieldView:
    """Draws the field of the live page, whichever page it is shown beside."""

    def __init__(self, sheet: Canvas) -> None:
        self._sheet = sheet
        self._box = PictureBox(sheet.layout.field.width)
        self._heat: tuple[NDArray[np.float32], float, Surface] | None = None
        self._legend: tuple[object, Surface] | None = None
        self._shown: LiveView | None = None
        self._number = 0

    def draw(self, view: LiveView, speech: Wording, *, slider_focused: bool = False) -> None:
        """Draw the field.

        Parameters
        ----------
        slider_focused
            The keyboard would move the opacity.
        """
        # Pictures cannot be compared cheaply: another object is another picture.
        if self._shown is None or not _same(self._shown, view):
            self._number += 1
        self._shown = view
        stale = view.finding is not None and view.finding_age > STALE_SECONDS
        age = round(view.finding_age) if stale else 0
        area, px = self._sheet.layout.field, self._sheet.layout.px
        if not self._sheet.part(self._sheet.layout.skin, self._number, age, speech, slider_focused):
            return
        if view.field is None:
            pygame.draw.rect(self._sheet.screen, theme.SURFACE, area, px(2))
            return
        self._draw_picture(view.field, view)
        legend = view.overlay_wanted and view.explained is not None
        if legend:
            self._draw_legend(view, speech, slider_focused)
        if view.frozen is not None or view.lost is not None:
            edge = area.copy()
            if self._sheet.layout.portrait and legend:
                # The legend is wider than the field.
                edge.height -= self._sheet.layout.legend.height
            pygame.draw.rect(
                self._sheet.screen, theme.WARNING if view.lost else theme.TOUCH, edge, px(6)
            )
        self._draw_label(view, age, speech)

    def _draw_picture(self, field: Pixels, view: LiveView) -> None:
        screen, area = self._sheet.screen, self._sheet.layout.field
        screen.blit(self._box.picture(field), area)
        if view.overlay_wanted and view.overlay is not None:
            screen.blit(self._heat_surface(view.overlay, view.opacity), area)
        if view.overlay_wanted and view.outline is not None:
            self._draw_outline(view.outline)
        if view.lost is not None:
            dim(screen, area)

    def _draw_label(self, view: LiveView, age: int, speech: Wording) -> None:
        if view.lost is not None:
            said = speech.translate("Not live: last picture {time}", time=moment(view.lost))
            self._label(said, theme.WARNING)
        elif view.frozen is not None:
            words = speech.translate("Frozen {time}", time=moment(view.frozen))
            if view.kept is not None:
                kept = (
                    speech.translate("Kept")
                    if view.kept
                    else speech.translate("Not kept: check the disk")
                )
                words = f"{words}  ·  {kept}"
            self._label(words, theme.WARNING if view.kept is False else theme.TOUCH)
        elif age:
            self._label(speech.translate("Finding is {seconds} s old", seconds=age), theme.WARNING)

    def _heat_surface(self, overlay: NDArray[np.float32], opacity: float) -> Surface:
        if self._heat is None or self._heat[0] is not overlay or self._heat[1] != opacity:
            size = self._sheet.layout.field.size
            # In the screen's own order its bytes need no other copy.
            colours = cv2.cvtColor(saliency_rgba(overlay, size, opacity), cv2.COLOR_RGBA2BGRA)
            self._heat = (overlay, opacity, pygame.image.frombuffer(colours.data, size, "BGRA"))
        return self._heat[2]

    def _draw_outline(self, outline: NDArray[np.float32]) -> None:
        """Draw the lesion's outline, dashed so that it is not taken for the overlay's contour."""
        area, px = self._sheet.layout.field, self._sheet.layout.px
        points = (outline * area.width + np.array(area.topleft, np.float32)).tolist()
        for i in range(0, len(points), 2):
            start, end = points[i], points[(i + 1) % len(points)]
            pygame.draw.line(self._sheet.screen, theme.BACKGROUND, start, end, px(5))
            pygame.draw.line(self._sheet.screen, theme.TOUCH, start, end, px(3))

    def _draw_legend(self, view: LiveView, speech: Wording, focused: bool) -> None:
        area, evidence = self._sheet.layout.legend, _evidence(view.overlay)
        key = (view.explained, evidence, view.opacity, speech, focused)
        if self._legend is None or self._legend[0] != key:
            pygame.draw.rect(self._sheet.screen, theme.BACKGROUND, area)
            if view.explained is not None:
                self._write_legend(view.explained, evidence, speech)
            self._sheet.slider(
                self._sheet.layout.targets["live"]["opacity"],
                speech.translate("Opacity {percent} %", percent=round(view.opacity * 100)),
                view.opacity,
                focused=focused,
            )
            self._legend = (key, self._sheet.screen.subsurface(area).copy())
        else:
            self._sheet.screen.blit(self._legend[1], area)

    def _write_legend(self, code: Code, evidence: Evidence, speech: Wording) -> None:
        sheet, area, px = self._sheet, self._sheet.layout.legend, self._sheet.layout.px
        slider = sheet.layout.targets["live"]["opacity"]
        left, room = area.left + px(14), slider.left - area.left - px(20)
        words = speech.translate(_SAID[evidence], diagnosis=speech.names[code])
        if evidence != "some":
            # A scale of colours would promise some of them in the picture.
            beside = Rect(left, area.top + px(10), room, area.height - px(12))
            sheet.paragraph(words, 20, beside)
            return
        sheet.words(words, 20, (left, area.top + px(6)), room)
        middle = area.bottom - px(24)
        little = sheet.words(
            speech.translate("little"), theme.SMALL, (left, middle), room // 3, anchor="midleft"
        )
        much = sheet.words(
            speech.translate("much"),
            theme.SMALL,
            (left + room, middle),
            room // 3,
            anchor="midright",
        )
        scale = Rect(
            little.right + px(8), middle - px(8), much.left - little.right - px(16), px(16)
        )
        colours = colour_scale(scale.width)
        ramp = pygame.surfarray.make_surface(np.repeat(colours[:, None], scale.height, axis=1))
        sheet.screen.blit(ramp, scale)
        # The white line of the map is drawn at the same place of the scale: half.
        x = scale.centerx
        pygame.draw.line(
            sheet.screen, (0, 0, 0), (x, scale.top - px(3)), (x, scale.bottom + px(2)), px(6)
        )
        pygame.draw.line(
            sheet.screen, (255, 255, 255), (x, scale.top - px(3)), (x, scale.bottom + px(2)), px(2)
        )

    def _label(self, words: str, colour: theme.Colour) -> None:
        area, px = self._sheet.layout.field, self._sheet.layout.px
        pad = px(8)
        picture = self._sheet.type.fitted(words, px(20), area.width - 2 * pad, colour)
        box = Rect(area.topleft, (picture.get_width() + 2 * pad, px(34)))
        pygame.draw.rect(self._sheet.screen, theme.BACKGROUND, box)
        self._sheet.screen.blit(picture, picture.get_rect(midleft=(box.left + pad, box.centery)))


def dim(screen: Surface, area: Rect) -> None:
    """Take most of the light out of a picture that is no longer what is before the lens."""
    screen.fill(_DIM, area, pygame.BLEND_RGB_MULT)


def _evidence(overlay: NDArray[np.float32] | None) -> Evidence:
    if overlay is None:
        return "sought"
    return "some" if overlay.any() else "none"


def _same(one: LiveView, other: LiveView) -> bool:
    """Return whether two views show the same skin, but for words that depend on the age."""
    return (
        one.field is other.field
        and one.overlay is other.overlay
        and one.outline is other.outline
        and (one.overlay_wanted, one.explained, one.opacity, one.frozen, one.kept, one.lost)
        == (
            other.overlay_wanted,
            other.explained,
            other.opacity,
            other.frozen,
            other.kept,
            other.lost,
        )
    )
