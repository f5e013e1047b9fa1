import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.capture.demo import SCENES, demo_frame
from device.imaging.field_of_view import crop, find_field
from device.imaging.registration import Refusal, Registration, laid_over, register

Pixels = NDArray[np.uint8]


def field(scene: int = 3) -> Pixels:
    pixels = demo_frame(SCENES[scene]).pixels
    return crop(pixels, find_field(pixels))


EARLIER = field()


def seen_again(
    picture: Pixels, turn: float, scale: float, shift: tuple[float, float]
) -> tuple[Pixels, NDArray[np.float64]]:
    """Return a picture as it is seen again, and how that lies on the first, in parts of sides."""
    side = len(picture)
    there = cv2.getRotationMatrix2D((side / 2, side / 2), turn, scale)
    there[:, 2] += np.multiply(shift, side)
    later = cv2.warpAffine(picture, there, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    light = later * 0.9 + np.random.default_rng(3).normal(0, 2, later.shape) + 8
    back = cv2.invertAffineTransform(there) / np.array([1.0, 1.0, side])
    return np.clip(light, 0, 255).astype(np.uint8), back


@settings(deadline=None, max_examples=12, derandomize=True)
@given(
    turn=st.floats(-180, 180),
    scale=st.floats(0.8, 1.25),
    x=st.floats(-0.1, 0.1),
    y=st.floats(-0.1, 0.1),
)
def test_known_movement_of_the_hand_is_found(turn: float, scale: float, x: float, y: float) -> None:
    later, truth = seen_again(EARLIER, turn, scale, (x, y))
    found = register(EARLIER, later)
    assert isinstance(found, Registration)
    assert found.scale == pytest.approx(1 / scale, rel=0.01)
    assert math.cos(math.radians(found.turn - turn)) == pytest.approx(1.0, abs=2e-4)
    for point in ((0.3, 0.3), (0.7, 0.3), (0.5, 0.7)):
        here, there = (m[:, :2] @ point + m[:, 2] for m in (found.matrix, truth))
        assert np.linalg.norm(here - there) < 0.01
    assert found.error < 0.01


def test_pictures_of_two_sizes_are_registered_in_parts_of_their_sides() -> None:
    later, truth = seen_again(EARLIER, 20.0, 1.0, (0.03, 0.0))
    smaller = cv2.resize(later, (360, 360), interpolation=cv2.INTER_AREA)
    found = register(EARLIER, smaller)
    assert isinstance(found, Registration)
    np.testing.assert_allclose(found.matrix, truth, atol=0.01)


def test_later_picture_laid_over_looks_like_the_earlier_one() -> None:
    later, _ = seen_again(EARLIER, 35.0, 1.1, (0.05, -0.04))
    found = register(EARLIER, later)
    assert isinstance(found, Registration)
    small = cv2.resize(EARLIER, (300, 300), interpolation=cv2.INTER_AREA).astype(int)
    laid = laid_over(found, later, 300).astype(int)
    middle = (slice(90, 210), slice(90, 210))
    apart = np.abs(laid[middle] - small[middle]).mean()
    beside = np.abs(cv2.resize(later, (300, 300)).astype(int)[middle] - small[middle]).mean()
    assert apart < 9 < beside


@pytest.mark.parametrize("other", [i for i in range(len(SCENES)) if i != 3])
def test_another_lesion_is_refused(other: int) -> None:
    assert isinstance(register(EARLIER, field(other)), Refusal)


def test_bare_and_blurred_skin_is_refused_as_featureless() -> None:
    bare = np.full((300, 300, 3), (203, 150, 128), np.uint8)
    blurred = cv2.GaussianBlur(EARLIER, (0, 0), len(EARLIER) / 20)
    for nothing in (bare, blurred):
        assert register(EARLIER, nothing) == Refusal.FEATURELESS
        assert register(nothing, EARLIER) == Refusal.FEATURELESS


def test_another_magnification_is_refused_as_such() -> None:
    later, _ = seen_again(EARLIER, 0.0, 1.7, (0.0, 0.0))
    assert register(EARLIER, later) == Refusal.MAGNIFIED


def test_same_pictures_give_the_same_answer() -> None:
    later, _ = seen_again(EARLIER, 12.0, 0.95, (0.02, 0.05))
    one, other = register(EARLIER, later), register(EARLIER, later)
    assert isinstance(one, Registration)
    assert isinstance(other, Registration)
    np.testing.assert_array_equal(one.matrix, other.matrix)
