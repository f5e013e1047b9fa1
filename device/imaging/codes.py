"""The code on a wristband, a label or a referral, read from a camera's frame.

A code is what anybody may have printed: only what can be a patient's identifier is taken from it.
"""

import re
import unicodedata
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST: Final = 64
"""Characters of an identifier."""

_LONGEST_READ: Final = 512
_LARGEST_SIDE: Final = 1280
"""Pixels; a code that is held before the camera is large, and reading takes time."""

_NOT_IN_IDENTIFIERS: Final = re.compile(r"[^\w.:/+#-]+")


def read_code(pixels: NDArray[np.uint8]) -> str | None:
    """Return the identifier in a QR code, Data Matrix, Code 128, Code 39 or EAN, or None.

    None also where there are several codes that say different things: nobody can know which of them
    is meant.

    Parameters
    ----------
    pixels
        A frame: uint8, (height, width, 3), RGB.
    """
    # Loaded only while a code is looked for: the live view needs no part of it.
    import zxingcpp

    height, width = pixels.shape[:2]
    shrink = _LARGEST_SIDE / max(height, width)
    if shrink < 1.0:
        size = (round(width * shrink), round(height * shrink))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    formats = (
        zxingcpp.BarcodeFormat.QRCode
        | zxingcpp.BarcodeFormat.DataMatrix
        | zxingcpp.BarcodeFormat.Code128
        | zxingcpp.BarcodeFormat.Code39
        | zxingcpp.BarcodeFormat.EAN13
        | zxingcpp.BarcodeFormat.EAN8
    )
    found = zxingcpp.read_barcodes(
        cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY),
        formats=formats,
        text_mode=zxingcpp.TextMode.Plain,
    )
    said = {clean for code in found if (clean := clean_identifier(code.text))}
    return said.pop() if len(said) == 1 else None


def clean_identifier(text: str) -> str:
    """Return untrusted text as an identifier; empty where it is none.

    Letters, figures and ``. : / + # - _`` stay, whatever else stands between them becomes one
    space. What is longer than `LONGEST` is no identifier: its beginning might be another patient's.
    """
    if len(text) > _LONGEST_READ:
        return ""
    clean = _NOT_IN_IDENTIFIERS.sub(" ", unicodedata.normalize("NFKC", text)).strip()
    return clean if len(clean) <= LONGEST else ""
