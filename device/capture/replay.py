"""Frames from an image, a folder of images, or a video."""

import contextlib
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from device.capture.source import FrameSource
from device.errors import ImageError, SourceError
from device.frame import Frame, SourceKind
from device.imaging.image_file import SUFFIXES, find_images, read_image
from device.language import translatable
from device.platform.clock import Clock
from device.text import printable_path

SECONDS_PER_IMAGE: Final = 2.0
_REPEAT_SECONDS: Final = 0.1
_FALLBACK_RATE: Final = 25.0
_VIDEO_SUFFIXES: Final = frozenset({".mp4", ".avi", ".mkv", ".mov", ".mjpg", ".mjpeg", ".webm"})
_MOVIE_ATOMS: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})


class _Timed(NamedTuple):
    """A picture, how many seconds it is shown, and whether another photograph begins with it."""

    pixels: NDArray[np.uint8]
    seconds: float
    new: bool


class ReplaySource(FrameSource):
    """Plays files as if they came from a camera, and begins again at their end.

    Images may be as small as those that ``analyze`` takes. No message after the opening names a
    file: the screen shows it, and files are named after patients.

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

    smallest_side: ClassVar[int] = 1

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
            repeat = min(timeout, _REPEAT_SECONDS)
            if delay > repeat and self._last is not None:
                # Still before the lens: who waited for the next would miss a press of the shutter.
                self._clock.sleep(repeat)
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
            raise SourceError(
                "no image has been found yet that can be shown",
                action=translatable("wait, or take away the files that are damaged"),
                detail=self._why_passed_over(),
            )
        self._last, seconds, new = item
        self._due = max(self._due, self._clock.monotonic() - seconds) + seconds
        return self._frame(self._last, new_picture=new)

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
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                images = find_images(path)
                if not images:
                    raise SourceError(
                        "there are no images in it",
                        action=translatable(
                            "copy photographs into it, or name the folder that holds them"
                        ),
                        where=name,
                    )
                return images
        except FileNotFoundError:
            raise SourceError(
                "no such file or folder", action=translatable("check how it is written"), where=name
            ) from None
        except (OSError, ImageError) as error:
            if isinstance(error, SourceError):
                raise
            raise SourceError(
                "cannot be opened",
                action=translatable("check who may read it"),
                where=name,
                detail=str(error),
            ) from None
        if stat.S_ISREG(mode) and path.suffix.lower() in _VIDEO_SUFFIXES:
            return None
        if stat.S_ISREG(mode) and (path.suffix.lower() in SUFFIXES or _is_image(path)):
            return [""]
        raise SourceError(
            "this is neither an image ({images}) nor a video ({videos})",
            action=translatable("name a file of these kinds, or a folder of images"),
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
                    action=translatable("replay other files"),
                    detail=self._why_passed_over(),
                )

    def _why_passed_over(self) -> str:
        """Return why the first image could not be shown, without its name."""
        name, reason = next(iter(self.skipped.items()), ("", ""))
        return reason.removeprefix(f"{printable_path(self._path / name)}: ")

    def _pictures_once(self) -> Iterator[_Timed | None]:
        """Yield each picture, and None for each image that is passed over."""
        if self._images is None:
            yield from self._video()
            return
        for name in self._images:
            path = self._path / name
            try:
                yield _Timed(read_image(path), SECONDS_PER_IMAGE, new=True)
            except ImageError as error:
                self.skipped[name] = str(error)
                yield None

    def _video(self) -> Iterator[_Timed]:
        if not _is_video(self._path):
            return
        # A relative path with a colon would be taken for the address of a protocol.
        video = cv2.VideoCapture(str(self._path.absolute()), cv2.CAP_FFMPEG)
        new = True
        try:
            rate = video.get(cv2.CAP_PROP_FPS)
            seconds = 1.0 / (rate if 1.0 <= rate <= 240.0 else _FALLBACK_RATE)
            while True:
                good, picture = video.read()
                if not good:
                    return
                pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
                yield _Timed(pixels, seconds, new)
                new = False
        finally:
            video.release()


def _is_image(path: Path) -> bool:
    try:
        read_image(path)
    except ImageError:
        return False
    return True


def _is_video(path: Path) -> bool:
    """Tell whether a file holds pictures itself, by how it begins.

    A playlist, whatever its ending, names other files and addresses, which FFmpeg would open.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return (
        head[4:8] in _MOVIE_ATOMS
        or (head[:4] == b"RIFF" and head[8:] == b"AVI ")
        or head.startswith((b"\x1a\x45\xdf\xa3", b"\xff\xd8\xff"))
    )
