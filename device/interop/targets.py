"""The targets of the settings, as the queue sends to them."""

from functools import partial

from device.exchange import Exchange
from device.interop.dicom_network import dicom_store
from device.interop.sending import Connect


def connections(exchange: Exchange) -> dict[str, Connect]:
    """Return how each target is connected with, by its name."""
    return {peer.name: partial(dicom_store, peer) for peer in exchange.dicom}
