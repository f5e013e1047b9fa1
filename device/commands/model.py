"""``dermascope model``."""

import argparse

from device.commands.options import Add, add_model, option_path
from device.config import load_config
from device.exit_status import ExitStatus
from device.platform.clock import Clock


def add_model_command(add: Add) -> None:
    """Add it to the command line."""
    parser = add(
        "model",
        model,
        "Verify a bundle's signature and print its figures, networks and licence; install another.",
        "Models are installed into the state folder: that of the systemd service if it starts the "
        "command ($STATE_DIRECTORY), else the user's own.",
    )
    add_model(parser)
    deeds = parser.add_subparsers(metavar="DEED")

    install_parser = deeds.add_parser(
        "install", help="verify a bundle, try it on this device and use it from the next start"
    )
    install_parser.set_defaults(command=install)
    install_parser.add_argument(
        "bundle", type=option_path, metavar="FILE_OR_DIR", help=".dermascope archive, or a folder"
    )
    install_parser.add_argument(
        "--allow-downgrade", action="store_true", help="also install an older version"
    )
    back = deeds.add_parser("rollback", help="use the model before again, from the next start")
    back.set_defaults(command=rollback)
    told = deeds.add_parser("history", help="print what was installed and taken back, and why")
    told.set_defaults(command=history)
    trusted = deeds.add_parser("trust", help="follow a signed list that adds or revokes keys")
    trusted.set_defaults(command=trust)
    trusted.add_argument(
        "keys", type=option_path, metavar="FILE", help="keys.json, as dermascope-build key makes it"
    )


def model(options: argparse.Namespace, clock: Clock) -> int:
    """Verify the bundle and print what it is."""
    from device.console import print_model
    from device.models.chosen import open_bundle

    print_model(open_bundle(load_config(options.config), options.model))
    return ExitStatus.OK


def install(options: argparse.Namespace, clock: Clock) -> int:
    """Install a bundle."""
    from device.installation.install import install_model
    from device.paths import state_folder

    outcome = install_model(
        options.bundle,
        load_config(options.config),
        state_folder(),
        clock,
        downgrade=options.allow_downgrade,
    )
    if outcome.trial is None:
        print(f"{outcome.model} is in use already.")
        return ExitStatus.OK
    print(
        f"{outcome.model} works here: {outcome.trial.milliseconds:.1f} ms a frame, "
        f"{outcome.trial.mebibytes} MiB. It is used from the next start, on trial."
    )
    return ExitStatus.OK


def rollback(options: argparse.Namespace, clock: Clock) -> int:
    """Take the installed model back."""
    from device.installation.trial_period import roll_back
    from device.paths import state_folder

    used = roll_back(load_config(options.config), state_folder(), clock, "by hand")
    print(f"{used} is used from the next start.")
    return ExitStatus.OK


def history(options: argparse.Namespace, clock: Clock) -> int:
    """Print what happened to the models of this device."""
    from device.models.installed import models_folder, read_installed
    from device.paths import state_folder
    from device.text import printable

    for entry in read_installed(models_folder(state_folder())).history:
        reason = f": {printable(entry.reason)}" if entry.reason else ""
        print(f"{entry.at:%Y-%m-%d %H:%M} {entry.model} {entry.event}{reason}")
    return ExitStatus.OK


def trust(options: argparse.Namespace, clock: Clock) -> int:
    """Follow a list of keys."""
    from device.installation.keys import follow_key_list
    from device.paths import state_folder

    after = follow_key_list(options.keys, load_config(options.config), state_folder())
    for key in after.keys:
        print(f"trusted {key}")
    for key in sorted(after.revoked):
        print(f"revoked {key}")
    return ExitStatus.OK
