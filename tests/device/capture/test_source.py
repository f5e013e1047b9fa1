"""What the base class gives to every source."""

import numpy as np
import pytest

from device.capture.source import SMALLEST_SIDE, FrameSource
from device.errors import SourceError
from device.frame import Frame, SourceKind
from tests.device.clocks import ManualClock


class OneCamera(FrameSource):
    """Gives what it is told to, and counts how often it gave its driver back."""

    def __init__(self) -> None:
        super().__init__("test", SourceKind.CAMERA, ManualClock())
        self.picture = np.zeros((SMALLEST_SIDE, SMALLEST_SIDE + 1, 3), np.uint8)
        self.released = 0

    def read(self, timeout: float = 1.0) -> Frame:
        self._check_open()
        return self._frame(self.picture)

    def _release(self) -> None:
        self.released += 1


def test_frame_tells_source_kind_time_and_number() -> None:
    source = OneCamera()
    frames = [source.read(), source.still()]
    for number, frame in enumerate(frames):
        assert (frame.source, frame.kind, frame.sequence) == ("test", SourceKind.CAMERA, number)
        assert frame.time == ManualClock().now()
        assert frame.pixels is source.picture


def test_source_is_given_back_once_however_often_it_is_closed() -> None:
    with OneCamera() as source:
        source.read()
        assert source.released == 0
        source.close()
    source.close()
    assert source.released == 1


def test_source_is_given_back_when_its_user_fails() -> None:
    source = OneCamera()
    with pytest.raises(KeyError), source:
        raise KeyError
    assert source.released == 1


def test_closed_source_gives_nothing_more_and_says_what_to_do() -> None:
    source = OneCamera()
    source.close()
    for read in (source.read, source.still):
        with pytest.raises(SourceError, match="test: it is closed; start it again"):
            read()


def test_locking_the_exposure_of_a_source_without_one_does_nothing() -> None:
    with OneCamera() as source:
        source.lock_exposure(True)
        source.lock_exposure(False)
        source.read()


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        (None, "gives no colour pictures; set it to colour"),
        (np.zeros((300, 300)), "gives no colour pictures"),
        (np.zeros((300, 300, 3)), "gives no colour pictures"),
        (np.zeros((300, 300, 4), np.uint8), "gives no colour pictures"),
        (np.zeros((SMALLEST_SIDE - 1, 300, 3), np.uint8), "300 x 239 pixels, and 240 on each side"),
        (np.zeros((300, SMALLEST_SIDE - 1, 3), np.uint8), "239 x 300 pixels, and 240 on each side"),
    ],
)
def test_picture_that_cannot_be_judged_is_refused_with_what_to_do(
    picture: np.ndarray, told: str
) -> None:
    source = OneCamera()
    source.picture = picture
    with pytest.raises(SourceError, match=f"test: the .*{told}"):
        source.read()
