"""The field of view on the screen: the skin, and over it only what was asked for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import cv2
import numpy as np
import pygame
from numpy.typing import NDArray
from pygame import Rect, Surface

from device.imaging.overlay import CONTOUR_COLOUR, CONTOUR_EDGE, Layer, saliency_layer
from device.language import translatable
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.view import ByIdentity, KeepStatus, LiveView
from device.screen.wording import Wording, moment

STALE_SECONDS: Final = 1.0
_DIM: Final = (84, 84, 84)
"""Of 255: dark enough that nobody takes it for live, light enough to know it again."""

_FLASH: Final = (96, 96, 96)
"""Seen from the corner of the eye, and far from the whole screen in white."""

_SCALE_BARS: Final = (1, 2, 5, 10, 20)
_LONGEST_BAR: Final = 0.3
_SCREENS_OWN: Final = (0xFF0000, 0xFF00, 0xFF, 0)
_BLACK: Final = (0, 0, 0)
_WHITE: Final = (255, 255, 255)

Pixels = NDArray[np.uint8]

_KEPT: Final[dict[KeepStatus, str]] = {
    KeepStatus.KEPT: translatable("Kept"),
    KeepStatus.SEALED: translatable("Kept, sealed"),
    KeepStatus.UNTIL_THE_END: translatable("Kept until the program ends"),
    KeepStatus.NOT_KEPT: translatable("Not kept: check the disk"),
    KeepStatus.LOCKED: translatable("Not kept: locked"),
}


@dataclass(frozen=True, slots=True)
class _Field:
    """The slice of a live view that the field of view shows."""

    picture: ByIdentity[Pixels]
    overlay: ByIdentity[NDArray[np.float32]]
    outline: ByIdentity[NDArray[np.float32]]
    overlay_wanted: bool
    opacity: float
    frozen: datetime | None
    kept: KeepStatus | None
    lost: datetime | None
    age: int
    flash: bool
    field_mm: float | None


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
        # What is as the screen is, and has no opacity, is copied and not converted.
        self._surface = Surface(self._size, depth=32, masks=_SCREENS_OWN)
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
            # A surface whose bytes are held cannot be drawn.
            shared = np.asarray(self._surface.get_buffer())
            cv2.cvtColor(self._scaled, cv2.COLOR_RGB2BGRA, dst=shared.reshape(*self._size, 4))
        return self._surface


class FieldView:
    """Draws the field of the live page, whichever page it is shown beside."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._box = PictureBox(canvas.layout.field.width)
        self._heat: tuple[NDArray[np.float32], float, Layer | None] | None = None

    def draw(self, view: LiveView, wording: Wording) -> None:
        """Draw the field."""
        stale = view.finding is not None and view.finding_age > STALE_SECONDS
        shown = _Field(
            picture=ByIdentity(view.field),
            overlay=ByIdentity(view.overlay),
            outline=ByIdentity(view.outline),
            overlay_wanted=view.overlay_wanted,
            opacity=view.opacity,
            frozen=view.frozen,
            kept=view.kept,
            lost=view.lost,
            age=round(view.finding_age) if stale else 0,
            flash=view.flash,
            field_mm=view.field_mm,
        )
        area = self._canvas.layout.field_area
        covered = view.field is not None and area == self._canvas.layout.field
        self._canvas.part(area, shown, lambda shown: self._draw(shown, wording), covered=covered)

    def _draw(self, shown: _Field, wording: Wording) -> None:
        area, px = self._canvas.layout.field, self._canvas.layout.px
        if shown.picture.value is None:
            pygame.draw.rect(self._canvas.screen, self._canvas.palette.surface, area, px(2))
            return
        self._draw_picture(shown)
        if shown.frozen is not None or shown.lost is not None:
            colour = self._canvas.palette.warning if shown.lost else self._canvas.palette.touch
            pygame.draw.rect(self._canvas.screen, colour, area, px(6))
        if shown.field_mm is not None:
            self._draw_scale_bar(shown.field_mm)
        self._draw_label(shown, wording)

    def _draw_scale_bar(self, field_mm: float) -> None:
        """Draw a length that can be counted by, above the bottom of the field."""
        canvas, px, area = self._canvas, self._canvas.layout.px, self._canvas.layout.field
        fitting = [length for length in _SCALE_BARS if length <= _LONGEST_BAR * field_mm]
        if not fitting:
            return
        length = fitting[-1]
        right, y = area.right - px(18), area.bottom - px(22)
        left = right - round(length / field_mm * area.width)
        for colour, wide in ((_BLACK, px(6)), (_WHITE, px(2))):
            edge = wide // 2
            pygame.draw.line(canvas.screen, colour, (left - edge, y), (right + edge, y), wide)
            for x in (left, right):
                ends = (x, y - px(7) - edge), (x, y + px(7) + edge)
                pygame.draw.line(canvas.screen, colour, *ends, wide)
        words = canvas.fonts.text(f"{length} mm", px(18), _WHITE, bold=True)
        ground = words.get_rect(midbottom=((left + right) // 2, y - px(9)))
        pygame.draw.rect(canvas.screen, _BLACK, ground.inflate(px(8), 0))
        canvas.screen.blit(words, ground)

    def _draw_picture(self, shown: _Field) -> None:
        screen, area = self._canvas.screen, self._canvas.layout.field
        if shown.picture.value is not None:
            screen.blit(self._box.picture(shown.picture.value), area)
        if shown.overlay_wanted and shown.overlay.value is not None:
            self._blend(shown.overlay.value, shown.opacity)
        if shown.overlay_wanted and shown.outline.value is not None:
            self._draw_outline(shown.outline.value)
        if shown.lost is not None:
            dim(screen, area)
        elif shown.flash:
            lighten(screen, area)

    def _draw_label(self, shown: _Field, wording: Wording) -> None:
        if shown.lost is not None:
            text = wording.translate("Not live: last picture {time}", time=moment(shown.lost))
            self._label(text, self._canvas.palette.warning)
        elif shown.frozen is not None:
            text = wording.translate("Captured {time}", time=moment(shown.frozen))
            if shown.kept is not None:
                text = f"{text}  ·  {wording.translate(_KEPT[shown.kept])}"
            self._label(
                text,
                self._canvas.palette.warning
                if shown.kept in (KeepStatus.NOT_KEPT, KeepStatus.LOCKED)
                else self._canvas.palette.touch,
            )
        elif shown.age:
            text = wording.translate("Finding is {seconds} s old", seconds=shown.age)
            self._label(text, self._canvas.palette.warning)

    def _blend(self, overlay: NDArray[np.float32], opacity: float) -> None:
        """Blend a map with the picture; the same map is coloured once."""
        area = self._canvas.layout.field
        if self._heat is None or self._heat[0] is not overlay or self._heat[1] != opacity:
            self._heat = (overlay, opacity, saliency_layer(overlay, area.size, opacity))
        layer = self._heat[2]
        if layer is not None:
            size = layer.pixels.shape[1::-1]
            heat = pygame.image.frombuffer(layer.pixels.data, size, "BGRA")
            place = (area.left + layer.left, area.top + layer.top)
            self._canvas.screen.blit(heat, place, special_flags=pygame.BLEND_PREMULTIPLIED)
            for line in layer.contours:
                points = (line + area.topleft).tolist()
                for colour, wide in ((CONTOUR_EDGE, 3), (CONTOUR_COLOUR, 1)):
                    # Not smoothed, a line looks thinner than it is.
                    width = wide * layer.thickness + 1
                    pygame.draw.lines(self._canvas.screen, colour, True, points, width)

    def _draw_outline(self, outline: NDArray[np.float32]) -> None:
        """Draw the lesion's outline, dashed so that it is not taken for the overlay's contour."""
        area, px = self._canvas.layout.field, self._canvas.layout.px
        points = (outline * area.width + np.array(area.topleft, np.float32)).tolist()
        for i in range(0, len(points), 2):
            start, end = points[i], points[(i + 1) % len(points)]
            pygame.draw.line(
                self._canvas.screen, self._canvas.palette.background, start, end, px(5)
            )
            pygame.draw.line(self._canvas.screen, self._canvas.palette.touch, start, end, px(3))

    def _label(self, words: str, colour: theme.Colour) -> None:
        area, px = self._canvas.layout.field, self._canvas.layout.px
        pad = px(8)
        picture = self._canvas.fonts.fitted(words, px(20), area.width - 2 * pad, colour)
        box = Rect(area.topleft, (picture.get_width() + 2 * pad, px(34)))
        pygame.draw.rect(self._canvas.screen, self._canvas.palette.background, box)
        self._canvas.screen.blit(picture, picture.get_rect(midleft=(box.left + pad, box.centery)))


def dim(screen: Surface, area: Rect) -> None:
    """Take most of the light out of a picture that is no longer what is before the lens."""
    screen.fill(_DIM, area, pygame.BLEND_RGB_MULT)


def lighten(screen: Surface, area: Rect) -> None:
    """Add light to a picture, for the moment in which it is taken."""
    screen.fill(_FLASH, area, pygame.BLEND_RGB_ADD)
