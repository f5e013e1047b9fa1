"""A frame, and what every source of frames can do."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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
    """

    pixels: NDArray[np.uint8]
    time: datetime
    sequence: int
    source: str

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(
                f"a frame is uint8 (height, width, 3), not {self.pixels.dtype} {self.pixels.shape}"
            )


def frame_now(pixels: NDArray[np.uint8], sequence: int, source: str) -> Frame:
    """Return a `Frame` taken at this moment."""
    return Frame(pixels, datetime.now(UTC), sequence, source)


class FrameSource(Protocol):
    """Where frames come from: a camera, files, or a drawing.

    Used as a context manager. `close` may be called more than once.
    """

    @property
    def name(self) -> str:
        """What to call this source on the screen."""
        ...

    def read(self, timeout: float = 1.0) -> Frame | None:
        """Return the next frame, or None where a finite source has ended.

        Parameters
        ----------
        timeout
            Seconds to wait for a frame.

        Raises
        ------
        device.errors.SourceError
            If no frame came in time, or the source is gone. The source may be read again.
        """
        ...

    def close(self) -> None:
        """Give back whatever the source holds."""
        ...

    def __enter__(self) -> "FrameSource": ...

    def __exit__(self, *exc: object) -> None: ...
