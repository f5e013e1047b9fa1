from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from device.frame import Frame, frame_now


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((4, 4), np.uint8), ((4, 4, 4), np.uint8), ((1, 4, 4, 3), np.uint8), ((4, 4, 3), np.float32)],
)
def test_pixels_that_are_not_rgb_bytes_are_refused(shape: tuple[int, ...], kind: type) -> None:
    with pytest.raises(ValueError, match="a frame is uint8"):
        Frame(np.zeros(shape, kind), datetime.now(UTC), 0, "test")


def test_frame_is_stamped_in_utc() -> None:
    frame = frame_now(np.zeros((4, 4, 3), np.uint8), 7, "test")
    assert frame.time.utcoffset() == timedelta(0)
    assert (frame.sequence, frame.source) == (7, "test")
