"""From the raw image to what is published: compressed, with checksums and a map of its blocks."""

import hashlib
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

import msgspec
from PIL import Image, ImageDraw

from build_host.files import write_file
from build_host.image.privacy import is_private, privately
from build_host.image.tools import Tools

DEVICES: Final = ("pi4-64bit", "pi3-64bit")
"""Names of Raspberry Pi Imager: a CM4 counts as a Pi 4, a Zero 2 W as a Pi 3."""

_BLOCK: Final = 1 << 20
_ICON_SIDE: Final = 160


class ImagerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What Raspberry Pi Imager is told of an image (its ``os_list`` format, version 4).

    Attributes
    ----------
    extract_size, extract_sha256
        Of the image itself, in bytes.
    image_download_size, image_download_sha256
        Of the compressed file, in bytes.
    init_format
        How Imager would write its own settings to the card: not at all.
    """

    name: str
    description: str
    icon: str
    url: str
    extract_size: int
    extract_sha256: str
    image_download_size: int
    image_download_sha256: str
    release_date: str
    devices: Sequence[str] = DEVICES
    init_format: str = "none"


class ImagerList(msgspec.Struct, frozen=True):
    """The file that Raspberry Pi Imager opens."""

    os_list: Sequence[ImagerEntry]


def image_name(version: str) -> str:
    """Return the name of an image's files, without what it ends in."""
    return f"dermascope-{version}-arm64"


def publish(
    card: Path, folder: Path, version: str, released: date, address: str, tools: Tools
) -> list[Path]:
    """Write an image's files into a folder and return them.

    Where others may not read the image, nor may they what it is packed into.

    Parameters
    ----------
    card
        The raw image.
    address
        Where the files will be served from, without the last slash.

    Raises
    ------
    build_host.image.commands.ToolError
        If it cannot be compressed.
    """
    name = image_name(version)
    bmap = folder / f"{name}.img.bmap"
    packed = folder / f"{name}.img.xz"
    tools.run(
        ["bmaptool", "--quiet", "create", str(card), f"--output={bmap}"], [card.parent, folder]
    )
    packed.unlink(missing_ok=True)
    # A fixed number of threads: what is written depends on it.
    command = [
        "sh", "-c", 'xz --stdout --threads=2 -3 "$1" > "$2"', "sh", str(card), str(packed),
    ]  # fmt: skip
    tools.run(privately(command) if is_private(card) else command, [card.parent, folder])
    checksum = folder / f"{packed.name}.sha256"
    download = sha256_of(packed)
    write_file(checksum, f"{download}  {packed.name}\n".encode())
    icon = folder / f"{name}.png"
    write_file(icon, _icon())
    entry = ImagerEntry(
        name=f"dermascope {version}",
        description="On-device analysis of dermoscopic images: decision support",
        icon=f"{address}/{icon.name}",
        url=f"{address}/{packed.name}",
        extract_size=card.stat().st_size,
        extract_sha256=sha256_of(card),
        image_download_size=packed.stat().st_size,
        image_download_sha256=download,
        release_date=released.isoformat(),
    )
    listing = folder / f"{name}.rpi-imager-manifest"
    write_file(listing, msgspec.json.format(msgspec.json.encode(ImagerList([entry]))) + b"\n")
    return [packed, checksum, bmap, listing, icon]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file of any size, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _icon() -> bytes:
    """Return a dermatoscope's view as a PNG: a ring of light around a lesion."""
    side = _ICON_SIDE
    picture = Image.new("RGB", (side, side), "#16202a")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((12, 12, side - 12, side - 12), fill="#e8b79a", outline="#f5f7fa", width=8)
    draw.ellipse((56, 50, 110, 98), fill="#6b3a2a")
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()
