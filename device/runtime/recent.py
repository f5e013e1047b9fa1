"""Pictures that the present one can be compared with: this session's, and what was kept before."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.errors import RecordError
from device.faults import Fault, expected, unexpected
from device.frame import Frame
from device.imaging.field_of_view import crop, find_field
from device.inference.finding import Finding, from_record
from device.language import translatable
from device.records.folder import Archive, Examination
from device.screen.view import Picture

MOST: Final = 12
NOT_READ: Final = translatable(
    "Earlier examinations could not be read. Restart the instrument; if it fails again, report it "
    "with the line below."
)
_SIDE: Final = 720


class RecentPictures:
    """The newest of what was taken, by any thread.

    Parameters
    ----------
    records
        What was kept before; None where nothing is.
    tell
        Told why that cannot be read.
    """

    def __init__(self, records: Archive | None, tell: Callable[[Fault], None]) -> None:
        self._records = records
        self._tell = tell
        self._pictures: deque[Picture] = deque(maxlen=MOST)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pictures)

    def pictures(self) -> list[Picture]:
        """Return them, the newest first."""
        with self._lock:
            return list(self._pictures)

    def add(self, frame: Frame, finding: Finding) -> None:
        """Add the picture that was taken last."""
        picture = Picture(frame.time, _small(crop(frame.pixels, finding.field)), finding)
        with self._lock:
            self._pictures.appendleft(picture)

    def run(self, stop: threading.Event) -> None:
        """Add what was kept before, until there are as many as are shown, or told to stop."""
        if self._records is None:
            return
        try:
            identifiers = self._records.identifiers()
        except RecordError as error:
            self._tell(expected(error))
            return
        except Exception as error:
            self._tell(unexpected(NOT_READ, error))
            return
        for identifier in reversed(identifiers):
            if stop.is_set() or len(self) == MOST:
                return
            try:
                kept = self._records.read(identifier)
                picture = _picture(kept)
            except (RecordError, ValueError):
                # One that is damaged must not hide the others.
                continue
            with self._lock:
                # One more would push out the newest, which was taken in the meantime.
                if len(self._pictures) == MOST:
                    return
                self._pictures.append(picture)


def _picture(kept: Examination) -> Picture:
    field = find_field(kept.image)
    finding = from_record(kept.record.finding, field)
    return Picture(kept.record.taken, _small(crop(kept.image, field)), finding)


def _small(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy of a field that is no larger than it will be shown."""
    if len(field) <= _SIDE:
        return field.copy()
    small = cv2.resize(field, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)
