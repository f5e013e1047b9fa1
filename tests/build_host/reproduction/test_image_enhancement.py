import numpy as np
import pytest

from build_host.evaluation import corruptions
from build_host.reproduction import image_enhancement
from build_host.reproduction.results import Restoration
from device.capture.demo import Scene, demo_frame

# Small dark globules are taken for hairs, so that these have none.
SCENES = (
    Scene(seed=11, radius=0.42, irregularity=0.06, network=0.45),
    Scene(seed=23, radius=0.55, irregularity=0.45, pigment=1.25, variegation=0.95, network=0.6),
    Scene(seed=37, radius=0.36, irregularity=0.12, pigment=0.08, blood=0.75, variegation=0.5),
)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [np.ascontiguousarray(demo_frame(s).pixels[200:500, 300:700]) for s in SCENES]


@pytest.fixture(scope="module")
def restorations(pictures: list[np.ndarray]) -> dict[tuple[str, str], Restoration]:
    found = image_enhancement.restorations(pictures, seed=1)
    return {(r.step, r.spoiled_by): r for r in found}


def test_noise_of_ten_grey_levels_is_measured_as_such(
    restorations: dict[tuple[str, str], Restoration],
) -> None:
    untouched = restorations["none", "noise"]
    # Rounding and clipping at the ends of the range take a little away.
    assert untouched.mse == pytest.approx(100.0, rel=0.1)
    assert untouched.psnr == pytest.approx(10 * np.log10(255**2 / untouched.mse), abs=0.1)


def test_denoising_brings_noisy_pictures_nearer_to_the_clean_ones(
    restorations: dict[tuple[str, str], Restoration],
) -> None:
    for step in ("Gaussian blur", "median", "bilateral"):
        assert restorations[step, "noise"].mse < restorations["none", "noise"].mse


def test_hair_removal_brings_hairy_pictures_nearer_to_the_clean_ones(
    restorations: dict[tuple[str, str], Restoration],
) -> None:
    left = restorations["hair removal", "hairs"].mse
    assert left < 0.5 * restorations["none", "hairs"].mse
    assert left < restorations["median", "hairs"].mse


def test_no_step_changes_the_picture_it_is_given(pictures: list[np.ndarray]) -> None:
    before = [p.copy() for p in pictures]
    for step in image_enhancement.ENHANCEMENTS.values():
        for picture in pictures:
            assert step(picture).shape == picture.shape
    for picture, was in zip(pictures, before, strict=True):
        np.testing.assert_array_equal(picture, was)


def test_drawn_hairs_are_removed_and_bare_skin_is_left_alone() -> None:
    skin = np.full((200, 300, 3), (200, 160, 140), np.uint8)
    hairy = corruptions.hairs(skin, np.random.default_rng(0))
    assert not (image_enhancement.remove_hairs(hairy) == hairy).all()
    np.testing.assert_array_equal(image_enhancement.remove_hairs(skin), skin)
