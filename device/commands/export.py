"""``dermascope export``."""

import argparse

from device.commands.kept import Kept
from device.commands.options import Add, option_path
from device.config import load_config
from device.platform.clock import Clock
from device.text import printable_path


def add_export(add: Add) -> None:
    """Add it to the command line."""
    parser = add(
        "export",
        export_dicom,
        "Write the kept examinations as files for other systems.",
        "No name of a file tells of whom it is.",
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    dicom = kinds.add_parser("dicom", help="DICOM pictures and reports, in a folder for each visit")
    dicom.add_argument("folder", type=option_path, metavar="FOLDER", help="such as a USB stick")
    dicom.set_defaults(command=export_dicom)


def export_dicom(options: argparse.Namespace, clock: Clock) -> int:
    """Write every examination as DICOM."""
    from device.interop.dicom_folder import export_dicom

    kept = Kept(load_config(options.config))
    count = export_dicom(kept, options.folder)
    print(f"{printable_path(options.folder)}: examinations written: {count}.")
    return kept.status
