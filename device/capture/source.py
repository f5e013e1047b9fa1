"""What every source of frames can do."""

from abc import ABC, abstractmethod
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from device.errors import SourceError
from device.frame import Frame, SourceKind
from device.language import translatable
from device.platform.clock import Clock

SMALLEST_SIDE: Final = 240
"""Pixels that a camera's frame must have on its shorter side: with fewer there is no dermoscopy in
it."""


class FrameSource(ABC):
    """Where frames come from: a camera, files, or a drawing.

    Used as a context manager by whoever opens it; nobody else closes it. `close` may be called more
    than once; after it `read` and `still` raise `device.errors.SourceError`. `read` and `still`
    count in one sequence.

    Parameters
    ----------
    name
        What to call it on the screen.
    kind
        What its frames come from.
    clock
        That its frames are stamped and paced by.
    """

    smallest_side: ClassVar[int] = SMALLEST_SIDE

    def __init__(self, name: str, kind: SourceKind, clock: Clock) -> None:
        self.name = name
        self.kind = kind
        self._clock = clock
        self._next_number = 0
        self._closed = False

    @abstractmethod
    def read(self, timeout: float = 1.0) -> Frame:
        """Return the next frame for the preview; frames come without end.

        Parameters
        ----------
        timeout
            Seconds to wait for a frame, at most.

        Raises
        ------
        device.errors.SourceError
            If no frame came in time, or the source is gone. The source may be read again.
        """

    def still(self, timeout: float = 1.0) -> Frame:
        """Return the next frame at the largest size that the source gives while it runs.

        For the shutter: it takes longer than `read`, and is `read` where there is one size.
        Parameters, result and errors are those of `read`.
        """
        return self.read(timeout)

    def lock_exposure(self, locked: bool) -> None:  # noqa: B027 -- most sources have none
        """Hold exposure and white balance as they are, or release them.

        Nothing happens where a source has neither.
        """

    def close(self) -> None:
        """Give back whatever the source holds. May be called more than once."""
        if not self._closed:
            self._closed = True
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _release(self) -> None:  # noqa: B027 -- some hold nothing
        """Give back what the source holds; called once."""

    def _check_open(self) -> None:
        if self._closed:
            raise SourceError(
                "it is closed", action=translatable("start it again"), where=self.name
            )

    def _frame(
        self, pixels: NDArray[np.uint8], number: int | None = None, *, new_picture: bool = False
    ) -> Frame:
        """Return pixels from outside as a frame taken at this moment, if they are worth judging.

        Parameters
        ----------
        pixels
            In the colour order red, green, blue.
        number
            Of the frame; by default the next one.
        new_picture
            Whether it begins another photograph.

        Raises
        ------
        device.errors.SourceError
            If it is no uint8 (height, width, 3) array, or smaller than `smallest_side` on a side.
        """
        if (
            not isinstance(pixels, np.ndarray)
            or pixels.dtype != np.uint8
            or pixels.ndim != 3
            or pixels.shape[2] != 3
        ):
            raise SourceError(
                "the camera gives no colour pictures",
                action=translatable("set it to colour or use another"),
                where=self.name,
            )
        height, width = pixels.shape[:2]
        if min(height, width) < self.smallest_side:
            raise SourceError(
                "the picture is {width} x {height} pixels, and {least} on each side are needed",
                action=translatable("set it to a larger picture or use another camera"),
                where=self.name,
                width=width,
                height=height,
                least=self.smallest_side,
            )
        if number is None:
            number = self._next_number
        self._next_number = number + 1
        now, instant = self._clock.now(), self._clock.monotonic()
        return Frame(
            pixels, now, number, self.name, self.kind, instant=instant, new_picture=new_picture
        )
