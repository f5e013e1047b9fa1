"""What C libraries write to file descriptor 2, behind Python's back."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def filtered_stderr(unwanted: Callable[[bytes], bool]) -> Iterator[None]:
    """Keep lines that C code writes to standard error away from the user.

    Parameters
    ----------
    unwanted
        Told each line; those for which it answers no are passed on when the block ends.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # a service may run without standard error
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            for line in said:
                if not unwanted(line):
                    os.write(2, line)
