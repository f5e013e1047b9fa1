"""Who is to be examined today: asked of the clinic's worklist, in a thread of its own."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from device.errors import DermascopeError
from device.faults import Fault
from device.imaging.codes import clean_identifier
from device.language import translatable
from device.platform.clock import Clock
from device.platform.logs import log_expected
from device.records.orders import Scheduled
from device.records.patient_tables import folded

NOT_ASKED: Final = translatable("The clinic's list could not be asked for.")

FRESH_SECONDS: Final = 120.0
"""How long an answer is shown again before the clinic is asked anew."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Appointments:
    """What the clinic's worklist said.

    Attributes
    ----------
    entries
        Who is to be examined today, by time.
    heard
        When it said so, local time; None where it has said nothing today.
    asking
        It is being asked.
    fault
        Why it did not answer when it was asked last, or None.
    """

    entries: tuple[Scheduled, ...] = ()
    heard: datetime | None = None
    asking: bool = False
    fault: Fault | None = None


def entries_of(identifier: str, said: Appointments, today: date) -> tuple[Scheduled, ...]:
    """Return the entries of an identifier; none where the worklist has said nothing today."""
    if said.heard is None or said.heard.date() != today:
        return ()
    theirs = folded(identifier)
    # As the patient would be looked for whose entry is chosen from the list.
    return tuple(
        entry for entry in said.entries if folded(clean_identifier(entry.identifier)) == theirs
    )


class ClinicList:
    """Asks for the clinic's worklist when told to, and keeps what it said.

    Parameters
    ----------
    name
        Of whoever is asked, as the settings call it.
    find
        Asks who is scheduled on a day.
    clock
        That tells the day.
    """

    def __init__(
        self, name: str, find: Callable[[date], tuple[Scheduled, ...]], clock: Clock
    ) -> None:
        self.name: Final = name
        self._find = find
        self._clock = clock
        self._lock = threading.Lock()
        self._question = 0
        self._asked = 0.0
        self._said = Appointments()

    @property
    def said(self) -> Appointments:
        """What the worklist said last."""
        return self._said

    def look(self) -> None:
        """Ask, unless the last answer is of today and fresh."""
        said = self._said
        fresh = self._clock.monotonic() - self._asked < FRESH_SECONDS
        if said.heard is None or said.fault or not fresh or said.heard.date() != self._today():
            self.ask()

    def ask(self) -> None:
        """Ask, unless it is being asked."""
        with self._lock:
            if self._said.asking:
                return
            self._question += 1
            self._asked = self._clock.monotonic()
            heard = self._said.heard
            today = heard is not None and heard.date() == self._today()
            before = self._said if today else Appointments()
            self._said = replace(before, asking=True, fault=None)
            asked = (self._question, self._today())
        threading.Thread(target=self._ask, args=asked, name="worklist", daemon=True).start()

    def forget(self) -> None:
        """Forget what was said, and what is said to whoever asked before."""
        with self._lock:
            self._question += 1
            self._said = Appointments()

    def _ask(self, question: int, day: date) -> None:
        try:
            said = Appointments(self._find(day), self._clock.now().astimezone())
        except DermascopeError as error:
            log_expected(_log, error)
            said = replace(self._said, asking=False, fault=error.fault)
        except Exception as error:
            # Not the error itself: it may name a patient.
            _log.error("the worklist could not be asked (%s)", type(error).__name__)
            fault = Fault(NOT_ASKED, detail=type(error).__name__)
            said = replace(self._said, asking=False, fault=fault)
        with self._lock:
            if question == self._question:
                self._said = said

    def _today(self) -> date:
        return self._clock.now().astimezone().date()
