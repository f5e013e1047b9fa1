"""``dermascope status``."""

import argparse

from device.commands.options import Add
from device.commands.standard_output import print_json
from device.exit_status import ExitStatus
from device.platform.clock import Clock


def add_status(add: Add) -> None:
    """Add it to the command line."""
    parser = add("status", status, "Print how the running instrument is; nothing about a patient.")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument(
        "--prometheus", action="store_true", help="print the text format of Prometheus"
    )


def status(options: argparse.Namespace, clock: Clock) -> int:
    """Print it."""
    import msgspec

    from device.status.reader import read_status
    from device.status.report import as_lines, as_prometheus

    told = read_status(clock)
    if options.json:
        print_json(msgspec.json.encode(told))
    elif options.prometheus:
        print(as_prometheus(told), end="")
    else:
        for name, value in as_lines(told):
            print(f"{name + ':':<14}{value}")
    return ExitStatus.OK
