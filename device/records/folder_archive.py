"""Examinations as plain files: written whole or not at all, and never with a patient's identity."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import Final

import msgspec
from PIL import Image

from device.diagnoses import CODES
from device.errors import RecordError
from device.frame import Frame, SourceKind
from device.imaging.abcd import AbcdMeasures
from device.imaging.image_file import read_image
from device.inference.finding import Finding, to_record
from device.language import translatable
from device.platform.durable_files import fsync_file, fsync_folder, make_folder, write_atomically
from device.records.model import SCHEMA_VERSION, Examination, ExaminationRecord
from device.text import printable_path

_RECORD_FILE: Final = "examination.json"
_IMAGE_FILE: Final = "image.png"
_PART: Final = ".part"
_IDENTIFIER: Final = re.compile(r"\w[\w-]*")


class _Versioned(msgspec.Struct):
    schema_version: int = 1


class FolderArchive:
    """Examinations in a folder, one folder each.

    An examination is written into a folder of another name, forced to the disk, and then renamed:
    power that fails leaves it whole or leaves it out.

    Parameters
    ----------
    folder
        Made when the first one is kept. What an interrupted
        program left half written is removed.
    permanent
        False for a folder that is removed at the end: it takes pictures from anywhere. One that
        outlives the program is the clinic's, and takes a camera's alone.
    """

    def __init__(self, folder: Path, *, permanent: bool = True) -> None:
        self._folder = folder
        self.permanent = permanent
        # Whoever reads reports what cannot be read.
        with contextlib.suppress(OSError):
            for part in folder.glob(f".*{_PART}"):
                shutil.rmtree(part, ignore_errors=True)

    def keep(
        self,
        frame: Frame,
        finding: Finding | None,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
    ) -> str:
        """Keep an examination and return its identifier once it cannot be lost.

        Raises
        ------
        device.errors.RecordError
            If the disk is full or cannot be written, or the picture is no camera's.
        """
        if self.permanent and frame.kind is not SourceKind.CAMERA:
            raise RecordError(
                "a picture that no camera took is not kept among the clinic's examinations",
                action=translatable("use the camera"),
            )
        taken = frame.time.astimezone(UTC)
        identifier = f"{taken:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        record = ExaminationRecord(
            schema_version=SCHEMA_VERSION,
            identifier=identifier,
            taken=taken,
            source=frame.kind,
        )
        if finding is not None:
            record = _judged(record, finding, flags, measures)
        part = self._folder / f".{identifier}{_PART}"
        try:
            make_folder(self._folder, mode=0o700)
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
                "the examination could not be kept",
                action=translatable("free space on the disk, or check that it can be written"),
                detail=f"{printable_path(self._folder)}: {reason}",
            ) from None
        return identifier

    def complete(
        self,
        identifier: str,
        finding: Finding,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
    ) -> None:
        """Write the finding of a picture that was kept before it was judged.

        Raises
        ------
        device.errors.RecordError
            If the record cannot be read or written; the picture is still kept.
        """
        path = self._folder / identifier / _RECORD_FILE
        try:
            before = msgspec.json.decode(path.read_bytes(), type=ExaminationRecord)
            record = _judged(before, finding, flags, measures)
            write_atomically(path, msgspec.json.format(msgspec.json.encode(record)))
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RecordError(
                "the picture is kept, but its finding could not be",
                action=translatable("free space on the disk, or check that it can be written"),
                detail=f"{printable_path(self._folder)}: {reason}",
            ) from None

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
                "the kept examinations cannot be read",
                action=translatable("check the disk"),
                detail=f"{printable_path(self._folder)}: {error.strerror or error}",
            ) from None

    def read(self, identifier: str) -> Examination:
        """Return a kept examination, of this schema version or an older one.

        Raises
        ------
        device.errors.RecordError
            If there is none of that name, or its files are damaged.
        """
        folder = self._folder / identifier
        if not _IDENTIFIER.fullmatch(identifier) or not folder.is_dir():
            raise RecordError(f"there is no examination {identifier}")
        try:
            content = (folder / _RECORD_FILE).read_bytes()
            version = msgspec.json.decode(content, type=_Versioned).schema_version
            if version > SCHEMA_VERSION:
                raise RecordError(
                    f"examination {identifier} was kept by a newer release",
                    action=f"update the instrument (schema version {version}, "
                    f"{SCHEMA_VERSION} is read)",
                )
            record = msgspec.json.decode(content, type=ExaminationRecord)
            known = record.finding.probabilities if record.finding else CODES
            if missing := set(CODES).difference(known):
                raise ValueError(f"no probability of {', '.join(sorted(missing))}")
            pixels = read_image(folder / _IMAGE_FILE)
            field = record.field_of_view
            if field is not None and not field.lies_in(pixels.shape):
                raise ValueError("its field of view does not lie in its image")
        except RecordError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            raise RecordError(f"examination {identifier} is damaged ({error})") from None
        return Examination(record, pixels)

    def _entries(self) -> Iterator[Path]:
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            if path.is_dir() and not path.name.startswith("."):
                yield path


def _judged(
    record: ExaminationRecord,
    finding: Finding,
    flags: Sequence[str],
    measures: AbcdMeasures | None,
) -> ExaminationRecord:
    return msgspec.structs.replace(
        record,
        field_of_view=finding.field,
        finding=to_record(finding, record.identifier, list(flags)),
        measures=measures,
    )


@contextlib.contextmanager
def throwaway_archive() -> Iterator[FolderArchive]:
    """Yield an archive for pictures that no camera took; it is gone when the block ends."""
    # Made when the first picture is kept: a full disk must not keep the program from starting.
    temporary = Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 -- the name is random
    folder = temporary / f"dermascope-{secrets.token_hex(8)}"
    try:
        yield FolderArchive(folder, permanent=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
