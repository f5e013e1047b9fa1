"""``dermascope provision``."""

import argparse
import os

from device.commands.options import Add, option_path
from device.commands.standard_error import print_error
from device.errors import DermascopeError
from device.exit_status import ExitStatus
from device.platform.clock import Clock
from device.provisioning.file import BOOT_FILE
from device.text import printable_path


def add_provision(add: Add) -> None:
    """Add it to the command line."""
    parser = add(
        "provision",
        provision,
        "Check or apply the file that sets a device up.",
        "It holds every setting of the program, and a section [machine] for name, time zone, ssh "
        "keys and Wi-Fi.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--check",
        type=option_path,
        metavar="FILE",
        help="say everything that is wrong with a file: line, key and what is expected",
    )
    what.add_argument(
        "--apply",
        nargs="?",
        type=option_path,
        const=BOOT_FILE,
        metavar="FILE",
        help="set this machine up, as root, at its start (default: %(const)s)",
    )


def provision(options: argparse.Namespace, clock: Clock) -> int:
    """Check the file or apply it, and print what is wrong with it."""
    import socket

    from device.provisioning.apply import (
        RUN_FOLDER,
        UNIT_FOLDER,
        apply_provision,
        ask_systemd,
        under_systemd,
    )
    from device.provisioning.file import check_provision

    if options.check:
        problems = [f"{options.check}: {problem}" for problem in check_provision(options.check)]
        for problem in problems:
            print_error(problem)
        if not problems:
            print(f"{printable_path(options.check)}: nothing is wrong with it.")
        return ExitStatus.BAD_INPUT if problems else ExitStatus.OK
    # Nothing of a machine is touched unless its own unit says so: a desk has a name too.
    if os.geteuid() != 0 or not under_systemd(os.environ):
        raise DermascopeError(
            "--apply sets up the machine that it runs on; it is for dermascope-provision.service"
        )
    problems = apply_provision(
        options.apply, RUN_FOLDER, UNIT_FOLDER, ask_systemd, socket.sethostname
    )
    for problem in problems:
        print_error(f"{options.apply}: {problem}")
    return ExitStatus.BAD_INPUT if problems else ExitStatus.OK
