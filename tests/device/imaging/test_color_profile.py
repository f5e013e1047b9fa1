import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from device.imaging.color_profile import transform_to_srgb
from device.imaging.image_file import read_image
from tests.device.images import PATTERN, dicom, encoded
from tests.device.profiles import ADOBE_RGB, DISPLAY_P3, SRGB, grey_profile

# Colours that both can tell: skin, and nothing that glows.
SKIN = (PATTERN * 0.5 + 90).astype(np.uint8)
FORMATS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
}


def told_in(profile: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the same colours in the numbers of another profile."""
    other = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    image = ImageCms.profileToProfile(Image.fromarray(pixels), srgb, other, intent)
    return np.asarray(image)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("profile", [DISPLAY_P3, ADOBE_RGB], ids=["display-p3", "adobe-rgb"])
def test_same_colours_in_another_profile_are_the_same_picture(
    tmp_path: Path, kind: str, profile: bytes
) -> None:
    numbers = told_in(profile, SKIN)
    assert np.abs(numbers.astype(int) - SKIN).max() > 8
    path = tmp_path / "a"
    path.write_bytes(encoded(numbers, kind, icc_profile=profile, **FORMATS[kind]))
    np.testing.assert_allclose(read_image(path).astype(int), SKIN, atol=5)


def test_dicom_profile_is_applied(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    (tmp_path / "a.dcm").write_bytes(dicom(told_in(DISPLAY_P3, SKIN), ICCProfile=DISPLAY_P3))
    np.testing.assert_allclose(read_image(tmp_path / "a.dcm").astype(int), SKIN, atol=4)


@pytest.mark.parametrize("kind", FORMATS)
def test_srgb_profile_changes_no_number(tmp_path: Path, kind: str) -> None:
    plain, embedded = tmp_path / "plain", tmp_path / "embedded"
    plain.write_bytes(encoded(SKIN, kind, **FORMATS[kind]))
    for profile in (SRGB, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()):
        embedded.write_bytes(encoded(SKIN, kind, icc_profile=profile, **FORMATS[kind]))
        np.testing.assert_array_equal(read_image(embedded), read_image(plain))


@pytest.mark.parametrize(
    "profile",
    [
        b"x",
        bytes(4000),
        DISPLAY_P3[:200],
        DISPLAY_P3.replace(b"RGB ", b"LAB ", 1),
        grey_profile(1.0),
    ],
    ids=["short", "zeros", "cut", "other-space", "of-grey"],
)
def test_profile_that_does_not_fit_is_passed_over(tmp_path: Path, profile: bytes) -> None:
    assert transform_to_srgb(profile, "RGB") is None
    (tmp_path / "a.png").write_bytes(encoded(SKIN, "PNG", icc_profile=profile))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), SKIN)


def test_transparent_parts_of_a_converted_picture_are_black(tmp_path: Path) -> None:
    alpha = np.full(SKIN.shape[:2], 255, np.uint8)
    alpha[:, :20] = 0
    content = encoded(np.dstack([told_in(DISPLAY_P3, SKIN), alpha]), "PNG", icc_profile=DISPLAY_P3)
    (tmp_path / "a.png").write_bytes(content)
    pixels = read_image(tmp_path / "a.png")
    assert not pixels[:, :20].any()
    np.testing.assert_allclose(pixels[:, 20:].astype(int), SKIN[:, 20:], atol=4)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_grey_profile_is_applied(tmp_path: Path, kind: str) -> None:
    grey = np.full((16, 16), 128, np.uint8)
    (tmp_path / "a").write_bytes(encoded(grey, kind, icc_profile=grey_profile(1.0)))
    # Half of the light is 188 of sRGB's levels.
    np.testing.assert_allclose(read_image(tmp_path / "a").astype(int), 188, atol=3)
