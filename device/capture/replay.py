"""Frames from an image, a folder of images, or a video."""

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.capture.frame import Frame, frame_now
from device.capture.image_file import SUFFIXES, find_images, read_image
from device.errors import ImageError, SourceError

SECONDS_PER_IMAGE: Final = 2.0
_FALLBACK_RATE: Final = 25.0
_VIDEO_SUFFIXES: Final = frozenset({".mp4", ".avi", ".mkv", ".mov", ".mjpg", ".mjpeg", ".webm"})


class ReplaySource:
    """Plays files as if they came from a camera.

    An image that cannot be read is passed over and counted in `skipped`; only when nothing at all
    can be read does the source fail.

    Parameters
    ----------
    path
        An image, a folder of images, or a video.
    loop
        Begin again at the end.
    paced
        Keep the video's own time, and show each image for two seconds; else frames come as fast
        as they are read.

    Raises
    ------
    device.errors.SourceError
        If there is nothing there to play.
    """

    def __init__(self, path: Path, loop: bool = True, paced: bool = True) -> None:
        self._path = path
        self._loop = loop
        self._paced = paced
        self._sequence = 0
        self._due = time.monotonic()
        self.skipped: list[str] = []
        if path.is_dir():
            images = find_images(path)
            if not images:
                raise SourceError(f"{path}: holds no images; name a folder of photographs")
            self._images: list[Path] | None = images
        elif not path.exists():
            raise SourceError(f"{path}: no such file or folder")
        elif path.suffix.lower() in SUFFIXES:
            self._images = [path]
        elif path.suffix.lower() in _VIDEO_SUFFIXES:
            self._images = None
        else:
            raise SourceError(
                f"{path}: is neither an image ({' '.join(sorted(SUFFIXES))}) "
                f"nor a video ({' '.join(sorted(_VIDEO_SUFFIXES))})"
            )
        self._pictures = self._play()

    @property
    def name(self) -> str:
        """What to call this source on the screen: never a file's name, which may name a person."""
        return "replay"

    def read(self, timeout: float = 1.0) -> Frame | None:
        """Return the next frame, or None at the end."""
        if self._paced:
            delay = self._due - time.monotonic()
            if delay > timeout:
                # Between two stills the last one is still before the lens.
                time.sleep(timeout)
            elif delay > 0:
                time.sleep(delay)
        item = next(self._pictures, None)
        if item is None:
            return None
        pixels, seconds = item
        self._due = max(self._due + seconds, time.monotonic() - seconds)
        frame = frame_now(pixels, self._sequence, self.name)
        self._sequence += 1
        return frame

    def close(self) -> None:
        """Close the files."""
        self._pictures.close()

    def __enter__(self) -> "ReplaySource":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _play(self) -> Generator[tuple[NDArray[np.uint8], float], None, None]:
        while True:
            shown = 0
            for item in self._pictures_once():
                shown += 1
                yield item
            if shown == 0:
                reason = f" ({self.skipped[0]})" if self.skipped else ""
                raise SourceError(f"{self._path}: nothing in it can be shown{reason}")
            if not self._loop:
                return

    def _pictures_once(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        if self._images is None:
            yield from self._video()
            return
        for path in self._images:
            try:
                yield read_image(path), SECONDS_PER_IMAGE
            except ImageError as error:
                if str(error) not in self.skipped:
                    self.skipped.append(str(error))

    def _video(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
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
