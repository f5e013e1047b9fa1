"""From the queue to where it goes; what fails stays in the queue with the reason."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from device.errors import (
    BusyError,
    ExportError,
    NotAllowedError,
    RecordError,
    RecordsLockedError,
    UnreachableError,
)
from device.interop.outbox import Outbox
from device.interop.study import ExaminedLesion

Send = Callable[[ExaminedLesion], None]
"""Sends an examination, and returns once it has arrived."""

Connect = Callable[[], AbstractContextManager[Send]]
"""Connects with a target for as long as the block lasts."""


def send_due(
    outbox: Outbox,
    targets: Mapping[str, Connect],
    find: Callable[[str], ExaminedLesion | None],
    now: Callable[[], datetime],
    arrived: Callable[[str, str], None] = lambda identifier, target: None,
) -> None:
    """Send what is due, target by target.

    Parameters
    ----------
    targets
        By the names that the queue knows them by. What waits for another one goes on waiting.
    find
        Reads an examination from the archive by its identifier; None for one that was deleted.
    now
        Tells the time, UTC.
    arrived
        Told of each examination and target.

    Raises
    ------
    device.errors.ExportError
        If the queue itself cannot be written. What goes wrong with a target, or with one
        examination, stands in the queue.
    device.errors.RecordsLockedError, device.errors.NotAllowedError
        If the records are locked meanwhile: what waits has not failed.
    """
    for name, connect in targets.items():
        due = outbox.due(name, now())
        if not due:
            continue
        left = list(due)
        tried = False
        try:
            with connect() as send:
                while left:
                    waiting, tried = left[0], False
                    try:
                        examined = find(waiting.examination)
                        if examined is None:
                            outbox.forget(waiting.examination)
                        else:
                            tried = True
                            send(examined)
                            # Told of before it is crossed off: whatever fails in between is sent
                            # again, and nothing has left that the trail does not know of.
                            arrived(waiting.examination, name)
                            outbox.done(waiting, now())
                    except (UnreachableError, RecordsLockedError, NotAllowedError):
                        raise
                    except (ExportError, RecordError) as error:
                        outbox.failed(waiting, error.fault, now())
                    left.pop(0)
        except ExportError as error:
            wait = timedelta(seconds=error.seconds if isinstance(error, BusyError) else 0.0)
            for number, waiting in enumerate(left):
                # What one broke off at may be its own fault: the others were not tried, and come
                # before it the next time.
                outbox.failed(waiting, error.fault, now(), wait, tried=not tried or number == 0)
