"""``dermascope selftest``."""

import argparse

from device.commands.options import Add, add_model
from device.commands.standard_output import print_json
from device.config import load_config
from device.errors import DermascopeError
from device.exit_status import ExitStatus
from device.platform.clock import Clock


def add_selftest(add: Add) -> None:
    """Add it to the command line."""
    parser = add(
        "selftest",
        selftest,
        "Check camera, model, screen, disk and the rest of the machine.",
        "It needs the camera for itself: stop the service first, say --running, or touch More, "
        "About, Self-test on the screen.",
    )
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="where frames come from (default: the `source` setting, else demo)",
    )
    parser.add_argument(
        "--running",
        action="store_true",
        help="leave out camera, screen and buttons, which an instrument that runs holds for itself",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="ITEM",
        help="check nothing but this, as the table calls it (camera, disk, ...); may be given "
        "several times",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, for a factory line"
    )
    add_model(parser)


def selftest(options: argparse.Namespace, clock: Clock) -> int:
    """Carry every check out, and print what was found."""
    from device.paths import state_folder
    from device.selftest.check import CheckState, Item, to_json, worst
    from device.selftest.runs import checks_alone
    from device.selftest.table import print_checks

    named = options.only or tuple(Item)
    unknown = set(named) - set(Item)
    if unknown:
        raise DermascopeError(
            f"--only: {', '.join(sorted(unknown))}: there is no such check; choose from "
            f"{', '.join(Item)}"
        )
    checks = checks_alone(
        load_config(options.config),
        clock,
        state_folder(),
        model=options.model,
        source=options.source,
        running=options.running,
        only=[Item(name) for name in named],
    )
    if options.json:
        print_json(to_json(checks))
    else:
        print_checks(checks)
    return ExitStatus.CHECK_FAILED if worst(checks) is CheckState.FAILED else ExitStatus.OK
