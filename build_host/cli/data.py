"""Commands about collections of images."""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from build_host.datasets.sources import SOURCES
from build_host.datasets.validation import validate_source
from build_host.errors import DataError
from build_host.pipeline import measurement

_NOTES_SHOWN: Final = 20


def add_data_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add them to the command line."""
    text = "Check or draw a collection of images."
    data_commands = commands.add_parser("data", help=text, description=text).add_subparsers(
        required=True, metavar="COMMAND"
    )
    for command_name, command, text in (
        ("check", _check, "Decode every image of a collection and report missing, damaged or "
         "inconsistent files."),
        ("show", _show, "Draw how often each diagnosis, age, sex and site occurs in a collection, "
         "and examples of each diagnosis."),
    ):  # fmt: skip
        sub = data_commands.add_parser(command_name, help=text, description=text)
        sub.set_defaults(command=command)
        sub.add_argument(
            "source", choices=list(SOURCES), metavar="SOURCE", help=f"one of {', '.join(SOURCES)}"
        )
        sub.add_argument(
            "folder", type=Path, nargs="?", metavar="DIR",
            help="its folder (default: the environment variable of the source, such as "
            "$DERMASCOPE_HAM10000)",
        )  # fmt: skip
        if command is _show:
            sub.add_argument(
                "--out", type=Path, metavar="FILE", default=Path("data.png"),
                help="image file to write (default: %(default)s)",
            )  # fmt: skip


def _check(options: argparse.Namespace, console: Console) -> int:
    report = validate_source(options.source, _source_folder(options), console)
    for problem in report.problems:
        print(f"dermascope-build: {problem}", file=sys.stderr)
    shown = report.notes[:_NOTES_SHOWN]
    for note in shown:
        console.print(f"Note: {note}", soft_wrap=True)
    if len(report.notes) > len(shown):
        console.print(f"Note: and {len(report.notes) - len(shown)} more")
    console.print(f"{report.images} usable images; {len(report.problems)} problems")
    return 2 if report.problems else 0


def _source_folder(options: argparse.Namespace) -> Path:
    folder: Path | None = options.folder
    if folder is not None:
        return folder
    source = SOURCES[options.source]
    named = os.environ.get(source.variable)
    if not named:
        raise DataError(f"{source.title}: name its folder, here or with ${source.variable}")
    return Path(named)


def _show(options: argparse.Namespace, console: Console) -> int:
    folder = _source_folder(options)
    dataset = SOURCES[options.source].read(folder)
    if not dataset.records:
        raise DataError(f"{folder}: has no image of the seven diagnoses")
    measurement.write_data_sheet(dataset, options.out)
    console.print(
        f"Wrote {options.out}; it shows images of the collection, whose terms apply to it",
        soft_wrap=True,
    )
    return 0
