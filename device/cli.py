"""``dermascope``: what a person can ask of the instrument.

Whatever goes wrong is reported in one line; the exit status tells its kind
(`device.exit_status`).
"""

import argparse
import errno
import io
import os
import sys
import textwrap
import traceback
from typing import Final

from device import __version__
from device.commands.analyze import add_analyze
from device.commands.calibrate import add_calibrate
from device.commands.demo import add_demo
from device.commands.export import add_export
from device.commands.model import add_model_command
from device.commands.options import Command, option_path
from device.commands.provision import add_provision
from device.commands.records import add_records
from device.commands.run import add_run, run
from device.commands.schema import add_schema
from device.commands.selftest import add_selftest
from device.commands.send import add_send
from device.commands.standard_error import print_error
from device.commands.status import add_status
from device.commands.worklist import add_worklist
from device.config import CONFIG_VARIABLE, SYSTEM_CONFIG
from device.errors import BundleError, ConfigError, DermascopeError, SourceError
from device.exit_status import ExitStatus
from device.platform.clock import Clock
from device.platform.logs import start_logging

DEBUG_VARIABLE: Final = "DERMASCOPE_DEBUG"
_COMMANDS: Final = (
    add_run,
    add_analyze,
    add_demo,
    add_model_command,
    add_calibrate,
    add_selftest,
    add_status,
    add_provision,
    add_export,
    add_send,
    add_worklist,
    add_records,
    add_schema,
)
"""In the order in which help lists them."""

_HELP_WIDTH: Final = 79
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    # A file's name may hold bytes that are no text; it is still to be named.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    clock = Clock()
    start_logging(clock)
    try:
        status = int(options.command(options, clock))
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except (ConfigError, BundleError) as error:
        status = ExitStatus.CANNOT_START if options.command is run else ExitStatus.BAD_INPUT
        return _fail_with(str(error), status)
    except SourceError as error:
        # The journal keeps what a service says: not the name of a replayed file.
        return _fail_with(error.fault.text if _in_a_service(options) else str(error))
    except DermascopeError as error:
        return _fail_with(str(error))
    except BrokenPipeError:
        # Whoever read our output has gone.
        _give_up_output()
        return ExitStatus.OK
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            _give_up_output()
            return _fail_with(
                f"the output cannot be written ({error.strerror}); free space on the disk, or "
                "write to another"
            )
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exc()
        words = "" if _in_a_service(options) else f": {error}"
        return _fail_with(
            f"internal error ({type(error).__name__}{words}); please report it, with what "
            f"{DEBUG_VARIABLE}=1 shows",
            ExitStatus.INTERNAL_ERROR,
        )


def _give_up_output() -> None:
    """Keep Python from trying to write at exit what could not be written before."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_a_service(options: argparse.Namespace) -> bool:
    return options.command is run and "JOURNAL_STREAM" in os.environ


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dermascope",
        description="Classify skin lesions in dermoscopic images.\n"
        "Decision support: the diagnosis is the clinician's.",
        epilog=_exit_statuses(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dermascope {__version__}")
    parser.add_argument(
        "--config",
        type=option_path,
        metavar="FILE",
        help=f"TOML settings file; goes before COMMAND (default: ${CONFIG_VARIABLE}, else "
        f"{SYSTEM_CONFIG} if it exists, else built-in defaults)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, text: str, more: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=f"{text} {more}".strip())
        sub.set_defaults(command=command)
        return sub

    for add_command in _COMMANDS:
        add_command(add)
    return parser


def _exit_statuses() -> str:
    lines = [
        textwrap.fill(
            status.meaning,
            width=_HELP_WIDTH,
            initial_indent=f"  {status.value:<5}",
            subsequent_indent=" " * 7,
        )
        for status in ExitStatus
    ]
    return "\n".join(("exit statuses:", *lines))


def _fail_with(message: str, status: ExitStatus = ExitStatus.BAD_INPUT) -> int:
    print_error(message)
    return status


if __name__ == "__main__":
    sys.exit(main())
