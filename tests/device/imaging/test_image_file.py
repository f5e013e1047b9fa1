import os
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from device.errors import ImageError
from device.imaging.decoding import MAX_MEMORY
from device.imaging.image_file import SUFFIXES, find_images, read_image
from tests.device.images import (
    PATTERN,
    cmyk_jpeg,
    damaged_tiff,
    encoded,
    grey_16_bit_png,
    half_transparent,
    huge_png,
    palette_with_transparency,
    png,
    turned_jpeg,
)
from tests.device.imaging.large import LARGE, SIDE, SPARSE, write_sparse
from tests.device.imaging.reading import read_alone
from tests.fuzz.files import read_here

WHOLE = {
    "JPEG": encoded(PATTERN, "JPEG"),
    "PNG": encoded(PATTERN, "PNG"),
    "TIFF": encoded(PATTERN, "TIFF", compression="tiff_lzw"),
    "BMP": encoded(PATTERN, "BMP"),
    "WEBP": encoded(PATTERN, "WEBP", lossless=True),
    "PPM": encoded(PATTERN, "PPM"),
}
LOSSLESS = sorted(WHOLE.keys() - {"JPEG"})


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A file to be written over and over."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "scratch"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anyone may look into, as pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    assert message.count(str(path)) == 1
    return message.removeprefix(f"{path}: ")


def check_image(pixels: NDArray[np.uint8]) -> None:
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.size > 0


def image_or_refusal(path: Path) -> None:
    try:
        pixels = read_image(path)
    except ImageError as error:
        message = str(error)
        assert message.startswith(f"{path}: ")
        assert len(message.splitlines()) == 1
    else:
        check_image(pixels)


def image_or_words(content: bytes) -> None:
    """Read bytes without the process that some formats get, which is as safe and far slower."""
    try:
        pixels = read_here(content)
    except ImageError as error:
        assert len(str(error).splitlines()) == 1
    else:
        check_image(pixels)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_keep_every_pixel_in_rgb_order(tmp_path: Path, kind: str) -> None:
    pixels = read_image(write(tmp_path, "image", WHOLE[kind]))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, PATTERN)


def test_jpeg_keeps_colours_in_rgb_order(tmp_path: Path) -> None:
    content = encoded(PATTERN, "JPEG", quality=100, subsampling=0)
    np.testing.assert_allclose(read_image(write(tmp_path, "a.jpg", content)), PATTERN, atol=3)


def test_first_picture_of_a_stereo_jpeg_is_read(tmp_path: Path) -> None:
    second = Image.new("RGB", (40, 24))
    content = encoded(PATTERN, "MPO", save_all=True, append_images=[second], quality=100)
    pixels = read_image(write(tmp_path, "a.jpg", content))
    assert pixels.shape == PATTERN.shape
    assert abs(pixels.astype(int) - PATTERN).mean() < 8


