"""``dermascope-build``: from images to a signed bundle."""

import argparse
import sys
from typing import Final

from rich.console import Console

from build_host.cli.compression import add_compression_commands
from build_host.cli.data import add_data_commands
from build_host.cli.evaluation import add_evaluation_commands
from build_host.cli.image import add_image_commands
from build_host.cli.options import Command
from build_host.cli.release import add_release_commands
from build_host.cli.training import add_training_commands
from device.errors import DermascopeError

_EXIT_STATUSES: Final = """\
exit statuses:
  0    success
  2    error you can fix: bad option, missing or damaged file
  130  interrupted (Ctrl-C)
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        return int(options.command(options, console))
    except DermascopeError as error:
        print(f"dermascope-build: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"dermascope-build: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dermascope-build: stopped; the same command resumes from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dermascope-build",
        description="Train, compress, calibrate, evaluate and sign a model.",
        epilog=_EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Command, text: str, *parents: argparse.ArgumentParser, more: str = ""
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=text, description=f"{text} {more}".strip(), parents=parents
        )
        sub.set_defaults(command=command)
        return sub

    add_data_commands(commands)
    add_training_commands(add)
    add_compression_commands(add)
    add_evaluation_commands(add)
    add_release_commands(add)
    add_image_commands(add)
    return parser
