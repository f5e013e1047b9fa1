"""The network that a device's settings need, as systemd lets the program have it.

The unit forbids every network, and on a card nobody can write a drop-in: the settings that name a
network camera, another system or a port for the status say themselves what is needed.
"""

import ipaddress
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from device.config import Config

_CAMERA: Final = "mjpeg:"
_LOOPBACK: Final = "localhost"


def network_drop_in(config: Config) -> str:
    """Return a drop-in for the program's unit; empty where the settings need no network.

    It allows the addresses that the settings name. Where one is a name, whose address is known only
    when it is asked for, or the status is read from elsewhere, it allows all.
    """
    hosts = set(_hosts(config))
    if not hosts:
        return ""
    allowed = sorted(hosts) if all(_is_address(host) for host in hosts) else ["any"]
    return (
        f"[Service]\nRestrictAddressFamilies=AF_INET AF_INET6\nIPAddressAllow={' '.join(allowed)}\n"
    )


def _hosts(config: Config) -> Iterator[str]:
    if config.source.startswith(_CAMERA):
        yield _host_of(config.source.removeprefix(_CAMERA))
    exchange = config.exchange
    for peer in (*exchange.dicom, *((exchange.worklist,) if exchange.worklist else ())):
        yield peer.host.strip("[]")
    for server in exchange.fhir:
        yield _host_of(server.url)
    if config.status_address:
        yield config.status_address.rpartition(":")[0]


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        # No address: the program says so on its screen.
        return url


def _is_address(host: str) -> bool:
    if host == _LOOPBACK:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
