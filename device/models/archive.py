"""A bundle as one file, ``NAME-VERSION.dermascope``: a plain tar of its files in a fixed order.

The order and every field of the headers are fixed, so that the same bundle gives the same bytes.
What is read comes from anywhere: a stick that was found, a download that broke off.
"""

import io
import os
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from device.errors import BundleError
from device.language import translatable
from device.models.bundle import MANIFEST_FILE, SIGNATURE_FILE
from device.platform.regular_files import open_regular_file
from device.text import printable, printable_path

SUFFIX: Final = ".dermascope"
MOST_BYTES: Final = 160 << 20
"""Of all files together: two networks, an index, and what tells of them."""

_MOST_FILES: Final = 32
_HEADERS: Final = 64 << 10
"""More than the headers and the padding of so many files need."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BLOCK: Final = 64 << 10
_FIRST: Final = (MANIFEST_FILE, SIGNATURE_FILE)
_PLAIN: Final = (tarfile.REGTYPE, tarfile.AREGTYPE)

NO_PLAIN_FILE: Final = translatable("the file holds {name}, which is no plain file of a bundle")
TOO_MANY_FILES: Final = translatable("the file holds more files than a bundle has")
TOO_LARGE: Final = translatable("the file is larger than the limit of {limit} MiB")
NO_BUNDLE: Final = translatable("the file holds no bundle ({first} or {second} is missing)")


class _NoPlainFileError(Exception):
    """A header is of anything but a plain file, with this name."""


class _PlainFile(tarfile.TarInfo):
    """A header of a plain file, which is all that `pack` writes.

    Others say more of the next file in a content of their own (pax and GNU's long names, a map of
    holes), which `tarfile` reads into memory whole, and as long as they claim to be.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return a header, before anything behind it is read."""
        header = super().frombuf(buf, encoding, errors)
        if header.type not in _PLAIN:
            raise _NoPlainFileError(printable(header.name)[:80])
        return header


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of a bundle's files.

    Parameters
    ----------
    files
        Their contents by name.
    """
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files, key=lambda name: (name not in _FIRST, name)):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    return written.getvalue()


def unpack(path: Path, folder: Path) -> None:
    """Write the files of an archive into a folder that is empty.

    Nothing is trusted: only plain files with plain names are taken, as many and as large as a
    bundle has, and none outside the folder.

    Raises
    ------
    device.errors.BundleError
        If it is no archive of a bundle, damaged or cut short.
    OSError
        If the folder cannot be written, or the archive cannot be read.
    """
    with open_regular_file(path) as file:
        if os.fstat(file.fileno()).st_size > MOST_BYTES + _HEADERS:
            raise _hostile(path, TOO_LARGE, limit=MOST_BYTES >> 20)
        try:
            # Uncompressed: nothing small on the stick becomes large on the card.
            with tarfile.open(fileobj=file, mode="r:", tarinfo=_PlainFile) as archive:
                _unpack(archive, path, folder)
        except _NoPlainFileError as error:
            raise _hostile(path, NO_PLAIN_FILE, name=str(error)) from None
        except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
            if isinstance(error, BundleError):
                raise
            raise BundleError(
                "the file is no archive of a bundle, or damaged",
                action=translatable("copy it again"),
                where=printable_path(path),
            ) from None


def _unpack(archive: tarfile.TarFile, path: Path, folder: Path) -> None:
    left, names = MOST_BYTES, set[str]()
    for entry in archive:
        name = printable(entry.name)[:80]
        if not _NAME.fullmatch(entry.name):
            raise _hostile(path, NO_PLAIN_FILE, name=name)
        if entry.name in names or len(names) >= _MOST_FILES:
            raise _hostile(path, TOO_MANY_FILES)
        names.add(entry.name)
        left -= entry.size
        if left < 0 or entry.size < 0:
            raise _hostile(path, TOO_LARGE, limit=MOST_BYTES >> 20)
        content = archive.extractfile(entry)
        if content is None:
            raise _hostile(path, NO_PLAIN_FILE, name=name)
        written = 0
        with (folder / entry.name).open("xb") as out:
            while block := content.read(_BLOCK):
                written += len(block)
                out.write(block)
        if written != entry.size:
            raise BundleError(
                "the file is cut short",
                action=translatable("copy it again"),
                where=printable_path(path),
            )
    if not names.issuperset(_FIRST):
        raise _hostile(path, NO_BUNDLE, first=MANIFEST_FILE, second=SIGNATURE_FILE)


def _hostile(path: Path, reason: str, **values: Any) -> BundleError:
    return BundleError(
        reason,
        action=translatable("take a bundle that dermascope-build made"),
        where=printable_path(path),
        **values,
    )
