"""What other programs read of standard output."""

import sys


def print_json(content: bytes) -> None:
    """Print JSON on a line of its own, in UTF-8 whatever the terminal has: no other is JSON."""
    if sys.stdout is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content + b"\n")
        sys.stdout.flush()
