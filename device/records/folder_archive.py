"""Examinations as plain files: written whole or not at all, and never with a patient's identity."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from PIL import Image

from device.errors import RecordError, RecordsInUseError
from device.frame import Frame, SourceKind
from device.imaging.abcd import AbcdMeasures
from device.imaging.image_file import read_image
from device.inference.finding import Finding, to_record
from device.language import translatable
from device.platform.clock import clock_is_set
from device.platform.durable_files import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    fsync_file,
    fsync_folder,
    make_folder,
    set_mode,
    write_atomically,
)
from device.platform.locked_folder import LockedFolder, mount_point
from device.platform.regular_files import read_regular_file
from device.records.checks import check_values
from device.records.model import (
    SCHEMA_VERSION,
    Examination,
    ExaminationRecord,
    PictureKind,
    Polarization,
)
from device.records.patients import Key
from device.text import printable_path

_RECORD_FILE: Final = "examination.json"
_IMAGE_FILE: Final = "image.png"
_PART: Final = ".part"
_TIME: Final = "%Y%m%dT%H%M%SZ"
_IDENTIFIER: Final = re.compile(r"\w[\w-]*")
_NAME: Final = re.compile(r"(?:(?P<number>\d{6,})-)?(?P<time>\d{8}T\d{6}Z)-")
_LARGEST_RECORD: Final = 1 << 20
_TYPICAL_SIZE: Final = 4 << 20
"""Bytes of an examination of 1920 x 1080 pixels, until one is kept."""


class _Versioned(msgspec.Struct):
    schema_version: int = 1


class FolderArchive:
    """Examinations in a folder, one folder each.

    An examination is written into a folder of another name, forced to the disk, and then renamed:
    power that fails leaves it whole or leaves it out. Names begin with a number that counts up, as
    a clock may go back. One program alone keeps examinations in a folder, and any may read them.

    Parameters
    ----------
    folder
        Made, where `create` says so, when it is opened.
    permanent
        False for a folder that is removed at the end: it takes pictures from anywhere. One that
        outlives the program is the clinic's, and takes a camera's alone.
    create
        False for a folder that lies where someone put it, such as on a medium that can be taken
        out: where it is missing, so is the medium, and nothing is written on the disk below.
    share
        How much of its disk examinations may take up, 0 to 1.
    """

    def __init__(
        self, folder: Path, *, permanent: bool = True, create: bool = True, share: float = 1.0
    ) -> None:
        self._folder = folder
        self.permanent = permanent
        self._create = create
        self._share = share
        self._held: LockedFolder | None = None
        self._medium: Path | None = None
        self._next = 1
        self._last_taken: datetime | None = None
        self._measured: int | None = None
        self._added = 0
        self._size = _TYPICAL_SIZE

    @property
    def last_taken(self) -> datetime | None:
        """When the newest examination was taken, UTC, or None before `open` or where none is."""
        return self._last_taken

    def open(self) -> None:
        """Lock the folder, and remove what an interrupted program left half written.

        The first `keep` does it too. What is opened may be opened again, and is closed by `close`.

        Raises
        ------
        device.errors.RecordsInUseError
            If another program keeps examinations there.
        device.errors.RecordError
            If it is not there, or cannot be written.
        """
        if self._is_there():
            return
        self._release()
        try:
            self._open()
        except BlockingIOError:
            raise RecordsInUseError(
                translatable("another dermascope keeps its examinations in the same folder"),
                action=translatable("end that one first"),
                where=printable_path(self._folder),
            ) from None
        except RecordError:
            raise
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not self._create:
                raise self._missing() from None
            raise RecordError(
                "no examination can be kept, as their folder cannot be written",
                action=translatable("check the disk, and who may write there"),
                where=printable_path(self._folder),
                detail=error.strerror or str(error),
            ) from error

    def close(self) -> None:
        """Let others keep examinations in the folder; remove one that is not permanent.

        May be called more than once.
        """
        self._release()
        if not self.permanent:
            shutil.rmtree(self._folder, ignore_errors=True)

    def keep(
        self,
        frame: Frame,
        finding: Finding | None,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
        *,
        kind: PictureKind = PictureKind.DERMOSCOPIC,
        polarization: Polarization | None = None,
        lesion: Key | None = None,
    ) -> str:
        """Keep an examination and return its identifier once it cannot be lost.

        Raises
        ------
        device.errors.RecordError
            If the disk is full, cannot be written or was taken out, examinations have their share
            of it, or the picture is no camera's.
        """
        if self.permanent and frame.kind is not SourceKind.CAMERA:
            raise RecordError(
                "a picture that no camera took is not kept among the clinic's examinations",
                action=translatable("use the camera"),
            )
        self.open()
        taken = frame.time.astimezone(UTC)
        identifier = f"{self._next:06d}-{taken:{_TIME}}-{secrets.token_hex(3)}"
        went_back = self._last_taken is not None and taken < self._last_taken
        record = ExaminationRecord(
            schema_version=SCHEMA_VERSION,
            identifier=identifier,
            taken=taken,
            clock_set=clock_is_set(taken) and not went_back,
            source=frame.kind,
            kind=kind,
            polarization=polarization,
            lesion=lesion,
        )
        if finding is not None:
            record = _judged(record, finding, flags, measures)
        part = self._folder / f".{identifier}{_PART}"
        try:
            part.mkdir()
            set_mode(part, PRIVATE_FOLDER)
            with (part / _IMAGE_FILE).open("wb") as file:
                set_mode(file.fileno(), PRIVATE_FILE)
                Image.fromarray(frame.pixels).save(file, format="PNG", compress_level=1)
            write_atomically(part / _RECORD_FILE, msgspec.json.format(msgspec.json.encode(record)))
            size = _size(part)
            self._check_share(size)
            fsync_file(part / _IMAGE_FILE)
            fsync_folder(part)
            part.rename(self._folder / identifier)
            fsync_folder(self._folder)
        except RecordError:
            shutil.rmtree(part, ignore_errors=True)
            raise
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise RecordError(
                "the examination could not be kept",
                action=translatable("free space on the disk, or check that it can be written"),
                detail=f"{printable_path(self._folder)}: {error.strerror or error}",
            ) from error
        if not self._is_there():
            # Taken out in this very moment: what was written lies on the disk below.
            shutil.rmtree(self._folder / identifier, ignore_errors=True)
            raise self._missing()
        self._next += 1
        self._last_taken = taken
        self._added += size
        self._size = size
        return identifier

    def complete(
        self,
        identifier: str,
        finding: Finding,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
    ) -> None:
        """Write the finding of a picture that was kept before it was judged.

        Its room is counted, and never refused: the picture, which is far larger, was not.

        Raises
        ------
        device.errors.RecordError
            If the record cannot be read or written, and the picture is still kept; or if the disk
            was taken out.
        """
        self.open()
        folder = self._folder / identifier
        try:
            content = read_regular_file(folder / _RECORD_FILE, _LARGEST_RECORD)
            before = msgspec.json.decode(content, type=ExaminationRecord)
            check_values(before)
            bare = _size(folder)
            record = _judged(before, finding, flags, measures)
            write_atomically(
                folder / _RECORD_FILE, msgspec.json.format(msgspec.json.encode(record))
            )
            size = _size(folder)
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RecordError(
                "the picture is kept, but its finding could not be",
                action=translatable("free space on the disk, or check that it can be written"),
                detail=f"{printable_path(self._folder)}: {reason}",
            ) from error
        if not self._is_there():
            if not (folder / _IMAGE_FILE).exists():
                # As in `keep`; the picture is on the disk that was taken out.
                shutil.rmtree(folder, ignore_errors=True)
            raise self._missing()
        self._added += size - bare
        self._size = size

    def identifiers(self, newest: int | None = None) -> list[str]:
        """Return the examinations that are kept, in the order in which they were.

        Those that were kept before examinations were numbered come first, by their time.

        Raises
        ------
        device.errors.RecordError
            If the folder cannot be read.
        """
        try:
            names = sorted(self._names(), key=lambda name: (_number(name), name))
        except OSError as error:
            raise RecordError(
                "the kept examinations cannot be read",
                action=translatable("check the disk"),
                detail=f"{printable_path(self._folder)}: {error.strerror or error}",
            ) from None
        return names if newest is None else names[max(0, len(names) - newest) :]

    def measure(self) -> Iterator[None]:
        """Add up the room that is taken, an examination a step; until then it is not limited."""
        if self._share >= 1.0:
            return
        with contextlib.suppress(OSError):
            names = list(self._names())
            total, self._added = 0, 0
            for name in names:
                with contextlib.suppress(OSError):
                    total += _size(self._folder / name)
                yield
            self._measured = total

    def room(self) -> int | None:
        """Return about how many more examinations there is room for, or None if unknown."""
        try:
            disk = shutil.disk_usage(self._folder)
        except OSError:
            return None
        room = disk.free
        if self._measured is not None:
            room = min(room, int(self._share * disk.total) - self._measured - self._added)
        return max(0, room // self._size)

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
            content = read_regular_file(folder / _RECORD_FILE, _LARGEST_RECORD)
            version = msgspec.json.decode(content, type=_Versioned).schema_version
            if version > SCHEMA_VERSION:
                raise RecordError(
                    f"examination {identifier} was kept by a newer release",
                    action=f"update the instrument (schema version {version}, "
                    f"{SCHEMA_VERSION} is read)",
                )
            record = msgspec.json.decode(content, type=ExaminationRecord)
            check_values(record)
            if not (folder / _IMAGE_FILE).is_file():
                raise ValueError("its image is no file")
            pixels = read_image(folder / _IMAGE_FILE)
            field = record.field_of_view
            if field is not None and not field.lies_in(pixels.shape):
                raise ValueError("its field of view does not lie in its image")
        except RecordError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            raise RecordError(f"examination {identifier} is damaged ({error})") from None
        return Examination(record, pixels)

    def _is_there(self) -> bool:
        """Return whether the folder is open, and still lies where it did."""
        return self._held is not None and self._held.lies_at(self._folder)

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _open(self) -> None:
        medium = mount_point(self._folder)
        if self._medium not in (None, medium):
            raise self._missing()
        if self._create:
            make_folder(self._folder)
        held = LockedFolder(self._folder)
        for part in self._folder.glob(f".*{_PART}"):
            shutil.rmtree(part, ignore_errors=True)
        # Only trying tells whether it can be written: root may not on a disk that is read-only.
        probe = self._folder / f".{secrets.token_hex(3)}{_PART}"
        try:
            probe.mkdir()
            probe.rmdir()
        except OSError:
            held.close()
            raise
        last = max(self._names(), key=lambda name: (_number(name), name), default="")
        self._held, self._medium = held, medium
        self._next, self._last_taken = _number(last) + 1, _time(last)
        self._measured = None

    def _missing(self) -> RecordError:
        return RecordError(
            "no examination can be kept, as their folder is not there",
            action=translatable("put its disk back in, or make the folder"),
            where=printable_path(self._folder),
        )

    def _check_share(self, size: int) -> None:
        if self._measured is None:
            return
        most = self._share * shutil.disk_usage(self._folder).total
        if self._measured + self._added + size > most:
            raise RecordError(
                "the examinations have taken up their share of the disk",
                action=translatable("move older ones to another disk, or raise records_share"),
                where=printable_path(self._folder),
            )

    def _names(self) -> Iterator[str]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_dir():
                    yield entry.name


def _number(identifier: str) -> int:
    """Return the number that an identifier begins with, or 0 for one of before there were any."""
    match = _NAME.match(identifier)
    return int(match["number"] or 0) if match else 0


def _time(identifier: str) -> datetime | None:
    match = _NAME.match(identifier)
    with contextlib.suppress(ValueError):
        return datetime.strptime(match["time"], _TIME).replace(tzinfo=UTC) if match else None
    return None


def _size(folder: Path) -> int:
    with os.scandir(folder) as entries:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)


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
    archive = FolderArchive(folder, permanent=False)
    try:
        yield archive
    finally:
        archive.close()
