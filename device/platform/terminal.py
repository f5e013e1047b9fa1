"""Text on a terminal."""

from rich.console import Console


class Terminal(Console):
    """A console that leaves the end of a broken pipe to the command line, as `print` does."""

    def on_broken_pipe(self) -> None:
        """Pass it on; rich would end the program with a failure."""
        raise BrokenPipeError