def test_first_page_of_a_tiff_is_read(tmp_path: Path) -> None:
    second = Image.new("RGB", (5, 5))
    content = encoded(PATTERN, "TIFF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_image(write(tmp_path, "a.tif", content)), PATTERN)


def test_an_ending_that_is_wrong_does_not_matter(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_image(write(tmp_path, "a.jpg", WHOLE["PNG"])), PATTERN)


def test_a_path_may_be_text(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jpg", WHOLE["JPEG"])
    np.testing.assert_array_equal(read_image(str(path)), read_image(path))


def test_8_bit_grey_becomes_equal_channels(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = read_image(write(tmp_path, "a.png", encoded(grey, "PNG")))
    np.testing.assert_array_equal(pixels, np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, kind: str) -> None:
    deep = np.array([[0, 257, 32896, 65535], [128, 129, 385, 65000]], np.uint16)
    content = grey_16_bit_png(deep) if kind == "PNG" else encoded(Image.fromarray(deep), "TIFF")
    pixels = read_image(write(tmp_path, "a", content))
    expected = np.array([[0, 1, 128, 255], [0, 1, 1, 253]], np.uint8)
    np.testing.assert_array_equal(pixels, np.repeat(expected[:, :, None], 3, axis=2))


def test_transparent_value_of_16_bit_grey_becomes_black(tmp_path: Path) -> None:
    deep = np.array([[40000, 20000]], np.uint16)
    content = grey_16_bit_png(deep, (b"tRNS", b"\x9c\x40"))
    pixels = read_image(write(tmp_path, "a.png", content))
    assert pixels[0].tolist() == [[0, 0, 0], [78, 78, 78]]


def test_floating_point_grey_is_scaled_by_its_range(tmp_path: Path) -> None:
    ramp = np.array([[0.0, 0.5, 1.0]], np.float32)
    pixels = read_image(write(tmp_path, "a.tif", encoded(Image.fromarray(ramp), "TIFF")))
    assert pixels[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), 1e6])
def test_numbers_that_are_no_photograph_are_refused(tmp_path: Path, value: float) -> None:
    strange = Image.fromarray(np.full((2, 2), value, np.float32))
    reason = refusal(write(tmp_path, "a.tif", encoded(strange, "TIFF")))
    assert "not those of a photograph" in reason


def test_cmyk_is_not_read_as_its_negative(tmp_path: Path) -> None:
    pixels = read_image(write(tmp_path, "a.jpg", cmyk_jpeg()))
    np.testing.assert_allclose(pixels, PATTERN, atol=6)


def test_transparent_parts_become_black(tmp_path: Path) -> None:
    pixels = read_image(write(tmp_path, "a.png", encoded(half_transparent(), "PNG")))
    assert not pixels[:, :20].any()
    np.testing.assert_array_equal(pixels[:, 20:], PATTERN[:, 20:])


def test_transparent_grey_becomes_black(tmp_path: Path) -> None:
    picture = Image.merge("LA", (Image.new("L", (2, 1), 200), Image.new("L", (2, 1), 255)))
    picture.putpixel((0, 0), (200, 0))
    pixels = read_image(write(tmp_path, "a.png", encoded(picture, "PNG")))
    assert pixels[0].tolist() == [[0, 0, 0], [200, 200, 200]]


def test_transparent_palette_entries_become_black(tmp_path: Path) -> None:
    content = encoded(palette_with_transparency(), "PNG")
    pixels = read_image(write(tmp_path, "a.png", content))
    assert not pixels[:, :20].any()
    assert (pixels[:, 20:] == (200, 100, 50)).all()


def test_transparent_colour_becomes_black(tmp_path: Path) -> None:
    rows = b"\0" + bytes((10, 20, 30, 200, 100, 50))
    content = png(2, 1, 8, 2, rows, (b"tRNS", b"\0\x0a\0\x14\0\x1e"))
    pixels = read_image(write(tmp_path, "a.png", content))
    assert pixels[0].tolist() == [[0, 0, 0], [200, 100, 50]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_way_to_hold_the_camera_gives_the_same_pixels(
    tmp_path: Path, orientation: int
) -> None:
    upright = read_image(write(tmp_path, "upright.jpg", turned_jpeg(1)))
    np.testing.assert_allclose(upright, PATTERN, atol=3)
    turned = read_image(write(tmp_path, "turned.jpg", turned_jpeg(orientation)))
    np.testing.assert_array_equal(turned, upright)


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0not a directory",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",
    ],
    ids=["not-tiff", "cut-short", "offset-outside", "orientation-99"],
)
def test_damaged_exif_is_passed_over(tmp_path: Path, exif: bytes) -> None:
    path = write(tmp_path, "a.jpg", encoded(PATTERN, "JPEG", exif=exif))
    plain = write(tmp_path, "b.jpg", WHOLE["JPEG"])
    np.testing.assert_array_equal(read_image(path), read_image(plain))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "PPM"])
