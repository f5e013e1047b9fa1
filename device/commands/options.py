"""What several commands have in common: how they are added, and the options that they take."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from device.config import DEFAULT_MODEL, load_config
from device.platform.clock import Clock

if TYPE_CHECKING:
    from device.inference.analyzer import Analyzer

Command = Callable[[argparse.Namespace, Clock], int]
"""What a command does with its options; returns the exit status."""


class Add(Protocol):
    """Adds a command to the command line."""

    def __call__(
        self, name: str, command: Command, text: str, more: str = ""
    ) -> argparse.ArgumentParser:
        """Return its parser, for options of its own.

        Parameters
        ----------
        text, more
            What it is for: in the list of commands, and further in its own help.
        """


def option_path(text: str) -> Path:
    """Return an option's path.

    Raises
    ------
    argparse.ArgumentTypeError
        If no file can have this name.
    """
    if "\0" in text:
        raise argparse.ArgumentTypeError("holds a null character, as no file's name does")
    return Path(text)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the option that names another bundle."""
    parser.add_argument(
        "--model",
        type=option_path,
        metavar="DIR",
        help="folder of the model bundle to use (default: the `model` setting, else the "
        f"shipped {DEFAULT_MODEL})",
    )


def open_analyzer(options: argparse.Namespace) -> "Analyzer":
    """Return an analyzer with the bundle that the options and the settings name."""
    from device.inference.analyzer import Analyzer
    from device.models.chosen import open_bundle

    config = load_config(options.config)
    return Analyzer(open_bundle(config, options.model), config.threads)
