import cv2
import numpy as np
import pytest

from device.imaging.hair import hair_mask


@pytest.fixture
def skin() -> np.ndarray:
    return np.full((200, 300, 3), (200, 160, 140), np.uint8)


def test_thin_dark_lines_are_found_and_nothing_else(skin: np.ndarray) -> None:
    hairy = skin.copy()
    cv2.line(hairy, (20, 10), (280, 190), (64, 42, 34), 3)
    cv2.circle(hairy, (220, 60), 30, (64, 42, 34), -1)
    mask = hair_mask(hairy, 11, 12)
    drawn = np.zeros(mask.shape, np.uint8)
    cv2.line(drawn, (20, 10), (280, 190), 1, 3)
    assert mask[drawn > 0].mean() > 0.9
    assert not mask[50:70, 210:230].any()
    assert mask[drawn == 0].mean() < 0.01


def test_bare_skin_has_no_hairs(skin: np.ndarray) -> None:
    assert not hair_mask(skin, 11, 12).any()


def test_line_that_is_hardly_darker_than_the_skin_is_no_hair(skin: np.ndarray) -> None:
    cv2.line(skin, (20, 10), (280, 190), (192, 152, 132), 3)
    assert not hair_mask(skin, 11, 12).any()
    assert hair_mask(skin, 11, 4).any()
