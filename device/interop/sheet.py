"""A sheet of paper, and what is drawn on it: lines of text, pictures, rules."""

import io
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from device.interop.extra import extra_installed

MARGIN: Final = 42.0
LINE: Final = 13.0
"""Points from one line of running text to the next."""

INK: Final = (0.1, 0.1, 0.12)
QUIET: Final = (0.4, 0.4, 0.44)
RULE: Final = (0.75, 0.75, 0.78)

_FONTS: Final = Path(__file__).parents[1] / "screen" / "fonts"
_REGULAR: Final = "OpenSans-Regular"
_BOLD: Final = "OpenSans-Bold"
_LONGEST_SIDE: Final = 1400
"""Pixels of a picture on paper: 300 to the inch at the width that it has."""


class Paper(StrEnum):
    """A size of paper."""

    A4 = "a4"
    LETTER = "letter"


_SIZES: Final = {Paper.A4: (595.28, 841.89), Paper.LETTER: (612.0, 792.0)}
"""Width and height in points (ISO 216, ANSI/ASME Y14.1)."""


class Sheet:
    """Paper to draw on, in points from its lower left corner.

    Parameters
    ----------
    paper
        Its size.
    title, creator
        Of the file.

    Attributes
    ----------
    canvas
        ReportLab's.
    left, right, width, height
        Where the margins leave off, what is between them, and of the paper.

    Raises
    ------
    device.errors.ExportError
        If what it takes is not installed.
    """

    def __init__(self, paper: Paper, title: str, creator: str) -> None:
        with extra_installed():
            from reportlab.pdfbase import pdfmetrics
            from reportlab.pdfbase.ttfonts import TTFont
            from reportlab.pdfgen.canvas import Canvas

        for name in (_REGULAR, _BOLD):
            pdfmetrics.registerFont(TTFont(name, _FONTS / f"{name}.ttf"))
        self._file = io.BytesIO()
        # Invariant: what is drawn alike is the same file, and no time of printing is in it.
        self.canvas: Any = Canvas(self._file, pagesize=_SIZES[paper], invariant=1)
        self.canvas.setTitle(title)
        self.canvas.setCreator(creator)
        width, self.height = _SIZES[paper]
        self.left, self.right = MARGIN, width - MARGIN
        self.width = self.right - self.left

    def finished(self) -> bytes:
        """Return the file as PDF."""
        self.canvas.save()
        return self._file.getvalue()

    def picture(
        self, pixels: NDArray[np.uint8], left: float, bottom: float, width: float, height: float
    ) -> None:
        """Draw a picture."""
        from reportlab.lib.utils import ImageReader

        picture = Image.fromarray(np.ascontiguousarray(pixels))
        picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
        self.canvas.drawImage(ImageReader(picture), left, bottom, width, height)

    def scale_bar(self, left: float, bottom: float, points_per_mm: float) -> None:
        """Draw how long some millimetres are, on a white band that any skin lets be read."""
        length = next((mm for mm in (5, 2, 1) if mm * points_per_mm < 120.0), 1)
        long = length * points_per_mm
        canvas = self.canvas
        canvas.setFillColorRGB(1, 1, 1)
        canvas.rect(left + 6, bottom + 6, long + 12, 18, stroke=0, fill=1)
        canvas.setStrokeColorRGB(*INK)
        canvas.setLineWidth(1.5)
        canvas.line(left + 12, bottom + 10, left + 12 + long, bottom + 10)
        self.say(f"{length} mm", left + 12, bottom + 14, 8)

    def heading(self, text: str, left: float, top: float) -> float:
        """Draw what stands above a part, and return where that begins."""
        self.say(text, left, top - 10, 9, QUIET, bold=True)
        return top - 16

    def paragraph(self, text: str, left: float, right: float, top: float) -> float:
        """Draw text on as many lines as it takes, and return where it ends."""
        for line in self.split(text, right - left):
            top = self.line(line, left, top)
        return top

    def line(self, text: str, left: float, top: float) -> float:
        """Draw a line of running text, and return where the next one begins."""
        self.say(text, left, top - 10, 9.5)
        return top - LINE

    def split(self, text: str, width: float) -> list[str]:
        """Return running text in lines that are no longer than that."""
        from reportlab.lib.utils import simpleSplit

        lines: list[str] = simpleSplit(text, _REGULAR, 9.5, width)
        return lines

    def rule(self, top: float) -> None:
        """Draw a line from margin to margin."""
        self.canvas.setStrokeColorRGB(*RULE)
        self.canvas.setLineWidth(0.7)
        self.canvas.line(self.left, top, self.right, top)

    def say(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        colour: tuple[float, float, float] = INK,
        *,
        bold: bool = False,
        right: bool = False,
        longest: float | None = None,
    ) -> None:
        """Draw a line of text; smaller where it would be longer than it may be."""
        canvas, font = self.canvas, _BOLD if bold else _REGULAR
        if longest is not None:
            size = min(size, size * longest / max(1.0, canvas.stringWidth(text, font, size)))
        canvas.setFillColorRGB(*colour)
        canvas.setFont(font, size)
        (canvas.drawRightString if right else canvas.drawString)(x, y, text)
