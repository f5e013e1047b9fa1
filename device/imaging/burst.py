"""Which frame of a burst is kept, and how far the skin moved while it was taken."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from device.imaging.field_of_view import FieldOfView
from device.imaging.motion import estimate_motion, motion_thumbnail
from device.imaging.quality import QualityLimits, measure_quality


def sharpest_frame(
    fields: Sequence[NDArray[np.uint8]], limits: QualityLimits, measured: Callable[[], None]
) -> int:
    """Return which frame of a burst is kept: the first of those with the highest focus.

    Parameters
    ----------
    fields
        The field of view of every frame, at least one: uint8, (side, side, 3), RGB.
    limits
        The bundle's ``quality`` section.
    measured
        Called after each frame.
    """
    focus = []
    for field in fields:
        focus.append(measure_quality(field, limits).focus)
        measured()
    return int(np.argmax(focus))


def motion_in_burst(
    frames: Sequence[NDArray[np.uint8]], kept: int, field: FieldOfView
) -> float | None:
    """Return how far the skin moved at the kept frame, in parts of the field's side.

    Compared with the frame before, or, for the first, with the one after it; None for a burst of
    one frame, and where the two are not of one size.

    Parameters
    ----------
    frames
        uint8, (height, width, 3), RGB, in the order in which they were taken.
    kept
        Which of them is kept.
    field
        Its field of view.
    """
    if len(frames) < 2:
        return None
    before, after = (frames[kept - 1], frames[kept]) if kept else frames[:2]
    if before.shape != after.shape:
        return None
    return estimate_motion(motion_thumbnail(before, field), motion_thumbnail(after, field))
