"""``dermascope demo``."""

import argparse
import contextlib
import os
from pathlib import Path

from device.commands.options import Add, add_model, open_analyzer, option_path
from device.commands.run import run
from device.errors import ScreenError
from device.exit_status import ExitStatus
from device.platform.clock import Clock


def add_demo(add: Add) -> None:
    """Add it to the command line."""
    parser = add(
        "demo",
        demo,
        "Run the live view on drawn lesions; without a display, write screenshots instead.",
    )
    parser.add_argument(
        "--out",
        type=option_path,
        metavar="DIR",
        default=Path("demo"),
        help="folder for the screenshots, used only without a display (default: %(default)s)",
    )
    add_model(parser)


def demo(options: argparse.Namespace, clock: Clock) -> int:
    """Run the live view, or write what it would show."""
    from device.platform.sdl_drivers import INVISIBLE

    options.source, options.appliance = "demo", False
    if os.environ.get("SDL_VIDEODRIVER") not in INVISIBLE:
        # Only trying tells: a DISPLAY may be stale, a graphics card have no monitor.
        with contextlib.suppress(ScreenError):
            return run(options, clock)
    from device.demo_screenshots import write_demo_screenshots

    print(f"No display here: writing screenshots to {options.out}/ instead.")
    write_demo_screenshots(options.out, open_analyzer(options))
    return ExitStatus.OK
