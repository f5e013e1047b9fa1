"""Which test images a bundle has not seen, under whatever name, when it was trained."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from build_host.datasets.dataset import Dataset, concatenate
from build_host.datasets.isic2017 import ISIC2017, read_isic2017
from build_host.datasets.isic2019 import APART
from build_host.datasets.separation import seen_in_training
from build_host.datasets.sources import (
    SOURCES,
    DataFolders,
    SourceName,
    divide_sources,
    read_sources,
)
from build_host.errors import DataError
from build_host.evaluation.assessment import Separation
from build_host.pipeline.folds import sources_of
from device.models.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Seen:
    """Images that test nothing, since a bundle was trained or calibrated on what looks like them.

    Attributes
    ----------
    images
        Their identifiers.
    not_compared
        Collections that it was trained on and that are not at hand.
    """

    images: frozenset[str]
    not_compared: tuple[str, ...]

    def without(self, dataset: Dataset) -> Dataset:
        """Return a dataset without them.

        Raises
        ------
        build_host.errors.DataError
            If nothing is left.
        """
        left = tuple(r for r in dataset.records if r.image_id not in self.images)
        if not left:
            raise DataError(
                f"{dataset.name}: every test image looks like one that the model was trained or "
                "calibrated on; test it on other lesions"
            )
        return Dataset(dataset.name, left, dataset.read)

    def separation(self, *datasets: Dataset) -> Separation:
        """Return how many images of some datasets they are."""
        found = {r.image_id: r.source for d in datasets for r in d.records}
        sources = [source for image, source in found.items() if image in self.images]
        return Separation(dict(Counter(sources)), list(self.not_compared))


def isic2017_tests(bundle: Bundle, folders: DataFolders) -> Dataset | None:
    """Return ISIC 2017's test images; None where it is not at hand or the bundle may know them.

    ISIC 2019 holds some of them, in another size and under other names. A bundle that was trained
    on it tells whether they were left out.
    """
    origin = bundle.manifest.provenance
    if "isic-2017" not in folders.sources:
        return None
    if "isic-2019" in origin.sources and APART not in origin.dataset:
        return None
    return read_isic2017(folders.folder("isic-2017"), ("test",))


def find_seen(bundle: Bundle, folders: DataFolders, cache: Path) -> Seen:
    """Return what of the test folds at hand a bundle has seen.

    Parameters
    ----------
    cache
        Folder that keeps what was found for the next time.
    """
    own = sources_of(bundle)
    further = any(ISIC2017 in text for text in bundle.manifest.provenance.further)
    if further and "isic-2017" not in own:
        own = (*own, "isic-2017")
    at_hand = tuple(name for name in own if name in folders.sources)
    missing = tuple(SOURCES[name].title for name in own if name not in folders.sources)
    if not at_hand:
        return Seen(frozenset(), missing)
    dataset = read_sources(at_hand, folders)
    tested: list[Dataset] = []
    external = isic2017_tests(bundle, folders)
    if external is not None:
        tested.append(external)
    others: list[SourceName] = [
        name for name in folders.sources if name not in at_hand and name != "isic-2017"
    ]
    for name in others:
        other = read_sources((name,), folders)
        tested.append(other.subset(divide_sources(other).test))
    elsewhere = concatenate(*tested) if tested else None
    return Seen(seen_in_training(dataset, divide_sources(dataset), cache, elsewhere), missing)
