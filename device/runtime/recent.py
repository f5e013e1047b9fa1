"""Pictures that the present one can be compared with: this session's, and what was kept before."""

import threading
from collections import deque
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.frame import Frame
from device.imaging.field_of_view import crop, find_field
from device.inference.finding import Finding, from_record
from device.records.model import Examination
from device.runtime.messages import Picture
from device.runtime.requests import LesionChoice

MAX_RECENT: Final = 12
_SIDE: Final = 720


class RecentPictures:
    """The newest captures, by any thread."""

    def __init__(self) -> None:
        self._pictures: deque[Picture] = deque(maxlen=MAX_RECENT)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pictures)

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._pictures.clear()

    def pictures(self) -> tuple[Picture, ...]:
        """Return them, the newest first."""
        with self._lock:
            return tuple(self._pictures)

    def add(self, frame: Frame, finding: Finding, lesion: LesionChoice | None = None) -> None:
        """Add the picture that was captured last, and what it is filed under."""
        picture = Picture(frame.time, _small(crop(frame.pixels, finding.field)), finding, lesion)
        with self._lock:
            self._pictures.appendleft(picture)

    def add_older(self, kept: Examination) -> bool:
        """Add an examination that is older than all that are here; return if there is room for it.

        Raises
        ------
        ValueError
            If its record is not that of its image.
        """
        field = kept.record.field_of_view or find_field(kept.image)
        said = kept.record.finding
        finding = from_record(said, field) if said is not None else None
        small = _small(crop(kept.image, field))
        picture = Picture(kept.record.taken, small, finding, kept.record.lesion)
        with self._lock:
            # One more would push out the newest, which was captured in the meantime.
            if len(self._pictures) == MAX_RECENT:
                return False
            self._pictures.append(picture)
            return len(self._pictures) < MAX_RECENT


def _small(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy of a field that is no larger than it will be shown."""
    if len(field) <= _SIDE:
        return field.copy()
    small = cv2.resize(field, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)
