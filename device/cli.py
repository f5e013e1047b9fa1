"""``dermascope``: what a person can ask of the instrument.

Whatever goes wrong is reported in one line; the exit status tells its kind
(`device.exit_status`).
"""

import argparse
import contextlib
import errno
import io
import logging
import math
import os
import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device import __version__
from device.commands.records import add_records
from device.config import (
    CONFIG_VARIABLE,
    DEFAULT_MODEL,
    SYSTEM_CONFIG,
    Config,
    load_config,
    model_folder,
    records_folder,
    records_key_file,
)
from device.errors import (
    BundleError,
    ConfigError,
    DermascopeError,
    ImageError,
    RecordError,
    RecordsInUseError,
    ScreenError,
    SourceError,
)
from device.exit_status import ExitStatus
from device.faults import Fault
from device.language import translatable
from device.platform.clock import Clock
from device.platform.logs import log_expected, start_logging
from device.text import printable, printable_path

if TYPE_CHECKING:
    from device.inference.analyzer import Analyzer
    from device.models.bundle import Bundle
    from device.optics import Optics
    from device.platform.patience import Patience
    from device.platform.signals import Ending
    from device.records.encrypted_archive import EncryptedArchive

_log = logging.getLogger(__name__)

CLOCK_NOT_SET: Final = translatable("The clock is not set: the times of examinations are wrong.")
SET_THE_CLOCK: Final = translatable("Have it set.")

LATE_SECONDS: Final = 60.0
"""How long a service waits for its screen and its files. With what the rest of the start takes it
is less than systemd waits (TimeoutStartSec)."""

RECORDS_SECONDS: Final = 10.0
"""How long for the folder of the examinations, without which it works too."""

DEBUG_VARIABLE: Final = "DERMASCOPE_DEBUG"
_HELP_WIDTH: Final = 79
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
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


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    # A file's name may hold bytes that are no text; it is still to be named.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    clock = Clock()
    start_logging(clock)
    try:
        status = int(options.command(options, clock))
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except (ConfigError, BundleError) as error:
        status = ExitStatus.CANNOT_START if options.command is _run else ExitStatus.BAD_INPUT
        return _fail_with(str(error), status)
    except SourceError as error:
        # The journal keeps what a service says: not the name of a replayed file.
        return _fail_with(error.fault.text if _in_a_service(options) else str(error))
    except DermascopeError as error:
        return _fail_with(str(error))
    except BrokenPipeError:
        # Whoever read our output has gone.
        _give_up_output()
        return ExitStatus.OK
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            _give_up_output()
            return _fail_with(
                f"the output cannot be written ({error.strerror}); free space on the disk, or "
                "write to another"
            )
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exc()
        words = "" if _in_a_service(options) else f": {error}"
        return _fail_with(
            f"internal error ({type(error).__name__}{words}); please report it, with what "
            f"{DEBUG_VARIABLE}=1 shows",
            ExitStatus.INTERNAL_ERROR,
        )


