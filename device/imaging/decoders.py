"""From an open file to its pixels: one decoder for each kind of file."""

from typing import IO

from device.imaging.decoding import Decoded, Limits, check_size
from device.imaging.dicom_file import decode_dicom
from device.imaging.file_kind import FileKind
from device.imaging.jpeg_file import MAX_BYTES, decode_jpeg_bytes
from device.imaging.pillow_decoder import Allocate, decode_with_pillow, empty
from device.imaging.png_file import read_png_structure


def decode(file: IO[bytes], kind: FileKind, limits: Limits, allocate: Allocate = empty) -> Decoded:
    """Return the picture in a file, decoded in this process.

    Of JPEG and PNG it is known beforehand how much memory and time they take; the others belong
    into a process with limits (`device.imaging.decoder_process`).

    Parameters
    ----------
    file
        Open at its beginning.
    kind
        What it is.
    limits
        How large it may be.
    allocate
        Where the pixels of other kinds than JPEG go.

    Raises
    ------
    device.errors.ImageError
        If it is damaged, no photograph, or too large. The message does not say which file.
    """
    match kind:
        case "JPEG":
            # One byte more tells that it is too large.
            return decode_jpeg_bytes(file.read(MAX_BYTES + 1), limits)
        case "PNG":
            png = read_png_structure(file)
            check_size(png.width, png.height, limits)
            decoded = decode_with_pillow(png.pixels, "PNG", limits, png.profile, allocate)
            return Decoded(decoded.pixels, png.orientation)
        case "DICOM":
            decoded = decode_dicom(file, limits)
            pixels = allocate(decoded.pixels.shape)
            pixels[:] = decoded.pixels
            return Decoded(pixels, decoded.orientation)
        case _:
            return decode_with_pillow(file, kind, limits, allocate=allocate)
