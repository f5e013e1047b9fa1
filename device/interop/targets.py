"""The targets of the settings: how they are connected with, and what each is sent."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from device.exchange import Exchange
from device.interop.dicom_network import dicom_store
from device.interop.fhir_client import fhir_store
from device.interop.outbox import Outbox
from device.interop.sending import Connect, content_of
from device.interop.study import ExaminedLesion


def connections(exchange: Exchange) -> dict[str, Connect]:
    """Return how each target is connected with, by its name."""
    targets: dict[str, Connect] = {peer.name: partial(dicom_store, peer) for peer in exchange.dicom}
    targets |= {server.name: partial(fhir_store, server) for server in exchange.fhir}
    return targets


def queue(
    outbox: Outbox, examined: Iterable[ExaminedLesion], exchange: Exchange, now: datetime
) -> None:
    """Queue examinations for every target, as far as they are not there in this state already.

    A FHIR server is sent only what is filed under a patient.
    """
    for one in examined:
        names = [peer.name for peer in exchange.dicom]
        if one.patient is not None:
            names += [server.name for server in exchange.fhir]
        for name in names:
            outbox.add(name, one.examination.record.identifier, content_of(one), now)
