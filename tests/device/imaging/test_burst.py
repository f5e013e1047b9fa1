import cv2
import numpy as np
import pytest

from device.frame import Frame
from device.imaging.burst import motion_in_burst, sharpest_frame
from device.imaging.field_of_view import central_field, crop
from device.models.manifest import Manifest


@pytest.mark.parametrize("sharp", range(3))
def test_sharpest_frame_is_kept(manifest: Manifest, frames: tuple[Frame, ...], sharp: int) -> None:
    pixels = crop(frames[1].pixels, central_field(*frames[1].pixels.shape[:2]))
    fields = [cv2.GaussianBlur(pixels, (0, 0), 2.0 + i) for i in range(3)]
    fields[sharp] = pixels
    measured: list[None] = []
    assert sharpest_frame(fields, manifest.quality, lambda: measured.append(None)) == sharp
    assert len(measured) == 3


@pytest.mark.parametrize("kept", [0, 1])
def test_motion_is_that_between_the_kept_frame_and_its_neighbour(
    frames: tuple[Frame, ...], kept: int
) -> None:
    still = frames[1].pixels
    field = central_field(*still.shape[:2])
    moved = np.roll(still, 77, axis=1)
    assert motion_in_burst([still, moved, moved], kept, field) == pytest.approx(0.1, abs=0.02)
    assert motion_in_burst([still, still, moved], kept, field) == 0.0


@pytest.mark.parametrize("kept", [0, 1])
def test_frames_of_two_sizes_tell_no_motion(frames: tuple[Frame, ...], kept: int) -> None:
    pair = [frames[1].pixels, frames[1].pixels[:240, :320]]
    field = central_field(*pair[kept].shape[:2])
    assert motion_in_burst(pair, kept, field) is None


def test_burst_of_one_frame_has_no_motion(frames: tuple[Frame, ...]) -> None:
    field = central_field(*frames[1].pixels.shape[:2])
    assert motion_in_burst([frames[1].pixels], 0, field) is None
