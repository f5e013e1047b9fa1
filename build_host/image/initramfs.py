"""What is added to Debian's initramfs: an archive behind it, which the kernel unpacks too.

So Debian's is made with its packages, once; what an instrument adds may change with the program.
"""

import os
from pathlib import Path
from typing import Final

from build_host.image.recipe import FOLDER

ADDED: Final = FOLDER / "initramfs"

_MAGIC: Final = b"070701"
_TRAILER: Final = "TRAILER!!!"
_FOLDER: Final = 0o040755
_FILE: Final = 0o100644
_PROGRAM: Final = 0o100755


def archive(folder: Path, epoch: int) -> bytes:
    """Return a folder as a cpio archive ("newc", as the kernel reads it), owned by root.

    Parameters
    ----------
    epoch
        Of all that is in it, seconds since 1970.
    """
    entries = []
    for number, path in enumerate(sorted(folder.rglob("*")), 1):
        if path.is_dir():
            mode, content = _FOLDER, b""
        else:
            mode = _PROGRAM if os.access(path, os.X_OK) else _FILE
            content = path.read_bytes()
        entries.append(_entry(str(path.relative_to(folder)), content, number, mode, epoch))
    entries.append(_entry(_TRAILER, b"", 0, 0, 0))
    return b"".join(entries)


def with_ours(initramfs: bytes, epoch: int, added: Path = ADDED) -> bytes:
    """Return an initramfs with what an instrument adds behind it."""
    return _padded(initramfs) + archive(added, epoch)


def _entry(name: str, content: bytes, number: int, mode: int, epoch: int) -> bytes:
    named = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, epoch, len(content), 0, 0, 0, 0, len(named), 0)
    header = _MAGIC + b"".join(f"{field:08x}".encode() for field in fields)
    return _padded(header + named) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
