"""The network that a device's settings need, as systemd lets the program have it.

The unit forbids every network, and on a card nobody can write a drop-in: the settings that name a
network camera, another system or a port for the status say themselves what is needed.
"""

import ipaddress
import tomllib
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import msgspec

from device.config import Config

_CAMERA: Final = "mjpeg:"
_LOOPBACK: Final = "localhost"


def network_of(settings: bytes) -> str:
    """Return the drop-in for settings of the program, as TOML; empty where they are wrong.

    Only the program's part counts: a mistake in the machine's takes no network from the program.
    """
    try:
        return network_drop_in(msgspec.convert(tomllib.loads(settings.decode()), Config))
    except (ValueError, RecursionError, msgspec.ValidationError):
        return ""


def network_drop_in(config: Config) -> str:
    """Return a drop-in for the program's unit; empty where the settings need no network.

    It allows the addresses that the settings name. Where one is a name, whose address is known only
    when it is asked for, or the status is read from elsewhere, it allows all.
    """
    addresses = {_address(host) for host in _hosts(config)}
    if not addresses:
        return ""
    known = [address for address in addresses if address]
    allowed = sorted(known) if len(known) == len(addresses) else ["any"]
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


def _address(host: str) -> str:
    """Return an address as systemd takes it; empty where a host is a name.

    systemd knows no zone (``fe80::1%eth0``), which no packet has, and would pass over the address.
    """
    if host == _LOOPBACK:
        return host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return ""
    return host.partition("%")[0]
