"""A frame: one image off a source."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class SourceKind(StrEnum):
    """What a frame comes from; only a camera's belong among a clinic's examinations."""

    CAMERA = "camera"
    FILE = "file"
    REPLAY = "replay"
    DEMO = "demo"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image off a source.

    Attributes
    ----------
    pixels
        uint8, (height, width, 3), in the order **red, green, blue**. No other colour order
        exists past ``device.capture``.
    time
        When it was taken, in UTC.
    sequence
        Counts up from 0 within one source; a gap means frames were not delivered.
    source
        Names the source to a person, without anything about a patient.
    kind
        What it comes from.
    instant
        When it was taken, by the clock's `monotonic`, which never goes back: the age of a frame is
        told by it.
    new_picture
        Whether it begins another photograph: that it differs from the frame before is no motion.
    """

    pixels: NDArray[np.uint8]
    time: datetime
    sequence: int
    source: str
    kind: SourceKind = SourceKind.FILE
    instant: float = 0.0
    new_picture: bool = False

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(
                f"a frame is uint8 (height, width, 3), not {self.pixels.dtype} {self.pixels.shape}"
            )


def frame_now(pixels: NDArray[np.uint8], sequence: int, source: str) -> Frame:
    """Return a `Frame` of a file's pixels, taken at this moment.

    Parameters
    ----------
    pixels
        uint8, (height, width, 3), RGB.
    sequence, source
        As in `Frame`.
    """
    return Frame(pixels, datetime.now(UTC), sequence, source)
