"""Frames from an image, a folder of images, or a video."""

import contextlib
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.capture.source import SMALLEST_SIDE, FrameSource
from device.errors import ImageError, SourceError
from device.frame import Frame, SourceKind
from device.imaging.image_file import SUFFIXES, find_images, read_image
from device.language import translatable
from device.platform.clock import Clock
from device.text import printable_path

SECONDS_PER_IMAGE: Final = 2.0
_FALLBACK_RATE: Final = 25.0
_VIDEO_SUFFIXES: Final = frozenset({".mp4", ".avi", ".mkv", ".mov", ".mjpg", ".mjpeg", ".webm"})


_Timed = tuple[NDArray[np.uint8], float]
"""A picture, and how many seconds it is shown."""


class ReplaySource(FrameSource):
    """Plays files as if they came from a camera, and begins again at their end.

    An image that cannot be read is passed over and its reason kept in `skipped`, by its name; only
    when nothing at all can be read does the source fail.

    Parameters
    ----------
    path
        An image, a folder of images, or a video.
    clock
        That paces and stamps the frames.
    paced
        Keep the video's own time, and show each image for two seconds; else frames come as fast
        as they are read.

    Raises
    ------
    device.errors.SourceError
        If there is nothing there to play.
    """

    def __init__(self, path: Path, clock: Clock, *, paced: bool = True) -> None:
        # Never a file's name, which may name a person.
        super().__init__(translatable("replay"), SourceKind.REPLAY, clock)
        self._path = path
        self._paced = paced
        self._due = clock.monotonic()
        self._last: NDArray[np.uint8] | None = None
        self._pictures: Generator[_Timed | None, None, None] | None = None
        self.skipped: dict[str, str] = {}
        self._images = self._find(path)

    def read(self, timeout: float = 1.0) -> Frame:
        """Return the next frame; after the last one, the first again."""
        self._check_open()
        end = self._clock.monotonic() + timeout
        if self._paced:
            delay = self._due - self._clock.monotonic()
            if delay > timeout and self._last is not None:
                # Between two stills the last one is still before the lens.
                self._clock.sleep(timeout)
                return self._frame(self._last)
            self._clock.sleep(delay)
        if self._pictures is None:
            self._pictures = self._play()
        try:
            item = next(self._pictures)
            while item is None and self._clock.monotonic() < end:
                item = next(self._pictures)
        except Exception:
            # Files may be repaired while we wait: the next read starts over.
            self._pictures = None
            raise
        if item is None:
            reason = next(iter(self.skipped.values()))
            raise SourceError("no image has been found yet that can be shown", detail=reason)
        self._last, seconds = item
        self._due = max(self._due, self._clock.monotonic() - seconds) + seconds
        return self._frame(self._last)

    def still(self, timeout: float = 1.0) -> Frame:
        """Return the image that is shown now, or the video's next frame."""
        self._check_open()
        if self._images is not None and self._last is not None:
            return self._frame(self._last)
        return self.read(timeout)

    @staticmethod
    def _find(path: Path) -> list[str] | None:
        """Return the names of the images to play, or None for a video."""
        name = printable_path(path)
        try:
            if stat.S_ISDIR(path.stat().st_mode):
                images = find_images(path)
                if not images:
                    raise SourceError(
                        "there are no images in it",
                        action=translatable("name a folder of photographs"),
                        where=name,
                    )
                return images
        except FileNotFoundError:
            raise SourceError("no such file or folder", where=name) from None
        except (OSError, ImageError) as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError("cannot be opened", where=name, detail=str(error)) from None
        if path.suffix.lower() in SUFFIXES:
            return [""]
        if path.suffix.lower() in _VIDEO_SUFFIXES:
            return None
        raise SourceError(
            "this is neither an image ({images}) nor a video ({videos})",
            where=name,
            images=" ".join(sorted(SUFFIXES)),
            videos=" ".join(sorted(_VIDEO_SUFFIXES)),
        )

    def _release(self) -> None:
        if self._pictures is not None:
            # A file that is still being opened has a thread of its own, which was left behind.
            with contextlib.suppress(ValueError):
                self._pictures.close()

    def _play(self) -> Generator[_Timed | None, None, None]:
        while True:
            shown = 0
            for item in self._pictures_once():
                shown += item is not None
                yield item
            if shown == 0:
                raise SourceError(
                    "nothing in it can be shown",
                    where=printable_path(self._path),
                    detail=next(iter(self.skipped.values()), ""),
                )

    def _pictures_once(self) -> Iterator[_Timed | None]:
        """Yield each picture, and None for each image that is passed over."""
        if self._images is None:
            yield from self._video()
            return
        for name in self._images:
            path = self._path / name
            try:
                pixels = read_image(path)
                if min(pixels.shape[:2]) < SMALLEST_SIDE:
                    raise ImageError(
                        f"{printable_path(path)}: is {pixels.shape[1]} x {pixels.shape[0]} pixels, "
                        f"and {SMALLEST_SIDE} on each side are needed; choose a larger photograph"
                    )
                yield pixels, SECONDS_PER_IMAGE
            except ImageError as error:
                self.skipped[name] = str(error)
                yield None

    def _video(self) -> Iterator[_Timed]:
        video = cv2.VideoCapture(str(self._path))
        try:
            rate = video.get(cv2.CAP_PROP_FPS)
            seconds = 1.0 / (rate if 1.0 <= rate <= 240.0 else _FALLBACK_RATE)
            while True:
                good, picture = video.read()
                if not good:
                    return
                yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8), seconds
        finally:
            video.release()
