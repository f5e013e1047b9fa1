"""``dermascope analyze``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from device.commands.options import Add, add_model, open_analyzer, option_path
from device.commands.standard_error import print_error
from device.commands.standard_output import print_json
from device.errors import DermascopeError, ImageError
from device.exit_status import ExitStatus
from device.platform.clock import Clock
from device.text import name_of, printable_path

if TYPE_CHECKING:
    from device.inference.finding import Finding, SaliencyMap


def add_analyze(add: Add) -> None:
    """Add it to the command line."""
    parser = add("analyze", analyze, "Analyze image files and print the findings.")
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="IMAGE",
        help="dermoscopic image file (taken through a dermatoscope); several may be given",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object per line (JSON Lines; see `dermascope schema`)",
    )
    parser.add_argument(
        "--overlay",
        type=option_path,
        metavar="OUT",
        help="write the saliency overlay of the likeliest malignant diagnosis to OUT (such as "
        "overlay.png); with several images, or if OUT is a folder, to OUT/NAME-overlay.png for "
        "each",
    )
    add_model(parser)


def analyze(options: argparse.Namespace, clock: Clock) -> int:
    """Analyze the images one after another; go on past those that cannot be read."""
    from device.console import print_finding, write_overlay
    from device.frame import frame_now
    from device.imaging.image_file import read_image
    from device.inference.analyzer import likeliest_malignant
    from device.inference.finding import to_record

    analyzer = open_analyzer(options)
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
                saliency = None
                if finding.explainable(code):
                    saliency = analyzer.explain(frame, code, as_captured=True)
                write_overlay(overlays[number], frame, finding.field, saliency, geometry)
                if saliency is None or not saliency.values.any():
                    why = _no_map(finding, saliency, diagnoses[code])
                    print_error(f"{printable_path(photo)}: {why}")
        except ImageError as error:
            print_error(str(error))
            status = ExitStatus.BAD_INPUT
            continue
        record = to_record(finding, name_of(photo), analyzer.reached_operating_points(finding))
        if options.json:
            import msgspec

            print_json(msgspec.json.encode(record))
        else:
            print_finding(record, analyzer.manifest)
    return status


def _no_map(finding: "Finding", saliency: "SaliencyMap | None", diagnosis: str) -> str:
    """Return why an overlay shows nothing."""
    if finding.no_call is not None:
        return "no map is drawn, for no call is made"
    if saliency is None:
        return f"no map is drawn, for {diagnosis} is too unlikely"
    return f"nothing in it points to {diagnosis}"


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
