"""``dermascope calibrate``."""

import argparse
import math

from device.commands.options import Add
from device.errors import DermascopeError, ImageError
from device.exit_status import ExitStatus
from device.platform.clock import Clock
from device.text import printable_path


def add_calibrate(add: Add) -> None:
    """Add it to the command line."""
    parser = add(
        "calibrate",
        calibrate,
        "Calibrate the length scale (mm per pixel) from a photo of a ruler.",
        "The result is saved as optics.json in the state folder: that of the systemd service if it "
        "starts the command ($STATE_DIRECTORY), else the user's own (usually "
        "~/.local/state/dermascope).",
    )
    parser.add_argument(
        "photo",
        metavar="IMAGE",
        help="photo of a ruler on the contact plate, taken with the instrument",
    )
    parser.add_argument(
        "--length",
        type=float,
        metavar="MM",
        default=1.0,
        help="known length in millimetres: between neighbouring ticks, or between --from and --to "
        "if given (default: 1)",
    )
    for end, name, text in (
        ("--from", "first", "one end of the known length, in image pixels from the top left; "
         "requires --to. Without both, the ruler's ticks are detected"),
        ("--to", "second", "the other end; requires --from"),
    ):  # fmt: skip
        parser.add_argument(end, dest=name, type=int, nargs=2, metavar=("X", "Y"), help=text)


def calibrate(options: argparse.Namespace, clock: Clock) -> int:
    """Measure the scale in the photo and save it."""
    from device.imaging.decoding import MAX_PIXELS
    from device.imaging.field_of_view import crop, find_field
    from device.imaging.image_file import read_image
    from device.imaging.ruler import find_ticks
    from device.optics import Optics, save_optics
    from device.paths import state_folder

    if not 0.0 < options.length < 1000.0:
        raise DermascopeError("--length: give a length in millimetres, above 0 and below 1000")
    if (options.first is None) != (options.second is None):
        raise DermascopeError("--from and --to: give both points of the ruler, or neither")
    # Points are told in the file's own pixels.
    pixels = read_image(options.photo, kept_pixels=MAX_PIXELS)
    height, width = pixels.shape[:2]
    if options.first:
        for x, y in (options.first, options.second):
            if not (0 <= x < width and 0 <= y < height):
                raise DermascopeError(
                    f"the point {x} {y} is not in the picture, {width} x {height}"
                )
        apart = math.dist(options.first, options.second)
        if apart < 10.0:
            raise DermascopeError("the two points are too close; choose them as far as you can")
    else:
        try:
            apart = find_ticks(crop(pixels, find_field(pixels))).spacing
        except ImageError as error:
            raise ImageError(f"{printable_path(options.photo)}: {error}") from None
    scale = options.length / apart
    optics = Optics(mm_per_pixel=scale, width=width, height=height, calibrated=clock.now())
    saved = save_optics(state_folder(), optics)
    field = find_field(pixels)
    print(f"{scale:.5f} mm per pixel; the field of view is {field.side * scale:.1f} mm wide.")
    print(
        f"Saved in {printable_path(saved)} for frames of {width} x {height} and of the same shape."
    )
    return ExitStatus.OK
