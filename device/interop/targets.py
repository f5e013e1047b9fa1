"""The targets of the settings: how they are connected with, and what each is sent."""

from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from device.errors import NoSuchRecordError
from device.exchange import Exchange
from device.interop.dicom_network import dicom_store
from device.interop.fhir_client import fhir_store
from device.interop.outbox import Outbox
from device.interop.sending import Connect
from device.records.model import ExaminationRecord


class Changing(Protocol):
    """What is asked of an archive whose examinations are sent."""

    def changes(self, after: str) -> list[tuple[str, str]]:
        """Return which examinations changed after a mark, each with its own; not all at once."""
        ...

    def record(self, identifier: str) -> ExaminationRecord:
        """Return what is written of an examination."""
        ...


def connections(exchange: Exchange) -> dict[str, Connect]:
    """Return how each target is connected with, by its name."""
    targets: dict[str, Connect] = {peer.name: partial(dicom_store, peer) for peer in exchange.dicom}
    targets |= {server.name: partial(fhir_store, server) for server in exchange.fhir}
    return targets


def queue(
    outbox: Outbox,
    archive: Changing,
    exchange: Exchange,
    now: datetime,
    pause: timedelta = timedelta(0),
) -> None:
    """Queue what has changed since it was last queued, for every target.

    A FHIR server is sent only what is filed under a patient.

    Parameters
    ----------
    pause
        How long to wait with what is new: a picture that is taken is soon decided as well.

    Raises
    ------
    device.errors.RecordError
        If the archive cannot be read.
    device.errors.ExportError
        If the queue cannot be written.
    """
    filed_only = {server.name for server in exchange.fhir}
    for target in connections(exchange):
        while changed := archive.changes(outbox.seen(target)):
            queued = {}
            for identifier, mark in changed:
                try:
                    filed = archive.record(identifier).lesion is not None
                except NoSuchRecordError:
                    outbox.forget(identifier)
                    continue
                if filed or target not in filed_only:
                    queued[identifier] = mark
            outbox.add(target, queued.items(), now, pause=pause, seen=changed[-1][1])
