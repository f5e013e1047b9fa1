import dataclasses
import re
import resource
import subprocess
import sys
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.image_cache import (
    load_examples,
    resized_images,
    training_frame,
)
from build_host.datasets.split import split_by_lesion
from build_host.errors import DataError
from device.capture.demo import SCENES, Scene, demo_frame
from device.errors import ImageError
from device.imaging.preprocessing import InputSpec, resize_to_input
from tests.build_host import drawn

SPEC = InputSpec(height=24, width=32, geometry="center-square")


def some(folder: Path, number: int = 6) -> Dataset:
    return read_ham10000(folder).subset(np.arange(number))


def test_every_image_is_resized_as_the_device_does_it(ham10000: Path, tmp_path: Path) -> None:
    dataset = some(ham10000)
    for geometry in ("center-square", "full-frame"):
        spec = msgspec.structs.replace(SPEC, geometry=geometry)
        images = resized_images(dataset, spec, tmp_path, quiet=True)
        assert images.shape == (6, 24, 32, 3)
        assert images.dtype == np.uint8
        for pixels, record in zip(images, dataset.records, strict=True):
            np.testing.assert_array_equal(pixels, resize_to_input(dataset.read(record), spec))


def test_the_array_is_a_read_only_memory_map(ham10000: Path, tmp_path: Path) -> None:
    images = resized_images(some(ham10000), SPEC, tmp_path, quiet=True)
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable


def test_a_second_call_does_not_read_the_images_again(ham10000: Path, tmp_path: Path) -> None:
    dataset = some(ham10000, 30)
    first = resized_images(dataset, SPEC, tmp_path, quiet=True)
    read: list[str] = []

    def noticed(record):
        read.append(record.image_id)
        return dataset.read(record)

    watched = dataclasses.replace(dataset, read=noticed)
    second = resized_images(watched, SPEC, tmp_path, quiet=True)
    np.testing.assert_array_equal(second, first)
    # A few tell one dataset from another of the same names.
    assert len(set(read)) <= 5


