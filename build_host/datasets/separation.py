"""Keeping images that look alike out of two parts of a split: what trains must not also test.

What looks alike is told by `build_host.datasets.look_alikes`.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset, concatenate
from build_host.datasets.image_cache import digest_of_images, resized_images
from build_host.datasets.look_alikes import (
    ALIKE,
    ALIKE_CROPPED,
    CROPS,
    SIDE,
    find_look_alikes,
)
from build_host.datasets.split import Split
from build_host.files import replacing
from device.imaging.preprocessing import InputSpec


def without_look_alikes(
    dataset: Dataset, split: Split, cache: Path, elsewhere: Dataset | None = None
) -> Split:
    """Return a split that trains on no image that looks like one that validates or tests.

    Parameters
    ----------
    cache
        Folder that keeps what was found for the next run.
    elsewhere
        Images that test although the dataset does not hold them.
    """
    everything, parts = _with_tests(dataset, split, elsewhere)
    alike = _look_alikes(everything, parts, cache)
    return replace(split, train=_without(split.train, alike[:, 0]))


def without_tests_like_training(dataset: Dataset, split: Split, cache: Path) -> Split:
    """Return a split that tests on no image that looks like a training one of another source.

    For networks that were trained on some of the sources alone, and so with those images.

    Parameters
    ----------
    cache
        As in `without_look_alikes`.
    """
    alike = _look_alikes(dataset, split, cache)
    source = dataset.source_indices
    trains = np.isin(alike[:, 0], split.train)
    seen = alike[trains & (source[alike[:, 0]] != source[alike[:, 1]]), 1]
    return replace(
        split, validation=_without(split.validation, seen), test=_without(split.test, seen)
    )


def seen_in_training(
    dataset: Dataset, split: Split, cache: Path, elsewhere: Dataset | None = None
) -> frozenset[str]:
    """Return identifiers of images that test and were seen before, or look like one that was.

    Seen is what a model was trained or calibrated on: the dataset, by whatever version. Earlier
    ones compared the images of two sources alone, so that one that trains may look like a test
    image of its own source, or of `elsewhere`; one that validates may look like any.

    Parameters
    ----------
    cache, elsewhere
        As in `without_look_alikes`.
    """
    everything, parts = _with_tests(dataset, split, elsewhere)
    source = everything.source_indices
    first, second = _look_alikes(everything, parts, cache).T
    kept_apart = (
        np.isin(first, split.train) & (second < len(dataset)) & (source[first] != source[second])
    )
    seen = second[np.isin(second, parts.test) & ~kept_apart]
    before = np.concatenate([split.train, split.validation])
    again = {r.image_id for r in elsewhere.records} if elsewhere else set()
    return frozenset(everything.records[row].image_id for row in seen) | (
        again & {dataset.records[row].image_id for row in before}
    )


def _with_tests(dataset: Dataset, split: Split, elsewhere: Dataset | None) -> tuple[Dataset, Split]:
    if elsewhere is None:
        return dataset, split
    everything = concatenate(dataset, elsewhere)
    further = np.arange(len(dataset), len(everything))
    return everything, replace(split, test=np.concatenate([split.test, further]))


def _without(rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[~np.isin(rows, others)]


def _look_alikes(dataset: Dataset, split: Split, cache: Path) -> NDArray[np.int64]:
    """Return rows of images of two parts that look alike, that of the earlier part first.

    int64, (k, 2).
    """
    spec = InputSpec(height=SIDE, width=SIDE, geometry="center-square")
    parts = np.full(len(dataset), -1)
    identity = hashlib.sha256(digest_of_images(dataset, spec).encode())
    identity.update(msgspec.json.encode((dataset.sources, ALIKE, ALIKE_CROPPED, CROPS)))
    identity.update(dataset.source_indices.tobytes())
    for number, rows in enumerate((split.train, split.validation, split.test)):
        parts[rows] = number
    identity.update(parts.tobytes())
    path = cache / f"look-alikes-{identity.hexdigest()[:16]}.npy"
    if not path.exists():
        images = resized_images(dataset, spec, cache)
        found = find_look_alikes(images, dataset.source_indices, parts)
        pairs = np.array([(p.first, p.second) for p in found], np.int64).reshape(-1, 2)
        with replacing(path) as part_file:
            np.save(part_file, pairs)
    return np.asarray(np.load(path))
