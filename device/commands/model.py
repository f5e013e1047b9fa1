"""``dermascope model``."""

import argparse

from device.commands.options import Add, add_model
from device.config import load_config
from device.exit_status import ExitStatus
from device.platform.clock import Clock


def add_model_command(add: Add) -> None:
    """Add it to the command line."""
    add_model(
        add(
            "model",
            model,
            "Verify a bundle's signature and print its figures, networks and licence.",
        )
    )


def model(options: argparse.Namespace, clock: Clock) -> int:
    """Verify the bundle and print what it is."""
    from device.console import print_model
    from device.models.chosen import open_bundle

    print_model(open_bundle(load_config(options.config), options.model))
    return ExitStatus.OK
