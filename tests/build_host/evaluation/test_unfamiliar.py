from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build_host.datasets.collection import Collection
from build_host.datasets.ham10000 import read_ham10000
from build_host.evaluation.unfamiliar import OF_EACH_KIND, kinds, skin_only
from device.errors import DataError


@pytest.fixture
def lesions(ham10000: Path) -> Collection:
    collection = read_ham10000(ham10000)
    return collection.subset(np.arange(45))


@pytest.fixture
def outlines(tmp_path: Path, lesions: Collection) -> Path:
    folder = tmp_path / "HAM10000_segmentations"
    folder.mkdir()
    for record in lesions.records:
        mask = np.zeros((150, 200), np.uint8)
        mask[40:110, 60:140] = 255
        Image.fromarray(mask).save(folder / f"{record.image_id}_segmentation.png")
    return tmp_path


def test_every_kind_gives_as_many_pictures_each_the_same_every_time(
    lesions: Collection, outlines: Path
) -> None:
    for kind, pictures in kinds(lesions, outlines).items():
        first, again = list(pictures()), list(pictures())
        if kind != "skin only":
            assert len(first) == OF_EACH_KIND, kind
        for one, other in zip(first, again, strict=True):
            assert one.dtype == np.uint8
            assert one.ndim == 3 and one.shape[2] == 3
            np.testing.assert_array_equal(one, other)


def test_skin_beside_a_lesion_holds_nothing_of_it(outlines: Path, lesions: Collection) -> None:
    marked = np.full((150, 200, 3), 180, np.uint8)
    marked[40:110, 60:140] = (90, 60, 50)
    drawn = Collection("marked", lesions.records, lambda r: marked)
    found = list(skin_only(drawn, outlines, 5))
    assert len(found) == 5
    for picture in found:
        assert picture.min() == picture.max() == 180


def test_skin_is_not_taken_where_the_outline_reaches_every_corner(
    tmp_path: Path, lesions: Collection
) -> None:
    folder = tmp_path / "HAM10000_segmentations"
    folder.mkdir()
    for record in lesions.records:
        whole = Image.fromarray(np.full((150, 200), 255, np.uint8))
        whole.save(folder / f"{record.image_id}_segmentation.png")
    assert list(skin_only(lesions, tmp_path, 5)) == []


def test_a_missing_outline_is_named(tmp_path: Path, lesions: Collection) -> None:
    with pytest.raises(DataError, match=r"_segmentation\.png: no such file"):
        list(skin_only(lesions, tmp_path, 5))
