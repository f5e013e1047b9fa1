"""Whether a record can be one that the instrument wrote: a medium or a hand may have altered it."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from device.diagnoses import CODES
from device.inference.finding import FindingRecord
from device.records.model import ExaminationRecord

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""A clock that was never set begins at the first; with the last no calendar has trouble."""

_LARGEST: Final = 1e6
_LONGEST: Final = 1000
_ROUNDING: Final = 0.01


def check_values(record: ExaminationRecord) -> None:
    """Check that the values of a record are possible ones.

    Raises
    ------
    ValueError
        If one is not; tells which.
    """
    if not _EARLIEST <= record.taken < _LATEST:
        raise ValueError(f"it was taken in the year {record.taken.year}")
    if record.finding is not None:
        _check_finding(record.finding)
    elif record.field_of_view is not None or record.measures is not None:
        # They are written together.
        raise ValueError("its finding is missing")
    _check_leaves(record)


def _check_finding(finding: FindingRecord) -> None:
    if missing := set(CODES).difference(finding.probabilities):
        raise ValueError(f"no probability of {', '.join(sorted(missing))}")
    shares = (*finding.probabilities.values(), finding.malignancy)
    if not all(0.0 <= share <= 1.0 for share in shares):
        raise ValueError("a probability is not between 0 and 1")
    if abs(sum(finding.probabilities.values()) - 1.0) > _ROUNDING:
        raise ValueError("its probabilities do not sum to 1")


def _check_leaves(record: ExaminationRecord) -> None:
    for value in _leaves(msgspec.to_builtins(record)):
        if isinstance(value, str):
            if len(value) > _LONGEST:
                raise ValueError("a word of it is too long")
        elif isinstance(value, int | float) and not (
            math.isfinite(value) and abs(value) <= _LARGEST
        ):
            raise ValueError("a number of it is too large")


def _leaves(value: object) -> Iterator[object]:
    """Yield every value of builtins that holds no others; a record's own types bound the depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        if len(value) > _LONGEST:
            raise ValueError("a list of it is too long")
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value
