"""Pictures that are kept while the records are locked: only whoever opens them can read these.

Each is sealed for the archive's public key, which lies beside it; the private half is derived from
the master key and is nowhere while the records are locked. Where they are opened, what lies here is
taken into the archive, an examination at a time, and then removed.

Of an examination, ``.picture`` is the picture's file as the archive keeps it, with a key of its
own, and ``.kept`` holds that key and the record, sealed: it is written last, and without it there
is no examination. ``.finding`` is what was said of the picture later.
"""

import contextlib
import hashlib
from pathlib import Path
from typing import Final

import msgspec

from device.imaging.abcd import AbcdMeasures
from device.imaging.field_of_view import FieldOfView
from device.inference.finding import FindingRecord
from device.inference.likeness import Likeness
from device.platform.durable_files import fsync_folder, remove_durably, write_atomically
from device.platform.regular_files import read_regular_file
from device.records.model import ExaminationRecord
from device.records.picture_files import check_picture, write_picture
from device.records.sealing import KEY_BYTES, derive, open_sealed, public_key, seal_for

FOLDER: Final = "sealed"
KEY_FILE: Final = "public.key"

_PICTURE: Final = ".picture"
_KEPT: Final = ".kept"
_FINDING: Final = ".finding"
_LARGEST_PICTURE: Final = 1 << 29
_LARGEST: Final = 1 << 20


class SealedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What was said and measured of a picture, as `device.records.model.ExaminationRecord` has it.

    Attributes
    ----------
    field_of_view, finding, measures, likeness
        Likewise.
    """

    field_of_view: FieldOfView
    finding: FindingRecord
    measures: AbcdMeasures | None = None
    likeness: Likeness | None = None


class SealedPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that was sealed.

    Attributes
    ----------
    record
        Of the examination.
    key
        Of the picture's file.
    content
        The picture's file.
    """

    record: ExaminationRecord
    key: bytes
    content: bytes


def private_key(master: bytes | bytearray) -> bytes:
    """Return the key that opens what was sealed while the records were locked."""
    return derive(master, "drop box")


def write_public_key(folder: Path, private: bytes) -> None:
    """Let pictures be sealed in an archive's folder, unless they can be.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    key = public_key(private)
    if read_public_key(folder) != key:
        write_atomically(folder / FOLDER / KEY_FILE, key + hashlib.sha256(key).digest())


def read_public_key(folder: Path) -> bytes | None:
    """Return the key that pictures are sealed for, or None where there is none that is whole."""
    try:
        content = read_regular_file(folder / FOLDER / KEY_FILE, _LARGEST)
    except OSError:
        return None
    key, digest = content[:KEY_BYTES], content[KEY_BYTES:]
    # Sealed for a damaged key, a picture could never be opened.
    return key if hashlib.sha256(key).digest() == digest else None


def seal_picture(folder: Path, public: bytes, picture: SealedPicture) -> None:
    """Seal a picture, and return once it cannot be lost.

    Raises
    ------
    OSError
        If it cannot be written; it is then not there.
    """
    identifier = picture.record.identifier
    box = folder / FOLDER
    write_picture(box / f"{identifier}{_PICTURE}", picture.content)
    try:
        plain = picture.key + msgspec.json.encode(picture.record)
        sealed = seal_for(public, plain, _context(identifier, _KEPT))
        write_atomically(box / f"{identifier}{_KEPT}", sealed)
    except BaseException:
        with contextlib.suppress(OSError):
            remove_sealed(folder, identifier)
        raise


def seal_finding(folder: Path, public: bytes, identifier: str, finding: SealedFinding) -> None:
    """Seal what was said of a picture; raises as `seal_picture`."""
    plain = msgspec.json.encode(finding)
    sealed = seal_for(public, plain, _context(identifier, _FINDING))
    write_atomically(folder / FOLDER / f"{identifier}{_FINDING}", sealed)


def open_picture(folder: Path, private: bytes, identifier: str) -> SealedPicture | None:
    """Return a sealed picture, or None where there is none.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it was altered.
    """
    plain = _opened(folder, private, identifier, _KEPT)
    if plain is None:
        return None
    path = folder / FOLDER / f"{identifier}{_PICTURE}"
    key, record = plain[:KEY_BYTES], msgspec.json.decode(plain[KEY_BYTES:], type=ExaminationRecord)
    check_picture(path, key, identifier)
    return SealedPicture(record=record, key=key, content=read_regular_file(path, _LARGEST_PICTURE))


def open_finding(folder: Path, private: bytes, identifier: str) -> SealedFinding | None:
    """Return what was said of a picture, or None; raises as `open_picture`."""
    plain = _opened(folder, private, identifier, _FINDING)
    return None if plain is None else msgspec.json.decode(plain, type=SealedFinding)


def sealed_identifiers(folder: Path) -> list[str]:
    """Return the examinations that something is sealed of, in the order in which it was."""
    paths = _files(folder)
    return sorted({path.stem for path in paths if path.suffix in (_KEPT, _FINDING)})


def is_sealed(folder: Path, identifier: str) -> bool:
    """Return whether something is sealed of an examination."""
    box = folder / FOLDER
    return any((box / f"{identifier}{part}").exists() for part in (_KEPT, _FINDING))


def size_of_sealed(folder: Path) -> int:
    """Return the bytes of all that is sealed; raises OSError where that cannot be looked at."""
    return sum(path.stat().st_size for path in _files(folder))


def remove_sealed(folder: Path, identifier: str) -> None:
    """Remove all that is sealed of an examination; a picture last, that names nothing.

    Raises
    ------
    OSError
        If it cannot be removed.
    """
    for part in (_KEPT, _FINDING, _PICTURE):
        remove_durably(folder / FOLDER / f"{identifier}{part}")


def remove_unfinished(folder: Path) -> None:
    """Remove what an interrupted program left of pictures that it had not sealed yet."""
    paths = _files(folder)
    whole = {path.stem for path in paths if path.suffix == _KEPT}
    left = [
        path
        for path in paths
        if path.suffix == ".part" or (path.suffix == _PICTURE and path.stem not in whole)
    ]
    for path in left:
        with contextlib.suppress(OSError):
            path.unlink()
    if left:
        with contextlib.suppress(OSError):
            fsync_folder(folder / FOLDER)


def _files(folder: Path) -> list[Path]:
    box = folder / FOLDER
    return list(box.iterdir()) if box.is_dir() else []


def _opened(folder: Path, private: bytes, identifier: str, part: str) -> bytes | None:
    try:
        sealed = read_regular_file(folder / FOLDER / f"{identifier}{part}", _LARGEST)
    except FileNotFoundError:
        return None
    return open_sealed(private, sealed, _context(identifier, part))


def _context(identifier: str, part: str) -> bytes:
    return f"{identifier}{part}".encode()
