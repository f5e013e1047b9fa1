"""``dermascope export``."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from device.commands.kept import Kept, kept_examinations
from device.commands.options import Add, option_path
from device.config import load_config
from device.diagnoses import CODES
from device.language import Language
from device.platform.clock import Clock
from device.text import printable_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from device.config import Config
    from device.interop.study import ExaminedLesion

Write = Callable[[Kept, Path], int]
"""Writes the kept examinations to where the options say, and returns how many there were."""


def add_export(add: Add) -> None:
    """Add it to the command line."""
    parser = add(
        "export",
        export_dicom,  # each kind names its own
        "Write the kept examinations as files for other systems.",
        "No name of a file tells of whom it is.",
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    for name, command, where, text in (
        ("dicom", export_dicom, "FOLDER", "DICOM pictures and reports with their index (DICOMDIR)"),
        ("pdf", export_pdf, "FOLDER", "a page about each examination, to refer a patient with"),
        ("csv", export_csv, "FILE", "a table for spreadsheets, a row for each examination"),
        ("json", export_json, "FILE", "JSON Lines, an object for each examination"),
        ("training", export_training, "FOLDER",
         "the pictures that have a clinician's diagnosis, without any patient's identity, as "
         "dermascope-build --clinic reads them"),
    ):  # fmt: skip
        kind = kinds.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        kind.add_argument("where", type=option_path, metavar=where)
        kind.set_defaults(command=command)
        if command is export_pdf:
            kind.add_argument(
                "--language", choices=list(Language), help="default: the `language` setting"
            )
            kind.add_argument(
                "--paper", choices=("a4", "letter"), default="a4", help="default: %(default)s"
            )


def export_dicom(options: argparse.Namespace, clock: Clock) -> int:
    """Write every examination as DICOM."""
    from device.interop.dicom_folder import export_dicom

    return _export(options, clock, "dicom", export_dicom)


def export_csv(options: argparse.Namespace, clock: Clock) -> int:
    """Write a table of the examinations."""
    from device.interop.tables import export_csv

    return _export(options, clock, "csv", export_csv)


def export_json(options: argparse.Namespace, clock: Clock) -> int:
    """Write the examinations as JSON Lines."""
    from device.interop.tables import export_json

    return _export(options, clock, "json", export_json)


def export_training(options: argparse.Namespace, clock: Clock) -> int:
    """Write the pictures that have a diagnosis."""
    from device.interop.training_pictures import export_training

    return _export(options, clock, "training", export_training)


def export_pdf(options: argparse.Namespace, clock: Clock) -> int:
    """Write a page about every examination."""
    from device.interop.page_folder import export_pages
    from device.interop.sheet import Paper

    config = load_config(options.config)
    language, paper = Language(options.language or config.language), Paper(options.paper)
    draw = overlays(config)
    return _export(
        options,
        clock,
        "pdf",
        lambda kept, folder: export_pages(kept, folder, language, paper, draw),
    )


def _export(options: argparse.Namespace, clock: Clock, kind: str, write: Write) -> int:
    with kept_examinations(load_config(options.config), clock, kind) as kept:
        count = write(kept, options.where)
    print(f"{printable_path(options.where)}: examinations written: {count}.")
    return kept.status


def overlays(config: "Config") -> Callable[["ExaminedLesion"], "NDArray[np.uint8] | None"]:
    """Return what draws where a picture points to its likeliest malignant diagnosis."""
    from device.frame import frame_now
    from device.imaging.overlay import blend_overlay
    from device.imaging.preprocessing import model_region
    from device.inference.analyzer import Analyzer, likeliest_malignant
    from device.inference.finding import from_record
    from device.models.chosen import open_bundle

    analyzer = Analyzer(open_bundle(config), config.threads)
    geometry = analyzer.manifest.network_for(as_captured=True).input.geometry

    def draw(one: "ExaminedLesion") -> "NDArray[np.uint8] | None":
        field, finding = one.examination.record.field_of_view, one.finding
        if finding is None or field is None:
            return None
        manifest = analyzer.manifest
        if (finding.model, finding.case_mix) != (manifest.model_id, manifest.case_mix):
            # What this model sees explains nothing of what another one said.
            return None
        code = likeliest_malignant(tuple(finding.probabilities[c] for c in CODES))
        if not from_record(finding, field).explainable(code):
            return None
        frame = frame_now(one.examination.image, 0, "archive")
        saliency = analyzer.explain(frame, code, as_captured=True)
        pixels = one.examination.image.copy()
        part = model_region(pixels, geometry, field)
        part[:] = blend_overlay(part, saliency.values)
        return pixels

    return draw
