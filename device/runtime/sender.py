"""The sender's thread: what is kept goes where the settings say, while the records are open."""

import logging
import threading
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from device.errors import ExportError, RecordError
from device.exchange import Exchange
from device.faults import Fault
from device.interop.gather import Source, find
from device.interop.outbox import Outbox
from device.interop.sending import Connect, send_due
from device.interop.targets import Changing, queue
from device.language import translatable
from device.platform.clock import Clock
from device.platform.logs import log_expected
from device.records.access import Access

NOT_SENT: Final = translatable("Examinations that wait to be sent to {target}: {count}.")
SENDING_FAILED: Final = translatable("Nothing can be sent.")

EVERY_SECONDS: Final = 15.0
"""How often it is looked whether there is something to send."""

SETTLING: Final = timedelta(minutes=1)
"""How long a picture that was taken waits for its decision, and a decision for second thoughts."""

_log = logging.getLogger(__name__)


class SentArchive(Changing, Protocol):
    """What is asked of the archive, beside its examinations."""

    @property
    def access(self) -> Access:
        """Who opened the records."""
        ...

    def note_sent(self, identifier: str, target: str) -> None:
        """Note in the trail what went where."""
        ...


class Sender:
    """Sends what is kept to the targets of the settings, from a queue on the disk.

    While the records are locked nothing is sent: it could not be read.

    Parameters
    ----------
    folder
        Of the queue.
    archive, source
        Where examinations are kept, and how one is read with all that is told of it.
    exchange
        The settings.
    targets
        How each target is connected with.
    clock
        That waits are timed by.
    """

    def __init__(
        self,
        folder: Path,
        archive: SentArchive,
        source: Source,
        exchange: Exchange,
        targets: Mapping[str, Connect],
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._archive = archive
        self._source = source
        self._exchange = exchange
        self._targets = targets
        self._clock = clock
        self._fault: Fault | None = None

    @property
    def fault(self) -> Fault | None:
        """Why something waits that should have been sent, or None; a new one when that changes."""
        return self._fault

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop; what is left waits for the next start."""
        while not stop.is_set():
            try:
                with Outbox(self._folder) as outbox:
                    while not stop.is_set():
                        self._step(outbox)
                        self._clock.wait(stop, EVERY_SECONDS)
            except ExportError as error:
                log_expected(_log, error)
                self._tell(error.fault)
            except Exception as error:
                # The instrument goes on without.
                _log.error("the sender failed", exc_info=error)
                self._tell(Fault(SENDING_FAILED, detail=type(error).__name__))
            self._clock.wait(stop, EVERY_SECONDS)

    def _step(self, outbox: Outbox) -> None:
        if self._archive.access.locked:
            return
        try:
            queue(outbox, self._archive, self._exchange, self._clock.now(), SETTLING)
            send_due(
                outbox,
                self._targets,
                lambda identifier: find(self._source, identifier),
                self._clock.now,
                self._archive.note_sent,
            )
        except RecordError as error:
            # They were locked meanwhile, or the disk fails, which the recorder tells.
            log_expected(_log, error)
            return
        self._tell(_failing(outbox, self._targets))

    def _tell(self, fault: Fault | None) -> None:
        """Keep the same fault while nothing about it changes: the screen shows each new one."""
        if fault != self._fault:
            self._fault = fault


def _failing(outbox: Outbox, targets: Collection[str]) -> Fault | None:
    """Return that something waits and why, of the target for which it has failed longest."""
    failing = outbox.failing(targets)
    if failing is None or failing[0].fault is None:
        return None
    fault, values = failing[0].fault, {"target": failing[0].target, "count": failing[1]}
    return Fault(NOT_SENT, fault.action, fault.where, fault.detail, {**fault.values, **values})
