"""A frame, and what every source of frames can do."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from device.errors import SourceError

SMALLEST_SIDE: Final = 240
"""Pixels that a frame must have on its shorter side: with fewer there is no dermoscopy in it."""


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


def checked_frame(pixels: NDArray[np.uint8] | None, sequence: int, source: str) -> Frame:
    """Return a `Frame` taken at this moment, if what a driver gave is a picture worth judging.

    Parameters
    ----------
    pixels
        What came from outside, in the colour order red, green, blue.
    sequence, source
        As in `Frame`.

    Raises
    ------
    device.errors.SourceError
        If it is no uint8 (height, width, 3) array, or smaller than `SMALLEST_SIDE` on a side.
    """
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.dtype != np.uint8
        or pixels.ndim != 3
        or pixels.shape[2] != 3
    ):
        raise SourceError(
            "the camera gives no colour pictures; set it to colour or use another", where=source
        )
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise SourceError(
            "the picture is {width} x {height} pixels, and {least} on each side are needed; set it "
            "to a larger picture or use another camera",
            where=source,
            width=width,
            height=height,
            least=SMALLEST_SIDE,
        )
    return frame_now(pixels, sequence, source)


class FrameSource(Protocol):
    """Where frames come from: a camera, files, or a drawing.

    Used as a context manager. `close` may be called more than once; after it `read` and `still`
    raise `device.errors.SourceError`. `read` and `still` count in one sequence.
    """

    @property
    def name(self) -> str:
        """What to call this source on the screen."""
        ...

    def read(self, timeout: float = 1.0) -> Frame | None:
        """Return the next frame for the preview, or None where a finite source has ended.

        Parameters
        ----------
        timeout
            Seconds to wait for a frame, at most.

        Raises
        ------
        device.errors.SourceError
            If no frame came in time, or the source is gone. The source may be read again.
        """
        ...

    def still(self, timeout: float = 1.0) -> Frame | None:
        """Return the next frame at the largest size that the source gives while it runs.

        For the shutter: it takes longer than `read`, and is `read` where there is one size.
        Parameters, result and errors are those of `read`.
        """
        ...

    def lock_exposure(self, locked: bool) -> None:
        """Hold exposure and white balance as they are, or let them go.

        Nothing happens where a source has neither.
        """
        ...

    def close(self) -> None:
        """Give back whatever the source holds."""
        ...

    def __enter__(self) -> "FrameSource": ...

    def __exit__(self, *exc: object) -> None: ...
