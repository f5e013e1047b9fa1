"""What a self-test found, as a table on a terminal."""

from typing import Final

from rich.table import Table
from rich.text import Text

from device.platform.terminal import Terminal
from device.selftest.check import Checks, CheckState, worst
from device.text import printable

_MARKS: Final[dict[CheckState, tuple[str, str]]] = {
    CheckState.PASSED: ("passed", "green"),
    CheckState.WARNING: ("WARNING", "bold yellow"),
    CheckState.FAILED: ("FAILED", "bold red"),
    CheckState.UNTESTED: ("not tested", "dim"),
}


def print_checks(checks: Checks) -> None:
    """Print what a self-test found as a table, and below it what is to be done."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for check in checks:
        mark, style = _MARKS[check.state]
        said = " ".join(part for part in (check.found.text, check.found.technical) if part)
        table.add_row(Text(mark, style), Text(check.item), Text(printable(said)))
    console = Terminal(highlight=False)
    console.print(table)
    console.print(Text(f"Self-test: {worst(checks)}."))
