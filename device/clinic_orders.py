"""The clinic's worklist at the instrument: who may see it, and whose order is taken up."""

from typing import Final

from device.platform.clock import Clock
from device.records.access import Protection
from device.records.orders import Scheduled
from device.records.roles import Permission, may, not_allowed
from device.runtime.clinic_list import Appointments, ClinicList, entries_of
from device.runtime.desk import Desk
from device.runtime.recorder import Recorder
from device.runtime.requests import Appoint, ListSeen


class ClinicOrders:
    """What the clinic's worklist says, for whoever may see patients.

    Parameters
    ----------
    clinic_list
        Asks for the worklist; None where the settings name none.
    recorder
        Of the open patient, and of who was seen today.
    clock
        That tells the day.

    Attributes
    ----------
    name
        Of whoever is asked, as the settings call it; empty where the settings name none.
    of_patient
        The entries of whoever is open on the desk.
    """

    def __init__(self, clinic_list: ClinicList | None, recorder: Recorder, clock: Clock) -> None:
        self.name: Final = clinic_list.name if clinic_list else ""
        self.of_patient: tuple[Scheduled, ...] = ()
        self._list = clinic_list
        self._recorder = recorder
        self._clock = clock
        self._compared: tuple[Desk, Appointments] | None = None

    @property
    def said(self) -> Appointments:
        """What the worklist said, or why that is not to be seen."""
        if self._list is None:
            return Appointments()
        if not self._may_be_seen():
            return Appointments(fault=not_allowed(self._recorder.desk.role, Permission.READ).fault)
        return self._list.said

    def look(self) -> None:
        """Ask, unless there is a fresh answer."""
        if self._list is not None and self._may_be_seen():
            self._list.look()

    def ask(self) -> None:
        """Ask anew."""
        if self._list is not None and self._may_be_seen():
            self._list.ask()

    def mark_seen(self) -> None:
        """Have the records say who was seen today."""
        if self._list is not None and self._may_be_seen():
            self._recorder.inbox.send(ListSeen())

    def follow(self, desk: Desk) -> None:
        """Take up the order of the open patient, where the worklist names one alone."""
        said, before = self.said, self._compared
        if before and before[0] is desk and before[1] == said:
            return
        self._compared, self.of_patient = (desk, said), ()
        if desk.locked and self._list is not None:
            self._list.forget()
            return
        identifier = desk.patient.identifier if desk.patient else desk.unknown
        if identifier and desk.scheduled is None:
            today = self._clock.now().astimezone().date()
            self.of_patient = entries_of(identifier, said, today)
            if desk.patient and len(self.of_patient) == 1:
                self._recorder.inbox.send(Appoint(desk.patient.key, self.of_patient[0]))

    def _may_be_seen(self) -> bool:
        desk = self._recorder.desk
        # Where nothing locks the records, whoever asks first opens them.
        open_to_all = desk.access is not None and desk.access.protection is Protection.NOTHING
        return open_to_all or may(desk.role, Permission.READ)