def _give_up_output() -> None:
    """Keep Python from trying to write at exit what could not be written before."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _path(text: str) -> Path:
    """Return an option's path.

    Raises
    ------
    argparse.ArgumentTypeError
        If no file can have this name.
    """
    if "\0" in text:
        raise argparse.ArgumentTypeError("holds a null character, as no file's name does")
    return Path(text)


def _in_a_service(options: argparse.Namespace) -> bool:
    return options.command is _run and "JOURNAL_STREAM" in os.environ


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dermascope",
        description="Classify skin lesions in dermoscopic images.\n"
        "Decision support: the diagnosis is the clinician's.",
        epilog=_exit_statuses(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dermascope {__version__}")
    parser.add_argument(
        "--config",
        type=_path,
        metavar="FILE",
        help=f"TOML settings file; goes before COMMAND (default: ${CONFIG_VARIABLE}, else "
        f"{SYSTEM_CONFIG} if it exists, else built-in defaults)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace, Clock], int], text: str, more: str = ""
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=f"{text} {more}".strip())
        sub.set_defaults(command=command)
        return sub

    def add_model(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--model",
            type=_path,
            metavar="DIR",
            help="folder of the model bundle to use (default: the `model` setting, else the "
            f"shipped {DEFAULT_MODEL})",
        )

    run = add("run", _run, "Show the live view on the screen.")
    run.formatter_class = argparse.RawDescriptionHelpFormatter
    run.epilog = _SOURCES
    run.add_argument(
        "--source",
        metavar="SOURCE",
        help="where frames come from, see below (default: the `source` setting, else demo)",
    )
    run.add_argument(
        "--appliance",
        action="store_true",
        help="for use under systemd: replace Quit with Off, which offers Restart and Switch off; "
        "the program then exits with 80 or 81 for the service to act on",
    )
    add_model(run)
    analyze = add("analyze", _analyze, "Analyze image files and print the findings.")
    analyze.add_argument(
        "photos",
        nargs="+",
        metavar="IMAGE",
        help="dermoscopic image file (taken through a dermatoscope); several may be given",
    )
    analyze.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object per line (JSON Lines; see `dermascope schema`)",
    )
    analyze.add_argument(
        "--overlay",
        type=_path,
        metavar="OUT",
        help="write the saliency overlay of the likeliest malignant diagnosis to OUT (such as "
        "overlay.png); with several images, or if OUT is a folder, to OUT/NAME-overlay.png for "
        "each",
    )
    add_model(analyze)
    demo = add(
        "demo",
        _demo,
        "Run the live view on drawn lesions; without a display, write screenshots instead.",
    )
    demo.add_argument(
        "--out",
        type=_path,
        metavar="DIR",
        default=Path("demo"),
        help="folder for the screenshots, used only without a display (default: %(default)s)",
    )
    add_model(demo)
    add_model(
        add(
            "model",
            _model,
            "Verify a bundle's signature and print its figures, networks and licence.",
        )
    )
    calibrate = add(
        "calibrate",
        _calibrate,
        "Calibrate the length scale (mm per pixel) from a photo of a ruler.",
        "The result is saved as optics.json in the state folder: that of the systemd service if it "
        "starts the command ($STATE_DIRECTORY), else the user's own (usually "
        "~/.local/state/dermascope).",
    )
    calibrate.add_argument(
        "photo",
        metavar="IMAGE",
        help="photo of a ruler on the contact plate, taken with the instrument",
    )
    calibrate.add_argument(
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
        calibrate.add_argument(end, dest=name, type=int, nargs=2, metavar=("X", "Y"), help=text)
    add_records(commands, _path)
    add("schema", _schema, "Print the JSON Schema of one line of `analyze --json` output.")
    return parser


def _exit_statuses() -> str:
    lines = [
        textwrap.fill(
            status.meaning,
            width=_HELP_WIDTH,
            initial_indent=f"  {status.value:<5}",
            subsequent_indent=" " * 7,
        )
        for status in ExitStatus
    ]
    return "\n".join(("exit statuses:", *lines))


def _fail_with(message: str, status: ExitStatus = ExitStatus.BAD_INPUT) -> int:
    _print_error(message)
    return status


def _print_error(message: str) -> None:
    if sys.stderr is not None:
        print(f"dermascope: {printable(message)}", file=sys.stderr)


def _open_bundle(options: argparse.Namespace, config: Config) -> "Bundle":
    from device.models.bundle import load_bundle

    bundle = load_bundle(options.model or model_folder(config), config.trusted_keys)
    return bundle.with_case_mix(config.case_mix) if config.case_mix else bundle


def _open_analyzer(options: argparse.Namespace) -> "Analyzer":
    from device.inference.analyzer import Analyzer

    config = load_config(options.config)
    return Analyzer(_open_bundle(options, config), config.threads)


def _run(options: argparse.Namespace, clock: Clock) -> int:
    from device.platform.signals import told_to_end

    with told_to_end(clock) as ending:
        try:
            return _show(options, clock, ending)
        except DermascopeError:
            if ending.asked.is_set():
                return ExitStatus.OK
            raise


def _show(options: argparse.Namespace, clock: Clock, ending: "Ending") -> int:
    from contextlib import ExitStack

    from device.app import App
    from device.capture.sources import open_source
    from device.frame import SourceKind
    from device.inference.analyzer import Analyzer
    from device.paths import state_folder
    from device.platform.gpio_button import GpioButton
    from device.platform.patience import Patience
    from device.platform.snapshot_button import SnapshotButton
    from device.platform.systemd import Notifier
    from device.preferences import Preferences, load_preferences
    from device.records.encrypted_archive import throwaway_archive
    from device.screen.display import close_screen, open_screen
    from device.screen.input_mapper import press_shutter
    from device.screen.panel import upright_size
    from device.screen.renderer import Renderer
    from device.screen.state import Command

    config = load_config(options.config)
    notifier = Notifier()
    notices: list[Fault] = []

    def patience(seconds: float) -> Patience:
        def waiting(error: Exception) -> None:
            if isinstance(error, DermascopeError):
                log_expected(_log, error)
                notifier.status(f"Waiting: {error.fault.text}")

        return Patience(clock, seconds if options.appliance else 0.0, ending.asked, waiting)

    late = patience(LATE_SECONDS)
    # One that is there and does not hold will not become better by waiting.
    missing = () if (options.model or model_folder(config)).is_dir() else (BundleError,)
    bundle = late.until_it_works(lambda: _open_bundle(options, config), *missing)
    analyzer = Analyzer(bundle, config.threads, clock)
    folder = state_folder()
    with ExitStack() as opened:
        source = opened.enter_context(
            late.until_it_works(
                lambda: open_source(options.source or config.source, clock, config.camera_size),
                SourceError,
            )
        )
        screen = late.until_it_works(
            lambda: open_screen((config.width, config.height), config.fullscreen), ScreenError
        )
        opened.callback(close_screen)
        if source.kind is SourceKind.CAMERA:
            archive = _open_archive(config, clock, patience(RECORDS_SECONDS), notices)
            opened.callback(archive.close)
        else:
            archive = opened.enter_context(throwaway_archive())
        ending.if_it_hangs.callback(archive.close)
        app = App(
            source,
            analyzer,
            Renderer(upright_size(screen.get_size(), config.rotation), bundle.manifest),
            signed_by=bundle.signed_by,
            clock=clock,
            preferences=load_preferences(
                folder, Preferences(language=config.language, theme=config.theme)
            ),
            preferences_folder=folder,
            pedal_key=config.pedal_key,
            archive=archive,
            optics=_calibration(folder, notices),
            notifier=notifier,
            appliance=options.appliance,
            rotation=config.rotation,
            notices=notices,
            ending=ending,
        )
        ending.if_it_hangs.callback(app.close)
        if config.shutter_pin is not None:
            opened.enter_context(GpioButton(config.shutter_pin, press_shutter, clock))
        opened.enter_context(SnapshotButton(press_shutter))
        _log.info("started: model %s, source %s", bundle.manifest.model_id, source.kind)
        command = app.run(screen)
        _log.info("ended: %s", command)
    return {
        Command.RESTART: ExitStatus.RESTART,
        Command.POWER_OFF: ExitStatus.POWER_OFF,
    }.get(command, ExitStatus.OK)


def _open_archive(
    config: Config, clock: Clock, patience: "Patience", notices: list[Fault]
) -> "EncryptedArchive":
    """Return the clinic's archive, and tell what keeps it from being written or ordered by time."""
    from device.platform.clock import clock_is_set
    from device.records.encrypted_archive import EncryptedArchive

    archive = EncryptedArchive(
        records_folder(config),
        clock,
        create=not config.records_folder,
        share=config.records_share / 100,
        key_file=records_key_file(config),
    )
    try:
        patience.until_it_works(archive.open, RecordError)
    except RecordsInUseError:
        raise
    except RecordError as error:
        log_expected(_log, error)
        notices.append(error.fault)
    now, last = clock.now(), archive.last_taken
    if not clock_is_set(now) or (last is not None and now < last):
        _log.warning("the clock is not set")
        notices.append(Fault(CLOCK_NOT_SET, SET_THE_CLOCK))
    return archive


