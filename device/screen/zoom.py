"""A part of a picture, as large as wanted. Plain values."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.screen.events import Place

LARGEST: Final = 8.0
STEP: Final = 1.5

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Zoom:
    """Which part of a picture is shown.

    Attributes
    ----------
    by
        How many times as large as the whole would be: 1 for all of it.
    x, y
        The middle of the part, in parts of the picture's width and height.
    """

    by: float = 1.0
    x: float = 0.5
    y: float = 0.5

    def larger(self, times: float) -> "Zoom":
        """Return the same middle, so many times as large, within what is possible."""
        return replace(self, by=max(1.0, min(self.by * times, LARGEST))).kept_in()

    def centred(self, place: Place, shape: tuple[int, int]) -> "Zoom":
        """Return the part whose middle is what a finger touched.

        Parameters
        ----------
        place
            In a target that the picture fills as far as it can.
        shape
            Height and width of the picture, in pixels.
        """
        height, width = shape
        scale = min(place.width / width, place.height / height) * self.by
        x = self.x + (place.x - place.width / 2) / (width * scale)
        y = self.y + (place.y - place.height / 2) / (height * scale)
        return replace(self, x=x, y=y).kept_in()

    def moved(self, x: float, y: float) -> "Zoom":
        """Return the part that lies beside this one, by a share of what is shown."""
        return replace(self, x=self.x + x / self.by, y=self.y + y / self.by).kept_in()

    def kept_in(self) -> "Zoom":
        """Return the nearest part that lies wholly in the picture."""
        half = 0.5 / self.by
        return replace(self, x=min(max(self.x, half), 1 - half), y=min(max(self.y, half), 1 - half))

    def part(self, pixels: Pixels, width: int, height: int) -> Pixels:
        """Return the part of a picture as it fills a place, and no more than there is of it.

        Parameters
        ----------
        pixels
            uint8, (height, width, 3), RGB.
        width, height
            Of the place, in pixels.
        """
        rows, columns = pixels.shape[:2]
        scale = min(width / columns, height / rows) * self.by
        across, down = min(width / scale, columns), min(height / scale, rows)
        left = min(max(self.x * columns - across / 2, 0), columns - across)
        top = min(max(self.y * rows - down / 2, 0), rows - down)
        size = (max(1, round(across * scale)), max(1, round(down * scale)))
        part = pixels[
            int(top) : max(int(top) + 1, round(top + down)),
            int(left) : max(int(left) + 1, round(left + across)),
        ]
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, size, interpolation=how), np.uint8)


WHOLE: Final = Zoom()
"""All of a picture."""
