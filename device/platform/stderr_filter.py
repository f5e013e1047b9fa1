"""What C libraries write to file descriptor 2, behind Python's back."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def filtered_stderr(unwanted: Callable[[bytes], bool]) -> Iterator[None]:
    """Keep lines that C code writes to standard error away from the user.

    It replaces the whole process's standard error while the block runs, so it is for commands and
    for start-up, before there is a second thread. No file is needed: a full disk must not keep the
    instrument from starting.

    Parameters
    ----------
    unwanted
        Called with each line; those for which it returns False are passed on at the end.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # a service may run without standard error
        yield
        return
    with open(os.memfd_create("stderr"), "r+b", buffering=0) as written:  # noqa: PTH123
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            written.seek(0)
            for line in written.read().splitlines(keepends=True):
                if not unwanted(line):
                    os.write(2, line)
