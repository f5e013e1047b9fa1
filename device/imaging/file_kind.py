"""What a file is, by its first bytes, so that one that cannot be read is named by what it is."""

from typing import Final, Literal

FileKind = Literal["JPEG", "PNG", "TIFF", "BMP", "WEBP", "PPM", "DICOM"]

HEAD_BYTES: Final = 256

_TIFF: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAGIC: Final[tuple[tuple[bytes, FileKind], ...]] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    *((magic, "TIFF") for magic in _TIFF),
    (b"BM", "BMP"),
    *((b"P%d" % number, "PPM") for number in range(1, 7)),
)

_RAW: Final = "a camera raw file ({})"
_RAW_SUFFIXES: Final = frozenset(
    {".arw", ".cr2", ".dng", ".erf", ".iiq", ".nef", ".nrw", ".pef", ".srw", ".3fr", ".dcr", ".mef"}
)
"""Raw files that are TIFFs, with a small preview in the place of the picture."""

_HEIC: Final = "a HEIC picture, as iPhones take them"
_BRANDS: Final = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), _HEIC),
    **dict.fromkeys((b"mif1", b"msf1", b"heif"), "a HEIF picture"),
    **dict.fromkeys((b"avif", b"avis"), "an AVIF picture"),
    b"crx ": _RAW.format("CR3"),
}
_OTHERS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"%PDF-", "a PDF document"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (8, b"CR\x02", _RAW.format("CR2")),
    (0, b"IIRO", _RAW.format("ORF")),
    (0, b"IIRS", _RAW.format("ORF")),
    (0, b"MMOR", _RAW.format("ORF")),
    (0, b"IIU\0", _RAW.format("RW2")),
    (0, b"FUJIFILMCCD-RAW", _RAW.format("RAF")),
    (0, b"FOVb", _RAW.format("X3F")),
    (0, b"\0MRM", _RAW.format("MRW")),
    (0, b"PK\x03\x04", "a ZIP archive or an office document"),
    (0, b"\xd0\xcf\x11\xe0", "an old office document"),
    (0, b"<svg", "a drawing (SVG)"),
    (0, b"version https://git-lfs", "a Git LFS pointer: the picture itself was not downloaded"),
    (8, b"AVI ", "a video"),
    (0, b"\x1a\x45\xdf\xa3", "a video"),
)


def kind_of(head: bytes) -> FileKind | None:
    """Return what a file is by its first bytes, None if it is nothing that can be read.

    Parameters
    ----------
    head
        The first `HEAD_BYTES` of the file.
    """
    if head[128:132] == b"DICM":
        return "DICOM"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)


def unreadable_kind(head: bytes, suffix: str) -> str | None:
    """Return what a file is that cannot be read, None if it is not known.

    Parameters
    ----------
    head
        The first `HEAD_BYTES` of the file.
    suffix
        Its name's ending, which tells a raw file from a TIFF.
    """
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12].lower(), "a video")
    if head.startswith(_TIFF) and suffix.lower() in _RAW_SUFFIXES:
        return _RAW.format(suffix[1:].upper())
    return next((name for at, magic, name in _OTHERS if head[at:].startswith(magic)), None)