def test_truncated_image_is_refused(tmp_path: Path, kind: str) -> None:
    content = WHOLE[kind]
    refusal(write(tmp_path, "a", content[: len(content) * 2 // 3]))


def test_truncated_jpeg_is_called_cut_short(tmp_path: Path) -> None:
    assert "cut short" in refusal(write(tmp_path, "a.jpg", WHOLE["JPEG"][:-80]))


def test_reading_in_several_threads_changes_nothing_of_the_process(tmp_path: Path) -> None:
    warned_of = encoded(PATTERN, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    contents = (WHOLE["TIFF"], WHOLE["TIFF"][:-9], damaged_tiff(), warned_of)
    paths = [write(tmp_path, f"{i}", content) for i, content in enumerate(contents)]
    filters, shown = warnings.filters, list(warnings.filters)
    standard_error = os.fstat(2)
    with ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(image_or_refusal, path) for path in paths * 8]
        while not all(read.done() for read in reads):
            assert warnings.filters is filters
            assert os.path.samestat(os.fstat(2), standard_error)
    for read in reads:
        read.result()
    assert warnings.filters == shown


def test_empty_file_is_called_empty(tmp_path: Path) -> None:
    assert "empty" in refusal(write(tmp_path, "a.jpg", b""))


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"\0" * 100],
    ids=["text", "zeros"],
)
def test_what_is_no_image_is_called_so(tmp_path: Path, content: bytes) -> None:
    assert refusal(write(tmp_path, "a.jpg", content)).startswith("is not an image that can be read")


@pytest.mark.parametrize("kind", ["ICO", "TGA", "PCX"])
def test_formats_that_no_camera_writes_never_reach_their_decoder(tmp_path: Path, kind: str) -> None:
    content = encoded(Image.new("L", (16, 16)), kind)
    assert refusal(write(tmp_path, "a.jpg", content)).startswith("is not an image that can be read")


def test_folder_is_called_a_folder(tmp_path: Path) -> None:
    assert "folder" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["no.jpg", "no/such.jpg"])
def test_missing_file_is_called_missing(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / name) == "no such file"


def test_a_file_is_not_taken_for_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", WHOLE["JPEG"])
    assert "damaged" not in refusal(tmp_path / "a.jpg" / "b.jpg")


def test_file_that_may_not_be_read_is_called_so(open_folder: Path, no_privilege: None) -> None:
    secret = write_secret(open_folder / "secret.jpg")
    assert "permission denied" in refusal(secret).lower()


def test_file_in_a_folder_that_may_not_be_entered_is_called_so(
    open_folder: Path, no_privilege: None
) -> None:
    secret = write_secret(open_folder / "closed" / "secret.jpg")
    assert "permission denied" in refusal(secret).lower()


def write_secret(path: Path) -> Path:
    was = os.geteuid()
    os.seteuid(os.getuid())
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(WHOLE["JPEG"])
        path.chmod(0)
        if path.parent.name == "closed":
            path.parent.chmod(0)
    finally:
        os.seteuid(was)
    return path


def test_link_to_itself_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "loop.jpg"
    path.symlink_to(path)
    assert "damaged" not in refusal(path)


def test_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path / f"{'x' * 300}.jpg")


def test_name_with_a_null_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        read_image(tmp_path / "a\0b.jpg")


def test_name_with_a_newline_still_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        read_image(write(tmp_path, "two\nlines.jpg", b"hello"))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert "two" in message
    assert "lines.jpg" in message


def test_huge_header_is_refused_before_decoding(tmp_path: Path) -> None:
    reason = refusal(write(tmp_path, "a.png", huge_png()))
    assert "too large" in reason or "30000 x 30000" in reason
    assert "80 megapixels" in reason


def test_limit_of_pixels_is_exact(tmp_path: Path) -> None:
    path = write(tmp_path, "a.png", WHOLE["PNG"])
    assert read_image(path, max_pixels=24 * 40).shape == PATTERN.shape
    assert "40 x 24 pixels" in refusal(path, max_pixels=24 * 40 - 1)


def test_image_without_pixels_is_refused(tmp_path: Path) -> None:
    for number, content in enumerate([png(0, 5, 8, 2, b""), png(5, 0, 8, 2, b""), b"P6 0 5 255\n"]):
        refusal(write(tmp_path, f"{number}", content))


