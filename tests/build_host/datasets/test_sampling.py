from pathlib import Path

import numpy as np

from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.sampling import balanced_sample
from build_host.datasets.split import VALIDATION_FOLD, fold_of, split_by_lesion


def test_sample_is_even_over_the_diagnoses(ham10000: Path) -> None:
    dataset = read_ham10000(ham10000)
    validation = dataset.subset(split_by_lesion(dataset).validation)
    sample = balanced_sample(validation, 14)
    assert len({r.image_id for r in sample.records}) == 14
    assert np.bincount(sample.labels).tolist() == [2] * 7
    assert {fold_of(r.lesion_id) for r in sample.records} == {VALIDATION_FOLD}
    assert len(balanced_sample(validation, 10_000)) == len(validation)
