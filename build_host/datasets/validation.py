"""Validating a dataset before hours are spent on training with it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track

from build_host.datasets.clinic import is_published, read_clinic_table
from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.folder import find_images
from build_host.datasets.ham10000 import PIXEL_TABLE, read_ham10000, read_metadata
from build_host.datasets.isic2017 import read_isic2017
from build_host.datasets.isic2019 import BCN20000, read_isic2019_tables
from build_host.datasets.milk10k import read_milk10k_tables
from build_host.datasets.sources import SOURCES, SourceName, split_sources
from build_host.errors import DataError
from device.errors import DermascopeError, ImageError
from device.imaging.image_file import read_image

_SMALLEST: Final = 28


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What a validation found.

    Attributes
    ----------
    images
        Images that can be used.
    problems
        What would stop training or corrupt its result; each names the file and the reason.
    notes
        What does no harm but is worth knowing.
    """

    images: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def validate_source(name: SourceName, folder: Path, console: Console) -> ValidationReport:
    """Return everything that is wrong with a source's folder, decoding every image.

    Raises
    ------
    build_host.errors.DataError
        If it cannot be validated at all: no folder, no table, a column missing.
    """
    bad_rows: list[DataError] = []
    records = _rows(name, folder, bad_rows)
    paths = find_images(folder)
    problems = [str(error) for error in bad_rows]
    notes: list[str] = []
    if name == "ham10000" and not paths and (folder / PIXEL_TABLE).is_file():
        good = records
        try:
            read_ham10000(folder)
        except DataError as error:
            problems.append(str(error))
    else:
        wanted = {r.image_id for r in records}
        problems += [
            f"{folder}: {r.image_id} is in the metadata but has no .jpg file; add the file or "
            "remove the row"
            for r in records
            if r.image_id not in paths
        ]
        in_bad_rows = {name for error in bad_rows for name in paths if name in str(error)}
        unused = set(paths) - wanted - in_bad_rows
        if name == "ham10000":
            notes += [
                f"{paths[image]}: has no row in the metadata and will not be used"
                for image in sorted(unused)
            ]
        elif unused:
            notes.append(f"{len(unused)} images are not of the seven diagnoses, or have no row")
        present = [r for r in records if r.image_id in paths]
        shown = track(present, "Decoding images", console=console)
        unreadable, digests = _decode(shown, paths)
        problems += unreadable.values()
        problems += _duplicates_across_lesions(digests)
        good = tuple(r for r in present if r.image_id not in unreadable)
    if good and name != "isic-2017":
        try:
            split_sources(
                Dataset(SOURCES[name].title, good, lambda r: read_image(paths[r.image_id]))
            )
        except DermascopeError as error:
            # Few pictures of one's own may train beside a larger collection.
            (notes if name == "clinic" else problems).append(str(error))
    if not good:
        problems.append(f"{folder}: no image of the seven diagnoses can be used")
    unknown_age = sum(r.age is None for r in good)
    if unknown_age:
        notes.append(f"{unknown_age} images without an age")
    return ValidationReport(len(good), tuple(problems), tuple(notes))


def _rows(name: SourceName, folder: Path, problems: list[DataError]) -> tuple[ImageRecord, ...]:
    """Return the rows of a source's tables that can be understood."""
    match name:
        case "ham10000":
            return read_metadata(folder, problems)
        case "isic-2017":
            return read_isic2017(folder, ("train", "validation", "test")).records
        case "isic-2019":
            return read_isic2019_tables(folder, problems)
        case "milk10k" if is_published(folder):
            return read_milk10k_tables(folder, problems).records
        case "bcn20000" if is_published(folder):
            rows = read_isic2019_tables(folder, problems)
            return tuple(r for r in rows if r.source == BCN20000)
    return read_clinic_table(folder, SOURCES[name].title, problems).records


def _decode(
    records: Iterable[ImageRecord], paths: dict[str, Path]
) -> tuple[dict[str, str], dict[str, list[ImageRecord]]]:
    """Return what is wrong with images, by identifier, and the records by digest of the pixels."""
    unreadable: dict[str, str] = {}
    digests: dict[str, list[ImageRecord]] = {}
    for record in records:
        path = paths[record.image_id]
        try:
            pixels = read_image(path)
        except ImageError as error:
            unreadable[record.image_id] = str(error)
            continue
        height, width = pixels.shape[:2]
        if min(height, width) < _SMALLEST:
            unreadable[record.image_id] = (
                f"{path}: is {width} x {height} pixels; at least {_SMALLEST} on each side are "
                "needed"
            )
            continue
        digests.setdefault(hashlib.sha256(pixels.tobytes()).hexdigest(), []).append(record)
    return unreadable, digests


def _duplicates_across_lesions(digests: dict[str, list[ImageRecord]]) -> list[str]:
    """Name identical images of two lesions: they could end up in two parts of the split."""
    return [
        f"{', '.join(r.image_id for r in same)}: the same image under the lesions "
        f"{', '.join(sorted({r.lesion_id for r in same}))}; keep one of them"
        for same in digests.values()
        if len({r.lesion_id for r in same}) > 1
    ]
