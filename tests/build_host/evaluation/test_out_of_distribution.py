from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build_host.datasets.dataset import Dataset
from build_host.datasets.ham10000 import read_ham10000
from build_host.errors import DataError
from build_host.evaluation.out_of_distribution import measure_detection
from build_host.evaluation.out_of_distribution_images import (
    IMAGES_OF_EACH_KIND,
    images_by_kind,
    skin_only,
)
from device.config import Config, model_folder
from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding
from device.models.bundle import Bundle, load_bundle


@pytest.fixture
def lesions(ham10000: Path) -> Dataset:
    dataset = read_ham10000(ham10000)
    return dataset.subset(np.arange(45))


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(model_folder(Config()), Config().trusted_keys)


@pytest.fixture
def segmentations(tmp_path: Path, lesions: Dataset) -> Path:
    folder = tmp_path / "HAM10000_segmentations"
    folder.mkdir()
    for record in lesions.records:
        mask = np.zeros((150, 200), np.uint8)
        mask[40:110, 60:140] = 255
        Image.fromarray(mask).save(folder / f"{record.image_id}_segmentation.png")
    return tmp_path


def test_every_kind_gives_as_many_pictures_each_the_same_every_time(
    lesions: Dataset, segmentations: Path
) -> None:
    for kind, pictures in images_by_kind(lesions, segmentations).items():
        first, again = list(pictures()), list(pictures())
        if kind != "skin only":
            assert len(first) == IMAGES_OF_EACH_KIND, kind
        for one, other in zip(first, again, strict=True):
            assert one.dtype == np.uint8
            assert one.ndim == 3 and one.shape[2] == 3
            np.testing.assert_array_equal(one, other)


def test_skin_beside_a_lesion_holds_nothing_of_it(segmentations: Path, lesions: Dataset) -> None:
    marked = np.full((150, 200, 3), 180, np.uint8)
    marked[40:110, 60:140] = (90, 60, 50)
    drawn = Dataset("marked", lesions.records, lambda r: marked)
    found = list(skin_only(drawn, segmentations, 5))
    assert len(found) == 5
    for picture in found:
        assert picture.min() == picture.max() == 180


def test_skin_is_not_taken_where_the_lesion_reaches_every_corner(
    tmp_path: Path, lesions: Dataset
) -> None:
    folder = tmp_path / "HAM10000_segmentations"
    folder.mkdir()
    for record in lesions.records:
        whole = Image.fromarray(np.full((150, 200), 255, np.uint8))
        whole.save(folder / f"{record.image_id}_segmentation.png")
    assert list(skin_only(lesions, tmp_path, 5)) == []


def test_a_missing_segmentation_is_named(tmp_path: Path, lesions: Dataset) -> None:
    with pytest.raises(DataError, match=r"_segmentation\.png: no such file"):
        list(skin_only(lesions, tmp_path, 5))


def test_what_scores_lower_than_lesions_is_detected(
    segmentations: Path, lesions: Dataset, shipped: Bundle
) -> None:
    analyzer = Analyzer(shipped)

    def abstains_on_dark_images(frame: Frame) -> Finding:
        dark = frame.pixels.mean() < 100
        return replace(analyzer.analyze(frame), abstention="unfamiliar" if dark else None)

    bright = Dataset("bright", lesions.records, lambda r: np.full((150, 200, 3), 200, np.uint8))
    found = measure_detection(
        abstains_on_dark_images, lambda p: float(p.mean()), bright, segmentations, quiet=True
    )
    rows = {r.kind: r for r in found}
    assert rows["black"].auroc == 1.0
    assert rows["black"].no_call == rows["black"].refused == 1.0
    assert rows["lesions of the test fold"].no_call == 0.0
    assert rows["text"].no_call == 0.0
    assert rows["text"].auroc < 0.5
