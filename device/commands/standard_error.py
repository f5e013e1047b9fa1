"""What is wrong, in one line on standard error."""

import sys

from device.text import printable


def print_error(message: str) -> None:
    """Print it, with whatever a terminal would act on made visible."""
    if sys.stderr is not None:
        print(f"dermascope: {printable(message)}", file=sys.stderr)
