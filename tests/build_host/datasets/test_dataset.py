import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_host.datasets.dataset import Dataset, ImageRecord
from device.diagnoses import CODES

records = st.lists(
    st.builds(
        ImageRecord,
        image_id=st.text("ISC_0123456789", min_size=1, max_size=8),
        lesion_id=st.text("HAM_0123456789", min_size=1, max_size=8),
        dx=st.sampled_from(CODES),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda r: r.image_id,
)


def collection_of(content: list[ImageRecord]) -> Dataset:
    return Dataset("made-up", tuple(content), lambda _: np.zeros((1, 1, 3), np.uint8))


@given(records)
@settings(max_examples=30)
def test_labels_are_places_in_the_projects_one_order(content: list[ImageRecord]) -> None:
    dataset = collection_of(content)
    assert [CODES[i] for i in dataset.labels] == [r.dx for r in content]
    assert dataset.labels.dtype == np.int64
    assert dataset.lesions.tolist() == [r.lesion_id for r in content]
    assert len(dataset) == len(content)


@given(records, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_digest_does_not_depend_on_the_order(content: list[ImageRecord], random) -> None:
    digest = collection_of(content).digest
    random.shuffle(content)
    assert collection_of(content).digest == digest


@pytest.mark.parametrize("changes", [{"image_id": "other"}, {"lesion_id": "other"}, {"dx": "df"}])
def test_the_digest_changes_with_identifier_lesion_and_diagnosis(changes: dict[str, str]) -> None:
    content = [ImageRecord("I1", "L1", "nv"), ImageRecord("I2", "L1", "nv")]
    changed = [content[0], dataclasses.replace(content[1], **changes)]
    assert collection_of(changed).digest != collection_of(content).digest
    assert collection_of(content[:1]).digest != collection_of(content).digest


def test_the_digest_is_the_one_on_record() -> None:
    content = [ImageRecord("I2", "L2", "mel"), ImageRecord("I1", "L1", "nv")]
    # printf 'I1,L1,nv\nI2,L2,mel\n' | sha256sum
    assert collection_of(content).digest == (
        "10c8197eea1832d042ba567ef0d8f5ce4fce0d6f95b3abae69e65ebca8d9f56f"
    )


def test_a_subset_keeps_the_asked_order_name_and_reader() -> None:
    content = [ImageRecord(f"I{n}", f"L{n}", CODES[n]) for n in range(5)]
    whole = Dataset("c", tuple(content), lambda r: np.full((1, 1, 3), int(r.image_id[1]), "u1"))
    part = whole.subset(np.array([3, 0]))
    assert [r.image_id for r in part.records] == ["I3", "I0"]
    assert part.name == "c"
    assert [part.read(r)[0, 0, 0] for r in part.records] == [3, 0]
