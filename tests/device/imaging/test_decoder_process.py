from pathlib import Path

import numpy as np
import pytest

from device.errors import ImageError
from device.imaging.decoder_process import decode_in_process
from device.imaging.decoding import Limits
from tests.device.images import PATTERN, damaged_tiff, encoded


def test_picture_comes_back_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(encoded(PATTERN, "TIFF", compression="tiff_lzw"))
    with (tmp_path / "a").open("rb") as file:
        file.read(9)
        decoded = decode_in_process(file, "TIFF", Limits())
    np.testing.assert_array_equal(decoded.pixels, PATTERN)


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"P2 8000 8000 255\n" + b"0 " * (8 << 20))
    with (
        (tmp_path / "a").open("rb") as file,
        pytest.raises(ImageError, match="more than 1 seconds"),
    ):
        decode_in_process(file, "PPM", Limits(seconds=1))


def test_what_a_decoder_says_to_standard_error_is_not_heard(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_bytes(damaged_tiff())
    with (tmp_path / "a").open("rb") as file, pytest.raises(ImageError):
        decode_in_process(file, "TIFF", Limits())
    assert capfd.readouterr() == ("", "")
