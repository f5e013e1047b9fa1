import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.split import (
    Split,
    fold_of,
    oversample_then_split,
    split_by_image,
    split_by_lesion,
)
from build_host.errors import DataError
from device.diagnoses import CODES
from tests.build_host.drawn import lesion_ids

DATA = os.environ.get("DERMASCOPE_HAM10000")


def collection_of(pairs: list[tuple[str, str]]) -> Dataset:
    records = tuple(ImageRecord(f"I{n}", lesion, dx) for n, (lesion, dx) in enumerate(pairs))
    return Dataset("made-up", records, lambda _: np.zeros((1, 1, 3), np.uint8))


def one_of_each() -> list[tuple[str, str]]:
    return [
        (lesion, dx)
        for fold in range(5)
        for lesion, dx in zip(lesion_ids(fold), CODES, strict=False)
    ]


# From `printf %s ID | sha256sum`, taken modulo 5 by bc.
@pytest.mark.parametrize(
    ("lesion", "fold"),
    [
        ("HAM_0000002", 0),
        ("HAM_0002730", 1),
        ("HAM_0000000", 2),
        ("HAM_0000001", 3),
        ("HAM_0000118", 4),
        ("lésion", 4),
    ],
)
def test_the_fold_of_a_lesion_never_changes(lesion: str, fold: int) -> None:
    assert fold_of(lesion) == fold


@given(
    st.lists(
        st.tuples(
            st.one_of(st.text(min_size=1), st.sampled_from(["L1", "L2", "L3", "lésion", "L1 "])),
            st.sampled_from(CODES),
        ),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_no_lesion_stands_on_two_sides_and_no_image_is_lost(pairs, random) -> None:
    pairs = [*pairs, *one_of_each()]
    random.shuffle(pairs)
    dataset = collection_of(pairs)
    split = split_by_lesion(dataset)
    parts = [split.train, split.validation, split.test]
    assert sorted(np.concatenate(parts)) == list(range(len(pairs)))
    lesions = [{pairs[i][0] for i in part} for part in parts]
    assert not lesions[0] & lesions[1]
    assert not lesions[0] & lesions[2]
    assert not lesions[1] & lesions[2]


def test_fold_0_tests_fold_4_validates_and_the_rest_trains(ham10000: Path) -> None:
    dataset = read_ham10000(ham10000)
    split = split_by_lesion(dataset)
    for part, folds in ((split.test, {0}), (split.validation, {4}), (split.train, {1, 2, 3})):
        assert {fold_of(dataset.records[i].lesion_id) for i in part} == folds
        assert part.dtype == np.int64


def test_the_split_does_not_depend_on_the_order_of_the_images() -> None:
    pairs = one_of_each()

    def ids(split: Split, these: list[tuple[str, str]]) -> list[set[str]]:
        return [{these[i][0] for i in p} for p in (split.train, split.validation, split.test)]

    there = ids(split_by_lesion(collection_of(pairs)), pairs)
    back = pairs[::-1]
    assert ids(split_by_lesion(collection_of(back)), back) == there


@pytest.mark.parametrize(
    ("folds", "part"), [((1, 2, 3), "training"), ((4,), "validation"), ((0,), "test")]
)
@pytest.mark.parametrize("absent", ["akiec", "vasc"])
def test_a_diagnosis_that_a_part_lacks_is_told(
    folds: tuple[int, ...], part: str, absent: str
) -> None:
    pairs = [(i, dx) for i, dx in one_of_each() if dx != absent or fold_of(i) not in folds]
    with pytest.raises(DataError) as caught:
        split_by_lesion(collection_of(pairs))
    message = str(caught.value)
    assert f"no image of {absent} falls into the {part} part" in message
    assert f"of {len(pairs)} images" in message


@given(st.lists(st.sampled_from(CODES), min_size=20, max_size=120), st.integers(0, 2**31 - 1))
@settings(max_examples=30)
def test_the_papers_split_holds_a_fifth_of_each_diagnosis_back(content, seed) -> None:
    dataset = collection_of([(f"L{n}", dx) for n, dx in enumerate([*CODES, *content])])
    split = split_by_image(dataset, seed)
    assert sorted([*split.train, *split.test]) == list(range(len(dataset)))
    np.testing.assert_array_equal(split.validation, split.test)
    for i in range(7):
        own = (dataset.labels == i).sum()
        held = (dataset.labels[split.test] == i).sum()
        assert held == max(1, round(own * 0.2))
    np.testing.assert_array_equal(split.test, split_by_image(dataset, seed).test)


def test_oversampling_first_puts_copies_of_one_image_on_both_sides() -> None:
    pairs = [(f"L{n}", "nv" if n % 10 else "df") for n in range(400)]
    dataset = collection_of(pairs)
    split = oversample_then_split(dataset, 3)
    shown = np.concatenate([split.train, split.test])
    counts = np.bincount(dataset.labels[shown], minlength=7)
    assert counts[CODES.index("df")] == counts[CODES.index("nv")] == 360
    assert len(split.test) == 144
    both = set(split.train) & set(split.test)
    assert {pairs[i][1] for i in both} == {"df"}


@pytest.mark.ham10000
@pytest.mark.skipif(not DATA, reason="needs the data set")
def test_the_parts_of_the_real_data_set_have_the_agreed_sizes() -> None:
    split = split_by_lesion(read_ham10000(Path(str(DATA))))
    assert (len(split.train), len(split.validation), len(split.test)) == (5998, 2036, 1981)