@pytest.mark.parametrize(
    "changes", [{"height": 25}, {"width": 33}, {"geometry": "full-frame"}], ids=str
)
def test_another_input_is_another_array(
    ham10000: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    dataset = some(ham10000)
    resized_images(dataset, SPEC, tmp_path, quiet=True)
    spec = msgspec.structs.replace(SPEC, **changes)
    images = resized_images(dataset, spec, tmp_path, quiet=True)
    np.testing.assert_array_equal(
        images[0], resize_to_input(dataset.read(dataset.records[0]), spec)
    )


def test_the_cache_keeps_the_order_of_the_records_apart(ham10000: Path, tmp_path: Path) -> None:
    dataset = some(ham10000)
    images = resized_images(dataset, SPEC, tmp_path, quiet=True)
    turned = resized_images(dataset.subset(np.arange(6)[::-1]), SPEC, tmp_path, quiet=True)
    np.testing.assert_array_equal(turned, images[::-1])


def test_the_table_and_the_images_do_not_share_a_cache(
    ham10000: Path, ham10000_table: Path, tmp_path: Path
) -> None:
    resized_images(some(ham10000), SPEC, tmp_path, quiet=True)
    table = some(ham10000_table)
    images = resized_images(table, SPEC, tmp_path, quiet=True)
    np.testing.assert_array_equal(images[0], resize_to_input(table.read(table.records[0]), SPEC))


def test_other_pixels_under_the_same_names_are_read_anew(
    ham10000: Path, spoilable: Path, tmp_path: Path
) -> None:
    resized_images(some(ham10000), SPEC, tmp_path / "cache", quiet=True)
    for path in spoilable.glob("*/*.jpg"):
        path.write_bytes(drawn.jpeg(drawn.picture("vasc", 999)))
    other = some(spoilable)
    images = resized_images(other, SPEC, tmp_path / "cache", quiet=True)
    np.testing.assert_array_equal(images[0], resize_to_input(other.read(other.records[0]), SPEC))


@pytest.mark.parametrize("damage", ["no image", "cut short", "empty"])
def test_a_damaged_image_is_named_and_leaves_no_array_behind(
    spoilable: Path, tmp_path: Path, damage: str
) -> None:
    victim = spoilable / "HAM10000_images_part_1" / f"{drawn.rows()[4]['image_id']}.jpg"
    whole = victim.read_bytes()
    victim.write_bytes({"no image": b"text", "cut short": whole[:900], "empty": b""}[damage])
    with pytest.raises(ImageError, match=victim.name):
        resized_images(some(spoilable), SPEC, tmp_path / "cache", quiet=True)
    assert not list((tmp_path / "cache").glob("*.npy"))
    victim.write_bytes(whole)
    dataset = some(spoilable)
    images = resized_images(dataset, SPEC, tmp_path / "cache", quiet=True)
    np.testing.assert_array_equal(
        images[4], resize_to_input(dataset.read(dataset.records[4]), SPEC)
    )


def test_the_table_at_its_own_size_passes_unchanged(ham10000_table: Path, tmp_path: Path) -> None:
    dataset = some(ham10000_table)
    spec = InputSpec(height=28, width=28, geometry="full-frame")
    images = resized_images(dataset, spec, tmp_path, quiet=True)
    np.testing.assert_array_equal(images[3], dataset.read(dataset.records[3]))


def test_examples_are_the_images_their_whole_frames_and_the_split(
    ham10000: Path, tmp_path: Path
) -> None:
    dataset = read_ham10000(ham10000)
    split = split_by_lesion(dataset)
    examples = load_examples(dataset, split, SPEC, (30, 40), tmp_path)
    assert examples.images.shape == (176, 24, 32, 3)
    assert examples.split is split
    np.testing.assert_array_equal(examples.labels, dataset.labels)
    assert examples.sources.tolist() == [0] * 176
    whole = InputSpec(height=30, width=40, geometry="full-frame")
    pixels = dataset.read(dataset.records[100])
    np.testing.assert_array_equal(examples.frames[100], resize_to_input(pixels, whole))
    np.testing.assert_array_equal(examples.images[100], resize_to_input(pixels, SPEC))


def test_without_a_frame_size_the_frames_are_the_images(ham10000: Path, tmp_path: Path) -> None:
    dataset = read_ham10000(ham10000)
    examples = load_examples(dataset, split_by_lesion(dataset), SPEC, (0, 0), tmp_path)
    assert examples.frames is examples.images


def shown_square(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return what a model of this input is shown."""
    return resize_to_input(pixels, InputSpec(height=side, width=side, geometry="center-square"))


def assert_mirrored(frame: NDArray[np.uint8], left: int, side: int) -> None:
    """Tell whether a frame is its central square, mirrored beyond it."""
    square = frame[:, left : left + side]
    for number in range(1, left + 1):
        np.testing.assert_array_equal(frame[:, left - number], square[:, number])
    for number in range(1, frame.shape[1] - left - side + 1):
        np.testing.assert_array_equal(frame[:, left + side - 1 + number], square[:, -1 - number])


@pytest.mark.parametrize("size", [(200, 150), (400, 300), (202, 150), (197, 150)])
def test_a_frame_of_the_training_frames_shape_is_squeezed_as_it_is(size: tuple[int, int]) -> None:
    pixels = np.asarray(drawn.picture("mel", 3).resize(size))
    frame = training_frame(pixels, 60, 80)
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame, cv2.resize(pixels, (80, 60), interpolation=cv2.INTER_AREA))
    # Its central square is what a model is shown, but for the rounding of two resizings.
    difference = frame[:, 10:70].astype(int) - shown_square(pixels, 60)
    assert np.abs(difference).mean() < 4


@pytest.mark.parametrize("size", [(150, 150), (90, 90), (300, 160), (150, 200), (206, 150)])
def test_of_a_frame_of_another_shape_the_square_is_mirrored_beyond_it(
    size: tuple[int, int],
) -> None:
    pixels = np.asarray(drawn.picture("mel", 3).resize(size))
    frame = training_frame(pixels, 60, 80)
    assert frame.shape == (60, 80, 3)
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame[:, 10:70], shown_square(pixels, 60))
    assert_mirrored(frame, 10, 60)


def test_an_odd_column_more_is_mirrored_too() -> None:
    pixels = np.asarray(drawn.picture("mel", 3).resize((150, 150)))
    frame = training_frame(pixels, 60, 81)
    assert frame.shape == (60, 81, 3)
    np.testing.assert_array_equal(frame[:, 10:70], shown_square(pixels, 60))
    assert_mirrored(frame, 10, 60)


@pytest.mark.parametrize("scene", [SCENES[0], SCENES[3]], ids=lambda s: str(s.seed))
def test_what_lies_within_a_round_stop_is_mirrored_beyond_it(scene: Scene) -> None:
    # Of the shape of the training frames, but with black corners that no network should see.
    pixels = demo_frame(scene).pixels
    assert pixels.shape == (768, 1024, 3)
    assert pixels[:20, :20].max() == 0
    frame = training_frame(pixels, 120, 160)
    assert frame.shape == (120, 160, 3)
    np.testing.assert_array_equal(frame[:, 20:140], shown_square(pixels, 120))
    assert_mirrored(frame, 20, 120)
    assert frame[:10, :10].mean() > 60


def test_augmentation_starts_from_training_frames(ham10000: Path, tmp_path: Path) -> None:
    whole = read_ham10000(ham10000)
    square = Dataset("square", whole.records, lambda r: whole.read(r)[:, :150])
    examples = load_examples(square, split_by_lesion(square), SPEC, (30, 40), tmp_path)
    for row in (0, 90, 175):
        pixels = square.read(square.records[row])
        np.testing.assert_array_equal(examples.frames[row], training_frame(pixels, 30, 40))
        np.testing.assert_array_equal(examples.images[row], resize_to_input(pixels, SPEC))


def test_a_full_disk_is_told_before_any_image_is_written(ham10000: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, hard))
    try:
        with pytest.raises(DataError, match="no room for 0 MiB"):
            resized_images(read_ham10000(ham10000), SPEC, tmp_path / "cache", quiet=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "cache").iterdir())


MANY = """
import sys
from pathlib import Path
import numpy as np
from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.split import split_by_lesion
from build_host.datasets.image_cache import load_examples
from build_host.training.config import AugmentationConfig
from build_host.training.input_pipeline import batches
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec

picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
spec = InputSpec(height=64, width=64, geometry="full-frame")
for count in map(int, sys.argv[2:]):
    records = tuple(ImageRecord(f"I{i}", f"L{i // 2}", CODES[i % 7]) for i in range(count))
    dataset = Dataset("many", records, lambda r: picture)
    split = split_by_lesion(dataset)
    examples = load_examples(dataset, split, spec, (0, 0), Path(sys.argv[1]))
    data = batches(examples.images, examples.labels, split.train, spec, 64, 1, AugmentationConfig())
    shown = sum(int(pixels.shape[0]) for pixels, _ in data)
    (line,) = [l for l in open("/proc/self/status") if l.startswith("RssAnon")]
    print("shown and KiB:", shown, line.split()[1])
"""


@pytest.mark.tensorflow
def test_memory_does_not_grow_with_the_data_set(tmp_path: Path) -> None:
    # In a process of its own, whose memory no other test has grown.
    counts = (2_000, 12_000)
    command = [sys.executable, "-c", MANY, str(tmp_path), *map(str, counts)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured = re.findall(r"shown and KiB: (\d+) (\d+)", done.stdout)
    for (shown, _), count in zip(measured, counts, strict=True):
        assert int(shown) == pytest.approx(0.6 * count, rel=0.1)
    fewer, more = (int(kibibytes) for _, kibibytes in measured)
    # The larger set holds 117 MiB of pixels more.
    assert more - fewer < 40 << 10


def test_two_runs_may_make_the_array_at_once(ham10000: Path, tmp_path: Path) -> None:
    whole = read_ham10000(ham10000)
    alone = resized_images(whole, SPEC, tmp_path / "alone", quiet=True)
    found = []
    meanwhile = [whole.records[3], whole.records[19]]

    def read(record: ImageRecord) -> NDArray[np.uint8]:
        if record in meanwhile:
            meanwhile.remove(record)
            found.append(resized_images(dataset, SPEC, tmp_path / "both", quiet=True))
        return whole.read(record)

    dataset = Dataset(whole.name, whole.records, read)
    found.append(resized_images(dataset, SPEC, tmp_path / "both", quiet=True))
    assert len(found) == 3
    for images in found:
        np.testing.assert_array_equal(images, alone)
    assert len(list((tmp_path / "both").iterdir())) == 1


def test_a_run_that_fails_leaves_no_part_of_the_array(ham10000: Path, tmp_path: Path) -> None:
    whole = read_ham10000(ham10000)

    def read(record: ImageRecord) -> NDArray[np.uint8]:
        if record == whole.records[5]:
            raise KeyboardInterrupt
        return whole.read(record)

    with pytest.raises(KeyboardInterrupt):
        resized_images(Dataset(whole.name, whole.records, read), SPEC, tmp_path, quiet=True)
    assert list(tmp_path.iterdir()) == []