def _calibration(folder: Path, notices: list[Fault]) -> "Optics | None":
    from device.optics import load_optics

    try:
        return load_optics(folder)
    except ConfigError as error:
        # Lengths in millimetres are missed; an instrument that does not start is missed more.
        log_expected(_log, error)
        notices.append(error.fault)
        return None


def _analyze(options: argparse.Namespace, clock: Clock) -> int:
    from device.console import print_finding, write_overlay
    from device.frame import frame_now
    from device.imaging.image_file import read_image
    from device.inference.analyzer import likeliest_malignant
    from device.inference.finding import to_record

    analyzer = _open_analyzer(options)
    geometry = analyzer.manifest.network_for(as_captured=True).input.geometry
    diagnoses = {c.code: c.names["en"] for c in analyzer.manifest.classes}
    photos: list[str] = options.photos
    overlays = _overlay_paths(options.overlay, photos) if options.overlay else []
    status = ExitStatus.OK
    for number, photo in enumerate(photos):
        try:
            frame = frame_now(read_image(photo), number, "file")
            finding = analyzer.analyze(frame, as_captured=analyzer.manifest.captured is not None)
            if overlays:
                code = likeliest_malignant(finding.probabilities)
                saliency = analyzer.explain(frame, code, as_captured=True)
                write_overlay(overlays[number], frame, finding.field, saliency, geometry)
                if not saliency.values.any():
                    nothing = f"nothing in it points to {diagnoses[saliency.code]}"
                    _print_error(f"{printable_path(photo)}: {nothing}")
        except ImageError as error:
            status = ExitStatus(_fail_with(str(error)))
            continue
        name = os.fsencode(photo).decode("utf-8", "replace")
        record = to_record(finding, name, analyzer.reached_operating_points(finding))
        if options.json:
            import msgspec

            print(msgspec.json.encode(record).decode(), flush=True)
        else:
            print_finding(record, analyzer.manifest)
    return status


