"""``dermascope export``, ``send`` and ``worklist``: to other systems, and from them."""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from device.config import Config, load_config, model_folder, records_folder
from device.errors import ConfigError, RecordError
from device.exit_status import ExitStatus
from device.platform.clock import Clock
from device.text import printable, printable_path

if TYPE_CHECKING:
    from device.interop.gather import Source
    from device.interop.study import ExaminedLesion

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_exchange(commands: "Commands", path: Callable[[str], Path]) -> None:
    """Add these commands to those of the command line.

    Parameters
    ----------
    commands
        Of the program's parser.
    path
        Reads an option's path.
    """
    text = "Write the kept examinations as files for other systems."
    export = commands.add_parser(
        "export", help=text, description=f"{text} No name of a file tells of whom it is."
    )
    kinds = export.add_subparsers(required=True, metavar="KIND")
    dicom = kinds.add_parser("dicom", help="DICOM pictures and reports, in a folder for each visit")
    dicom.add_argument("folder", type=path, metavar="FOLDER", help="such as a USB stick")
    dicom.set_defaults(command=_export_dicom)
    for name, command, text in (
        (
            "send",
            _send,
            "Send what is kept to the targets in the settings, as far as they lack it.",
        ),
        ("worklist", _worklist, "Ask the clinic's worklist who is to be examined today."),
    ):
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)


def _export_dicom(options: argparse.Namespace, clock: Clock) -> int:
    from device.interop.dicom_folder import export_dicom

    kept = Kept(load_config(options.config))
    count = export_dicom(kept, options.folder)
    return kept.told(f"{printable_path(options.folder)}: examinations written: {count}")


def _send(options: argparse.Namespace, clock: Clock) -> int:
    from device.interop.outbox import Outbox
    from device.interop.sending import send_due
    from device.interop.targets import connections, queue
    from device.paths import state_folder

    config = load_config(options.config)
    targets = connections(config.exchange)
    if not targets:
        raise ConfigError("nothing is sent, as the settings name no target; see docs/interop.md")
    kept, waits = Kept(config), 0
    with Outbox(state_folder()) as outbox:
        queue(outbox, kept, config.exchange, clock.now())
        outbox.retry(clock.now())
        send_due(outbox, targets, kept.find, clock.now)
        for name in targets:
            waiting = list(outbox.waiting(name))
            waits += len(waiting)
            print(f"{name}: waiting: {len(waiting)}.")
            # Each reason once: of a target that cannot be reached there is one for all.
            for said in dict.fromkeys(w.fault.text for w in waiting if w.fault):
                print(f"dermascope: {printable(said)}", file=sys.stderr)
    return ExitStatus.BAD_INPUT if waits else kept.status


def _worklist(options: argparse.Namespace, clock: Clock) -> int:
    from device.interop.dicom_worklist import find_scheduled

    peer = load_config(options.config).exchange.worklist
    if peer is None:
        raise ConfigError("the settings name no worklist; see docs/interop.md")
    for one in find_scheduled(peer, clock.now().astimezone().date()):
        about = (one.time, one.identifier, one.name, one.order.description)
        print("\t".join(printable(part) for part in about))
    return ExitStatus.OK


class Kept:
    """The kept examinations, and how many could not be read."""

    def __init__(self, config: Config) -> None:
        self._source = _source(config)
        self._damaged = 0

    @property
    def status(self) -> int:
        """The exit status of what was done with them."""
        return ExitStatus.BAD_INPUT if self._damaged else ExitStatus.OK

    def __iter__(self) -> Iterator["ExaminedLesion"]:
        from device.interop.gather import gather

        return gather(self._source, self._pass_over)

    def find(self, identifier: str) -> "ExaminedLesion | None":
        """Return an examination; None where it was deleted."""
        if identifier not in self._source.pictures.identifiers():
            return None
        return self._source.read(identifier)

    def told(self, done: str) -> int:
        """Print what was done, and return the exit status."""
        print(f"{done}.")
        return self.status

    def _pass_over(self, error: RecordError) -> None:
        self._damaged += 1
        print(f"dermascope: {error}", file=sys.stderr)


def _source(config: Config) -> "Source":
    from device.interop.equipment import equipment_of
    from device.interop.gather import Source
    from device.models.bundle import load_bundle
    from device.optics import load_optics
    from device.paths import state_folder
    from device.records.folder_archive import FolderArchive

    return Source(
        pictures=FolderArchive(records_folder(config), create=False),
        patients=None,
        classes=load_bundle(model_folder(config), config.trusted_keys).manifest.classes,
        equipment=equipment_of(config.exchange),
        optics=load_optics(state_folder()),
    )
