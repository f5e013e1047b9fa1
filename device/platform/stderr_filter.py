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
    with contextlib.ExitStack() as opened:
        try:
            kept = os.dup(2)
            opened.callback(os.close, kept)
            memory = os.memfd_create("stderr")
        except OSError:  # a service may run without standard error, or where memory is no file
            yield
            return
        written = opened.enter_context(open(memory, "r+b", buffering=0))  # noqa: PTH123
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            written.seek(0)
            lines = written.read().splitlines(keepends=True)
            # Standard error may be a file on a disk that is full.
            with contextlib.suppress(OSError):
                os.write(2, b"".join(line for line in lines if not unwanted(line)))
