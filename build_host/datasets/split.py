"""The train, validation and test split, decided once for each lesion."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset
from build_host.errors import DataError
from device.diagnoses import CODES

FOLDS: Final = 5
TEST_FOLD: Final = 0
VALIDATION_FOLD: Final = 4

SPLIT_RULE: Final = (
    "lesion-disjoint: int(sha256(lesion_id), 16) % 5; fold 0 tests, fold 4 validates, "
    "folds 1 to 3 train"
)


@dataclass(frozen=True, slots=True)
class Split:
    """Indices into a dataset, one array for each part: int64, (n,), disjoint."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def fold_of(lesion_id: str) -> int:
    """Return the fold, 0 to 4, of a lesion; it depends on its identifier alone."""
    return int(hashlib.sha256(lesion_id.encode()).hexdigest(), 16) % FOLDS


def divide_by_lesion(dataset: Dataset, training_only: Collection[str] = ()) -> Split:
    """Split a dataset as `split_by_lesion` does, whatever diagnoses are missing from a part."""
    folds = np.array(
        [-1 if r.source in training_only else fold_of(r.lesion_id) for r in dataset.records]
    )
    return Split(
        train=np.flatnonzero((folds != TEST_FOLD) & (folds != VALIDATION_FOLD)),
        validation=np.flatnonzero(folds == VALIDATION_FOLD),
        test=np.flatnonzero(folds == TEST_FOLD),
    )


def split_by_lesion(dataset: Dataset, training_only: Collection[str] = ()) -> Split:
    """Split a dataset so that no lesion is in two parts.

    Parameters
    ----------
    training_only
        Names of sources whose images all train.

    Raises
    ------
    build_host.errors.DataError
        If a diagnosis is missing from a part.
    """
    split = divide_by_lesion(dataset, training_only)
    labels = dataset.labels
    for part, indices in (
        ("training", split.train),
        ("validation", split.validation),
        ("test", split.test),
    ):
        absent = [code for i, code in enumerate(CODES) if not (labels[indices] == i).any()]
        if absent:
            raise DataError(
                f"{dataset.name}: no image of {', '.join(absent)} falls into the {part} part "
                f"({len(indices)} of {len(dataset)} images); more lesions are needed"
            )
    return split


def split_by_image(dataset: Dataset, seed: int) -> Split:
    """Split images 80/20 at random within each diagnosis, as the source paper does.

    Images of one lesion can end up in both parts. The 20 % serve as validation and test.
    """
    random = np.random.default_rng(seed)
    labels = dataset.labels
    held: list[NDArray[np.int64]] = []
    for i in range(len(CODES)):
        own = random.permutation(np.flatnonzero(labels == i))
        held.append(own[: max(1, round(len(own) * 0.2))])
    test = np.sort(np.concatenate(held))
    train = np.setdiff1d(np.arange(len(labels)), test)
    return Split(train=train, validation=test, test=test)


def oversample_then_split(dataset: Dataset, seed: int) -> Split:
    """Oversample all images until the diagnoses are balanced, and only then split 80/20.

    Copies of one image end up in both parts: a test on it measures memorization.
    """
    from imblearn.over_sampling import RandomOverSampler

    labels = dataset.labels
    sampler = RandomOverSampler(random_state=seed)
    everything = np.arange(len(labels))[:, None]
    repeated = sampler.fit_resample(everything, labels)[0][:, 0].astype(np.int64)
    shuffled = np.random.default_rng(seed).permutation(repeated)
    fifth = round(len(shuffled) * 0.2)
    return Split(train=shuffled[fifth:], validation=shuffled[:fifth], test=shuffled[:fifth])
