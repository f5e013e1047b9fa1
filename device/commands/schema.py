"""``dermascope schema``."""

import argparse

from device.commands.options import Add
from device.commands.standard_output import print_json
from device.exit_status import ExitStatus
from device.platform.clock import Clock


def add_schema(add: Add) -> None:
    """Add it to the command line."""
    add("schema", schema, "Print the JSON Schema of one line of `analyze --json` output.")


def schema(options: argparse.Namespace, clock: Clock) -> int:
    """Print it."""
    import msgspec

    from device.inference.finding import FindingRecord

    written = msgspec.json.schema(FindingRecord)
    print_json(msgspec.json.format(msgspec.json.encode(written)))
    return ExitStatus.OK
