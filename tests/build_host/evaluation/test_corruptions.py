from collections.abc import Callable

import numpy as np
import pytest

from build_host.evaluation import corruptions

Corrupt = Callable[[np.ndarray, np.random.Generator], np.ndarray]

ALL: dict[str, Corrupt] = {
    "blur": lambda p, r: corruptions.gaussian_blur(p, 0.05),
    "brightness": lambda p, r: corruptions.brightness(p, 0.5),
    "noise": lambda p, r: corruptions.gaussian_noise(p, 20.0, r),
    "glare": lambda p, r: corruptions.glare(p, 0.1, r),
    "dark side": lambda p, r: corruptions.dark_side(p, 0.3, r),
    "shift": lambda p, r: corruptions.shift(p, 0.4, r),
    "fade": lambda p, r: corruptions.fade(p, 0.5),
    "motion blur": lambda p, r: corruptions.motion_blur(p, 0.1, r),
    "hairs": corruptions.hairs,
}


@pytest.fixture
def lesion() -> np.ndarray:
    pixels = np.full((90, 120, 3), (200, 160, 140), np.uint8)
    pixels[30:60, 40:80] = (90, 60, 50)
    return pixels


@pytest.mark.parametrize("name", ALL)
def test_a_corruption_changes_a_copy_and_follows_from_the_seed(
    lesion: np.ndarray, name: str
) -> None:
    before = lesion.copy()
    corrupted, again = (ALL[name](lesion, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(lesion, before)
    assert (corrupted.shape, corrupted.dtype) == (lesion.shape, np.uint8)
    assert (corrupted != lesion).any()
    np.testing.assert_array_equal(corrupted, again)


def test_noise_has_the_asked_standard_deviation_and_leaves_the_mean() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    noise = corruptions.gaussian_noise(grey, 10.0, np.random.default_rng(0)).astype(float) - 128
    assert noise.std() == pytest.approx(10.0, rel=0.02)
    # Truncated instead of rounded, it would be half a grey level darker.
    assert noise.mean() == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_glare_covers_about_its_share(share: float) -> None:
    black = np.zeros((300, 400, 3), np.uint8)
    shares = [
        (corruptions.glare(black, share, np.random.default_rng(s)) == 255).mean() for s in range(20)
    ]
    # Highlights overlap, and lie partly outside.
    assert 0.5 * share < np.mean(shares) < 1.1 * share


def test_a_dark_side_is_one_of_the_two() -> None:
    white = np.full((20, 100, 3), 255, np.uint8)
    sides = set()
    for seed in range(10):
        dark = ~corruptions.dark_side(white, 0.3, np.random.default_rng(seed)).any(axis=(0, 2))
        assert dark.sum() == 30
        sides.add("left" if dark[:30].all() else "right" if dark[-30:].all() else "neither")
    assert sides == {"left", "right"}


def test_fading_ends_at_the_skin_of_the_rim(lesion: np.ndarray) -> None:
    assert (corruptions.fade(lesion, 1.0) == (200, 160, 140)).all()
    np.testing.assert_array_equal(corruptions.fade(lesion, 0.0), lesion)


def test_a_shift_moves_the_lesion_by_its_distance(lesion: np.ndarray) -> None:
    moved = corruptions.shift(lesion, 0.2, np.random.default_rng(0))
    centres = [np.argwhere(p[:, :, 0] < 145).mean(axis=0) for p in (lesion, moved)]
    assert np.hypot(*(centres[1] - centres[0])) == pytest.approx(0.2 * 45, abs=0.7)
