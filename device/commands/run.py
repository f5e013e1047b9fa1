"""``dermascope run``."""

import argparse
from typing import Final

from device.commands.options import Add, add_model
from device.config import load_config
from device.errors import DermascopeError
from device.exit_status import ExitStatus
from device.platform.clock import Clock

_SOURCES: Final = """\
sources:
  demo                      lesions drawn by the program
  usb                       the first USB camera
  usb:/dev/videoN           the USB camera at that device
  usb:/dev/v4l/by-id/NAME   that USB camera, whatever its number
  picamera                  the Raspberry Pi camera on the ribbon cable
  mjpeg:URL                 a network camera's Motion JPEG stream over HTTP
  replay:PATH               an image, a folder of images or a video, over and over
  picamera-fake             a stand-in for picamera that needs no camera
  picamera-fake:faults      the same, which stalls and is unplugged now and then
"""


def add_run(add: Add) -> None:
    """Add it to the command line."""
    parser = add("run", run, "Show the live view on the screen.")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _SOURCES
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="where frames come from, see below (default: the `source` setting, else demo)",
    )
    parser.add_argument(
        "--appliance",
        action="store_true",
        help="for use under systemd: replace Quit with Off, which offers Restart and Switch off; "
        "the program then exits with 80 or 81 for the service to act on",
    )
    add_model(parser)


def run(options: argparse.Namespace, clock: Clock) -> int:
    """Run the instrument until it is ended."""
    from device.platform.signals import told_to_end

    with told_to_end(clock) as ending:
        try:
            from device.instrument import run_instrument

            return run_instrument(
                load_config(options.config),
                clock,
                ending,
                model=options.model,
                source=options.source,
                appliance=options.appliance,
            )
        except DermascopeError:
            if ending.asked.is_set():
                return ExitStatus.OK
            raise
