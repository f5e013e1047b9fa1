"""``dermascope``: what a person can ask of the instrument."""

import argparse
import io
import math
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device import __version__
from device.config import Config, load_config, model_folder
from device.errors import DermascopeError, ImageError
from device.text import printable, printable_path

if TYPE_CHECKING:
    from device.inference.analyzer import Analyzer
    from device.models.bundle import Bundle

OK: Final = 0
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130

DEBUG_VARIABLE: Final = "DERMASCOPE_DEBUG"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, or 2 for anything the user can mend."""
    # A file's name may hold bytes that are no text; it is still to be named.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options, load_config(options.config)))
    except DermascopeError as error:
        return _complain(str(error))
    except BrokenPipeError:
        # Whoever read our output has gone; Python must not try to flush it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exc()
        return _complain(
            f"internal error ({type(error).__name__}: {error}); please report it, with what "
            f"{DEBUG_VARIABLE}=1 shows"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dermascope",
        description="Dermoscopic images to findings. Decision support; the diagnosis is the "
        "clinician's.",
    )
    parser.add_argument("--version", action="version", version=f"dermascope {__version__}")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace, Config], int], text: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    def add_model(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--model", type=Path, metavar="DIR", help="another model bundle")

    run = add("run", _run, "Live view on the screen.")
    run.add_argument(
        "--source",
        metavar="SOURCE",
        help="demo, replay:PATH, replay:http://..., picamera, picamera-standin, usb or "
        "usb:/dev/videoN",
    )
    run.add_argument(
        "--appliance",
        action="store_true",
        help="as a service: offer to restart and to switch off (exit status 80, 81), not to quit",
    )
    add_model(run)
    analyze = add("analyze", _analyze, "Findings for image files.")
    analyze.add_argument("photos", nargs="+", metavar="PHOTO")
    analyze.add_argument(
        "--json", action="store_true", help="one JSON object a line (see: dermascope schema)"
    )
    analyze.add_argument(
        "--overlay",
        type=Path,
        metavar="OUT",
        help="write the saliency overlay to OUT (.png); with several photos OUT is a folder",
    )
    add_model(analyze)
    demo = add("demo", _demo, "The demonstration: a window, or pictures where there is no screen.")
    demo.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("demo"), help="for pictures (default: demo)"
    )
    add_model(demo)
    add_model(add("model", _model, "Verify a model bundle and say what it is."))
    calibrate = add("calibrate", _calibrate, "Learn the size of a pixel from a ruler.")
    calibrate.add_argument(
        "photo", metavar="PHOTO", help="of a ruler on the plate, as the instrument takes it"
    )
    calibrate.add_argument(
        "--length",
        type=float,
        metavar="MM",
        default=1.0,
        help="from one tick to the next, or from --from to --to (default: 1)",
    )
    for end, name in (("--from", "first"), ("--to", "second")):
        calibrate.add_argument(
            end, dest=name, type=int, nargs=2, metavar=("X", "Y"), help="a point on the ruler"
        )
    add("schema", _schema, "Print the JSON Schema of analyze --json.")
    return parser


def _complain(message: str) -> int:
    _tell(message)
    return BAD_INPUT


def _tell(message: str) -> None:
    if sys.stderr is not None:
        print(f"dermascope: {printable(message)}", file=sys.stderr)


def _open_bundle(options: argparse.Namespace, config: Config) -> "Bundle":
    from device.models.bundle import load_bundle

    return load_bundle(options.model or model_folder(config), config.trusted_keys)


def _open_analyzer(options: argparse.Namespace, config: Config) -> "Analyzer":
    from device.inference.analyzer import Analyzer

    return Analyzer(_open_bundle(options, config), config.threads)


def _run(options: argparse.Namespace, config: Config) -> int:
    from contextlib import ExitStack

    from device.app import App
    from device.capture.sources import open_source
    from device.config import records_folder
    from device.inference.analyzer import Analyzer
    from device.optics import load_optics
    from device.platform.durable_files import state_folder
    from device.platform.gpio_button import GpioButton
    from device.platform.systemd import RESTART, SWITCH_OFF, Heartbeat, Notifier
    from device.preferences import Preferences, load_preferences
    from device.records.folder import FolderArchive
    from device.screen.display import close_screen, open_screen
    from device.screen.renderer import Renderer

    bundle = _open_bundle(options, config)
    analyzer = Analyzer(bundle, config.threads)
    folder = state_folder()
    with ExitStack() as opened:
        source = opened.enter_context(open_source(options.source or config.source))
        screen = open_screen((config.width, config.height), config.fullscreen)
        opened.callback(close_screen)
        app = App(
            source,
            analyzer,
            Renderer(screen.get_size(), bundle.manifest),
            signed_by=bundle.signed_by,
            preferences=load_preferences(folder, Preferences(language=config.language)),
            state_folder=folder,
            pedal_key=config.pedal_key,
            records=FolderArchive(records_folder(config)),
            optics=load_optics(folder),
            heartbeat=Heartbeat(Notifier()),
            appliance=options.appliance,
        )
        if config.shutter_pin is not None:
            opened.enter_context(GpioButton(config.shutter_pin, app.press_shutter))
        ending = app.run(screen)
    return {"quit": OK, "restart": RESTART, "off": SWITCH_OFF}[ending]


def _analyze(options: argparse.Namespace, config: Config) -> int:
    from device.console import print_finding, write_overlay
    from device.frame import frame_now
    from device.imaging.image_file import read_image
    from device.inference.analyzer import likeliest_malignant
    from device.inference.finding import to_record

    analyzer = _open_analyzer(options, config)
    photos: list[str] = options.photos
    overlays = _overlay_paths(options.overlay, photos) if options.overlay else []
    status = OK
    for number, photo in enumerate(photos):
        try:
            frame = frame_now(read_image(photo), number, "file")
            finding = analyzer.analyze(frame)
            if overlays:
                code = likeliest_malignant(finding.probabilities)
                saliency = analyzer.explain(frame, code, frozen=True)
                write_overlay(overlays[number], frame, finding.field, saliency, analyzer.manifest)
                if not saliency.values.any():
                    _tell(f"{printable_path(photo)}: nothing in it speaks for {saliency.code}")
        except ImageError as error:
            status = _complain(str(error))
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
    """Return where each photo's overlay goes; names that two photos share are told apart."""
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
    originals = {Path(photo).resolve() for photo in photos}
    for path in paths:
        if path.resolve() in originals:
            raise DermascopeError(
                f"{printable_path(path)}: is one of the photos; name another file"
            )
    return paths


