import subprocess
import sys

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.capture.demo import SCENES, demo_frame
from device.imaging.codes import LONGEST, clean_identifier, read_code

KINDS = {
    "QRCode": "P-004711",
    "DataMatrix": "P-004711",
    "Code128": "P-004711",
    "Code39": "P-004711",
    "EAN13": "4006381333931",
    "EAN8": "96385074",
}


def printed(kind: str, text: str, scale: int = 4) -> NDArray[np.uint8]:
    code = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    return np.asarray(code.to_image(scale=scale), np.uint8)


def before_the_camera(*codes: NDArray[np.uint8], turn: float = 0.0) -> NDArray[np.uint8]:
    """Return codes side by side as a camera sees them: turned, tilted light, grain, a blur."""
    tallest = max(len(code) for code in codes)
    white = [
        np.pad(code, ((30, 30 + tallest - len(code)), (30, 30)), constant_values=255)
        for code in codes
    ]
    sheet = np.hstack(white)
    side = round(1.5 * max(sheet.shape))
    frame = np.full((side, side), 225, np.uint8)
    top, left = ((side - length) // 2 for length in sheet.shape)
    frame[top : top + sheet.shape[0], left : left + sheet.shape[1]] = sheet
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, 1.0)
    frame = cv2.warpAffine(frame, matrix, (side, side), borderValue=225)
    light = np.linspace(0.6, 1.0, side)[None, :]
    noise = np.random.default_rng(7).normal(0, 4, frame.shape)
    seen = cv2.GaussianBlur(frame * light + noise, (0, 0), 0.8)
    return np.repeat(np.clip(seen, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize("turn", [0.0, 8.0, 90.0, 180.0])
@pytest.mark.parametrize(("kind", "text"), KINDS.items())
def test_codes_of_a_clinic_are_read_however_they_are_held(
    kind: str, text: str, turn: float
) -> None:
    assert read_code(before_the_camera(printed(kind, text), turn=turn)) == text


def test_large_frame_is_read_too() -> None:
    frame = before_the_camera(printed("Code128", "P-004711"))
    assert read_code(cv2.resize(frame, None, fx=4, fy=4)) == "P-004711"


def test_skin_is_no_code() -> None:
    for scene in SCENES:
        assert read_code(demo_frame(scene).pixels) is None


def test_two_codes_that_say_different_things_are_none() -> None:
    one, other = printed("QRCode", "P-1"), printed("QRCode", "P-2")
    assert read_code(before_the_camera(one, other)) is None
    assert read_code(before_the_camera(one, one)) == "P-1"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("P-004711", "P-004711"),
        ("  12/34.5_a#b+c:d ", "12/34.5_a#b+c:d"),
        ("a\r\nb\tc", "a b c"),
        ("\x1b[2J\u202eevil\u0000", "2J evil"),
        ("<script>1</script>", "script 1 /script"),
        ("P" * LONGEST, "P" * LONGEST),
        ("P" * (LONGEST + 1), ""),
        ("P" * 10_000, ""),
        ("\u200b \n", ""),
        ("Pａｃ１", "Pac1"),
    ],
)
def test_untrusted_text_is_cleaned_or_refused(text: str, clean: str) -> None:
    assert clean_identifier(text) == clean


@given(text=st.text(max_size=200))
def test_identifier_is_short_printable_and_stays_as_it_is(text: str) -> None:
    clean = clean_identifier(text)
    assert len(clean) <= LONGEST
    assert clean.isprintable()
    assert clean_identifier(clean) == clean


def test_reader_is_loaded_only_when_a_code_is_looked_for() -> None:
    loaded = "import sys, device.imaging.codes; print('zxingcpp' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True)
    assert said.stdout.strip() == b"False"