@given(content=st.binary(max_size=300))
def test_any_bytes_give_an_image_or_one_line(scratch: Path, content: bytes) -> None:
    scratch.write_bytes(content)
    image_or_refusal(scratch)


@given(kind=st.sampled_from(sorted(WHOLE)), body=st.binary(max_size=300))
def test_any_bytes_after_a_true_beginning_give_an_image_or_one_line(kind: str, body: bytes) -> None:
    image_or_words(WHOLE[kind][:20] + body)


@given(kind=st.sampled_from(sorted(WHOLE)), share=st.floats(0, 1))
def test_an_image_cut_anywhere_gives_an_image_or_one_line(kind: str, share: float) -> None:
    content = WHOLE[kind]
    image_or_words(content[: int(share * len(content))])


@given(
    kind=st.sampled_from(sorted(WHOLE)),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=8),
)
def test_an_image_with_flipped_bits_gives_an_image_or_one_line(
    kind: str, places: list[tuple[float, int]]
) -> None:
    content = bytearray(WHOLE[kind])
    for share, bits in places:
        content[int(share * (len(content) - 1))] ^= bits
    image_or_words(bytes(content))


@pytest.mark.parametrize("kind", LARGE)
def test_reading_takes_no_more_memory_than_it_promises(tmp_path: Path, kind: str) -> None:
    small = write(tmp_path, "small.png", WHOLE["PNG"])
    taken = read_alone(small, write(tmp_path, "large", LARGE[kind]()))
    assert taken.own <= MAX_MEMORY * 1.05
    # A child is counted with its program, which takes 50 MB before it reads anything.
    assert taken.of_child <= MAX_MEMORY + (80 << 20)
    half = SIDE // 2
    words = ("memory", "save it", "cut short")
    assert taken.told == f"{half} x {half}" or any(word in taken.told for word in words)


@pytest.mark.parametrize("kind", SPARSE)
def test_a_file_that_is_nearly_all_hole_takes_no_memory(tmp_path: Path, kind: str) -> None:
    write_sparse(tmp_path / "sparse", SPARSE[kind])
    small = write(tmp_path, "small.png", WHOLE["PNG"])
    taken = read_alone(small, tmp_path / "sparse")
    assert taken.own <= MAX_MEMORY
    assert taken.of_child <= MAX_MEMORY + (80 << 20)
    assert " x " not in taken.told


def test_large_image_is_reduced_while_it_is_decoded(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "BMP"):
        picture = Image.new("RGB", (401, 303), (200, 120, 90))
        picture.paste((10, 20, 30), (0, 0, 200, 303))
        path = write(tmp_path, kind, encoded(picture, kind))
        pixels = read_image(path, kept_pixels=401 * 303 // 3)
        assert pixels.shape == (152, 201, 3)
        np.testing.assert_allclose(
            pixels[:, :99], np.broadcast_to((10, 20, 30), (152, 99, 3)), atol=4
        )
        np.testing.assert_allclose(
            pixels[:, 102:], np.broadcast_to((200, 120, 90), (152, 99, 3)), atol=4
        )
        assert read_image(path, kept_pixels=401 * 303).shape == (303, 401, 3)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_would_be_waited_for_is_no_image(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.jpg"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path = Path("/dev/zero")
    assert "pipe or a device" in refusal(path)


def test_a_longer_side_than_any_photograph_has_is_refused(tmp_path: Path) -> None:
    content = png(70_000, 1, 8, 0, bytes(70_001))
    assert "70000 x 1" in refusal(write(tmp_path, "a.png", content))


def test_images_of_a_folder_are_found_by_ending_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.tiff", "notes.txt", "d", ".hidden"):
        write(tmp_path, name, b"")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "below").mkdir()
    write(tmp_path / "below", "e.png", b"")
    assert find_images(tmp_path) == ["a.png", "b.JPG", "c.tiff"]


def test_every_known_ending_is_found(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        write(tmp_path, f"a{suffix}", b"")
    assert {Path(name).suffix for name in find_images(tmp_path)} == SUFFIXES


def test_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be listed"):
        find_images(tmp_path / "missing")