def _demo(options: argparse.Namespace, config: Config) -> int:
    from device.screen.display import has_screen

    if has_screen():
        options.source, options.appliance = "demo", False
        return _run(options, config)
    from device.demo_screenshots import draw_demonstration

    print(f"No screen here: writing pictures to {options.out}/ instead.")
    draw_demonstration(options.out, _open_analyzer(options, config))
    return OK


def _model(options: argparse.Namespace, config: Config) -> int:
    from device.console import print_model

    print_model(_open_bundle(options, config))
    return OK


def _calibrate(options: argparse.Namespace, config: Config) -> int:
    from datetime import UTC, datetime

    from device.imaging.field_of_view import crop, find_field
    from device.imaging.image_file import read_image
    from device.imaging.ruler import find_ticks
    from device.optics import Optics, save_optics
    from device.platform.durable_files import state_folder

    if not 0.0 < options.length < 1000.0:
        raise DermascopeError("--length: give a length in millimetres, above 0 and below 1000")
    if (options.first is None) != (options.second is None):
        raise DermascopeError("--from and --to: give both points of the ruler, or neither")
    pixels = read_image(options.photo)
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
    optics = Optics(mm_per_pixel=scale, width=width, height=height, calibrated=datetime.now(UTC))
    path = save_optics(state_folder(), optics)
    field = find_field(pixels)
    print(f"{scale:.5f} mm per pixel; the field of view is {field.side * scale:.1f} mm wide.")
    print(f"Kept in {printable_path(path)} for frames of {width} x {height} and of the same shape.")
    return OK


def _schema(options: argparse.Namespace, config: Config) -> int:
    import msgspec

    from device.inference.finding import FindingRecord

    schema = msgspec.json.schema(FindingRecord)
    print(msgspec.json.format(msgspec.json.encode(schema)).decode())
    return OK


if __name__ == "__main__":
    sys.exit(main())
