from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build_host.datasets.dataset import concatenate
from build_host.datasets.isic2017 import read_isic2017
from build_host.errors import DataError

ROWS = (
    "image_id,split,diagnosis",
    "ISIC_0000000,train,nevus",
    "ISIC_0000001,validation,mel",
    "ISIC_0000002,test,sk",
)


def made(folder: Path, rows: tuple[str, ...] = ROWS, size: tuple[int, int] = (64, 64)) -> Path:
    (folder / "images").mkdir()
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    for number in range(3):
        picture = Image.new("RGB", size, (200, 100 + number, 50))
        picture.save(folder / "images" / f"ISIC_{number:07d}.jpg")
    return folder


def test_only_the_parts_asked_for_are_read(tmp_path: Path) -> None:
    dataset = read_isic2017(made(tmp_path), ("train", "validation"))
    assert [(r.image_id, r.dx) for r in dataset.records] == [
        ("ISIC_0000000", "nv"),
        ("ISIC_0000001", "mel"),
    ]
    assert dataset.name == "ISIC 2017 (train, validation)"


def test_a_square_picture_gets_the_shape_of_its_frame_back(tmp_path: Path) -> None:
    dataset = read_isic2017(made(tmp_path), ("test",))
    assert dataset.read(dataset.records[0]).shape == (48, 64, 3)


def test_a_frame_that_was_never_squeezed_stays_as_it_is(tmp_path: Path) -> None:
    dataset = read_isic2017(made(tmp_path, size=(80, 60)), ("test",))
    assert dataset.read(dataset.records[0]).shape == (60, 80, 3)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("ISIC_0000001,validation,wart", "diagnosis 'wart'"),
        ("ISIC_0000001,holdout,mel", "split 'holdout'"),
        ("ISIC_0000000,train,mel", "appears twice"),
        (",train,mel", "is empty"),
        ("ISIC_0000009,train,mel", "ISIC_0000009.jpg"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, row: str, told: str) -> None:
    folder = made(tmp_path, (*ROWS[:2], row, ROWS[3]))
    with pytest.raises(DataError, match=told):
        read_isic2017(folder, ("train",))


def test_a_missing_table_and_a_missing_column_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_isic2017(tmp_path, ("train",))
    folder = made(tmp_path, ("image_id,diagnosis", "ISIC_0000000,mel"))
    with pytest.raises(DataError, match="split"):
        read_isic2017(folder, ("train",))


def test_joined_collections_keep_their_order_and_read_their_own_images(
    tmp_path: Path,
) -> None:
    folder = made(tmp_path)
    test, train = read_isic2017(folder, ("test",)), read_isic2017(folder, ("train",))
    both = concatenate(test, train)
    assert [r.image_id for r in both.records] == ["ISIC_0000002", "ISIC_0000000"]
    np.testing.assert_array_equal(both.read(both.records[0]), test.read(test.records[0]))
    np.testing.assert_array_equal(both.read(both.records[1]), train.read(train.records[0]))
