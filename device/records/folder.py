"""Examinations as plain files: written whole or not at all, and never with a patient's identity."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from device.diagnoses import CODES
from device.errors import RecordError
from device.frame import Frame
from device.imaging.image_file import read_image
from device.imaging.lesion import AbcdMeasures
from device.inference.finding import Finding, FindingRecord, to_record
from device.platform.durable_files import fsync_file, fsync_folder, write_atomically
from device.text import printable_path

_RECORD_FILE: Final = "examination.json"
_IMAGE_FILE: Final = "image.png"
_PART: Final = ".part"


class ExaminationRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written of an examination beside its image.

    Attributes
    ----------
    identifier
        Names the examination; says nothing about the patient.
    taken
        When the picture was taken, UTC.
    finding
        What the model said.
    measures
        What was measured of the lesion, where an outline was found.
    """

    identifier: str
    taken: datetime
    finding: FindingRecord
    measures: AbcdMeasures | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """A kept examination, read back."""

    record: ExaminationRecord
    image: NDArray[np.uint8]


class Archive(Protocol):
    """Where examinations are kept."""

    def keep(
        self,
        frame: Frame,
        finding: Finding,
        flags: list[str],
        measures: AbcdMeasures | None,
    ) -> str:
        """Keep an examination and return its identifier once it cannot be lost."""
        ...

    def identifiers(self) -> list[str]:
        """Return the examinations that are kept, the oldest first."""
        ...

    def read(self, identifier: str) -> Examination:
        """Return a kept examination."""
        ...


class FolderArchive:
    """Examinations in a folder, one folder each.

    An examination is written into a folder of another name, forced to the disk, and then renamed:
    power that fails leaves it whole or leaves it out.

    Parameters
    ----------
    folder
        Made when the first one is kept. What an earlier end of the program left half written is
        taken away.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # What cannot be read is told by whoever reads.
        with contextlib.suppress(OSError):
            for part in folder.glob(f".*{_PART}"):
                shutil.rmtree(part, ignore_errors=True)

    def keep(
        self,
        frame: Frame,
        finding: Finding,
        flags: list[str],
        measures: AbcdMeasures | None,
    ) -> str:
        """Keep an examination and return its identifier once it cannot be lost.

        Raises
        ------
        device.errors.RecordError
            If the disk is full or cannot be written.
        """
        taken = frame.time.astimezone(UTC)
        identifier = f"{taken:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        record = ExaminationRecord(
            identifier=identifier,
            taken=taken,
            finding=to_record(finding, identifier, flags),
            measures=measures,
        )
        part = self._folder / f".{identifier}{_PART}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.mkdir()
            with (part / _IMAGE_FILE).open("wb") as file:
                Image.fromarray(frame.pixels).save(file, format="PNG", compress_level=1)
            write_atomically(part / _RECORD_FILE, msgspec.json.format(msgspec.json.encode(record)))
            fsync_file(part / _IMAGE_FILE)
            fsync_folder(part)
            part.rename(self._folder / identifier)
            fsync_folder(self._folder)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            reason = error.strerror or error
            raise RecordError(
                "the examination could not be kept; free space on the disk, or check that it can "
                "be written",
                detail=f"{printable_path(self._folder)}: {reason}",
            ) from None
        return identifier

    def identifiers(self) -> list[str]:
        """Return the examinations that are kept, the oldest first.

        Raises
        ------
        device.errors.RecordError
            If the folder cannot be read.
        """
        try:
            return sorted(p.name for p in self._entries())
        except OSError as error:
            raise RecordError(
                "the kept examinations cannot be read; check the disk",
                detail=f"{printable_path(self._folder)}: {error.strerror or error}",
            ) from None

    def read(self, identifier: str) -> Examination:
        """Return a kept examination.

        Raises
        ------
        device.errors.RecordError
            If there is none of that name, or its files are damaged.
        """
        if identifier not in self.identifiers():
            raise RecordError(f"there is no examination {identifier}")
        folder = self._folder / identifier
        try:
            record = msgspec.json.decode(
                (folder / _RECORD_FILE).read_bytes(), type=ExaminationRecord
            )
            if missing := set(CODES).difference(record.finding.probabilities):
                raise ValueError(f"no probability of {', '.join(sorted(missing))}")
            pixels = read_image(folder / _IMAGE_FILE)
        except (OSError, ValueError) as error:
            raise RecordError(f"examination {identifier} is damaged ({error})") from None
        return Examination(record, pixels)

    def _entries(self) -> Iterator[Path]:
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            if path.is_dir() and not path.name.startswith("."):
                yield path
