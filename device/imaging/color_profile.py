"""Embedded colour profiles: what a file's numbers mean, told in sRGB.

The networks were trained on sRGB. A Display P3 or Adobe RGB file read as if it were sRGB is paler
than the skin was.
"""

import io
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

ProfileMode = Literal["RGB", "L", "CMYK"]

_SPACES: Final = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_SAME: Final = 2
"""Levels by which two ways to write sRGB down differ."""

_ROWS_AT_ONCE: Final = 128


def transform_to_srgb(profile: bytes, mode: ProfileMode) -> ImageCms.ImageCmsTransform | None:
    """Return what turns pixels of a profile into sRGB.

    Parameters
    ----------
    profile
        The bytes of an ICC profile.
    mode
        Pillow's name of the pixels that are to be turned.

    Returns
    -------
    PIL.ImageCms.ImageCmsTransform or None
        None where there is nothing to do: the profile is sRGB, damaged, or of other pixels.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if mode == "CMYK":
        return transform
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    levels = (
        np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        if mode == "RGB"
        else steps[None]
    )
    told = np.asarray(transform.apply(Image.fromarray(levels))).astype(np.int16)
    plain = levels if mode == "RGB" else levels[:, :, None]
    return None if np.abs(told - plain).max() <= _SAME else transform


def apply_transform(
    pixels: NDArray[np.uint8],
    transform: ImageCms.ImageCmsTransform,
    mode: Literal["RGB", "L"] = "RGB",
) -> None:
    """Turn an RGB image into sRGB, in place and a few rows at a time.

    Parameters
    ----------
    pixels
        uint8, (height, width, 3); of grey, with equal channels.
    transform
        As `transform_to_srgb` returns it for the mode.
    mode
        What the pixels were before they became RGB.
    """
    for top in range(0, len(pixels), _ROWS_AT_ONCE):
        part = pixels[top : top + _ROWS_AT_ONCE]
        before = part if mode == "RGB" else np.ascontiguousarray(part[:, :, 0])
        part[:] = np.asarray(transform.apply(Image.fromarray(before)))
