"""Who trains, who validates, who tests: decided once for each lesion."""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.datasets.collection import Collection
from device.diagnoses import CODES
from device.errors import DataError

FOLDS: Final = 5
TEST_FOLD: Final = 0
VALIDATION_FOLD: Final = 4

RULE: Final = (
    "lesion-disjoint: int(sha256(lesion_id), 16) % 5; fold 0 tests, fold 4 validates, "
    "folds 1 to 3 train"
)


@dataclass(frozen=True, slots=True)
class Split:
    """Indices into a collection: int64, disjoint."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def fold_of(lesion_id: str) -> int:
    """Return the fold, 0 to 4, of a lesion: the same for everyone, for ever."""
    return int(hashlib.sha256(lesion_id.encode()).hexdigest(), 16) % FOLDS


def split_by_lesion(collection: Collection) -> Split:
    """Divide a collection so that no lesion stands on two sides.

    Raises
    ------
    device.errors.DataError
        If a diagnosis is missing from a part.
    """
    folds = np.array([fold_of(r.lesion_id) for r in collection.records])
    split = Split(
        train=np.flatnonzero((folds != TEST_FOLD) & (folds != VALIDATION_FOLD)),
        validation=np.flatnonzero(folds == VALIDATION_FOLD),
        test=np.flatnonzero(folds == TEST_FOLD),
    )
    labels = collection.labels
    for part, indices in (
        ("training", split.train),
        ("validation", split.validation),
        ("test", split.test),
    ):
        absent = [code for i, code in enumerate(CODES) if not (labels[indices] == i).any()]
        if absent:
            raise DataError(
                f"{collection.name}: no image of {', '.join(absent)} falls into the {part} part "
                f"({len(indices)} of {len(collection)} images); more lesions are needed"
            )
    return split
