"""A labelled set of dermoscopic images, as every reader returns it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.diagnoses import CODES, Code


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What is known of one image.

    Attributes
    ----------
    image_id, lesion_id
        Identifiers of the dataset; images of one lesion share its identifier.
    dx
        The diagnosis, a HAM10000 code.
    dx_type
        How it was established: ``histo``, ``follow_up``, ``consensus``, ``confocal``, or empty.
    age
        Years, or None.
    sex, localization
        As the dataset writes them; ``unknown`` where it does not say.
    source
        Where it was taken: the name of a collection, or of a clinic.
    skin_tone
        Class of MILK10k's scale, ``0`` (very dark) to ``5`` (very light), or empty.
    """

    image_id: str
    lesion_id: str
    dx: Code
    dx_type: str = ""
    age: float | None = None
    sex: str = "unknown"
    localization: str = "unknown"
    source: str = ""
    skin_tone: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Records and how to read the image of each.

    Attributes
    ----------
    name
        Names the dataset in reports and provenance.
    records
        One for each image.
    read
        Returns the pixels of a record's image: uint8, (height, width, 3), RGB.
    """

    name: str
    records: tuple[ImageRecord, ...]
    read: Callable[[ImageRecord], NDArray[np.uint8]]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index into `device.diagnoses.CODES` of each record: int64, (n,)."""
        return np.array([CODES.index(r.dx) for r in self.records], dtype=np.int64)

    @property
    def lesions(self) -> NDArray[np.str_]:
        """Lesion identifier of each record: str, (n,)."""
        return np.array([r.lesion_id for r in self.records])

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources, in the order of their first images."""
        return tuple(dict.fromkeys(r.source for r in self.records))

    @property
    def source_indices(self) -> NDArray[np.int64]:
        """Index into `sources` of each record: int64, (n,)."""
        places = {name: i for i, name in enumerate(self.sources)}
        return np.array([places[r.source] for r in self.records], dtype=np.int64)

    @property
    def digest(self) -> str:
        """SHA-256 over the identifiers, lesions and diagnoses, whatever their order."""
        lines = sorted(f"{r.image_id},{r.lesion_id},{r.dx}\n" for r in self.records)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def subset(self, indices: NDArray[np.int64]) -> "Dataset":
        """Return a dataset of the records at `indices` (int64, (n,)), in that order."""
        return Dataset(self.name, tuple(self.records[i] for i in indices), self.read)


def concatenate(*datasets: Dataset) -> Dataset:
    """Return one dataset with the records of several, in that order.

    An image that several of them have is the first's.
    """
    readers: dict[str, Callable[[ImageRecord], NDArray[np.uint8]]] = {}
    records = []
    for dataset in datasets:
        for record in dataset.records:
            if record.image_id not in readers:
                readers[record.image_id] = dataset.read
                records.append(record)
    return Dataset(
        ", ".join(d.name for d in datasets),
        tuple(records),
        lambda record: readers[record.image_id](record),
    )