def _overlay_paths(out: Path, photos: list[str]) -> list[Path]:
    """Return where each photo's overlay goes; names that two photos share get numbers."""
    paths = [out]
    if len(photos) > 1 or out.is_dir():
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"cannot be made a folder ({error.strerror})"
            raise DermascopeError(f"{printable_path(out)}: {reason}") from None
        paths, used = [], set()
        for photo in photos:
            stem = name = Path(photo).stem
            number = 2
            while name in used:
                name = f"{stem}-{number}"
                number += 1
            used.add(name)
            paths.append(out / f"{name}-overlay.png")
    for path in paths:
        if any(_same_file(path, photo) for photo in photos):
            raise DermascopeError(
                f"{printable_path(path)}: is one of the images; name another file"
            )
    return paths


def _same_file(path: Path, photo: str) -> bool:
    """Tell whether two names are of one file, by whatever links."""
    try:
        return path.samefile(photo)
    except (OSError, ValueError):  # one of them is not there
        return False


def _demo(options: argparse.Namespace, clock: Clock) -> int:
    from device.screen.display import INVISIBLE

    options.source, options.appliance = "demo", False
    if os.environ.get("SDL_VIDEODRIVER") not in INVISIBLE:
        # Only trying tells: a DISPLAY may be stale, a graphics card have no monitor.
        with contextlib.suppress(ScreenError):
            return _run(options, clock)
    from device.demo_screenshots import write_demo_screenshots

    print(f"No display here: writing screenshots to {options.out}/ instead.")
    write_demo_screenshots(options.out, _open_analyzer(options))
    return ExitStatus.OK


def _model(options: argparse.Namespace, clock: Clock) -> int:
    from device.console import print_model

    print_model(_open_bundle(options, load_config(options.config)))
    return ExitStatus.OK


def _calibrate(options: argparse.Namespace, clock: Clock) -> int:
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
    path = save_optics(state_folder(), optics)
    field = find_field(pixels)
    print(f"{scale:.5f} mm per pixel; the field of view is {field.side * scale:.1f} mm wide.")
    print(
        f"Saved in {printable_path(path)} for frames of {width} x {height} and of the same shape."
    )
    return ExitStatus.OK


def _schema(options: argparse.Namespace, clock: Clock) -> int:
    import msgspec

    from device.inference.finding import FindingRecord

    schema = msgspec.json.schema(FindingRecord)
    print(msgspec.json.format(msgspec.json.encode(schema)).decode())
    return ExitStatus.OK


if __name__ == "__main__":
    sys.exit(main())
