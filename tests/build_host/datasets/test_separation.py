import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from build_host.datasets import separation
from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.look_alikes import LookAlike, find_look_alikes
from build_host.datasets.separation import (
    seen_in_training,
    without_look_alikes,
    without_tests_like_training,
)
from build_host.datasets.split import Split
from device.diagnoses import CODES
from tests.build_host import drawn

Finds = Callable[..., None]


@pytest.fixture(autouse=True)
def _images_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separation, "find_look_alikes", find_look_alikes)


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Finds:
    """Let rows look alike that a test names."""

    def let(*pairs: tuple[int, int]) -> None:
        alike = [LookAlike(first, second, 1.0) for first, second in pairs]
        monkeypatch.setattr(separation, "find_look_alikes", lambda *_: alike)

    return let


def two_sources(**of: str) -> Dataset:
    """Return a lesion of each diagnosis as two sources have it: cropped in the second.

    7 to 13 are the same lesions as 0 to 6.
    """
    canvases = {dx: np.asarray(canvas) for dx, canvas in drawn.canvases().items()}
    records = [
        ImageRecord(f"{source}-{dx}", f"{source}-{dx}", dx, source=of.get(source, source))
        for source in ("first", "second")
        for dx in CODES
    ]

    def read(record: ImageRecord) -> NDArray[np.uint8]:
        source, dx = record.image_id.split("-")
        return canvases[dx] if source == "first" else canvases[dx][60:840, 60:840]

    return Dataset("both", tuple(records), read)


SPLIT = Split(
    train=np.array([0, 1, 2, 3, 9]), validation=np.array([4, 8, 11]), test=np.array([7, 13])
)


@pytest.mark.parametrize("second", ["second", "first"])
def test_no_training_image_looks_like_one_that_validates_or_tests(
    tmp_path: Path, second: str
) -> None:
    dataset = two_sources(second=second)
    for _ in range(2):
        apart = without_look_alikes(dataset, SPLIT, tmp_path)
        # Of one source as of two: many collections hold an image twice.
        assert apart.train.tolist() == [2, 3, 9]
        np.testing.assert_array_equal(apart.validation, SPLIT.validation)
        np.testing.assert_array_equal(apart.test, SPLIT.test)
    # Another split is another question.
    other = dataclasses.replace(SPLIT, test=np.array([10]), validation=np.array([4]))
    assert without_look_alikes(dataset, other, tmp_path).train.tolist() == [0, 1, 2, 9]


def test_no_training_image_looks_like_one_that_tests_elsewhere(tmp_path: Path) -> None:
    dataset = two_sources(second="first")
    here, there = dataset.subset(np.arange(7)), dataset.subset(np.array([9, 11]))
    split = Split(train=np.arange(5), validation=np.array([5]), test=np.array([6]))
    assert without_look_alikes(here, split, tmp_path).train.tolist() == [0, 1, 2, 3, 4]
    apart = without_look_alikes(here, split, tmp_path, there)
    assert apart.train.tolist() == [0, 1, 3]
    assert apart.test.tolist() == [6]


def test_no_test_looks_like_an_image_of_another_source_that_trained_some_of_the_networks(
    tmp_path: Path,
) -> None:
    dataset = two_sources()
    for _ in range(2):
        apart = without_tests_like_training(dataset, SPLIT, tmp_path)
        assert apart.train is SPLIT.train
        assert apart.validation.tolist() == [4, 11]
        assert apart.test.tolist() == [13]


def test_what_trained_looks_like_its_own_sources_tests_or_those_from_elsewhere(
    tmp_path: Path, finds: Finds
) -> None:
    both = two_sources()
    dataset, elsewhere = both.subset(np.arange(12)), both.subset(np.array([12, 13]))
    split = Split(
        train=np.array([0, 1, 2, 7, 8]),
        validation=np.array([3, 9]),
        test=np.array([4, 5, 6, 10, 11]),
    )
    # Trains: of the own source (0, 4), of another one (1, 10) and elsewhere (2, 12).
    finds((0, 4), (1, 10), (2, 12))
    seen = seen_in_training(dataset, split, tmp_path / "1", elsewhere)
    # The one of another source did not train, for that very reason.
    assert seen == {both.records[4].image_id, both.records[12].image_id}
    # Validates: of the own source (3, 5), of another one (9, 6) and elsewhere (9, 13).
    finds((3, 5), (9, 6), (9, 13), (0, 3))
    seen = seen_in_training(dataset, split, tmp_path / "2", elsewhere)
    assert seen == {both.records[row].image_id for row in (5, 6, 13)}


def test_an_image_of_elsewhere_that_trained_under_its_own_name_was_seen(tmp_path: Path) -> None:
    dataset = two_sources().subset(np.arange(7))
    split = Split(train=np.array([0, 1]), validation=np.array([2]), test=np.array([3, 4, 5, 6]))
    elsewhere = dataset.subset(np.array([1, 2, 3]))
    assert seen_in_training(dataset, split, tmp_path, elsewhere) == {
        dataset.records[1].image_id,
        dataset.records[2].image_id,
    }
