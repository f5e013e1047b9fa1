"""``dermascope worklist``."""

import argparse

from device.commands.options import Add
from device.config import load_config
from device.errors import ConfigError
from device.exit_status import ExitStatus
from device.platform.clock import Clock
from device.text import printable


def add_worklist(add: Add) -> None:
    """Add it to the command line."""
    add("worklist", worklist, "Ask the clinic's worklist who is to be examined today.")


def worklist(options: argparse.Namespace, clock: Clock) -> int:
    """Print time, identifier, name and procedure of each."""
    from device.interop.dicom_worklist import find_scheduled

    peer = load_config(options.config).exchange.worklist
    if peer is None:
        raise ConfigError("the settings name no worklist; see docs/interop.md")
    for one in find_scheduled(peer, clock.now().astimezone().date()):
        about = (one.time, one.identifier, one.name, one.order.description)
        print("\t".join(printable(part) for part in about))
    return ExitStatus.OK
