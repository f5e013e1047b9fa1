"""``dermascope export``: examinations as files for other systems."""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from device.config import Config, load_config, model_folder, records_folder
from device.errors import RecordError
from device.exit_status import ExitStatus
from device.platform.clock import Clock
from device.text import printable_path

if TYPE_CHECKING:
    from device.interop.study import ExaminedLesion

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_export(commands: "Commands", path: Callable[[str], Path]) -> None:
    """Add the command ``export`` to those of the command line.

    Parameters
    ----------
    commands
        Of the program's parser.
    path
        Reads an option's path.
    """
    export = commands.add_parser(
        "export",
        help="Write the kept examinations as files for other systems.",
        description="Write the kept examinations as files for other systems. No name of a file "
        "tells of whom it is.",
    )
    kinds = export.add_subparsers(required=True, metavar="KIND")
    dicom = kinds.add_parser("dicom", help="DICOM pictures and reports, in a folder for each visit")
    dicom.add_argument("folder", type=path, metavar="FOLDER", help="such as a USB stick")
    dicom.set_defaults(command=_export_dicom)


def _export_dicom(options: argparse.Namespace, clock: Clock) -> int:
    from device.interop.dicom_folder import export_dicom

    kept = Kept(load_config(options.config))
    count = export_dicom(kept, options.folder)
    return kept.told(f"{printable_path(options.folder)}: examinations written: {count}")


class Kept:
    """The kept examinations, and how many could not be read."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._damaged = 0

    def __iter__(self) -> Iterator["ExaminedLesion"]:
        from device.interop.equipment import equipment_of
        from device.interop.gather import gather
        from device.models.bundle import load_bundle
        from device.optics import load_optics
        from device.paths import state_folder
        from device.records.folder_archive import FolderArchive

        config = self._config
        manifest = load_bundle(model_folder(config), config.trusted_keys).manifest
        return gather(
            FolderArchive(records_folder(config), create=False),
            None,
            manifest.classes,
            equipment_of(config.exchange),
            load_optics(state_folder()),
            self._pass_over,
        )

    def told(self, done: str) -> int:
        """Print what was done, and return the exit status."""
        print(f"{done}.")
        return ExitStatus.BAD_INPUT if self._damaged else ExitStatus.OK

    def _pass_over(self, error: RecordError) -> None:
        self._damaged += 1
        print(f"dermascope: {error}", file=sys.stderr)
